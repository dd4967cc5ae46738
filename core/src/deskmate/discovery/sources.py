"""Which host files a layer is made of: Deskmate's own guest code, and the plugins' files."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import deskmate
from deskmate.discovery.foreign import PinnedFiles
from deskmate.discovery.installed import is_built_in
from deskmate.discovery.record import RESERVED, RecordedFiles, walk_source
from deskmate.errors import PluginError
from deskmate.types.ids import Digest
from deskmate.types.registry import InstalledPlugin

_OWN_PARTS = (
    "deskmate/__init__.py",
    "deskmate/py.typed",
    "deskmate/errors.py",
    "deskmate/types",
    "deskmate/plugin",
    "deskmate_guest",
    "deskmate_documents",
)
LIB = "lib"
BROUGHT = "brought"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a layer. `path`: in the layer. `real`: on the host. `plugin`: whose it is, or empty.

    `recorded`: what RECORD says of it (urlsafe base64 sha256), empty where nothing is recorded.
    """

    path: str
    real: str
    plugin: str = ""
    recorded: str = ""

    def fingerprint(self) -> tuple[str, str, int, int, int]:
        """Return what changes when the file does, without reading it. Raises PluginError."""
        try:
            facts = os.stat(self.real)  # noqa: PTH116 - a thousand of these on every call
        except OSError as error:
            raise PluginError(f"{self.real} cannot be read: {error.strerror}.") from error
        if not stat.S_ISREG(facts.st_mode):
            raise PluginError(f"{self.real} is not a regular file.")
        return self.path, self.real, facts.st_size, facts.st_mtime_ns, facts.st_mode


def layer_root(plugin: InstalledPlugin) -> str:
    """Return the plugin's import root in the layer."""
    if plugin.foreign is not None:
        return f"{BROUGHT}/{plugin.name}"
    return LIB if is_built_in(plugin) else f"plugins/{plugin.name}"


def layer_sources(plugins: Sequence[InstalledPlugin]) -> tuple[SourceFile, ...]:
    """Return all files of the layer for these plugins, ordered by path."""
    found = [*_own_files()]
    for plugin in plugins:
        if not is_built_in(plugin):
            found.extend(_plugin_files(plugin))
    return tuple(sorted(found, key=lambda source: source.path))


def _own_files() -> Iterator[SourceFile]:
    root = Path(deskmate.__file__).parent.parent
    for part in _OWN_PARTS:
        place = root / part
        for file in walk_source(place) if place.is_dir() else (place,):
            path = file.relative_to(root).as_posix()
            yield SourceFile(path=f"{LIB}/{path}", real=str(file))


def _plugin_files(plugin: InstalledPlugin) -> Iterator[SourceFile]:
    files = plugin.files
    hashes = files.hashes() if isinstance(files, RecordedFiles | PinnedFiles) else {}
    root = layer_root(plugin)
    for path, real in files.items():
        if path.partition("/")[0] in RESERVED and plugin.foreign is None:
            raise PluginError(f"Plugin {plugin.name} brings {path}, a name of Deskmate itself.")
        yield SourceFile(
            path=f"{root}/{path}", real=real, plugin=plugin.name, recorded=hashes.get(path, "")
        )


def copy_source(source: SourceFile, staging: Path) -> Digest:
    """Copy one file into the staging folder and return its sha256.

    Raises:
        PluginError: it is not what RECORD says: somebody changed the installed plugin.
    """
    target = staging / source.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(source.real, "rb") as read, target.open("xb") as write:  # noqa: PTH123
        shutil.copyfileobj(read, write, 1 << 20)
        executable = os.fstat(read.fileno()).st_mode & 0o111
    target.chmod(0o755 if executable else 0o644)
    with target.open("rb") as copied:  # the copy is what counts, not what was there before
        digest = hashlib.file_digest(copied, "sha256")
    recorded = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
    if source.recorded and source.recorded.rstrip("=") != recorded:
        raise PluginError(
            f"Plugin {source.plugin}: {source.real} is not what was installed; its sha256 differs "
            "from RECORD.",
            hint="Somebody changed it. Install the plugin anew.",
        )
    return Digest(digest.hexdigest())
