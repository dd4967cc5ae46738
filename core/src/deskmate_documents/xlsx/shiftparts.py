"""What stands over or beside cells when rows or columns come in or go: drawings, comments, controls, charts, pivots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element, rels_name
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.chartcache import reindexed
from deskmate_documents.xlsx.refs import COLUMNS, Area, parse_areas
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shift import Formulas, Shift

DRAWN = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
CHARTEX = "http://schemas.microsoft.com/office/drawing/2014/chartex"
CHART15 = "http://schemas.microsoft.com/office/drawing/2012/chart"
VML = "urn:schemas-microsoft-com:office:excel"
THREADED = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
NAMED_VIEWS = "http://schemas.microsoft.com/office/spreadsheetml/2019/namedsheetviews"
LINKS = (
    "textlink",
    "cellRange",
    "linkedCell",
    "listFillRange",
    "fmlaLink",
    "fmlaRange",
    "fmlaTxbx",
    "fmlaGroup",
)
_ANCHORS = ("twoCellAnchor", "oneCellAnchor")
VML_FORMULAS = ("FmlaLink", "FmlaRange", "FmlaTxbx", "FmlaGroup", "FmlaPict")


@dataclass(slots=True)
class PartShift:
    """Shifts the parts beside one worksheet. `notes` collects what a person should know."""

    book: Workbook
    sheet: Sheet
    formulas: Formulas
    notes: list[str]

    @property
    def shift(self) -> Shift:
        """What moves."""
        return self.formulas.shift

    @property
    def moves(self) -> bool:
        """Say whether it is this sheet whose cells move."""
        return self.sheet.name == self.shift.sheet

    def apply(self) -> None:
        """Shift the parts that this sheet points to.

        Raises:
            ToolInputError: one of them cannot be kept as it is meant.
        """
        related = self.book.package.related
        for part in related(self.sheet.part, "drawing"):
            self._drawing(part)
        for part in related(self.sheet.part, "ctrlProp"):
            self._patched(part, self._linked)
        for part in related(self.sheet.part, "vmlDrawing"):
            self._vml(part)
        if not self.moves:
            return
        for kind, tag in (
            ("comments", q("comment")),
            ("threadedComment", f"{{{THREADED}}}threadedComment"),
            ("tableSingleCells", q("singleXmlCell")),
        ):
            for part in related(self.sheet.part, kind):
                self._cells(part, tag, "r" if kind == "tableSingleCells" else "ref")
        for part in related(self.sheet.part, "namedSheetView"):
            self._patched(part, self._views)
        for part in related(self.sheet.part, "pivotTable"):
            self._patched(part, self._pivot)

    def _patched(self, part: str, change: object) -> None:
        root = self.book.package.parse(part)
        before = etree.tostring(root)
        change(root)  # type: ignore[operator]
        if etree.tostring(root) != before:
            self.book.package.write_xml(part, root)

    def beside(self, frame: Element) -> None:
        """Shift what the worksheet itself says of its controls; `frame`: the worksheet without its rows."""
        self._linked(frame)
        if self.moves:
            self._controls(frame)

    def _linked(self, root: Element) -> None:
        for node in root.iter():
            for name in LINKS if isinstance(node.tag, str) else ():
                text = node.get(name)
                if text:
                    equals = "=" if text.startswith("=") else ""
                    now = self.formulas.shifted(text.removeprefix("="), self.sheet.name).text
                    node.set(name, equals + now)

    def _drawing(self, part: str) -> None:
        def change(root: Element) -> None:
            self._linked(root)
            # Controls and newer shapes have their anchor within a choice of forms.
            for node in root.iter(*(f"{{{DRAWN}}}{name}" for name in _ANCHORS)):
                if self.moves:
                    self._anchor(node, node.get("editAs", "twoCell"))

        self._patched(part, change)
        if rels_name(part) in self.book.package:
            self._patched(rels_name(part), self._places)
        for kind in ("chart", "chartEx"):
            for chart in self.book.package.related(part, kind):
                self.chart(chart)

    def _places(self, root: Element) -> None:
        """Shift where the links of shapes lead within this workbook."""
        for node in root:
            target = node.get("Target", "") if node.get("Type", "").endswith("/hyperlink") else ""
            if target.startswith("#"):
                place = unquote(target[1:])
                now = self.formulas.shifted(place, self.sheet.name).text
                if now != place:
                    node.set("Target", "#" + (quote(now, safe="'!$:") if "%" in target else now))

    def chart(self, part: str) -> None:
        """Shift what a chart reads, and the figures that it keeps."""
        self._patched(part, self._series)
        for shapes in self.book.package.related(part, "chartUserShapes"):
            self._patched(shapes, self._linked)

    def _series(self, root: Element) -> None:
        for node in root.iter(
            f"{{{CHART}}}f", f"{{{CHARTEX}}}f", f"{{{CHART15}}}f", f"{{{CHART15}}}sqref"
        ):
            before = node.text or ""
            found = self.formulas.shifted(before, self.sheet.name)
            if found.text != before:
                node.text = found.text
                if found.resized:
                    reindexed(node, before, self.shift)

    def _controls(self, frame: Element) -> None:
        """Move the places of controls and objects that the worksheet itself keeps beside those of the drawing."""
        for node in frame.iter(q("anchor")):
            if node.get("moveWithCells", "0") in ("1", "true"):
                sized = node.get("sizeWithCells", "0") in ("1", "true")
                self._anchor(node, "twoCell" if sized else "oneCell")

    def _anchor(self, node: Element, kind: str) -> None:
        """Move an anchor; `kind`: `twoCell` moves and grows with its cells, `oneCell` moves, `absolute` stays."""
        ends = [node.find(f"{{*}}{name}") for name in ("from", "to")]
        tag = "row" if self.shift.axis == "rows" else "col"
        places = [end.find(f"{{{DRAWN}}}{tag}") for end in ends if end is not None]
        if not places or any(p is None for p in places) or kind == "absolute":
            return
        old = [int(place.text or "0") + 1 for place in places]
        now = self._lines(old, together=kind == "oneCell")
        for place, line in zip(places, now, strict=True):
            place.text = str(line - 1)

    def _lines(self, old: list[int], *, together: bool) -> list[int]:
        """Return where the first and last line of something drawn are; what loses its place keeps its size."""
        shift = self.shift
        first = shift.line(old[0])
        last = shift.line(old[-1])
        if first is None and last is None:
            self.notes.append(
                f"Something drawn on {self.sheet.name} stood over what was deleted; it stands at the place now."
            )
        if together or (first is None and last is None):
            start = first if first is not None else shift.at
            return [start + number - old[0] for number in old]
        start = first if first is not None else shift.at
        stop = last if last is not None else shift.at
        return [start, stop][: len(old)]

    def _cells(self, part: str, tag: str, name: str) -> None:
        def change(root: Element) -> None:
            gone = 0
            for node in list(root.iter(tag)):
                now = self.shift.areas(node.get(name, ""))
                if now:
                    node.set(name, now)
                else:
                    node.getparent().remove(node)
                    gone += 1
            if gone:
                self.notes.append(f"{gone} comments or fields of {self.sheet.name} went with it.")

        self._patched(part, change)

    def _views(self, root: Element) -> None:
        for node in root.iter(f"{{{NAMED_VIEWS}}}nsvFilter"):
            if self.shift.axis == "columns":
                raise ToolInputError(
                    f"{self.sheet.name} has named views, whose filters would mean other columns."
                )
            node.set("ref", self.shift.areas(node.get("ref", "")) or node.get("ref", ""))

    def _pivot(self, root: Element) -> None:
        place = root.find(q("location"))
        for area in parse_areas(place.get("ref", "")) if place is not None else ():
            pages = _page_rows(root)
            whole = Area(max(area.top - pages, 1), area.left, area.bottom, area.right)
            if self.shift.meets(whole):
                raise ToolInputError(
                    f"The pivot table {root.get('name', '')} ({self.sheet.name}!{whole}) would be cut; "
                    "choose rows or columns beside it."
                )
            place.set("ref", str(self.shift.area(area)))

    def _vml(self, part: str) -> None:
        data = self.book.package.read(part)
        if not self.moves and b"Fmla" not in data:
            return
        try:
            root = self.book.package.parse(part)
        except ToolInputError as error:
            raise ToolInputError(
                f"The comments or controls of {self.sheet.name} are kept in a form that cannot be moved."
            ) from error
        before = etree.tostring(root)
        for name in VML_FORMULAS:
            for node in root.iter(f"{{{VML}}}{name}"):
                node.text = self.formulas.shifted(node.text or "", self.sheet.name).text
        for node in list(root.iter(f"{{{VML}}}ClientData")) if self.moves else ():
            self._client(node)
        if etree.tostring(root) != before:
            self.book.package.write(part, etree.tostring(root))

    def _client(self, node: Element) -> None:
        """Move a comment with its cell, a control with the cells under it."""
        kind = "Row" if self.shift.axis == "rows" else "Column"
        own, anchor = node.find(f"{{{VML}}}{kind}"), node.find(f"{{{VML}}}Anchor")
        numbers = (
            [int(n) for n in re.findall(r"-?\d+", anchor.text or "")] if anchor is not None else []
        )
        indexes = (2, 6) if self.shift.axis == "rows" else (0, 4)
        if own is not None and (own.text or "").strip().isdigit():
            line = int(own.text)
            now = self.shift.line(line + 1)
            if now is None:
                shape = node.getparent()
                shape.getparent().remove(shape)
                return
            own.text = str(now - 1)
            moved = [numbers[i] + now - 1 - line for i in indexes] if len(numbers) == 8 else []
        else:
            moved = (
                [n - 1 for n in self._lines([numbers[i] + 1 for i in indexes], together=False)]
                if len(numbers) == 8
                else []
            )
        for index, value in zip(indexes, moved, strict=False):
            numbers[index] = max(value, 0)
        if moved:
            given = iter(numbers)
            anchor.text = re.sub(r"-?\d+", lambda _: str(next(given)), anchor.text)


def _page_rows(pivot: Element) -> int:
    """Return how many rows the filters above a pivot table take, with the empty one below them."""
    place = pivot.find(q("location"))
    rows = place.get("rowPageCount", "") if place is not None else ""
    pages = pivot.find(q("pageFields"))
    count = int(rows) if rows.isdigit() else len(pages) if pages is not None else 0
    return count + 1 if count else 0


def shift_caches(book: Workbook, shift: Shift, names: frozenset[str]) -> Iterator[str]:
    """Shift what pivot tables read; yield what a person should know. `names`: those that have other cells now.

    Raises:
        ToolInputError: columns would come into a source or go from it.
    """
    for part in book.package.related(book.main, "pivotCacheDefinition"):
        root = book.package.parse(part)
        changed = False
        for node in root.iter(q("worksheetSource"), q("rangeSet")):
            if node.get("name", "").lower() in names:
                yield f"A pivot table reads {node.get('name')}, which has other cells now; refresh it when they are filled."
            if node.get("sheet", "").lower() != shift.sheet.lower() or not node.get("ref"):
                continue
            if node.get(f"{{{OFFICE_RELS}}}id"):
                continue  # a sheet of that name in another workbook
            for area in parse_areas(node.get("ref")):
                _check_source(area, shift)
                node.set("ref", str(shift.area(area)))
                changed = True
                if shift.cuts(area):
                    yield (
                        f"A pivot table reads {shift.sheet}!{node.get('ref')}, which has other rows now; refresh it when they are filled."
                    )
        if changed:
            book.package.write_xml(part, root)


def _check_source(area: Area, shift: Shift) -> None:
    head = Area(area.top, area.left, area.top, area.right)
    wide = shift.axis == "columns" and shift.meets(area) and area.right - area.left + 1 < COLUMNS
    if wide or shift.takes(head):
        raise ToolInputError(
            f"A pivot table reads {shift.sheet}!{area}; its columns and headers cannot come or go. Choose others, "
            "or change its source first."
        )


def shift_connections(book: Workbook, formulas: Formulas) -> None:
    """Shift the cells that data connections take parameters from."""
    for part in book.package.related(book.main, "connections"):
        root = book.package.parse(part)
        changed = False
        for node in root.iter(q("parameter")):
            if node.get("cell"):
                node.set("cell", formulas.shifted(node.get("cell"), "").text)
                changed = True
        if changed:
            book.package.write_xml(part, root)
