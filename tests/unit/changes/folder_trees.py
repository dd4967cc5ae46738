"""Random trees on disk, the differences between them, and what a tree looks like byte by byte."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from deskmate.changes.apply import Outcome, Place, apply_changes
from deskmate.changes.history import unfinished
from deskmate.changes.journal import Journal
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.scan import Base, take_base
from deskmate.ports import Blobs
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.codec import to_json
from deskmate.types.events import Event, Payload
from deskmate.types.files import Change, Difference, Entry, Grant, GrantMode, Operation
from deskmate.types.ids import Digest, ThreadId

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where hundreds of small trees are made: memory where there is such a folder."""
Tree = Mapping[str, bytes | None]
"""Relative path → content, None for a folder. Every folder above a path is in it."""


def trees() -> st.SearchStrategy[dict[str, bytes | None]]:
    """Small trees whose names collide often, with kinds that change."""
    names = st.sampled_from(["a", "b", "Ä b", "c.txt"])
    paths = st.lists(names, min_size=1, max_size=3).map("/".join)
    contents = st.one_of(st.none(), st.sampled_from([b"", b"one\n", b"two\n", bytes(range(256))]))
    return st.dictionaries(paths, contents, max_size=8).map(whole)


def whole(tree: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Add the missing folders; what lies below a file makes it a folder."""
    found = dict(tree)
    for path in tree:
        above = path.rpartition("/")[0]
        while above:
            found[above] = None
            above = above.rpartition("/")[0]
    return dict(sorted(found.items()))


def lay(root: Path, tree: Tree) -> None:
    """Write a tree with odd modes and times."""
    for number, (path, content) in enumerate(tree.items()):
        target = root / path
        if content is None:
            target.mkdir()
        else:
            target.write_bytes(content)
            target.chmod((0o644, 0o600, 0o755, 0o640)[number % 4])
    for number, path in enumerate(reversed([*tree])):
        os.utime(root / path, ns=(10**18, 10**18 + number * 1_000_001))
    os.utime(root, ns=(10**18, 10**18 + 7))


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything that must come back: kind, mode, time, content, target, attributes."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        content: object = None
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        names = [] if path.is_symlink() else os.listxattr(path)
        attributes = {name: os.getxattr(path, name) for name in names}
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_mtime_ns,
            content,
            attributes,
        )
    return found


def contents(root: Path) -> dict[str, bytes | None]:
    """The tree as `Tree`."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


def difference(
    base: Sequence[Entry], grant: str, tree: Tree, blobs: Blobs, mode: int = 0o664
) -> Difference:
    """What a guest would report that made `tree` of the base."""
    before = {entry.path: entry for entry in base}
    after = {}
    for path, content in tree.items():
        name = f"{grant}/{path}"
        old = before.get(name)
        if content is None:
            kept = old.mode if old and old.kind == "dir" else 0o775
            after[name] = Entry(path=name, kind="dir", mode=kept)
        else:
            kept = old.mode if old and old.kind == "file" else mode
            digest = blobs.put(content)
            after[name] = Entry(path=name, kind="file", mode=kept, size=len(content), sha256=digest)
    changes = []
    for path in sorted(before.keys() | after.keys()):
        change = _change(path, before.get(path), after.get(path))
        if change:
            changes.append(change)
    return Difference(changes=tuple(changes))


def _change(path: str, old: Entry | None, new: Entry | None) -> Change | None:
    operation: Operation
    if old is None:
        operation = "mkdir" if new and new.kind == "dir" else "create"
    elif new is None:
        operation = "rmdir" if old.kind == "dir" else "delete"
    elif (old.kind, old.sha256, old.target) != (new.kind, new.sha256, new.target):
        operation = "modify"
    elif old.mode != new.mode:
        operation = "mode"
    else:
        return None
    return Change(path=path, operation=operation, before=old, after=new)


class ListStore:
    """A log in memory."""

    def __init__(self) -> None:
        self.log: list[Event] = []

    @property
    def thread(self) -> ThreadId:
        return ThreadId("t-test")

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        fresh = [
            Event(seq=len(self.log) + n, time="", payload=payload, prev_hash="", hash="")
            for n, payload in enumerate(payloads, 1)
        ]
        self.log += fresh
        return tuple(fresh)

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        return tuple(self.log[after:])


@dataclass
class Desk:
    """A granted folder, its base, and the place where changes are applied."""

    root: Path
    grants: tuple[Grant, ...]
    base: Base
    place: Place

    @classmethod
    def make(cls, folder: Path, tree: Tree, mode: GrantMode = "rw") -> Desk:
        root = folder / "docs"
        root.mkdir()
        lay(root, tree)
        grants = (Grant(name="docs", folder=str(root), mode=mode),)
        blobs = MemoryBlobs()
        place = Place(store=ListStore(), blobs=blobs, journal=folder / "apply")
        return cls(root, grants, take_base(grants, blobs), place)

    def rescan(self) -> Base:
        """The base as it is now."""
        return take_base(self.grants, self.place.blobs)

    def stage(self, tree: Tree, mode: int = 0o664) -> Digest:
        found = difference(self.base.entries, "docs", tree, self.place.blobs, mode)
        return self.stage_changes(found)

    def stage_changes(self, found: Difference) -> Digest:
        return self.place.blobs.put(json.dumps(to_json(found)).encode())

    async def apply(self, digest: Digest, options: ApplyOptions | None = None) -> Outcome:
        chosen = options or ApplyOptions(confirm_bulk=True)
        return await apply_changes(self.place, digest, self.grants, chosen, run="r-1")

    def balance(self) -> None:
        """Every intent has exactly one outcome, and no temporary file or record is left."""
        events = [event.payload for event in self.place.store.log]  # type: ignore[attr-defined]
        assert unfinished(self.place.store.log) == ()  # type: ignore[attr-defined]
        kinds = [type(event).__name__ for event in events]
        assert kinds == ["ApplyStarted", "ApplyFinished"] * (len(kinds) // 2)
        assert Journal(self.place.journal).pending() == ()
        assert not [path for path in self.root.rglob("*") if path.name.startswith(".deskmate-")]
