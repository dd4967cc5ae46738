"""A workbook's package as sheets, names, tables and cells; parts are read when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element, Package
from deskmate_documents.xlsx.cells import Value, read_value, rich_text
from deskmate_documents.xlsx.formula import moved
from deskmate_documents.xlsx.refs import Area, Place, parse_area, parse_areas, split_sheet
from deskmate_documents.xlsx.sheetpart import SheetPart, cells_of, q
from deskmate_documents.xlsx.styles import Styles

_F = q("f")
STRINGS_LIMIT = 2_000_000
CELLS_LIMIT = 3_000_000
_RID = f"{{{OFFICE_RELS}}}id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet. `kind`: worksheet, chartsheet, dialogsheet or macrosheet. `state`: visible, hidden, veryHidden."""

    name: str
    part: str
    kind: str
    state: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A defined name. `scope`: the sheet it belongs to, "" for the workbook."""

    name: str
    scope: str
    refers_to: str
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a sheet. `area`: with its header and totals. `columns`: in order."""

    name: str
    part: str
    sheet: str
    area: Area
    columns: tuple[str, ...]
    header_rows: int
    totals_rows: int

    @property
    def body(self) -> Area:
        """The rows between header and totals."""
        return Area(
            self.area.top + self.header_rows,
            self.area.left,
            self.area.bottom - self.totals_rows,
            self.area.right,
        )


@dataclass(slots=True, kw_only=True)
class _Shared:
    formulas: dict[str, tuple[str, Place]] = field(default_factory=dict)


class Workbook:
    """A workbook that was opened for reading, and for patching its parts."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ToolInputError: not a package, not a workbook, a binary workbook, or damaged.
        """
        self.package = Package(path)
        self.main = self.package.main_part()
        if self.main.lower().endswith(".bin"):
            raise self.package.error("is a binary workbook (.xlsb); save it as .xlsx first")
        self.root = self.package.parse(self.main)
        if self.root.tag != q("workbook"):
            raise self.package.error("is no workbook")
        self._loaded: dict[str, SheetPart] = {}

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return str(self.package.name)

    @property
    def is_strict(self) -> bool:
        """Say whether it is saved as Strict Open XML, which is read but not patched."""
        return b"purl.oclc.org/ooxml/" in self.package.read(self.main)

    @cached_property
    def sheets(self) -> tuple[Sheet, ...]:
        """Return the sheets in the order of the tabs; those without a part are left out."""
        rels = self.package.relationships(self.main)
        found = []
        for number, node in enumerate(self.root.iterfind(f"{q('sheets')}/{q('sheet')}")):
            rel = rels.get(node.get(_RID, ""))
            if rel is None or rel.external or rel.target not in self.package:
                continue
            found.append(
                Sheet(
                    name=node.get("name", ""),
                    part=rel.target,
                    kind=rel.kind,
                    state=node.get("state", "visible"),
                    number=number,
                )
            )
        return tuple(found)

    def sheet(self, name: str) -> Sheet:
        """Return the sheet of this name, in any case.

        Raises:
            ToolInputError: there is none; the message lists those there are.
        """
        for sheet in self.sheets:
            if sheet.name.lower() == name.lower():
                return sheet
        names = ", ".join(sheet.name for sheet in self.sheets[:60])
        raise ToolInputError(f"{self.name} has no sheet {name!r}; it has {names}.")

    def part(self, sheet: Sheet) -> SheetPart:
        """Return the indexed bytes of a worksheet.

        Raises:
            ToolInputError: it is a chart or dialog sheet, or damaged.
        """
        if sheet.kind != "worksheet":
            raise ToolInputError(f"{sheet.name} is a {sheet.kind}; it has no cells.")
        if sheet.part not in self._loaded:
            data = self.package.xml(sheet.part)
            self._loaded[sheet.part] = SheetPart(data, f"{self.name} ({sheet.part})")
        return self._loaded[sheet.part]

    def forget(self, sheet: Sheet) -> None:
        """Drop what is held of a sheet's part, after it was patched or to save memory."""
        self._loaded.pop(sheet.part, None)

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Return the shared strings as plain text."""
        return tuple(text for text, _ in self._items())

    @cached_property
    def plain_strings(self) -> dict[str, int]:
        """Return text → number of the shared strings that carry no formatting."""
        return {text: number for number, (text, plain) in enumerate(self._items()) if plain}

    def _items(self) -> Iterator[tuple[str, bool]]:
        parts = self.package.related(self.main, "sharedStrings")
        if not parts:
            return
        data = self.package.xml(parts[0])
        label = f"{self.name} ({parts[0]})"
        if b"<!" in data[:4096]:
            raise ToolInputError(f"{label} holds a document type or entities; refused.")
        count = 0
        try:
            for _, node in etree.iterparse(
                io.BytesIO(data),
                tag=q("si"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
            ):
                yield rich_text(node), len(node) == 1 and node[0].tag == q("t")
                count += 1
                if count > STRINGS_LIMIT:
                    raise ToolInputError(f"{label} has more than {STRINGS_LIMIT} texts; refused.")
                node.clear()
                while node.getprevious() is not None:
                    del node.getparent()[0]
        except (etree.XMLSyntaxError, ValueError) as error:
            raise ToolInputError(
                f"{label} is damaged: its XML does not parse ({error})."
            ) from error

    @cached_property
    def styles(self) -> Styles:
        """Return the styles; a workbook without a style part has none."""
        part = self.styles_part
        return Styles(self.package.parse(part) if part else etree.Element(q("styleSheet")))

    @cached_property
    def styles_part(self) -> str:
        """Name of the style part, or ""."""
        return next(iter(self.package.related(self.main, "styles")), "")

    @cached_property
    def date1904(self) -> bool:
        """Say whether dates are counted from 1904."""
        node = self.root.find(q("workbookPr"))
        return node is not None and node.get("date1904", "0") in ("1", "true")

    @property
    def is_stale(self) -> bool:
        """Say whether stored results of formulas may be old: the file asks to be calculated on opening."""
        node = self.root.find(q("calcPr"))
        return node is not None and node.get("fullCalcOnLoad", "0") in ("1", "true")

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """Return the defined names."""
        order = [n.get("name", "") for n in self.root.iterfind(f"{q('sheets')}/{q('sheet')}")]
        found = []
        for node in self.root.iterfind(f"{q('definedNames')}/{q('definedName')}"):
            local = node.get("localSheetId", "")
            index = int(local) if local.isdigit() else -1
            found.append(
                Name(
                    name=node.get("name", ""),
                    scope=order[index] if 0 <= index < len(order) else "",
                    refers_to=node.text or "",
                    hidden=node.get("hidden", "0") in ("1", "true"),
                )
            )
        return tuple(found)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Return the tables of all sheets; those whose area is none are left out."""
        found = []
        for sheet in self.sheets:
            for part in self.package.related(sheet.part, "table"):
                root = self.package.parse(part)
                areas = parse_areas(root.get("ref", ""))
                if not areas:
                    continue
                columns = root.iterfind(f"{q('tableColumns')}/{q('tableColumn')}")
                found.append(
                    Table(
                        name=root.get("displayName") or root.get("name", ""),
                        part=part,
                        sheet=sheet.name,
                        area=areas[0],
                        columns=tuple(c.get("name", "") for c in columns),
                        header_rows=_count(root.get("headerRowCount"), 1),
                        totals_rows=_count(root.get("totalsRowCount"), 0),
                    )
                )
        return tuple(found)

    def values(
        self, sheet: Sheet, area: Area | None = None, *, formulas: bool = False
    ) -> Iterator[Value]:
        """Yield the stored cells of a worksheet (within an area) row by row, with shared formulas written out.

        `formulas`: only cells with a formula, which is quicker.
        """
        part = self.part(sheet)
        shared = _Shared()
        strings = self.strings
        top, bottom = (1, 1 << 21) if area is None else (area.top, area.bottom)
        start = 1 if area is None or b't="shared"' in self.package.read(sheet.part) else top
        count = 0
        for number, row in part.rows(start, bottom, formulas=formulas):
            for place, node in cells_of(number, row):
                formula, array = _formula(node, place, shared)
                if formulas and not formula:
                    continue
                if number < top or (area is not None and place not in area):
                    continue
                count += 1
                if count > CELLS_LIMIT:
                    raise ToolInputError(
                        f"{sheet.name} has more than {CELLS_LIMIT} cells; refused."
                    )
                yield read_value(place, node, strings, formula, array)

    def formulas(self) -> Iterator[tuple[Sheet, Value]]:
        """Yield every formula of the workbook."""
        for sheet in self.sheets:
            if sheet.kind != "worksheet":
                continue
            held = sheet.part in self._loaded
            yield from ((sheet, value) for value in self.values(sheet, formulas=True))
            if not held:
                self.forget(sheet)


def _count(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() and len(text) < 4 else default


def _formula(node: Element, place: Place, shared: _Shared) -> tuple[str, str]:
    """Return a cell's formula without `=` and the area it fills, if it is an array or a data table."""
    stored = next(node.iterchildren(_F), None)
    if stored is None:
        return "", ""
    text, kind = stored.text or "", stored.get("t", "")
    if kind == "dataTable":
        inputs = ",".join(filter(None, (stored.get("r1"), stored.get("r2"))))
        return f"TABLE({inputs})", stored.get("ref", "")
    if kind == "array":
        return text, stored.get("ref", "")
    if kind == "shared":
        index = stored.get("si", "")
        if text:
            shared.formulas.setdefault(index, (text, place))
        elif index in shared.formulas:
            first, origin = shared.formulas[index]
            return moved(first, place[0] - origin[0], place[1] - origin[1]), ""
    return text, ""


def parse_target(book: Workbook, text: str) -> tuple[Sheet, Area]:
    """Return the sheet and area of `Sheet!A1:B2`; without a sheet, the workbook's first.

    Raises:
        ToolInputError: no such sheet or no area.
    """
    sheet, area = split_sheet(text)
    if sheet:
        return book.sheet(sheet), parse_area(area)
    if len(book.sheets) != 1:
        raise ToolInputError(f"{text!r} does not say which sheet; write it as Sheet!A1.")
    return book.sheets[0], parse_area(area)
