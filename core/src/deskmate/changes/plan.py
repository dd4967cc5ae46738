"""A plan: what is at each path before, what is to be there after, and nothing else.

Apply and undo are the same thing with the sides swapped. A plan is a blob; its digest is its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from deskmate.changes.differ import Part
from deskmate.errors import CorruptData
from deskmate.ports import BlobReader, Blobs
from deskmate.types.codec import from_json, to_json
from deskmate.types.files import EntryKind, Grant
from deskmate.types.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is at a path. `mtime_ns` None: whatever the write gives.

    `mode`: permission bits. `uid` -1: whoever writes. `attributes`: extended ones, name → hex; None:
    whatever the system gives.
    """

    kind: EntryKind
    mode: int
    size: int = 0
    sha256: Digest | None = None
    target: str = ""
    mtime_ns: int | None = None
    uid: int = -1
    gid: int = -1
    attributes: Mapping[str, str] | None = None

    def content(self) -> tuple[str, str | None, str]:
        """Return what makes two states the same to a reader: kind, digest, link target."""
        return self.kind, self.sha256, self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One path of a plan. None: nothing there."""

    path: str
    before: State | None
    after: State | None

    @property
    def is_frame(self) -> bool:
        """Whether it only stands for a folder whose time changes, because something in it does."""
        if self.before is None or self.after is None or self.before.kind != "dir":
            return False
        return self.after.kind == "dir" and self.before.mode == self.after.mode

    @property
    def removes(self) -> bool:
        """Whether something goes away before anything comes."""
        return self.before is not None and (
            self.after is None or self.after.kind != self.before.kind
        )

    @property
    def brings_content(self) -> bool:
        """Whether a new file or link must be written."""
        if self.after is None or self.after.kind == "dir":
            return False
        return self.before is None or self.before.content() != self.after.content()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps over some grants, carried out whole or not at all.

    `id`: makes two equal plans differ. `source`: the difference it carries out, or None for an undo.
    `run`: whose changes, empty for an undo. `undoes`: plans whose steps it takes back. `forced`: files
    that had changed since were overwritten too; their content is in the steps' `before`. `left`: how many changes of
    the set stay staged.
    """

    id: str
    grants: tuple[Grant, ...]
    steps: tuple[Step, ...]
    source: Digest | None = None
    run: str = ""
    undoes: tuple[Digest, ...] = ()
    forced: bool = False
    parts: Mapping[str, Part] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    left: int | None = None


def store_plan(plan: Plan, blobs: Blobs) -> Digest:
    """Put a plan into the blobs and return its digest."""
    return blobs.put(json.dumps(to_json(plan), sort_keys=True).encode())


def read_plan(digest: Digest, blobs: BlobReader) -> Plan:
    """Return a stored plan. Raises CorruptData."""
    try:
        data = json.loads(blobs.read(digest))
    except (ValueError, RecursionError) as error:
        raise CorruptData(f"Blob {digest} is not a plan of file changes: {error}") from error
    return from_json(Plan, data)


def same(left: State | None, right: State | None) -> bool:
    """Say whether two states have the same content, or are both nothing."""
    if left is None or right is None:
        return left is right
    return left.content() == right.content()
