"""Looks at a plugin's wheel before anything of it is unpacked, and says why it is refused."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deskmate import __version__
from deskmate.discovery.metadata import GROUP, normalise, parse_entry_points, parse_headers
from deskmate.discovery.record import FILES_LIMIT, TREE_LIMIT_BYTES
from deskmate.discovery.wheel import members_of, opened, read_record, shown
from deskmate.errors import PluginError

WHEEL_LIMIT_BYTES = TREE_LIMIT_BYTES
_TEXT_LIMIT_BYTES = 1 << 20
_NATIVE = frozenset({".so", ".pyd", ".dll", ".dylib", ".a", ".o", ".exe", ".pyc", ".pyo"})
_STARTUP = frozenset({"sitecustomize.py", "usercustomize.py"})
_PIP_WRITES = frozenset({"direct_url.json", "INSTALLER", "REQUESTED"})
_SIGNATURES = ("RECORD", "RECORD.jws", "RECORD.p7s")
_ODD = re.compile(r'[:*?"<>|]|[. ]$')
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginWheel:
    """A wheel that passed. `info`: its dist-info folder. `plugins`: pairs of plugin name and package.

    `left_out`: what it requires beside Deskmate, which is installed nowhere.
    """

    file: Path
    name: str
    version: str
    sha256: str
    info: str
    plugins: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name and version, for messages."""
        return f"{self.name} {self.version}"


def inspect_wheel(wheel: Path) -> PluginWheel:
    """Return what a plugin's wheel is, having looked at its names, sizes and metadata only.

    Raises:
        PluginError: it is no wheel of a plugin, or holds something that a plugin may not bring.
    """
    name, version = _names(wheel)
    with opened(wheel) as archive:
        label = shown(wheel.name)
        members = members_of(label, archive)
        _check_whole(label, archive, members)
        info = _info_folder(label, members)
        for member in members.values():
            _check_member(label, member, info)
        _check_collisions(label, members)
        _check_record(label, archive, members)
        text = _Texts(label, archive, members, info)
        left_out = _check_metadata(label, text, name, version)
        plugins = _plugins(label, text.read("entry_points.txt"))
    with wheel.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return PluginWheel(
        file=wheel, name=name, version=version, sha256=sha256, info=info, plugins=plugins,
        left_out=left_out,
    )  # fmt: skip


def _names(wheel: Path) -> tuple[str, str]:
    """Return name and version by the file's name. Raises PluginError unless it is pure Python's."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # noqa: PLC0415

    label = shown(wheel.name)
    if wheel.suffix != ".whl":
        raise PluginError(
            f"{label} is not a wheel; building it would run its code on this machine.",
            hint="Ask its author for a wheel, a file that ends in .whl.",
        )
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise PluginError(f"{label} does not have the name of a wheel.") from error
    if not any(
        tag.abi == "none" and tag.platform == "any" and tag.interpreter.startswith("py3")
        for tag in tags
    ):
        raise PluginError(
            f"{label} holds code for one kind of machine; a plugin is Python only.",
            hint="What it needs compiled belongs to its extra `guest`: its author knows.",
        )
    if not _NAME.fullmatch(name) or normalise(name) == "deskmate":
        raise PluginError(f"{label} has a name that no plugin's distribution may have.")
    return name, str(version)


def _check_whole(
    label: str, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> None:
    size = sum(member.file_size for member in members.values())
    if len(archive.infolist()) > FILES_LIMIT or size > TREE_LIMIT_BYTES:
        raise PluginError(
            f"{label} unpacks to {len(members)} files and {size >> 20} MiB; {FILES_LIMIT} files and "
            f"{TREE_LIMIT_BYTES >> 20} MiB are allowed."
        )


def _info_folder(label: str, members: Mapping[str, zipfile.ZipInfo]) -> str:
    tops = {PurePosixPath(name).parts[0] for name in members}
    infos = [top for top in tops if top.lower().endswith((".dist-info", ".egg-info"))]
    if len(infos) != 1 or not infos[0].endswith(".dist-info"):
        raise PluginError(f"{label} does not have exactly one dist-info folder.")
    return infos[0]


def _check_member(label: str, member: zipfile.ZipInfo, info: str) -> None:
    name = shown(member.filename)
    path = PurePosixPath(member.filename)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PluginError(f"{label} packs {name} in a way that wheels do not.")
    if member.flag_bits & 0x1:
        raise PluginError(f"{label} holds {name} encrypted.")
    if any(_ODD.search(part) for part in path.parts) or str(path) != member.filename:
        raise PluginError(f"{label} holds {name!r}, which is not a plain path.")
    if path.suffix.lower() in _NATIVE:
        raise PluginError(f"{label} brings {name}, compiled code; a plugin is Python source only.")
    if path.parts[0].lower().endswith(".data"):
        raise PluginError(
            f"{label} brings {name}, which goes beside its package (a command, data)."
        )
    if path.suffix.lower() == ".pth" and len(path.parts) == 1:
        raise PluginError(f"{label} brings {name}, which runs at every start of Python.")
    if path.name.lower() in _STARTUP and len(path.parts) == 1:
        raise PluginError(f"{label} brings {name}, which runs at every start of Python.")
    if path.parts[0] == info and path.name in _PIP_WRITES:
        raise PluginError(f"{label} brings {name}, which only an installer writes.")


def _check_collisions(label: str, members: Mapping[str, zipfile.ZipInfo]) -> None:
    """Refuse names that are one on a file system that ignores case, and files that are folders too."""
    seen: dict[str, str] = {}
    folders = {str(parent).casefold() for name in members for parent in PurePosixPath(name).parents}
    for name in members:
        key = name.casefold()
        if other := seen.get(key):
            raise PluginError(
                f"{label} holds {shown(other)} and {shown(name)}: one name on some disks."
            )
        if key in folders:
            raise PluginError(f"{label} holds {shown(name)} as a file and as a folder.")
        seen[key] = name


def _check_record(
    label: str, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> None:
    """Refuse unless RECORD and the archive name the same files; contents are compared at unpacking."""
    recorded = read_record(label, archive, members)
    for name in members:
        if name not in recorded and not name.endswith(_SIGNATURES):
            raise PluginError(f"{label}: {shown(name)} is not in its RECORD.")
    for name in recorded:
        if name not in members:
            raise PluginError(f"{label}: RECORD names {shown(name)}, which is not there.")


@dataclass(frozen=True, slots=True)
class _Texts:
    """Reads the files of the dist-info folder, each of bounded size."""

    label: str
    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    info: str

    def read(self, name: str) -> str:
        member = self.members.get(f"{self.info}/{name}")
        if member is None:
            raise PluginError(f"{self.label} has no {name}.")
        if member.file_size > _TEXT_LIMIT_BYTES:
            raise PluginError(
                f"{self.label}: its {name} has {member.file_size >> 20} MiB, one is allowed."
            )
        try:
            return self.archive.read(member).decode()
        except UnicodeDecodeError as error:
            raise PluginError(f"{self.label}: its {name} is not UTF-8 text.") from error


def _check_metadata(label: str, text: _Texts, name: str, version: str) -> tuple[str, ...]:
    from packaging.utils import canonicalize_version  # noqa: PLC0415

    fields = parse_headers(text.read("METADATA"))
    said = (*fields.get("name", ()), *fields.get("version", ()))
    stem_name, _, stem_version = text.info.removesuffix(".dist-info").partition("-")
    versions = (stem_version, said[1] if len(said) == 2 else "")
    if len(said) != 2 or {normalise(said[0]), normalise(stem_name)} != {normalise(name)}:
        raise PluginError(f"{label} says another name in its METADATA or in its folder's name.")
    if any(canonicalize_version(one) != canonicalize_version(version) for one in versions):
        raise PluginError(f"{label} says another version in its METADATA or in its folder's name.")
    wheel = parse_headers(text.read("WHEEL")).get("wheel-version", [""])
    if wheel[0].partition(".")[0] != "1":
        raise PluginError(f"{label} is of the wheel format {shown(wheel[0])!r}; 1 is known.")
    return tuple(_left_out(label, fields.get("requires-dist", ())))


def _left_out(label: str, requirements: Iterable[str]) -> Iterable[str]:
    """Yield what is required beside Deskmate and outside extras. Raises PluginError if Deskmate does not fit."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for line in requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise PluginError(f"{label} requires {shown(line)!r}, which cannot be read.") from error
        if requirement.marker is not None and "extra" in str(requirement.marker):
            continue
        if normalise(requirement.name) != "deskmate":
            yield requirement.name
        elif not requirement.specifier.contains(__version__, prereleases=True):
            raise PluginError(
                f"{label} is for deskmate {requirement.specifier}; this is {__version__}.",
                hint="Take another version of one of them.",
            )


def _plugins(label: str, text: str) -> tuple[tuple[str, str], ...]:
    groups = parse_entry_points(text)
    if other := sorted(group for group in groups if group != GROUP):
        raise PluginError(
            f"{label} has entry points in {shown(', '.join(map(repr, other)))}: commands, or hooks of "
            f"other programs. A plugin has them in {GROUP!r} only."
        )
    plugins = tuple(groups.get(GROUP, ()))
    if not plugins:
        raise PluginError(f"{label} is no plugin: it has no entry point in {GROUP!r}.")
    names = [normalise(name) for name, _ in plugins]
    if len(set(names)) < len(names):
        raise PluginError(f"{label} names a plugin twice.")
    return plugins
