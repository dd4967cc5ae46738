"""What a change consists of, by kind of file, and what a file is when only some of it is taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from deskmate.errors import UserError
from deskmate.ports import BlobReader, Blobs
from deskmate.types.files import Change, Entry
from deskmate.types.ids import Digest

READ_BYTES = 16 << 20
"""Larger files are taken whole or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of a change. `lines`: how it looks. `alone`: it can be taken or left by itself."""

    id: str
    lines: tuple[str, ...] = ()
    alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a file is with some of its pieces. `ids`: all that are in it; `of`: how many there are."""

    ids: tuple[str, ...]
    of: int
    sha256: Digest
    size: int


class Differ(Protocol):
    """The pieces of one kind of file.

    On the host only text: a differ of documents asks the clean room and hands over what came back. Its
    pieces have the same ids each time; None stands for no file; what is not chosen stays as it was.
    """

    @property
    def unit(self) -> str:
        """What a piece is called, such as `hunk`."""

    def takes(self, before: bytes | None, after: bytes | None) -> bool:
        """Say whether it knows both sides."""

    def pieces(self, before: bytes | None, after: bytes | None) -> tuple[Piece, ...]:
        """Return the pieces in their order."""

    def merge(self, before: bytes | None, after: bytes | None, chosen: Collection[str]) -> bytes:
        """Return the whole file with the chosen pieces."""


def host_differs() -> tuple[Differ, ...]:
    """Return what the host itself can take apart."""
    from deskmate.changes.text_differ import TextDiffer  # noqa: PLC0415 - it names this module

    return (TextDiffer(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both contents of a change and who can take it apart; `differ` None: nobody."""

    before: bytes | None
    after: bytes | None
    differ: Differ | None

    def pieces(self) -> tuple[Piece, ...]:
        """Return the pieces, none where nobody can take it apart."""
        return self.differ.pieces(self.before, self.after) if self.differ else ()


def sides_of(
    change: Change, blobs: BlobReader, differs: Sequence[Differ] | None = None
) -> Sides | None:
    """Return a change's contents; None where they are no files, too large, or the same."""
    sides = (change.before, change.after)
    if any(entry and (entry.kind != "file" or entry.size > READ_BYTES) for entry in sides):
        return None
    if any(entry and entry.sha256 is None for entry in sides):
        return None
    before, after = _read(change.before, blobs), _read(change.after, blobs)
    if before == after:
        return None
    for differ in host_differs() if differs is None else differs:
        if differ.takes(before, after):
            return Sides(before=before, after=after, differ=differ)
    return Sides(before=before, after=after, differ=None)


def _read(entry: Entry | None, blobs: BlobReader) -> bytes | None:
    return None if entry is None or entry.sha256 is None else blobs.read(entry.sha256)


def cut(
    changes: Mapping[str, Change],
    hunks: Mapping[str, Collection[str]],
    written: Mapping[str, Part],
    blobs: Blobs,
    differs: Sequence[Differ] | None = None,
) -> dict[str, Part]:
    """Return what the files of `hunks` (path → chosen ids) are to become; whole ones are left out.

    `written`: what of them is in the user's folders already; it stays. Raises UserError for a path or an
    id that is not there, and for files that nobody can take apart.
    """
    parts = {}
    for path, chosen in hunks.items():
        if path not in changes:
            raise UserError(f"{path} is not in the change set.", hint="See deskmate changes show.")
        part = _cut(changes[path], chosen, written.get(path), blobs, differs)
        if part is not None:
            parts[path] = part
    return parts


def _cut(
    change: Change,
    chosen: Collection[str],
    written: Part | None,
    blobs: Blobs,
    differs: Sequence[Differ] | None,
) -> Part | None:
    sides = sides_of(change, blobs, differs)
    if sides is None or sides.differ is None or change.before is None or change.after is None:
        raise _whole_only(change.path)
    pieces = sides.pieces()
    if not all(piece.alone for piece in pieces):
        raise _whole_only(change.path)
    ids = [piece.id for piece in pieces]
    if unknown := sorted(set(chosen) - set(ids)):
        raise UserError(
            f"{change.path} has no {sides.differ.unit} {', '.join(unknown)}; it has {len(ids)}.",
            hint=f"deskmate changes diff {change.path} shows their numbers.",
        )
    taken = {*chosen, *(written.ids if written else ())}
    if taken >= set(ids):
        return None
    content = sides.differ.merge(sides.before, sides.after, taken)
    kept = tuple(piece for piece in ids if piece in taken)
    return Part(ids=kept, of=len(ids), sha256=blobs.put(content), size=len(content))


def _whole_only(path: str) -> UserError:
    return UserError(
        f"{path} cannot be taken in parts.",
        hint="Only changed text files, Word documents and workbooks can: apply it whole, or --leave-out it.",
    )
