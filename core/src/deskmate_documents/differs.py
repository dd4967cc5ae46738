"""Differences of two versions of a document in pieces, any choice of them as a whole file, and text for search.

Runs in a clean-room machine; what comes out are lines, texts and files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.content import KINDS, SLIDES, read_content
from deskmate_documents.pictures import KINDS as PICTURES

TEXT_LIMIT = 2_000_000
FIRST_LINES = 60
PIECES_LIMIT = 2_500
_WORD = frozenset({".docx", ".docm"})
_SHEETS = frozenset({".xlsx", ".xlsm"})
TAKEN_APART = _WORD | _SHEETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of a change. `id`: its number from 1. `lines`: how it looks. `alone`: it can be taken by itself."""

    id: str
    lines: tuple[str, ...]
    alone: bool = True


def pieces(before: Path | None, after: Path) -> tuple[Piece, ...]:
    """Return the pieces of a change, the same ones each time; none if nothing that counts differs.

    `before` None: the document is new; its tracked changes are the pieces, or without any its first lines are one.
    They, and those of decks, PDFs and pictures, are to be looked at; such a file is taken whole.

    Raises:
        ToolInputError: a version cannot be read, they are of two kinds, or there are too many.
    """
    if before is None:
        return _beginning(after)
    show, write = _kind(before, after)
    found = show(before, after)
    if len(found) > PIECES_LIMIT:
        raise ToolInputError(
            f"{after.name} differs in more than {PIECES_LIMIT} places; take it whole or not at all."
        )
    alone = write is not None
    return tuple(
        Piece(id=str(number), lines=lines, alone=alone) for number, lines in enumerate(found, 1)
    )


def _beginning(file: Path) -> tuple[Piece, ...]:
    from deskmate_documents.docx.pieces import docx_marked  # noqa: PLC0415

    marked = docx_marked(file) if file.suffix.lower() in _WORD else ()
    if 0 < len(marked) <= PIECES_LIMIT:
        return tuple(
            Piece(id=str(number), lines=lines, alone=False)
            for number, lines in enumerate(marked, 1)
        )
    lines: list[str] = []
    for text in search_text(file):
        if len(lines) == FIRST_LINES:
            lines.append("~and more")
            break
        lines.append(f"+{text}")
    return (Piece(id="1", lines=("@@ what it says @@", *lines), alone=False),) if lines else ()


def merge(before: Path, after: Path, chosen: Collection[str], target: Path) -> None:
    """Write the older version with the chosen pieces of the newer one.

    Raises:
        ToolInputError: as `pieces`; or an id is none of them, or a piece cannot be taken alone.
    """
    _, write = _kind(before, after)
    if write is None:
        raise ToolInputError(f"{after.name} can only be taken whole.")
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


def _kind(before: Path, after: Path) -> tuple[Show, Write | None]:
    from deskmate_documents.docx.pieces import docx_merge, docx_pieces  # noqa: PLC0415
    from deskmate_documents.pdf.pieces import pdf_changes  # noqa: PLC0415
    from deskmate_documents.pictures import picture_changes  # noqa: PLC0415
    from deskmate_documents.pptx.pieces import deck_changes  # noqa: PLC0415
    from deskmate_documents.xlsx.pieces import xlsx_merge, xlsx_pieces  # noqa: PLC0415

    kinds: tuple[tuple[frozenset[str], Show, Write | None], ...] = (
        (_WORD, docx_pieces, docx_merge),
        (_SHEETS, xlsx_pieces, xlsx_merge),
        (SLIDES, deck_changes, None),
        (frozenset({".pdf"}), pdf_changes, None),
        (PICTURES, picture_changes, None),
    )
    suffixes = {before.suffix.lower(), after.suffix.lower()}
    for known, show, write in kinds:
        if suffixes <= known:
            return show, write
    raise ToolInputError(f"{after.name} is no document whose changes can be shown one by one.")
