"""What a distribution says of itself in its dist-info folder, read as bounded data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deskmate.errors import PluginError

GROUP = "deskmate.plugins"
OWN_DISTRIBUTION = "deskmate"
_LIMIT_BYTES = 8 * 1024 * 1024
_ENTRY_POINTS_LIMIT_BYTES = 256 * 1024
_NEAR_GROUPS = frozenset({"deskmate.plugin", "deskmate_plugins", "deskmate-plugins", "deskmate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that has entry points for Deskmate.

    `site`: the folder it is installed in. `info`: its dist-info (or egg-info) folder. `plugins`: pairs
    of plugin name and package, as written. `misspelt`: entry point groups that look like ours. `origin`:
    who installed it.
    """

    name: str
    version: str
    site: Path
    info: Path
    plugins: tuple[tuple[str, str], ...]
    misspelt: tuple[str, ...] = ()
    origin: Literal["pip", "store"] = "pip"

    @property
    def label(self) -> str:
        """Name and version, for messages."""
        where = " (in the plugin store)" if self.origin == "store" else ""
        return f"{self.name} {self.version}{where}"

    @property
    def own(self) -> bool:
        """Say whether this is Deskmate itself: by the folder that pip named, not by what METADATA says."""
        stem = self.info.name.rpartition(".")[0].partition("-")[0]
        names = {normalise(stem), normalise(self.name)}
        return self.origin == "pip" and names == {OWN_DISTRIBUTION}

    @property
    def editable(self) -> bool:
        """Say whether it is read from its source tree; nothing in the store is, whatever it says."""
        return self.origin == "pip" and is_editable(self.info)


def normalise(name: str) -> str:
    """Return a distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with_plugins(path: Sequence[str]) -> Iterator[Installed]:
    """Yield the distributions in the folders of `path` that name Deskmate in their entry points.

    As Python itself has it, the first distribution of a name shadows later ones. Zipped
    distributions are not looked into.
    """
    seen: set[str] = set()
    for folder in dict.fromkeys(path):
        for info in _info_folders(Path(folder)) if folder else ():
            stem = info.name.rpartition(".")[0]
            name = normalise(stem.partition("-")[0])
            if name in seen:
                continue
            seen.add(name)
            if found := read_installed(info):
                yield found


def _info_folders(folder: Path) -> Iterable[Path]:
    try:
        names = sorted(item.name for item in folder.iterdir())
    except OSError:
        return ()
    return [folder / name for name in names if name.endswith((".dist-info", ".egg-info"))]


def read_installed(info: Path) -> Installed | None:
    """Return the distribution of a dist-info folder, None if it does not name Deskmate."""
    groups = entry_points(info, only_with=b"deskmate")
    plugins = tuple(groups.get(GROUP, ()))
    misspelt = tuple(sorted(set(groups) & _NEAR_GROUPS))
    if not plugins and not misspelt:
        return None
    name, version = _name_and_version(info)
    return Installed(
        name=name, version=version, site=info.parent, info=info, plugins=plugins, misspelt=misspelt
    )


def parse_entry_points(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return group → pairs of name and value."""
    groups: dict[str, list[tuple[str, str]]] = {}
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            groups.setdefault(group, []).append((name.strip(), value.strip()))
    return groups


def entry_points(info: Path, only_with: bytes = b"") -> Mapping[str, list[tuple[str, str]]]:
    """Return group → pairs of name and value of the first 256 KiB, empty where there are none.

    `only_with`: do not look closer at a file without these bytes.
    """
    try:
        with (info / "entry_points.txt").open("rb") as file:
            text = file.read(_ENTRY_POINTS_LIMIT_BYTES)
    except OSError:
        return {}
    return parse_entry_points(text.decode("utf-8", "replace")) if only_with in text else {}


def _name_and_version(info: Path) -> tuple[str, str]:
    fields = headers(info)
    stem = info.name.rpartition(".")[0]
    name, _, version = stem.partition("-")
    return (
        next(iter(fields.get("name", ())), name),
        next(iter(fields.get("version", ())), version or "unknown"),
    )


def headers(info: Path) -> Mapping[str, list[str]]:
    """Return the header fields of METADATA, lower-case name → values, without the long description."""
    return parse_headers(_metadata_text(info))


def parse_headers(text: str) -> Mapping[str, list[str]]:
    """Return the header fields of a metadata file's text, lower-case name → values."""
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(name.strip().lower(), []).append(value.strip())
    return fields


def _metadata_text(info: Path) -> str:
    name = "METADATA" if info.suffix == ".dist-info" else "PKG-INFO"
    try:
        with (info / name).open("rb") as file:  # the header comes first: never read all of it
            return file.read(64 * 1024).decode("utf-8", "replace")
    except OSError:
        return ""


def direct_url(info: Path) -> Mapping[str, object]:
    """Return direct_url.json, empty where there is none or it is not readable."""
    try:
        data = json.loads(read_bounded(info / "direct_url.json", 64 * 1024))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def is_editable(info: Path) -> bool:
    """Say whether the distribution is read from its source tree."""
    if info.suffix == ".egg-info":
        return True
    folder = direct_url(info).get("dir_info")
    return isinstance(folder, dict) and folder.get("editable") is True


def read_bounded(file: Path, limit_bytes: int = _LIMIT_BYTES) -> bytes:
    """Return a file's content. Raises OSError, and PluginError when it is larger than the limit."""
    with file.open("rb") as stream:
        content = stream.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise PluginError(f"{file} is larger than {limit_bytes // 1024} KiB.")
    return content
