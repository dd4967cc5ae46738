"""Tables when rows or columns come in or go: their areas, columns and filters, and who needs a column that would go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Table, Workbook
from deskmate_documents.xlsx.extensions import X15
from deskmate_documents.xlsx.refs import Area, name_of, parse_areas
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shift import Shift
from deskmate_documents.xlsx.shiftframe import shift_filter, texts_of

_ESCAPED = re.compile(r"([\[\]#'])")


def check_columns(book: Workbook, table: Table, shift: Shift) -> None:
    """Refuse to delete a column that something uses by its name or number.

    Raises:
        ToolInputError: a formula, a defined name, a rule, a slicer or a pivot table does.
    """
    if shift.axis != "columns" or not shift.gone:
        return
    gone = [
        number
        for number in range(len(table.columns))
        if shift.line(table.area.left + number) is None
    ]
    if not gone:
        return
    names = [table.columns[number] for number in gone]
    _check_parts(book, table, gone)
    for name in names:
        written = {re.escape(name), re.escape(_ESCAPED.sub(r"'\1", name))}
        pattern = re.compile(rf"\[@?\[?(?:{'|'.join(sorted(written))})\]", re.IGNORECASE)
        for where, text in _texts(book):
            if pattern.search(text):
                raise ToolInputError(
                    f"Formulas such as {where} use the column {name!r} of {table.name} by its name; change those first."
                )


def _texts(book: Workbook) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of each formula, of cells, names, and rules and validations."""
    for sheet, value in book.formulas():
        yield f"{sheet.name}!{name_of(value.place)}", value.formula
    for name in book.names:
        yield f"the name {name.name}", name.refers_to
    for sheet in book.sheets:
        if sheet.kind == "worksheet":
            for text in texts_of(book.part(sheet).skeleton()):
                yield f"a rule or validation of {sheet.name}", text


def _check_parts(book: Workbook, table: Table, gone: list[int]) -> None:
    """Refuse where a slicer filters by one of the columns, or a pivot table has one as a field."""
    root = book.package.parse(table.part)
    ids = [node.get("id", "") for node in root.iter(q("tableColumn"))]
    for part in book.package.related(book.main, "slicerCache"):
        for node in book.package.parse(part).iter(f"{{{X15}}}tableSlicerCache"):
            mine = node.get("tableId") == root.get("id")
            if mine and node.get("column") in [ids[number] for number in gone]:
                raise ToolInputError(
                    f"A slicer filters {table.name} by a column that would go; delete the slicer first."
                )
    names = {table.columns[number].lower() for number in gone}
    for part in book.package.related(book.main, "pivotCacheDefinition"):
        root = book.package.parse(part)
        fields = {node.get("name", "").lower() for node in root.iter(q("cacheField"))}
        reads = any(
            n.get("name", "").lower() == table.name.lower() for n in root.iter(q("worksheetSource"))
        )
        if reads and names & fields:
            raise ToolInputError(
                f"A pivot table reads {table.name} with a column that would go; change its source first."
            )


def shift_table(root: Element, label: str, shift: Shift) -> list[str]:
    """Shift a table's part; return the headers of columns that are new.

    Raises:
        ToolInputError: its header or totals would go, or all of its rows or columns.
    """
    area = parse_areas(root.get("ref", ""))[0]
    fresh: list[str] = []
    _check_table(root, area, label, shift)
    for node in root.iter(q("autoFilter")):
        shift_filter(node, shift, f"The filter of {label}")
    if shift.axis == "columns" and shift.cuts(area):
        fresh = _table_columns(root, area, label, shift)
    for node in root.iter(q("autoFilter"), q("sortState"), q("sortCondition")):
        if node.get("ref"):
            node.set("ref", shift.areas(node.get("ref")) or node.get("ref"))
    root.set("ref", str(shift.area(area)))
    return fresh


def _check_table(root: Element, area: Area, label: str, shift: Shift) -> None:
    header = int(root.get("headerRowCount", "1"))
    totals = int(root.get("totalsRowCount", "0"))
    if not shift.gone:
        return
    kept = [n for n in range(area.top, area.bottom + 1) if shift.line(n) is not None] \
        if shift.axis == "rows" else []  # fmt: skip
    if shift.takes(area) or (
        shift.axis == "rows"
        and (
            any(shift.line(area.top + n) is None for n in range(header))
            or any(shift.line(area.bottom - n) is None for n in range(totals))
            or len(kept) <= header + totals
        )
    ):
        raise ToolInputError(
            f"{label} ({area}) would lose its header, its totals or all of its rows or columns; it is kept whole."
        )


def _table_columns(root: Element, area: Area, label: str, shift: Shift) -> list[str]:
    if root.get("tableType", "worksheet") != "worksheet":
        raise ToolInputError(f"{label} gets its columns from elsewhere; they cannot come or go.")
    group = root.find(q("tableColumns"))
    columns = list(group)
    fresh: list[str] = []
    if shift.gone:
        for number, node in enumerate(columns, area.left):
            if shift.line(number) is None:
                group.remove(node)
    else:
        taken = {node.get("name", "").lower() for node in columns}
        top = max((int(node.get("id", "0")) for node in columns), default=0)
        for number in range(shift.count):
            name = next(f"Column{n}" for n in range(1, 20_000) if f"column{n}" not in taken)
            taken.add(name.lower())
            fresh.append(name)
            node = etree.Element(q("tableColumn"), id=str(top + number + 1), name=name)
            group.insert(shift.at - area.left + number, node)
    group.set("count", str(len(group)))
    return fresh
