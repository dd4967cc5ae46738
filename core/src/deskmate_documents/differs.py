"""Differences of two versions of a document in pieces, any choice of them as a whole file, and text for search.

Runs in a clean-room machine; what comes out are lines, texts and files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.content import KINDS, read_content

TEXT_LIMIT = 2_000_000
PIECES_LIMIT = 2_500
_WORD = frozenset({".docx", ".docm"})
_SHEETS = frozenset({".xlsx", ".xlsm"})
TAKEN_APART = _WORD | _SHEETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of a change that can be taken or left by itself. `id`: its number from 1. `lines`: how it looks."""

    id: str
    lines: tuple[str, ...]


def pieces(before: Path, after: Path) -> tuple[Piece, ...]:
    """Return the pieces of a change, the same ones each time; none if nothing that counts differs.

    Raises:
        ToolInputError: a version cannot be read, they are of two kinds, or it can only be taken whole.
    """
    show, _ = _kind(before, after)
    found = show(before, after)
    if len(found) > PIECES_LIMIT:
        raise ToolInputError(
            f"{after.name} differs in more than {PIECES_LIMIT} places; take it whole or not at all."
        )
    return tuple(Piece(id=str(number), lines=lines) for number, lines in enumerate(found, 1))


def merge(before: Path, after: Path, chosen: Collection[str], target: Path) -> None:
    """Write the older version with the chosen pieces of the newer one.

    Raises:
        ToolInputError: as `pieces`; or an id is none of them, or a piece cannot be taken alone.
    """
    _, write = _kind(before, after)
    if strange := sorted(name for name in chosen if not (name.isascii() and name.isdigit())):
        raise ToolInputError(f"{after.name} has no change {', '.join(strange)}.")
    write(before, after, {int(name) for name in chosen}, target)


def search_text(file: Path) -> Iterator[str]:
    """Yield the words of a document, line by line, up to two million characters; nothing of other kinds.

    Raises:
        ToolInputError: it cannot be read.
    """
    left = TEXT_LIMIT
    if file.suffix.lower() not in KINDS:
        return
    for line in read_content(file).lines:
        text = " ".join(line.text.split())[:left]
        left -= len(text) + 1
        if text:
            yield text
        if left <= 0:
            return


Show = Callable[[Path, Path], tuple[tuple[str, ...], ...]]
Write = Callable[[Path, Path, Collection[int], Path], None]


def _kind(before: Path, after: Path) -> tuple[Show, Write]:
    from deskmate_documents.docx.pieces import docx_merge, docx_pieces  # noqa: PLC0415
    from deskmate_documents.xlsx.pieces import xlsx_merge, xlsx_pieces  # noqa: PLC0415

    suffixes = {before.suffix.lower(), after.suffix.lower()}
    if suffixes <= _WORD:
        return docx_pieces, docx_merge
    if suffixes <= _SHEETS:
        return xlsx_pieces, xlsx_merge
    raise ToolInputError(
        f"{after.name} is no Word document or workbook that can be taken in parts."
    )
