"""A worksheet's part as bytes: head, rows and tail, of which only what is edited is ever written anew."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element, parse_xml
from deskmate_documents.xlsx.refs import COLUMNS, ROWS, Place, column_number

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ATTRIBUTES = rb"""((?:\s+[\w:.\-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>"""
_NUMBER = re.compile(rb"""\sr\s*=\s*["'](\d+)["']""")
_CELL = f"{{{MAIN}}}c"
_CHUNK = 400


def q(name: str) -> str:
    """Return a SpreadsheetML name as lxml writes it."""
    return f"{{{MAIN}}}{name}"


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    start: int
    end: int


class SheetPart:
    """The bytes of a worksheet with an index of its rows."""

    def __init__(self, data: bytes, name: str) -> None:
        """Index the rows.

        Raises:
            ToolInputError: not well-formed, no worksheet, rows out of order; the message begins with `name`.
        """
        self.name = name
        data = _plain(data, name)
        root = re.search(rb"<([\w.\-]+:)?(?:worksheet|dialogsheet)(?=[\s>/])", data)
        self._prefix = (root[1] or b"") if root else b""
        opening = re.search(b"<" + self._prefix + rb"sheetData" + _ATTRIBUTES, data)
        if root is None or opening is None:
            raise ToolInputError(f"{name} is not a worksheet.")
        self._data = data
        if opening[2]:
            self._head_end = self._tail = opening.end()
            self._empty = (opening.start(), opening.end())
            self._rows: list[_Row] = []
        else:
            self._empty = (0, 0)
            self._head_end = opening.end()
            self._tail = data.rfind(b"</" + self._prefix + b"sheetData")
            self._rows = self._index()
        self._wrap = _wrapping(self.skeleton(), name)

    def _index(self) -> list[_Row]:
        pattern = re.compile(b"<" + self._prefix + rb"row(?=[\s/>])" + _ATTRIBUTES)
        closing = b"</" + self._prefix + b"row"
        rows: list[_Row] = []
        at, last = self._head_end, 0
        while found := pattern.search(self._data, at, self._tail):
            given = _NUMBER.search(found[1])
            number = int(given[1]) if given else last + 1
            if not last < number <= ROWS:
                raise ToolInputError(
                    f"{self.name} is damaged: row {number} comes after row {last}."
                )
            end = found.end()
            if not found[2]:
                end = self._data.index(b">", self._data.index(closing, end)) + 1
            rows.append(_Row(number, found.start(), end))
            at, last = end, number
        return rows

    def skeleton(self) -> Element:
        """Return the worksheet's tree without its rows."""
        start, end = self._empty if self._empty[1] else (self._head_end, self._tail)
        middle = b"<" + self._prefix + b"sheetData/>" if self._empty[1] else b""
        return parse_xml(self._data[:start] + middle + self._data[end:], self.name)

    @property
    def row_numbers(self) -> tuple[int, ...]:
        """Numbers of the rows that are stored, ascending."""
        return tuple(row.number for row in self._rows)

    def rows(
        self, first: int = 1, last: int = ROWS, *, formulas: bool = False
    ) -> Iterator[tuple[int, Element]]:
        """Yield (number, row element) of stored rows, or of those with formulas; elements are copies."""
        begin = bisect_left(self._rows, first, key=_number)
        chosen = self._rows[begin : bisect_right(self._rows, last, key=_number)]
        if formulas:
            mark = b"<" + self._prefix + b"f"
            chosen = [row for row in chosen if self._data.find(mark, row.start, row.end) >= 0]
        for at in range(0, len(chosen), _CHUNK):
            chunk = chosen[at : at + _CHUNK]
            data = b"".join(self._data[row.start : row.end] for row in chunk)
            nodes = self._fragment(data)
            if len(nodes) != len(chunk):
                raise ToolInputError(f"{self.name} is damaged: rows within rows.")
            for row, node in zip(chunk, nodes, strict=True):
                yield row.number, node

    @property
    def raw_rows(self) -> dict[int, bytes]:
        """Number → bytes of each stored row."""
        return {row.number: self._data[row.start : row.end] for row in self._rows}

    @property
    def prefix(self) -> bytes:
        """What stands before the names of elements, such as `x:`."""
        return self._prefix

    def raw(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (number, bytes) of the stored rows behind a row, without parsing them."""
        for row in self._rows[bisect_right(self._rows, after, key=_number) :]:
            yield row.number, self._data[row.start : row.end]

    def row(self, number: int) -> Element | None:
        """Return a copy of one row, or None."""
        return next((node for _, node in self.rows(number, number)), None)

    def _fragment(self, data: bytes) -> list[Element]:
        opening, closing = self._wrap
        root = parse_xml(opening + data + closing, self.name)
        return [node for node in root if node.tag == q("row")]

    def patched(self, rows: Mapping[int, Element], skeleton: Element | None = None) -> bytes:
        """Return the part with these rows replaced or added; a skeleton replaces all that is no row."""
        out: list[bytes] = []
        pending = sorted(rows)
        for row in self._rows:
            while pending and pending[0] < row.number:
                out.append(self._serial(rows[pending.pop(0)]))
            if pending and pending[0] == row.number:
                out.append(self._serial(rows[pending.pop(0)]))
            else:
                out.append(self._data[row.start : row.end])
        out.extend(self._serial(rows[number]) for number in pending)
        body = b"".join(out)
        head, tail = self._around(skeleton)
        return head + body + tail

    def rewritten(
        self,
        needs: Callable[[int, bytes], bool],
        change: Callable[[int, Element], int | None],
        added: Mapping[int, Element] | None = None,
        skeleton: Element | None = None,
    ) -> bytes:
        """Return the part with rows changed, moved or left out; those that nobody needs keep their bytes.

        Args:
            needs: whether a row (number, bytes) is to be looked at.
            change: changes a row in place and returns its number afterwards, None to leave it out.
            added: number afterwards → row that is new.
            skeleton: replaces all that is no row.
        """
        out: list[tuple[int, bytes]] = [(n, self._serial(row)) for n, row in (added or {}).items()]
        pending: list[_Row] = []
        for row in self._rows:
            if needs(row.number, self._data[row.start : row.end]):
                pending.append(row)
            else:
                out.append((row.number, self._data[row.start : row.end]))
            if len(pending) == _CHUNK:
                out.extend(self._changed(pending, change))
                pending = []
        out.extend(self._changed(pending, change))
        out.sort(key=lambda pair: pair[0])
        head, tail = self._around(skeleton)
        return head + b"".join(data for _, data in out) + tail

    def _changed(
        self, rows: Sequence[_Row], change: Callable[[int, Element], int | None]
    ) -> Iterator[tuple[int, bytes]]:
        nodes = self._fragment(b"".join(self._data[row.start : row.end] for row in rows))
        if len(nodes) != len(rows):
            raise ToolInputError(f"{self.name} is damaged: rows within rows.")
        for row, node in zip(rows, nodes, strict=True):
            number = change(row.number, node)
            if number is not None:
                yield number, self._serial(node)

    def _around(self, skeleton: Element | None) -> tuple[bytes, bytes]:
        opening, closing = (
            b"<" + self._prefix + b"sheetData>",
            b"</" + self._prefix + b"sheetData>",
        )
        if skeleton is not None:
            whole = etree.tostring(
                skeleton, xml_declaration=True, encoding="UTF-8", standalone=True
            )
            found = re.search(b"<" + self._prefix + rb"sheetData" + _ATTRIBUTES, whole)
            if found is None:
                raise ToolInputError(f"{self.name} lost its rows; nothing was written.")
            rest = whole[found.end() :]
            if not found[2]:
                rest = rest[rest.index(b">") + 1 :]
            return whole[: found.start()] + opening, closing + rest
        if self._empty[1]:
            return self._data[: self._empty[0]] + opening, closing + self._data[self._empty[1] :]
        return self._data[: self._head_end], self._data[self._tail :]

    def _serial(self, row: Element) -> bytes:
        """Return a row's XML without the namespaces that the worksheet declares anyway."""
        opening, closing = self._wrap
        root = parse_xml(opening + closing, self.name)
        root.append(row)
        whole = etree.tostring(root, encoding="UTF-8")
        start = whole.index(b">", whole.index(opening.split(None, 1)[0])) + 1
        return bytes(whole[start : whole.rindex(b"</")])


def _number(row: _Row) -> int:
    return row.number


def _plain(data: bytes, name: str) -> bytes:
    """Return well-formed UTF-8 in which a tag is never text; other encodings are written anew."""
    awkward = b"<!" in data or b"\x00" in data[:4]
    head = data[:200].lower()
    awkward = awkward or (b"encoding" in head and b"utf-8" not in head)
    if awkward or b"<?" in data[5:]:
        root = parse_xml(data, name)
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))
    parser = etree.XMLParser(
        target=_Nothing(), resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ToolInputError(f"{name} is damaged: its XML does not parse ({error}).") from error
    return data


class _Nothing:
    """A parser target that builds no tree."""

    def close(self) -> None:
        """Return nothing."""


def _wrapping(skeleton: Element, name: str) -> tuple[bytes, bytes]:
    """Return tags that declare what the worksheet declares, to parse rows on their own."""
    bare = etree.Element(q("x"), nsmap=skeleton.nsmap)
    if skeleton.tag != q("worksheet") and not str(skeleton.tag).endswith("}dialogsheet"):
        raise ToolInputError(f"{name} is not a worksheet.")
    bare.text = " "
    opening, _, closing = etree.tostring(bare).partition(b"> ")
    return opening + b">", closing


def cells_of(number: int, row: Element) -> Iterator[tuple[Place, Element]]:
    """Yield (place, cell element) of a row; a cell without a name follows the one before it.

    Raises:
        ToolInputError: a cell's name is none.
    """
    column = 0
    digits = str(number)
    for node in row.iterchildren(_CELL):
        given = node.get("r", "")
        letters = given.rstrip("0123456789")
        known = letters.isalpha() and letters.isascii() and given[len(letters) :] == digits
        column = column_number(letters) if known else column + 1
        if not 1 <= column <= COLUMNS or (given and not known):
            raise ToolInputError(
                f"A cell in row {number} has the name {given[:20]!r}; the sheet is damaged."
            )
        yield (number, column), node
