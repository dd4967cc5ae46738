"""Files of a connector's program: a folder of its own that stays from run to run, and copies of folders that the user named.

What the program keeps is opaque to the host: bytes by digest and a list of names, never a folder of files. Nothing that it
does to a copy comes back.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from deskmate.errors import CorruptData, ToolError
from deskmate.host.adapters import Adapters
from deskmate.ports import Machine, Progress
from deskmate.store.blobs import BlobStore
from deskmate.types.codec import from_json, to_json
from deskmate.types.connectors import ConnectorEntry, Program
from deskmate.types.files import Difference, Entry, Grant
from deskmate.types.places import Places
from deskmate.types.wire import WORKSPACE

KEPT = "kept"
"""Name of the folder that stays, in the machine."""
KEPT_BYTES = 256 << 20
KEPT_FILES = 20_000
COPIED_BYTES = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a program left, by path."""

    entries: tuple[Entry, ...] = ()


def kept_folder(places: Places, name: str) -> Path:
    """Return where the files lie that a connector's program keeps."""
    return places.data / "programs" / f"{name}.kept"


def forget_kept(places: Places, name: str) -> None:
    """Remove what a connector's program kept."""
    shutil.rmtree(kept_folder(places, name), ignore_errors=True)


def grants_of(program: Program) -> tuple[Grant, ...]:
    """Return the folders of a program's machine: its own, and the user's, which it may change as copies."""
    own = (Grant(name=KEPT, folder=""),) if program.keeps else ()
    return (*own, *(Grant(name=name, folder=folder) for name, folder in program.folders.items()))


def placed(words: Iterable[str]) -> tuple[str, ...]:
    """Return words in which `{kept}` and `{folders}` stand for their places in the machine."""
    places = {"{kept}": f"{WORKSPACE}/{KEPT}", "{folders}": WORKSPACE}
    found = []
    for word in words:
        for mark, place in places.items():
            word = word.replace(mark, place)
        found.append(word)
    return tuple(found)


class ProgramFiles:
    """The files of one machine of a program. Made by `files_of`."""

    def __init__(self, folder: Path, entry: ConnectorEntry) -> None:
        self._folder, self._entry = folder, entry
        self._blobs = BlobStore(folder / "blobs")
        self._base: tuple[Entry, ...] = ()

    async def lay(self, machine: Machine, adapters: Adapters, progress: Progress) -> None:
        """Bring them into the machine. Raises ToolError, SandboxUnavailable."""
        self._base = await anyio.to_thread.run_sync(self._take, adapters)
        await machine.put_base(self._base, self._blobs, progress)

    def _take(self, adapters: Adapters) -> tuple[Entry, ...]:
        from deskmate.changes.scan import ScanLimits, take_base  # noqa: PLC0415

        program = self._entry.program
        assert program is not None
        kept = self._read() if program.keeps else ()
        grants = tuple(grant for grant in grants_of(program) if grant.folder)
        if not grants:
            return kept
        limits = ScanLimits(size=COPIED_BYTES)
        base = take_base(grants, self._blobs, exclude=adapters.own_folders, limits=limits)
        return tuple(sorted((*kept, *base.entries), key=lambda entry: entry.path))

    async def keep(self, machine: Machine) -> None:
        """Write down what the program's own folder holds now. Raises ToolError where it is too much, SandboxUnavailable."""
        if self._entry.program is None or not self._entry.program.keeps:
            return
        changes, _ = await machine.difference(self._base, self._blobs)
        entries = self._after(changes)
        if len(entries) > KEPT_FILES or sum(entry.size for entry in entries) > KEPT_BYTES:
            raise ToolError(
                f"the call was done, but its program's folder has more than {KEPT_FILES:,} files or {KEPT_BYTES >> 20} MiB, so it is kept as it was before"
            )
        await anyio.to_thread.run_sync(self._write, entries)

    def _after(self, changes: Difference) -> tuple[Entry, ...]:
        found = {entry.path: entry for entry in self._base}
        for change in changes.changes:
            if change.after is None:
                found.pop(change.path, None)
            else:
                found[change.path] = change.after
        own = (entry for path, entry in found.items() if path.startswith(f"{KEPT}/"))
        return tuple(sorted(map(_shared, own), key=lambda entry: entry.path))

    def _read(self) -> tuple[Entry, ...]:
        path = self._folder / "entries.json"
        try:
            return from_json(_Kept, json.loads(path.read_bytes())).entries
        except FileNotFoundError:
            return ()
        except (ValueError, CorruptData) as error:
            raise ToolError(
                f"what it kept cannot be read; move {path} away to begin without it"
            ) from error

    def _write(self, entries: tuple[Entry, ...]) -> None:
        """Replace the list, whole or not at all; then what no list names any more goes."""
        part = self._folder / f"entries.{os.getpid()}"
        with part.open("w", encoding="utf-8") as file:
            json.dump(to_json(_Kept(entries=entries)), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / "entries.json")

    def sweep(self) -> None:
        """Remove content that the program does not keep: of copies, of files that it replaced."""
        try:
            named = {entry.sha256 for entry in self._read()}
        except ToolError:  # it was told already, and nothing is to be lost over it
            return
        for path in (self._folder / "blobs").glob("??/*.zst"):
            if path.stem not in named:
                path.unlink(missing_ok=True)


def _shared(entry: Entry) -> Entry:
    """Return an entry that the program may change in its next machine, where it belongs to another user."""
    return replace(entry, mode=entry.mode | (0o770 if entry.kind == "dir" else 0o660))


@contextmanager
def files_of(places: Places, entry: ConnectorEntry) -> Iterator[ProgramFiles | None]:
    """Yield the files of a program for one machine, None where it has none. Blocks. Raises ToolError where another run has it."""
    program = entry.program
    if program is None or not (program.keeps or program.folders):
        yield None
        return
    folder = kept_folder(places, entry.name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ToolError("another run has its folder; try again when that has ended") from error
        files = ProgramFiles(folder, entry)
        try:
            yield files
        finally:
            files.sweep()
