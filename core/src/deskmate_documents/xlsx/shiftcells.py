"""The cells of a workbook when rows or columns come into a sheet or go: where they stand, and what they compute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.formula import Token, bare, moved, tokens
from deskmate_documents.xlsx.refs import Area, Place, name_of, parse_areas, words
from deskmate_documents.xlsx.sheetpart import cells_of, q
from deskmate_documents.xlsx.shift import Formulas, Shift

POSITIONS = words(
    "ROW ROWS COLUMN COLUMNS CELL ADDRESS OFFSET INDIRECT FORMULATEXT SUBTOTAL AGGREGATE"
)
"""Functions whose result hangs on where cells stand, not only on what they hold."""
_ROW_LOOK = ("s", "customFormat", "ht", "customHeight", "outlineLevel")
_F = q("f")


@dataclass(slots=True)
class _Group:
    """A shared formula: its first cell and text, the area it names, and all its cells."""

    origin: Place
    text: str
    area: str
    members: list[tuple[Place, bool]] = field(default_factory=list)
    keep: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Defined names and tables. `resized`: those that have other cells or results now. `moves`: whether one moved."""

    resized: frozenset[str] = frozenset()
    moves: bool = False


class CellShift:
    """Moves and rewrites the cells of one sheet; `old` collects the cells whose results may be old afterwards."""

    def __init__(self, book: Workbook, sheet: Sheet, formulas: Formulas, names: Names) -> None:
        """Read the shared formulas of the sheet, and check its array formulas.

        Raises:
            ToolInputError: an array formula or data table would be cut.
        """
        self._sheet = sheet
        self._formulas = formulas
        self._shift: Shift = formulas.shift
        self.moves = sheet.name == self._shift.sheet
        self._names = names
        self._part = book.part(sheet)
        self._groups: dict[str, _Group] = {}
        self.old: set[Place] = set()
        self.indirect: list[str] = []
        data = book.package.read(sheet.part)
        if b"shared" in data or (self.moves and (b"array" in data or b"dataTable" in data)):
            self._read()
        self._split = any(not group.keep for group in self._groups.values())

    def _read(self) -> None:
        for number, row in self._part.rows(formulas=True):
            for place, node in cells_of(number, row):
                stored = next(node.iterchildren(_F), None)
                if stored is None:
                    continue
                if stored.get("t") == "shared":
                    self._share(place, stored)
                elif stored.get("t") in ("array", "dataTable") and self.moves:
                    self._check_array(place, stored)
        for group in self._groups.values():
            group.keep = self._kept(group)

    def _share(self, place: Place, stored: Element) -> None:
        index = stored.get("si", "")
        if stored.text and index not in self._groups:
            self._groups[index] = _Group(place, stored.text, stored.get("ref", ""))
        if index in self._groups:
            own = bool(stored.text) and place != self._groups[index].origin
            self._groups[index].members.append((place, own))

    def _check_array(self, place: Place, stored: Element) -> None:
        for area in parse_areas(stored.get("ref", "")):
            if self._shift.cuts(area):
                raise ToolInputError(
                    f"The array formula or data table {self._sheet.name}!{area} would be cut; it is kept whole."
                )
        for name in ("r1", "r2"):
            gone = [a for a in parse_areas(stored.get(name, "")) if self._shift.takes(a)]
            if gone and self._shift.place(place) is not None:
                raise ToolInputError(
                    f"The data table {self._sheet.name}!{stored.get('ref', '')} reads {gone[0]}, which would go."
                )

    def _kept(self, group: _Group) -> str:
        """Return the new text if all cells still share one formula afterwards, otherwise ""."""
        origin = self._place(group.origin)
        area = self._shift.areas(group.area) if self.moves else group.area
        if origin is None or not area or any(own for _, own in group.members):
            return ""
        text = self._formulas.shifted(group.text, self._sheet.name).text
        for place, _ in group.members:
            now = self._place(place)
            if now is None:
                continue
            if self._formulas.shifted(self._member(group, place), self._sheet.name).text != moved(
                text, now[0] - origin[0], now[1] - origin[1]
            ):
                return ""
        return text

    def _place(self, place: Place) -> Place | None:
        return self._shift.place(place) if self.moves else place

    def _member(self, group: _Group, place: Place) -> str:
        return moved(group.text, place[0] - group.origin[0], place[1] - group.origin[1])

    def rewrite(self, skeleton: Element, tables: Iterable[Area]) -> bytes:
        """Return the sheet's part afterwards; `tables`: bodies, whose first row gives the look of rows above it."""
        added: dict[int, Element] = {}
        if self.moves and not self._shift.gone and self._shift.axis == "rows":
            added = self._fresh_rows(tuple(tables))
        return self._part.rewritten(self._needs, self._change, added, skeleton)

    def _needs(self, number: int, data: bytes) -> bool:
        if self.moves and (self._shift.axis == "columns" or number >= self._shift.at):
            return True
        if not (b"<f" in data or b":f" in data):
            return False
        # On another sheet only a formula that names a sheet, or a name or table, can read cells that move.
        named = self.moves or self._names.moves or bool(self._names.resized) or self._split
        return named or b"!" in data or b"INDIRECT" in data

    def _change(self, number: int, row: Element) -> int | None:
        known = list(cells_of(number, row))
        now = number
        if self.moves and self._shift.axis == "rows":
            line = self._shift.line(number)
            if line is None:
                return None
            now = line
        if now != number or row.get("r"):
            row.set("r", str(now))
        if self.moves and self._shift.axis == "columns":
            row.attrib.pop("spans", None)
            known = self._columns_of(row, known)
        for place, node in known:
            stored = next(node.iterchildren(_F), None)
            if stored is not None:
                self._formula(place, stored)
            node.set("r", name_of(self._place(place) or place))
        return now

    def _columns_of(
        self, row: Element, known: list[tuple[Place, Element]]
    ) -> list[tuple[Place, Element]]:
        """Take out the cells of columns that go; put in those that take the look of the column before."""
        shift = self._shift
        for place, node in known:
            if shift.place(place) is None:
                row.remove(node)
        kept = [(place, node) for place, node in known if shift.place(place) is not None]
        if shift.gone or shift.at == 1:
            return kept
        before = next((n for place, n in known if place[1] == shift.at - 1), None)
        if before is not None and before.get("s", "0") != "0":
            number = known[0][0][0]
            for column in range(shift.at + shift.count - 1, shift.at - 1, -1):
                node = etree.Element(q("c"), r=name_of((number, column)), s=before.get("s"))
                before.addnext(node)
        return kept

    def _fresh_rows(self, tables: tuple[Area, ...]) -> dict[int, Element]:
        """Return rows that look as the one above; within a table below its header as the one below."""
        at = self._shift.at
        above, below = self._part.row(at - 1) if at > 1 else None, self._part.row(at)
        heads = [area for area in tables if area.top == at]
        looks: dict[int, str] = {}
        for number, row in ((at - 1, above), (at, below)):
            for place, node in cells_of(number, row) if row is not None else ():
                in_table = any(area.left <= place[1] <= area.right for area in heads)
                if node.get("s", "0") != "0" and in_table == (number == at):
                    looks[place[1]] = node.get("s", "0")
        found: dict[int, Element] = {}
        look = {n: above.get(n) for n in _ROW_LOOK if above.get(n)} if above is not None else {}
        if not look and not looks:
            return found
        for number in range(at, at + self._shift.count):
            row = etree.Element(q("row"), r=str(number))
            for name, value in look.items():
                row.set(name, value)
            for column in sorted(looks):
                etree.SubElement(row, q("c"), r=name_of((number, column)), s=looks[column])
            found[number] = row
        return found

    def _formula(self, place: Place, stored: Element) -> None:
        text, kind = stored.text or "", stored.get("t", "")
        if kind == "shared" and stored.get("si", "") in self._groups:
            group = self._groups[stored.get("si", "")]
            full = text or self._member(group, place)
            self._note(place, full)
            self._put_shared(group, place, stored, full)
            return
        if self.moves:
            for name in ("ref", "r1", "r2"):
                if stored.get(name):
                    stored.set(name, self._shift.areas(stored.get(name)))
        if text:
            self._note(place, text)
            stored.text = self._formulas.shifted(text, self._sheet.name).text

    def _put_shared(self, group: _Group, place: Place, stored: Element, full: str) -> None:
        if not group.keep:
            for name in ("t", "si", "ref"):
                stored.attrib.pop(name, None)
            stored.text = self._formulas.shifted(full, self._sheet.name).text
        elif place == group.origin:
            stored.text = group.keep
            if self.moves:
                stored.set("ref", self._shift.areas(group.area))

    def _note(self, place: Place, text: str) -> None:
        """Note a formula whose result may be another one afterwards."""
        parts = tokens(text)
        called = {bare(token.text) for token in parts if token.kind == "function"}
        if "INDIRECT" in called:
            self.indirect.append(f"{self._sheet.name}!{name_of(place)}")
        resized = self._formulas.shifted(text, self._sheet.name).resized
        if resized or called & POSITIONS or any(self._is_resized(token) for token in parts):
            now = self._place(place)
            if now is not None:
                self.old.add(now)

    def _is_resized(self, token: Token) -> bool:
        return token.kind in ("name", "table") and name_token(token) in self._names.resized


def name_token(token: Token) -> str:
    """Return the defined name or table that a token names, in small letters."""
    return token.text.partition("[")[0].rpartition("!")[2].lower()


def used(book: Workbook, sheet: Sheet) -> tuple[int, int]:
    """Return the last row and the last column with a cell."""
    rows = columns = 0
    for number, row in book.part(sheet).rows():
        rows = number
        columns = max(columns, 0, *(place[1] for place, _ in cells_of(number, row)))
    return rows, columns
