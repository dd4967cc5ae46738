"""A change set for people: what would happen to each file, what would not and why, and text diffs."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from deskmate.changes.disk import Folders
from deskmate.changes.names import flags, fold, protection, refusal
from deskmate.changes.plan import State
from deskmate.errors import CorruptData, UserError
from deskmate.ports import BlobReader
from deskmate.types.codec import from_json
from deskmate.types.files import Change, Difference, Entry, Grant, Operation
from deskmate.types.ids import Digest

Standing = Literal["open", "applied", "refused", "protected", "conflict"]
_DIFF_LIMIT_BYTES = 1 << 20
_KEPT = "deleting is not allowed in this folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One change, judged against the folders as they are now.

    `standing`: open (can be applied), applied (the folder has it already), refused (cannot be applied
    at all), protected (only when allowed by name), conflict (the user's file is another one now).
    `why`: of the last three. `moved_from`: the path whose deletion belongs to this creation.
    """

    change: Change
    standing: Standing = "open"
    why: str = ""
    flags: tuple[str, ...] = ()
    moved_from: str = ""
    found: State | None = None

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


def review(difference: Difference, grants: Sequence[Grant], folders: Folders) -> ChangeSet:
    """Judge every change: names, grants, protected names, and what is in the folders now."""
    modes = {grant.name: grant for grant in grants}
    moves = _find_moves(difference.changes)
    twins = Counter(fold(change.path) for change in difference.changes if change.after)
    items = []
    for change in sorted(difference.changes, key=lambda change: change.path):
        item = _judge(change, modes.get(change.path.partition("/")[0]), folders)
        found = _flags(change)
        if change.after and twins[fold(change.path)] > 1:
            found = (*found, "another name differs only in case or accents")
        items.append(replace(item, flags=found, moved_from=moves.get(change.path, "")))
    return ChangeSet(items=tuple(items), refused=difference.refused)


def _flags(change: Change) -> tuple[str, ...]:
    if change.after is None or change.after.kind != "file":
        return ()
    # executable is news only where the file was not so before
    was = change.before.mode if change.before and change.before.kind == "file" else 0
    return flags(change.path, change.after.mode & ~was)


def _find_moves(changes: Sequence[Change]) -> dict[str, str]:
    """Pair a created file with a deleted one of equal content, where the pair is the only one."""
    gone: dict[Digest, list[str]] = {}
    come: dict[Digest, list[str]] = {}
    for change in changes:
        for entry, other, table in (
            (change.before, change.after, gone),
            (change.after, change.before, come),
        ):
            if other is None and entry and entry.kind == "file" and entry.sha256 and entry.size:
                table.setdefault(entry.sha256, []).append(change.path)
    return {
        come[digest][0]: paths[0]
        for digest, paths in gone.items()
        if len(paths) == 1 and len(come.get(digest, ())) == 1
    }


def _judge(change: Change, grant: Grant | None, folders: Folders) -> Item:
    item = Item(change=change)
    if why := _refuse(item, grant):
        return replace(item, standing="refused", why=why)
    try:
        found = folders.look(change.path)
    except OSError as error:
        return replace(item, standing="conflict", why=f"it cannot be read: {error.strerror}")
    except UserError as error:
        return replace(item, standing="conflict", why=error.message)
    item = replace(item, found=found)
    if _is_there(found, change):
        return replace(item, standing="applied")
    if why := _differs(found, change.before):
        return replace(item, standing="conflict", why=why)
    if name := protection(change.path):
        why = f"{name} is a protected name: other programs act on it"
        return replace(item, standing="protected", why=why)
    return item


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
    return "" if _content(before) == found.content() else "it was changed meanwhile"


def _content(entry: Entry) -> tuple[str, str | None, str]:
    return entry.kind, entry.sha256, entry.target


def describe_difference(change: Change, blobs: BlobReader) -> Iterator[str]:
    """Yield the lines of a unified diff, or one line on what cannot be shown as text."""
    before, after = _text(change.before, blobs), _text(change.after, blobs)
    if before is None or after is None:
        yield from _describe_bytes(change)
        return
    yield from difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"a/{change.path}" if change.before else "/dev/null",
        f"b/{change.path}" if change.after else "/dev/null",
        lineterm="",
    )
    if change.operation == "mode" and change.before and change.after:
        yield f"{change.path}: mode {change.before.mode:o} → {change.after.mode:o}"


def _text(entry: Entry | None, blobs: BlobReader) -> str | None:
    if entry is None:
        return ""
    if entry.kind != "file" or entry.sha256 is None or entry.size > _DIFF_LIMIT_BYTES:
        return None
    content = blobs.read(entry.sha256)
    try:
        return None if b"\0" in content else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


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
