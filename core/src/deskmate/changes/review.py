"""A change set for people: what would happen to each file, what would not and why, and text diffs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from deskmate.changes.dangers import content_flags
from deskmate.changes.differ import Differ, Part, sides_of
from deskmate.changes.disk import Folders
from deskmate.changes.loss import Loss, hard_links, loss_of
from deskmate.changes.moves import find_moves
from deskmate.changes.names import flags, is_below, protection, refusal
from deskmate.changes.plan import State
from deskmate.changes.twins import Names, twin_flags
from deskmate.errors import CorruptData, UserError
from deskmate.ports import BlobReader
from deskmate.types.codec import from_json
from deskmate.types.files import Change, Difference, Entry, Grant, Operation
from deskmate.types.ids import Digest

Standing = Literal["open", "applied", "discarded", "refused", "protected", "conflict"]
_KEPT = "deleting is not allowed in this folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One change, judged against the folders as they are now.

    `standing`: open (can be applied), applied (the folder has it already), refused (cannot be applied
    at all), protected (only when allowed by name), conflict (the user's file is another one now),
    discarded (the user threw it away). `why`: of the last four. `moved_from`: the path whose deletion
    belongs to this creation. `parts`: pieces of `of` that the folder has already. `loss`: how a file that
    stays is lost. `links`: how many names the user's file has.
    """

    change: Change
    standing: Standing = "open"
    why: str = ""
    flags: tuple[str, ...] = ()
    moved_from: str = ""
    found: State | None = None
    parts: tuple[str, ...] = ()
    of: int = 0
    loss: Loss = ""
    loss_text: str = ""
    links: int = 1

    @property
    def path(self) -> str:
        """The workspace path."""
        return self.change.path

    @property
    def removes(self) -> bool:
        """Whether something that existed goes away, other than by being overwritten."""
        before, after = self.change.before, self.change.after
        return before is not None and (after is None or after.kind != before.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """All changes in the order of their paths. `refused`: what the guest offered and nobody took."""

    items: tuple[Item, ...]
    refused: Mapping[str, str]

    def count(self, standing: Standing) -> int:
        """Return how many items stand so."""
        return sum(item.standing == standing for item in self.items)

    def left(self, beside: Sequence[str] = ()) -> int:
        """Return how many changes are still to be decided on, but for those at or below these paths."""
        return sum(
            item.standing not in ("applied", "discarded", "refused")
            and not is_below(item.path, beside)
            for item in self.items
        )

    def operations(self) -> Mapping[Operation | str, int]:
        """Return how many open items there are of each operation; a move counts as one `move`."""
        moved = {item.moved_from for item in self.items if item.moved_from}
        found: Counter[str] = Counter()
        for item in self.items:
            if item.standing == "open" and item.path not in moved:
                found["move" if item.moved_from else item.change.operation] += 1
        return dict(sorted(found.items()))


def read_difference(digest: Digest, blobs: BlobReader) -> Difference:
    """Return a staged change set. Raises CorruptData."""
    try:
        return from_json(Difference, json.loads(blobs.read(digest)))
    except ValueError as error:
        raise CorruptData(f"Change set {digest[:12]} is damaged: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a change set so far. `written`: path → the part of it that the folder has.

    `discarded`: paths that were thrown away, with what is below them.
    """

    written: Mapping[str, Part] = field(default_factory=dict)
    discarded: tuple[str, ...] = ()


def review(
    difference: Difference,
    grants: Sequence[Grant],
    folders: Folders,
    blobs: BlobReader,
    settled: Settled | None = None,
) -> ChangeSet:
    """Judge every change: names, grants, protected names, and what is in the folders now.

    Raises CorruptData.
    """
    modes = {grant.name: grant for grant in grants}
    moves = find_moves(difference.changes)
    judge = _Judge(folders, blobs, settled or Settled())
    items = [
        replace(
            judge.item(change, modes.get(change.path.partition("/")[0])),
            moved_from=moves.get(change.path, ""),
        )
        for change in sorted(difference.changes, key=lambda change: change.path)
    ]
    return ChangeSet(items=tuple(items), refused=difference.refused)


def add_flags(changes: ChangeSet, folders: Folders, blobs: BlobReader) -> ChangeSet:
    """Add to every item what a reviewer should know. Reads the new content. Raises CorruptData."""
    here = {item.path for item in changes.items if item.change.after}
    gone = {item.path for item in changes.items if not item.change.after}
    names = Names(folders, here, gone)
    return replace(
        changes,
        items=tuple(replace(item, flags=_flags(item, names, blobs)) for item in changes.items),
    )


def _flags(item: Item, names: Names, blobs: BlobReader) -> tuple[str, ...]:
    change = item.change
    if change.after is None or item.standing == "refused":
        return ()
    found = list(twin_flags(item.path, names)) if change.before is None else []
    if item.loss_text:
        found.append(item.loss_text)
    if item.links > 1:
        found.append("its other hard links keep the old content")
    if change.after.kind != "file":
        return tuple(found)
    # executable is news only where the file was not so before
    was = change.before.mode if change.before and change.before.kind == "file" else 0
    found += flags(change.path, change.after.mode & ~was)
    if not item.moved_from:
        found += content_flags(change.path, change.before, change.after, blobs)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Judge:
    _folders: Folders
    _blobs: BlobReader
    _settled: Settled

    def item(self, change: Change, grant: Grant | None) -> Item:
        """Return one change with how it stands now."""
        item = Item(change=change)
        if why := _refuse(item, grant):
            return replace(item, standing="refused", why=why)
        try:
            found = self._folders.look(change.path)
            item = self._look_closer(replace(item, found=found))
        except OSError as error:
            return replace(item, standing="conflict", why=f"it cannot be read: {error.strerror}")
        except UserError as error:
            return replace(item, standing="conflict", why=error.message)
        if item.standing != "open":
            return item
        if grant and grant.mode == "rw-no-delete" and item.loss in ("emptied", "cut short"):
            return replace(item, standing="refused", why=f"{item.loss_text}: {_KEPT}")
        if name := protection(change.path):
            why = f"{name} is a protected name: other programs act on it"
            return replace(item, standing="protected", why=why)
        return item

    def _look_closer(self, item: Item) -> Item:
        """Compare with what is there. Raises OSError."""
        change, found = item.change, item.found
        if _is_there(found, change):
            return replace(item, standing="applied")
        written = self._settled.written.get(change.path)
        if written and found and found.sha256 == written.sha256:
            item = replace(item, parts=written.ids, of=written.of)
        elif why := _differs(found, change.before):
            return replace(item, standing="conflict", why=why)
        if self._settled.discarded and is_below(change.path, self._settled.discarded):
            return replace(item, standing="discarded", why="you threw it away")
        if item.parts or found is None or found.kind != "file" or change.after is None:
            return item
        loss, text = loss_of(change, self._folders, self._blobs)
        links = hard_links(self._folders, change.path)
        return replace(item, loss=loss, loss_text=text, links=links)


def _refuse(item: Item, grant: Grant | None) -> str:
    if why := refusal(item.path):
        return why
    if grant is None:
        return "it is not inside a granted folder"
    if grant.mode == "ro":
        return "its folder may only be read"
    if grant.mode == "rw-no-delete" and item.removes:
        return _KEPT
    if item.change.after and item.change.after.kind == "symlink":
        return "links are not written"
    return ""


def _is_there(found: State | None, change: Change) -> bool:
    after = change.after
    if found is None or after is None:
        return found is None and after is None
    if change.operation == "mode":
        return _content(after) == found.content() and found.mode & 0o777 == after.mode
    return _content(after) == found.content()


def _differs(found: State | None, before: Entry | None) -> str:
    if before is None:
        return "" if found is None else "something else was put there meanwhile"
    if found is None:
        return "it was deleted meanwhile"
    if before.kind == found.kind == "file" and before.sha256 is None:  # nobody has read it
        unread = (before.size, before.mtime_ns) == (found.size, found.mtime_ns)
        return "" if unread else "it was changed meanwhile"
    return "" if _content(before) == found.content() else "it was changed meanwhile"


def _content(entry: Entry) -> tuple[str, str | None, str]:
    return entry.kind, entry.sha256, entry.target


def describe_difference(
    change: Change,
    blobs: BlobReader,
    written: Collection[str] = (),
    differs: Sequence[Differ] | None = None,
) -> Iterator[str]:
    """Yield a unified diff with numbered hunks, or one line on what cannot be shown as text.

    `written`: hunks that the user's file has already; they are marked. `differs`: who takes it apart.
    """
    sides = sides_of(change, blobs, differs)
    if sides is not None and sides.differ is not None:
        yield f"--- a/{change.path}" if change.before else "--- /dev/null"
        yield f"+++ b/{change.path}" if change.after else "+++ /dev/null"
        for piece in sides.pieces():
            first, *lines = piece.lines
            yield f"{first} (applied)" if piece.id in written else first
            yield from lines
    elif change.operation != "mode":
        yield from _describe_bytes(change)
    if change.operation == "mode" and change.before and change.after:
        yield f"{change.path}: mode {change.before.mode:o} → {change.after.mode:o}"


def _describe_bytes(change: Change) -> Iterator[str]:
    for sign, entry in (("-", change.before), ("+", change.after)):
        if entry is None:
            continue
        if entry.kind == "file":
            yield f"{sign} {change.path}: {entry.size:,} bytes, sha256 {entry.sha256}"
        elif entry.kind == "symlink":
            yield f"{sign} {change.path}: link to {entry.target}"
        else:
            yield f"{sign} {change.path}/"
