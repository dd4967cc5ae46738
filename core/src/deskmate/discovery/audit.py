"""What pip did besides installing: code that may have run, or runs, outside the virtual machine.

Of the plugin store, whether its files are still what was installed.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from deskmate.discovery.foreign import changed_files, foreign_plugin
from deskmate.discovery.metadata import (
    Installed,
    direct_url,
    entry_points,
    installed_with_plugins,
    normalise,
    read_bounded,
)
from deskmate.discovery.plugin_store import PluginStore, StoredForeign
from deskmate.discovery.record import RecordedFile, read_record
from deskmate.errors import PluginError

NoteKind = Literal["startup", "script", "built", "editable", "outside", "changed", "unrecorded"]
WORST_FIRST: tuple[NoteKind, ...] = (
    "startup", "changed", "built", "outside", "script", "unrecorded", "editable",
)  # fmt: skip
_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tgz")
_COMMANDS = ("console_scripts", "gui_scripts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that pip did on the host for a plugin's distribution.

    `startup`: a `.pth` with code, run at every start of this Python. `script`: a command that pip
    installed. `built`: its build ran code here. `editable`: so did it, and its files change as its source
    does. `outside`: a file beside its packages. `changed`: a file that is not what was installed.
    `unrecorded`: it cannot be known what it installed, or whether that was changed.
    """

    kind: NoteKind
    distribution: str
    what: str


def audit(path: Sequence[str] | None = None, *, store: Path | None = None) -> tuple[Note, ...]:
    """Return what is to be looked at in the plugin distributions of `path` (default `sys.path`), in order.

    A distribution that pip built from an index's source archive leaves a trace in pip's cache only, if
    there: other builds are named where pip recorded a folder, repository or archive. `store`: the plugin
    store's folder.
    """
    notes: list[Note] = []
    for installed in installed_with_plugins(sys.path if path is None else path):
        if not installed.own:
            notes.extend(_notes(installed))
    if store is not None:
        notes.extend(_stored(PluginStore(store)))
    return tuple(notes)


def _notes(installed: Installed) -> Iterable[Note]:
    found = (*_built(installed), *_scripts(installed), *_recorded(installed))
    for kind, what in found:
        yield Note(kind=kind, distribution=installed.label, what=what)


def _stored(store: PluginStore) -> Iterable[Note]:
    try:
        index = store.index()
    except PluginError as error:
        yield Note(kind="unrecorded", distribution="plugin store", what=error.message)
        return
    yield from _foreign(store, index.foreign)
    plugins = index.plugins
    for stored in plugins:
        label = f"{stored.name} {stored.version} (in the plugin store)"
        try:
            installed = store.installed(stored)
            for kind, what in _changed(installed, read_record(installed.info)):
                yield Note(kind=kind, distribution=label, what=what)
        except PluginError as error:
            yield Note(kind="changed", distribution=label, what=error.message)


def _foreign(store: PluginStore, entries: Iterable[StoredForeign]) -> Iterable[Note]:
    for entry in entries:
        label = f"{entry.name} {entry.version}".rstrip() + " (in another format)"
        try:
            for path in changed_files(foreign_plugin(store, entry)):
                yield Note(kind="changed", distribution=label, what=f"{path} is not what was added")
        except (PluginError, OSError) as error:
            yield Note(kind="changed", distribution=label, what=str(error))


def _built(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    origin = direct_url(installed.info)
    url = str(origin.get("url", ""))
    if installed.editable:
        yield "editable", f"its build ran here, editable, from {url or installed.site}"
    elif "dir_info" in origin or "vcs_info" in origin or url.endswith(_ARCHIVES):
        yield "built", f"its build ran here, from {url}"
    elif wheel := _built_by_pip(installed):
        yield "built", f"its build ran here: pip keeps {wheel.name}, which it built, in its cache"


def _built_by_pip(installed: Installed) -> Path | None:
    """Return the wheel that pip built of this version on this machine, as far as its cache knows."""
    folder = Path(os.environ.get("PIP_CACHE_DIR") or Path.home() / ".cache/pip") / "wheels"
    name = normalise(installed.name).replace("-", "_")
    pattern = f"*/*/*/*/{glob.escape(name)}-{glob.escape(installed.version)}-*.whl"
    try:
        return next(folder.glob(pattern), None)
    except (OSError, ValueError):
        return None


def _scripts(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    groups = entry_points(installed.info)
    for group in _COMMANDS:
        for name, target in groups.get(group, ()):
            yield "script", f"the command {name} ({target})"


def _recorded(installed: Installed) -> Iterable[tuple[NoteKind, str]]:
    """Yield what RECORD tells: start-up hooks, files beside the packages, and what was changed since."""
    try:
        record = read_record(installed.info)
    except PluginError as error:
        yield "unrecorded", error.message
        return
    for line in record:
        at_top = "/" not in line.path and line.path.endswith(".pth")
        if at_top and (runs := _code_lines(installed.site / line.path)):
            yield "startup", f"{line.path} runs at every start of Python: {runs}"
    yield from _outside(installed, record)
    if not installed.editable:
        yield from _changed(installed, record)


def _outside(
    installed: Installed, record: Sequence[RecordedFile]
) -> Iterable[tuple[NoteKind, str]]:
    scripts = {
        name for group in _COMMANDS for name, _ in entry_points(installed.info).get(group, ())
    }
    for line in record:
        path = PurePosixPath(line.path)
        beside = path.is_absolute() or ".." in path.parts
        if beside and not (path.name in scripts and "bin" in path.parts):
            yield "outside", f"{line.path} lies beside its packages"


def _changed(
    installed: Installed, record: Sequence[RecordedFile]
) -> Iterable[tuple[NoteKind, str]]:
    unknown = 0
    for line in record:
        path = PurePosixPath(line.path)
        if path.suffix == ".pyc" or (path.parts[:1] == (installed.info.name,) and not line.sha256):
            continue
        if not line.sha256:
            unknown += 1
        elif (digest := _digest(installed.site / line.path)) != line.sha256.rstrip("="):
            yield (
                "changed",
                f"{line.path} {'is missing' if digest is None else 'was changed since'}",
            )
    if unknown:
        yield "unrecorded", f"its RECORD has no hash for {unknown} of its files"


def _digest(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return None
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _code_lines(file: Path) -> str:
    try:
        text = read_bounded(file, 1 << 20).decode("utf-8", "replace")
    except (OSError, PluginError) as error:
        return str(error)
    lines = [line for line in text.splitlines() if line.startswith(("import ", "import\t"))]
    return "; ".join(lines)[:200]
