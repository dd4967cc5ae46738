"""What in a workbook does not fit together, though each part is well-formed: what Excel would repair."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS
from deskmate_documents.xlsx.book import Sheet, Table, Workbook
from deskmate_documents.xlsx.order import misplaced, misplaced_parts
from deskmate_documents.xlsx.refs import Area, name_of, parse_areas
from deskmate_documents.xlsx.sheetpart import cells_of, q

_RID = f"{{{OFFICE_RELS}}}id"
_BAD_TITLE = re.compile(r"[\[\]:*?/\\]|^'|'$")


def workbook_problems(book: Workbook) -> Iterator[str]:
    """Yield what does not fit together, one sentence each."""
    yield from _sheet_list(book)
    yield from _tables(book)
    formulas: dict[str, set[str]] = {}
    for sheet in book.sheets:
        if sheet.kind == "worksheet":
            formulas[sheet.name] = set()
            yield from _cells(book, sheet, formulas[sheet.name])
            yield from _frame(book, sheet)
            book.forget(sheet)
    yield from _chain(book, formulas)
    yield from _pivot_caches(book)
    yield from misplaced_parts(book)


def _sheet_list(book: Workbook) -> Iterator[str]:
    nodes = list(book.root.iterfind(f"{q('sheets')}/{q('sheet')}"))
    for what, values in (
        ("name", Counter(node.get("name", "").lower() for node in nodes)),
        ("id", Counter(node.get("sheetId", "") for node in nodes)),
    ):
        for value, count in values.items():
            if count > 1:
                yield f"{count} sheets have the {what} {value}."
    for node in nodes:
        name = node.get("name", "")
        if not 1 <= len(name) <= 31 or _BAD_TITLE.search(name):
            yield f"The sheet name {name[:60]!r} is not allowed."
    if nodes and all(node.get("state", "visible") != "visible" for node in nodes):
        yield "No sheet is visible."
    yield from _names(book, len(nodes))


def _names(book: Workbook, sheets: int) -> Iterator[str]:
    names = Counter((name.scope, name.name.lower()) for name in book.names)
    for (_, name), count in names.items():
        if count > 1:
            yield f"The name {name} is defined {count} times."
    for node in book.root.iterfind(f"{q('definedNames')}/{q('definedName')}"):
        local = node.get("localSheetId")
        if local is not None and not (local.isdigit() and int(local) < sheets):
            yield f"The name {node.get('name', '')} belongs to a sheet that is not there."


def _tables(book: Workbook) -> Iterator[str]:
    names = Counter(table.name.lower() for table in book.tables)
    for name, count in names.items():
        if count > 1:
            yield f"{count} tables have the name {name}."
    ids = Counter(book.package.parse(table.part).get("id", "") for table in book.tables)
    for number, count in ids.items():
        if count > 1:
            yield f"{count} tables have the id {number}."
    for table in book.tables:
        if len(table.columns) != table.area.right - table.area.left + 1:
            yield f"The table {table.name} has {len(table.columns)} columns but covers {table.area}."
        else:
            yield from _header(book, table)
        for other in book.tables:
            if (
                other.part > table.part
                and other.sheet == table.sheet
                and other.area.meets(table.area)
            ):
                yield f"The tables {table.name} and {other.name} overlap."


def _header(book: Workbook, table: Table) -> Iterator[str]:
    if table.header_rows != 1:
        return
    area = Area(table.area.top, table.area.left, table.area.top, table.area.right)
    shown = {v.place[1]: v.text for v in book.values(book.sheet(table.sheet), area)}
    for column, name in enumerate(table.columns, table.area.left):
        if _plain(shown.get(column, "")) != _plain(name):
            where = f"{table.sheet}!{name_of((table.area.top, column))}"
            yield f"The header {where} does not say {name!r}, as the table {table.name} does."


def _plain(text: str) -> str:
    return "".join(re.sub(r"_x[0-9a-fA-F]{4}_", " ", text).split()).lower()


def _cells(book: Workbook, sheet: Sheet, formulas: set[str]) -> Iterator[str]:
    styles, strings = max(book.styles.count, 1), len(book.strings)
    for number, row in book.part(sheet).rows():
        last = 0
        for place, node in cells_of(number, row):
            label = f"{sheet.name}!{name_of(place)}"
            if place[1] <= last:
                yield f"{label} stands behind a later cell of its row."
            last = place[1]
            style = node.get("s", "0")
            if not style.isdigit() or int(style) >= styles:
                yield f"{label} has the style {style}, which is not there."
            text = node.findtext(q("v")) or ""
            if node.get("t") == "s" and not (text.strip().isdigit() and int(text) < strings):
                yield f"{label} has the text {text[:20]}, which is not there."
            if node.find(q("f")) is not None:
                formulas.add(name_of(place))
        yield from (f"{sheet.name}, row {number}: {text}" for text in misplaced(row))


def _frame(book: Workbook, sheet: Sheet) -> Iterator[str]:
    frame = book.part(sheet).skeleton()
    nodes = frame.iterfind(f"{q('mergeCells')}/{q('mergeCell')}")
    merged = sorted(parse_areas(" ".join(node.get("ref", "") for node in nodes)))[:2_000]
    for number, area in enumerate(merged):
        for other in merged[number + 1 :]:
            if other.top > area.bottom:
                break
            if area.meets(other):
                yield f"The merged cells {area} and {other} of {sheet.name} overlap."
    styles = book.styles.root.find(q("dxfs"))
    count = len(styles) if styles is not None else 0
    for node in frame.iter(q("cfRule")):
        used = node.get("dxfId")
        if used is not None and not (used.isdigit() and int(used) < count):
            yield f"A conditional format of {sheet.name} uses the format {used}, which is not there."
    for tag in ("mergeCells", "dataValidations", "hyperlinks", "conditionalFormatting"):
        for node in frame.iterfind(q(tag)):
            if not len(node):
                yield f"{sheet.name} has an empty list ({tag})."


def _chain(book: Workbook, formulas: dict[str, set[str]]) -> Iterator[str]:
    names = {
        node.get("sheetId", ""): node.get("name", "")
        for node in book.root.iterfind(f"{q('sheets')}/{q('sheet')}")
    }
    for part in book.package.related(book.main, "calcChain"):
        current = ""
        for node in book.package.parse(part):
            current = node.get("i", current)
            sheet, cell = names.get(current, ""), node.get("r", "")
            if cell not in formulas.get(sheet, ()) and node.get("a") != "1":
                yield f"The calculation chain names {sheet}!{cell}, which has no formula."


def _pivot_caches(book: Workbook) -> Iterator[str]:
    rels = book.package.relationships(book.main)
    known = set()
    for node in book.root.iterfind(f"{q('pivotCaches')}/{q('pivotCache')}"):
        known.add(node.get("cacheId", ""))
        rel = rels.get(node.get(_RID, ""))
        if rel is None or rel.target not in book.package:
            yield f"The pivot cache {node.get('cacheId', '')} is not there."
    for sheet in book.sheets:
        for part in book.package.related(sheet.part, "pivotTable"):
            try:
                root = book.package.parse(part)
            except ToolInputError as error:
                yield error.message
                continue
            if root.get("cacheId", "") not in known:
                yield f"The pivot table {root.get('name', '')} uses the cache {root.get('cacheId', '')}, which is not there."
