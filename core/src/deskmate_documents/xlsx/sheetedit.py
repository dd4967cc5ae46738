"""One worksheet while it is edited: its cells, and the guards of what a cell belongs to."""

from __future__ import annotations

import re
from functools import cached_property

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx import cells
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.formula import moved
from deskmate_documents.xlsx.refs import Area, Place, column_number, name_of, parse_areas
from deskmate_documents.xlsx.sheetpart import cells_of, q

_FORMULA = re.compile(rb"<(?:[\w.\-]+:)?f\s([^>]*?)/?>")
_REF = re.compile(rb"""\bref\s*=\s*["']([^"']+)["']""")
_KIND = re.compile(rb"""(?<![\w:])t\s*=\s*["'](array|dataTable)["']""")


class SheetEdit:
    """The rows of a sheet that were touched, and its frame if that was."""

    def __init__(self, book: Workbook, sheet: Sheet, *, allow_protected: bool) -> None:
        """Begin to edit a worksheet.

        Raises:
            ToolInputError: it has no cells or is damaged.
        """
        self.book = book
        self.sheet = sheet
        self._part = book.part(sheet)
        self._allow_protected = allow_protected
        self._frame: Element | None = None
        self._rows: dict[int, Element] = {}
        self._cells: dict[int, dict[int, Element]] = {}
        self._seen: Element = self._part.skeleton()
        self.formulas: set[Place] = set()
        self.lost_formulas: set[Place] = set()
        self._grown: Area | None = None

    def open_frame(self) -> Element:
        """Return what the worksheet holds besides rows, to be changed; it will be written anew."""
        if self._frame is None:
            self._frame = self._seen
        return self._frame

    @cached_property
    def _merged(self) -> tuple[Area, ...]:
        nodes = self._seen.iterfind(f"{q('mergeCells')}/{q('mergeCell')}")
        return parse_areas(" ".join(node.get("ref", "") for node in nodes))

    @cached_property
    def _arrays(self) -> tuple[Area, ...]:
        found: list[Area] = []
        for match in _FORMULA.finditer(self.book.package.read(self.sheet.part)):
            ref = _REF.search(match[1])
            if _KIND.search(match[1]) and ref:
                found.extend(parse_areas(ref[1].decode()))
        return tuple(found)

    @cached_property
    def _pivots(self) -> tuple[tuple[str, str, Area], ...]:
        found = []
        for part in self.book.package.related(self.sheet.part, "pivotTable"):
            root = self.book.package.parse(part)
            place = root.find(q("location"))
            for area in parse_areas(place.get("ref", "") if place is not None else ""):
                found.append((part, root.get("name", ""), area))
        return tuple(found)

    @cached_property
    def is_protected(self) -> bool:
        """Say whether locked cells may not be edited."""
        node = self._seen.find(q("sheetProtection"))
        return node is not None and node.get("sheet", "0") in ("1", "true")

    def _row(self, number: int) -> Element:
        if number not in self._rows:
            row = self._part.row(number)
            if row is None:
                row = etree.Element(q("row"), nsmap=self._seen.nsmap)
                row.set("r", str(number))
            self._rows[number] = row
            self._cells[number] = {place[1]: node for place, node in cells_of(number, row)}
            for column, node in self._cells[number].items():
                node.set("r", name_of((number, column)))
        return self._rows[number]

    def has(self, place: Place) -> bool:
        """Say whether the cell is stored with a value or formula."""
        self._row(place[0])
        node = self._cells[place[0]].get(place[1])
        return node is not None and len(node) > 0

    def cell(self, place: Place, *, content: bool = True, within: str = "") -> Element:
        """Return a cell's element to be changed, made if it is not there; `content`: its value will change.

        `within`: part of the pivot table that paints it.

        Raises:
            ToolInputError: it is locked, hidden by a merged cell, or part of an array, data table or pivot table.
        """
        row = self._row(place[0])
        known = self._cells[place[0]]
        style = (
            known[place[1]].get("s", "0") if place[1] in known else self._default_style(place, row)
        )
        if (
            self.is_protected
            and not self._allow_protected
            and self.book.styles.is_locked(int(style))
        ):
            raise ToolInputError(
                f"{self.sheet.name}!{name_of(place)} is locked on a protected sheet; "
                "if the user agrees, say allow_protected: true."
            )
        if content:
            self._guard(place, within)
        if place[1] not in known:
            known[place[1]] = self._new_cell(row, place, style)
        elif content:
            self._release(known[place[1]], place)
        return known[place[1]]

    def result(self, place: Place) -> Element:
        """Return the element of a cell that is stored, to give its formula a result; no guard holds for that.

        Raises:
            ToolInputError: the cell is not stored.
        """
        self._row(place[0])
        node = self._cells[place[0]].get(place[1])
        if node is None:
            raise ToolInputError(f"{self.sheet.name}!{name_of(place)} is empty; it has no result.")
        return node

    def _guard(self, place: Place, within: str) -> None:
        label = f"{self.sheet.name}!{name_of(place)}"
        for area in self._merged:
            if place in area and place != (area.top, area.left):
                first = name_of((area.top, area.left))
                raise ToolInputError(f"{label} is covered by the merged cell {area}; edit {first}.")
        for area in self._arrays:
            if place in area and (place != (area.top, area.left) or area.size > 1):
                raise ToolInputError(
                    f"{label} belongs to the array formula or data table {area}, which is kept whole."
                )
        for part, name, area in self._pivots:
            if place in area and part != within:
                raise ToolInputError(
                    f"{label} belongs to the pivot table {name} ({area}); edit its source."
                )

    def _release(self, node: Element, place: Place) -> None:
        """Let a cell go out of its shared formula; the others get theirs written out if it was the first."""
        formula = node.find(q("f"))
        if formula is None:
            return
        self.lost_formulas.add(place)
        if formula.get("t") == "shared" and formula.text:
            self._write_out(formula.get("si", ""), formula.text, place)

    def _write_out(self, index: str, text: str, origin: Place) -> None:
        for number in self._part.row_numbers:
            if number < origin[0]:
                continue
            row = self._rows.get(number)
            row = row if row is not None else self._part.row(number)
            shared = [
                (place, node.find(q("f")))
                for place, node in cells_of(number, row)
                if place != origin and node.find(q("f")) is not None
            ]
            for place, formula in shared:
                if formula.get("t") != "shared" or formula.get("si") != index:
                    continue
                formula = self._own(place).find(q("f"))
                own = formula.text
                for name in ("t", "si", "ref"):
                    formula.attrib.pop(name, None)
                formula.text = own or moved(text, place[0] - origin[0], place[1] - origin[1])

    def _own(self, place: Place) -> Element:
        self._row(place[0])
        return self._cells[place[0]][place[1]]

    def put_formula(self, place: Place, formula: str) -> None:
        """Give a cell a formula in stored form, without a result.

        Raises:
            ToolInputError: the cell cannot be edited.
        """
        node = self.cell(place)
        cells.clear(node)
        stored = etree.Element(q("f"))
        stored.text = formula
        node.insert(0, stored)
        self.formulas.add(place)

    def _default_style(self, place: Place, row: Element) -> str:
        if row.get("s") and row.get("customFormat", "0") in ("1", "true"):
            return str(row.get("s"))
        for node in self._seen.iterfind(f"{q('cols')}/{q('col')}"):
            if int(node.get("min", "0")) <= place[1] <= int(node.get("max", "0")):
                return str(node.get("style", "0"))
        return "0"

    def _new_cell(self, row: Element, place: Place, style: str) -> Element:
        node = etree.Element(q("c"))
        node.set("r", name_of(place))
        if style != "0":
            node.set("s", style)
        after = 0
        for number, child in enumerate(row):
            letters = child.get("r", "").rstrip("0123456789")
            if child.tag == q("c") and column_number(letters) < place[1]:
                after = number + 1
        row.insert(after, node)
        spans = re.fullmatch(r"(\d+):(\d+)", row.get("spans", ""))
        if spans:
            row.set("spans", f"{min(int(spans[1]), place[1])}:{max(int(spans[2]), place[1])}")
        here = Area(*place, *place)
        self._grown = here if self._grown is None else _around(self._grown, here)
        return node

    def finish(self) -> None:
        """Write the part, if anything was touched."""
        self.lost_formulas -= self.formulas
        dimension = self._seen.find(q("dimension"))
        if self._grown is not None and dimension is not None:
            known = parse_areas(dimension.get("ref", ""))
            whole = _around(known[0], self._grown) if known else self._grown
            if not known or str(whole) != str(known[0]):
                self.open_frame().find(q("dimension")).set("ref", str(whole))
        if self._rows or self._frame is not None:
            data = self._part.patched(self._rows, self._frame)
            self.book.package.write(self.sheet.part, data)
            self.book.forget(self.sheet)


def _around(one: Area, other: Area) -> Area:
    return Area(
        min(one.top, other.top),
        min(one.left, other.left),
        max(one.bottom, other.bottom),
        max(one.right, other.right),
    )
