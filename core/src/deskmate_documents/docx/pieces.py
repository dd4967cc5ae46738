"""A changed Word document in pieces that a reader takes or leaves: each tracked change, or each change there would be.

Where the newer version brings tracked changes of its own and nothing else, they are the pieces: what is taken stays
tracked, what is left is rejected, with the comment that was about it. Otherwise both versions are compared, what is
taken is accepted and what is left rejected.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.docx.around import remarks_over, words_around
from deskmate_documents.docx.compare import compare
from deskmate_documents.docx.equal import differences
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.revisions import STORIES, authors_of, reject_all, resolve_changes
from deskmate_documents.docx.wml import (
    ADDED,
    DEL,
    DEL_TEXT,
    GONE,
    ID,
    INS,
    PPR,
    RPR,
    TBL,
    TR,
    P,
    T,
    body_paragraphs,
    w,
)
from deskmate_documents.graphics import drawn, lines_of
from deskmate_documents.opc import Element, Package

_AUTHOR = w("author")
_GRID = w("tblGridChange")
"""The one tracked change that names no author."""
_TAKEN, _LEFT = "deskmate:taken", "deskmate:left"
_PROPERTIES = frozenset(w(f"{n}Change") for n in ("rPr", "pPr", "sectPr", "tblPr", "tblPrEx", "trPr", "tcPr", "tblGrid"))  # fmt: skip
_CELLS = frozenset(w(n) for n in ("cellIns", "cellDel", "cellMerge"))
_MARKS = GONE | ADDED | _PROPERTIES | _CELLS
_RANGES = frozenset(
    w(f"{n}RangeStart")
    for n in ("moveFrom", "moveTo", "customXmlIns", "customXmlDel", "customXmlMoveFrom", "customXmlMoveTo")
)  # fmt: skip
_WHO = "Deskmate"
GRAPHIC_LINES = 200


@dataclass(slots=True)
class _Piece:
    """Marks that go together. `where`: paragraph of its story, from 1. `part`: the story."""

    part: str
    where: int
    marks: list[Element] = field(default_factory=list)
    move: str = ""


@dataclass(slots=True)
class _Work:
    """A package with its stories, and their pieces in order. `tracked`: they are the newer version's own.

    `remarks`: mark → id and words of the comments over it.
    """

    package: Package
    stories: dict[str, Element]
    pieces: list[_Piece]
    tracked: bool
    remarks: Mapping[Element, Sequence[tuple[str, str]]]


def docx_pieces(before: Path, after: Path) -> tuple[tuple[str, ...], ...]:
    """Return what each piece looks like: a head, lines with `-` for what goes and `+` for what comes.

    Within a paragraph its words before and after stand around them, with a blank in front; comments on it come first, with `#`.

    Raises:
        ToolInputError: a version cannot be read, or there is a difference that no tracked change can show.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = _work(before, after, Path(folder))
        return tuple(
            tuple(_shown(work, piece, number)) for number, piece in enumerate(work.pieces, 1)
        )


def docx_marked(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return what each tracked change of one document looks like, whoever made it, as `docx_pieces` does.

    Raises:
        ToolInputError: it cannot be read.
    """
    work = _opened(path, authors_of(path), tracked=True)
    return tuple(tuple(_shown(work, piece, number)) for number, piece in enumerate(work.pieces, 1))


def docx_merge(before: Path, after: Path, chosen: Collection[int], target: Path) -> None:
    """Write the document with the chosen pieces, numbered from 1.

    Raises:
        ToolInputError: as `docx_pieces`.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = _work(before, after, Path(folder))
        check_numbers(chosen, len(work.pieces), after.name)
        _choose(work, chosen)
        work.package.save(target)


def check_numbers(chosen: Collection[int], count: int, name: str) -> None:
    """Raise ToolInputError if one of the chosen numbers is no piece."""
    if unknown := sorted(number for number in chosen if not 1 <= number <= count):
        listed = ", ".join(str(number) for number in unknown)
        raise ToolInputError(f"{name} has no change {listed}; it has {count}.")


def _work(before: Path, after: Path, folder: Path) -> _Work:
    fresh = authors_of(after) - authors_of(before)
    if fresh:
        reject_all(after, folder / "rejected.docx", authors=fresh)
        if not differences(before, folder / "rejected.docx"):
            return _opened(after, fresh, tracked=True)
    result = compare(before, after, folder / "compared.docx", author=_WHO, date="2000-01-01")
    if result.untracked or (not result.revisions and differences(before, after)):
        raise ToolInputError(
            f"{after.name} differs from its original in more than tracked changes can show; take it whole or not at all."
        )
    return _opened(folder / "compared.docx", frozenset({_WHO}), tracked=False)


def _opened(path: Path, authors: Collection[str], *, tracked: bool) -> _Work:
    package = Package(path)
    main, root = open_body(package)
    stories = {main: root}
    for kind in STORIES:
        for part in package.related(main, kind):
            stories[part] = package.parse(part)
    pieces: list[_Piece] = []
    moves: dict[str, _Piece] = {}
    for part, story in stories.items():
        for piece in _grouped(part, story, authors):
            if piece.move and piece.move in moves:
                moves[piece.move].marks += piece.marks
                continue
            if piece.move:
                moves[piece.move] = piece
            pieces.append(piece)
    remarks = remarks_over(package, main, root)
    return _Work(package=package, stories=stories, pieces=pieces, tracked=tracked, remarks=remarks)


def _grouped(part: str, root: Element, authors: Collection[str]) -> Iterator[_Piece]:
    """Yield a story's marks in groups: neighbours of a paragraph, whole paragraphs and rows in a row, moves."""
    tracked_grids = any(mark.get(_AUTHOR, "") in authors for mark in root.iter(*_MARKS))
    places = {node: number for number, node in enumerate(body_paragraphs(root), 1)}
    moves = _moves(root)
    piece: _Piece | None = None
    before: Element | None = None
    for mark in root.iter(*_MARKS):
        if mark.get(_AUTHOR, "") not in authors and not (tracked_grids and mark.tag == _GRID):
            continue
        move = moves.get(mark, "")
        if piece is None or move != piece.move or not _together(before, mark):
            if piece is not None:
                yield piece
            paragraph = next(mark.iterancestors(P), None)
            if paragraph is None:
                holder = next(mark.iterancestors(TR, TBL), None)
                paragraph = next(holder.iter(P), None) if holder is not None else None
            piece = _Piece(part=part, where=places.get(paragraph, 0), move=move)
        piece.marks.append(mark)
        before = mark
    if piece is not None:
        yield piece


def _moves(root: Element) -> dict[Element, str]:
    """Return mark → name of the move that it belongs to; both ends have one name."""
    opened: dict[str, str] = {}
    found: dict[Element, str] = {}
    for node in root.iter():
        if node.tag in (w("moveFromRangeStart"), w("moveToRangeStart")):
            opened[f"{node.tag[-14:]}{node.get(ID)}"] = node.get(w("name"), node.get(ID, ""))
        elif node.tag in (w("moveFromRangeEnd"), w("moveToRangeEnd")):
            opened.pop(f"{node.tag[:-3]}Start"[-14:] + node.get(ID, ""), None)
        elif opened and node.tag in _MARKS:
            found[node] = list(opened.values())[-1]
    return found


def _together(one: Element | None, two: Element) -> bool:
    """Say whether two marks that follow one another are one change for a reader."""
    if one is None:
        return False
    if one in two.iterancestors() or two in one.iterancestors():
        return True
    first, second = _paragraph_of(one), _paragraph_of(two)
    if first is None or second is None:  # rows and cells: those of one table that stand in a row
        above, row = (next(mark.iterancestors(TR), None) for mark in (one, two))
        if above is row:
            return True
        in_a_row = above is not None and row is not None and row.getprevious() is above
        return in_a_row and one.tag == two.tag
    if first is second:
        return _is_end(one) or _touching(one, two)
    row = next(first.iterancestors(TR), None)
    if row is not None and row is next(second.iterancestors(TR), None):
        return _is_whole_row(row)
    return _is_end_marked(first) and _follows(first, second)


def _paragraph_of(mark: Element) -> Element | None:
    return next(mark.iterancestors(P), None)


def _is_end(mark: Element) -> bool:
    """Say whether a mark is that of a paragraph's end."""
    parent = mark.getparent()
    inside = parent.tag == RPR and parent.getparent() is not None
    return bool(inside and parent.getparent().tag == PPR and mark.tag in GONE | ADDED)


def _is_end_marked(paragraph: Element) -> bool:
    properties = paragraph.find(f"{PPR}/{RPR}")
    return properties is not None and any(node.tag in GONE | ADDED for node in properties)


def _is_whole_row(row: Element) -> bool:
    properties = row.find(w("trPr"))
    return properties is not None and any(node.tag in (INS, DEL) for node in properties)


def _follows(one: Element, two: Element) -> bool:
    after = one.getnext()
    while after is not None and after.tag != P and after.find(f".//{T}") is None:
        after = after.getnext()
    return after is two


def _touching(one: Element, two: Element) -> bool:
    """Say whether no text stands between two marks of one paragraph."""
    own = one
    while own.getparent() is not None and own.getparent().tag != P:
        own = own.getparent()
    other = two
    while other.getparent() is not None and other.getparent().tag != P:
        other = other.getparent()
    node = own.getnext()
    while node is not None and node is not other:
        if any(text.text for text in node.iter(T, DEL_TEXT)):
            return False
        node = node.getnext()
    return node is other or own is other


def _shown(work: _Work, piece: _Piece, number: int) -> Iterator[str]:
    story = piece.part.rpartition("/")[2].removesuffix(".xml")
    place = f"¶ {piece.where}" if story == "document" else f"{story}, ¶ {piece.where}"
    yield f"@@ {place} @@ change {number}"
    said = {name: text for mark in piece.marks for name, text in work.remarks.get(mark, ())}
    yield from (f"#{text}" for text in said.values())
    old, new = _graphics(work, piece, GONE), _graphics(work, piece, ADDED)
    gone = _words(piece, GONE, DEL_TEXT, T) + [line for line in old if line not in new]
    come = _words(piece, ADDED, T) + [line for line in new if line not in old]
    within = bool(gone or come) and len(gone) <= 1 and len(come) <= 1
    lead, tail = words_around(piece.marks) if within else ("", "")
    if lead:
        yield f" {lead}"
    yield from (f"-{line}" for line in gone)
    yield from (f"+{line}" for line in come)
    if tail:
        yield f" {tail}"
    tags = {mark.tag for mark in piece.marks}
    if tags & (_PROPERTIES | _CELLS):
        yield "~formatting"
    elif not gone and not come:
        ends = [mark for mark in piece.marks if _is_end(mark)]
        sign = "-" if any(mark.tag in GONE for mark in piece.marks) else "+"
        yield f"{sign}(a paragraph's end)" if ends else f"{sign}(a row or other content)"
    if piece.move:
        yield "~moved"


def _words(piece: _Piece, kinds: Collection[str], *texts: str) -> list[str]:
    """Return what the marks of these kinds hold, a line a paragraph."""
    lines: dict[Element | None, str] = {}
    for mark in piece.marks:
        if mark.tag in kinds and not _is_end(mark):
            said = "".join(node.text or "" for node in mark.iter(*texts))
            holder = _paragraph_of(mark)
            lines[holder] = lines.get(holder, "") + said
    return [line for line in lines.values() if line]


def _graphics(work: _Work, piece: _Piece, kinds: Collection[str]) -> list[str]:
    """Return what the charts and diagrams that the marks of these kinds hold say, a line for each text or figure."""
    holders = [mark for mark in piece.marks if mark.tag in kinds and not _is_end(mark)]
    graphics = (g for mark in holders for g in drawn(work.package, piece.part, mark))
    lines = [f"{where}: {text}" for where, text, _ in lines_of(graphics)]
    return lines[:GRAPHIC_LINES]


def _choose(work: _Work, chosen: Collection[int]) -> None:
    """Resolve the pieces. The choice is carried by the author's name, which the resolver sorts by."""
    known = {mark: mark.get(_AUTHOR) for piece in work.pieces for mark in piece.marks}
    left = [piece for number, piece in enumerate(work.pieces, 1) if number not in chosen]
    for number, piece in enumerate(work.pieces, 1):
        for mark in piece.marks:
            mark.set(_AUTHOR, _TAKEN if number in chosen else _LEFT)
    _mark_ranges(work)
    if work.tracked:
        _drop_remarks(work, left)
    for part, root in work.stories.items():
        resolve_changes(root, False, {_LEFT})
        if work.tracked:
            _give_back(root, known)
        else:
            resolve_changes(root, True, {_TAKEN})
        work.package.write_xml(part, root)


def _give_back(root: Element, known: Mapping[Element, str | None]) -> None:
    """Give what stays tracked its author again; a table's grid has none."""
    someone = next((name for name in known.values() if name), "")
    for node in root.iter(*_MARKS, *_RANGES):
        if node.get(_AUTHOR) == _TAKEN:
            name = known.get(node, someone)
            if name is None:
                del node.attrib[_AUTHOR]
            else:
                node.set(_AUTHOR, name)


def _mark_ranges(work: _Work) -> None:
    """Give the ranges of moves and controls the choice of what they enclose."""
    for root in work.stories.values():
        waiting: list[Element] = []
        for node in root.iter():
            if node.tag in _RANGES:
                waiting.append(node)
            elif waiting and node.get(_AUTHOR) in (_TAKEN, _LEFT):
                for start in waiting:
                    start.set(_AUTHOR, node.get(_AUTHOR, ""))
                waiting = []


def _drop_remarks(work: _Work, left: Sequence[_Piece]) -> None:
    """Take out the comments that are about nothing but changes which are left."""
    main = work.package.main_part()
    root = work.stories[main]
    lost = _lost_remarks(root, {mark for piece in left for mark in piece.marks})
    for node in list(
        root.iter(w("commentRangeStart"), w("commentRangeEnd"), w("commentReference"))
    ):
        if node.get(ID) in lost:
            node.getparent().remove(node)
    for part in work.package.related(main, "comments") if lost else ():
        comments = work.package.parse(part)
        for node in list(comments.iterfind(w("comment"))):
            if node.get(ID) in lost:
                comments.remove(node)
        work.package.write_xml(part, comments)


def _lost_remarks(root: Element, gone: Collection[Element]) -> set[str]:
    """Return the ids of comments whose range holds these marks and no other words."""
    inside: set[str] = set()
    other: set[str] = set()
    opened: set[str] = set()
    for node in root.iter():
        if node.tag == w("commentRangeStart"):
            opened.add(node.get(ID, ""))
        elif node.tag == w("commentRangeEnd"):
            opened.discard(node.get(ID, ""))
        elif node.tag in (T, DEL_TEXT) and node.text and opened:
            around = [mark for mark in node.iterancestors(*GONE, *ADDED) if mark in gone]
            (inside if around else other).update(opened)
    return inside - other
