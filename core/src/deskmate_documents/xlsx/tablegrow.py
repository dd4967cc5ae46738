"""Tables that are edited: rows appended below their last one, and columns renamed by their header."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Sheet, Table
from deskmate_documents.xlsx.databars import XM
from deskmate_documents.xlsx.refs import ROWS, Area, Place, name_of, parse_areas
from deskmate_documents.xlsx.rules import rules, validations
from deskmate_documents.xlsx.sheetpart import q

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

ROWS_LIMIT = 2_000


def rename_header(editor: Editor, sheet: Sheet, place: Place, value: Any) -> None:
    """Rename the table column whose header this cell is; Excel repairs files where they differ.

    Raises:
        ToolInputError: it is no text, another column's name, or formulas use the old name.
    """
    for table in editor.book.tables:
        if table.sheet != sheet.name or not table.header_rows:
            continue
        if place[0] != table.area.top or place not in table.area:
            continue
        if not isinstance(value, str) or not value.strip():
            raise ToolInputError(
                f"{name_of(place)} is the header of the table {table.name}; it must hold a text."
            )
        root = editor.book.package.parse(table.part)
        columns = root.findall(f"{q('tableColumns')}/{q('tableColumn')}")
        column = columns[place[1] - table.area.left]
        if column.get("name") == value:
            return
        if value.lower() in (c.get("name", "").lower() for c in columns if c is not column):
            raise ToolInputError(f"The table {table.name} has a column {value!r} already.")
        _refuse_if_used(editor, table, column.get("name", ""))
        column.set("name", value.replace("\n", "_x000a_"))
        editor.book.package.write_xml(table.part, root)
        editor.declared.tables.append(table.name)


def _refuse_if_used(editor: Editor, table: Table, old: str) -> None:
    pattern = re.compile(rf"\[@?{re.escape(old)}\]", re.IGNORECASE)
    for where, value in editor.book.formulas():
        if pattern.search(value.formula):
            raise ToolInputError(
                f"Formulas such as {where.name}!{name_of(value.place)} use the column {old!r} of {table.name} "
                "by its name; change those first."
            )


def append_rows(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Append rows to a table: `rows`, each a list of values or an object by column name.

    Columns that compute themselves get their formula where no value is given; conditional formats and
    validations that end with the table's last row grow with it.

    Raises:
        ToolInputError: no such table or column, a totals row, or cells below it are in use.
    """
    wanted = str(edit.get("table", "")).lower()
    table = next((t for t in editor.book.tables if t.name.lower() == wanted), None)
    if table is None:
        names = ", ".join(t.name for t in editor.book.tables) or "none"
        raise ToolInputError(f"There is no table {edit.get('table')!r}; tables: {names}.")
    rows = [_as_list(table, row) for row in edit.get("rows", ())]
    if not 1 <= len(rows) <= ROWS_LIMIT:
        raise ToolInputError(f"rows must have 1 to {ROWS_LIMIT} entries.")
    if table.totals_rows:
        raise ToolInputError(
            f"The table {table.name} has a totals row; rows cannot be appended below it."
        )
    root = editor.book.package.parse(table.part)
    area = parse_areas(root.get("ref", ""))[0]
    fresh = Area(area.bottom + 1, area.left, area.bottom + len(rows), area.right)
    if fresh.bottom > ROWS:
        raise ToolInputError("The sheet has no room for these rows.")
    sheet = editor.book.sheet(table.sheet)
    if any(editor.on(sheet).has(place) for place in fresh.cells()):
        raise ToolInputError(f"The cells below the table {table.name} ({fresh}) are in use.")
    _write_rows(editor, sheet, root, area, rows)
    _grow(editor, sheet, root, area, fresh.bottom)
    editor.book.package.write_xml(table.part, root)
    editor.declared.tables.append(table.name)


def _as_list(table: Table, row: Any) -> list[Any]:
    if isinstance(row, Mapping):
        plain = {column.lower(): number for number, column in enumerate(table.columns)}
        values: list[Any] = [None] * len(table.columns)
        for name, value in row.items():
            if str(name).lower() not in plain:
                raise ToolInputError(
                    f"{table.name} has no column {name!r}; it has {', '.join(table.columns)}."
                )
            values[plain[str(name).lower()]] = value
        return values
    if not isinstance(row, list) or len(row) != len(table.columns):
        raise ToolInputError(f"A row of {table.name} has {len(table.columns)} values.")
    return row


def _write_rows(editor: Editor, sheet: Sheet, root: Any, area: Area, rows: list[list[Any]]) -> None:
    columns = root.findall(f"{q('tableColumns')}/{q('tableColumn')}")
    for number, values in enumerate(rows, area.bottom + 1):
        for place, (column, value) in enumerate(zip(columns, values, strict=True), area.left):
            above = editor.on(sheet).cell((area.bottom, place), content=False)
            style = above.get("s", "0")
            computed = column.findtext(q("calculatedColumnFormula"))
            if value is None and computed:
                editor.write_formula(sheet, (number, place), computed)
            else:
                editor.write(sheet, (number, place), value)
            if style != "0":
                editor.on(sheet).cell((number, place), content=False).set("s", style)


def _grow(editor: Editor, sheet: Sheet, root: Any, area: Area, bottom: int) -> None:
    whole = str(Area(area.top, area.left, bottom, area.right))
    root.set("ref", whole)
    for node in root.iterfind(q("autoFilter")):
        node.set("ref", whole)
    frame = editor.on(sheet).open_frame()
    groups = {
        id(rule.node.getparent()): rule.node.getparent() for rule in rules(frame) if not rule.newer
    }
    for group in groups.values():
        if _stretch(group, area, bottom):
            editor.declared.add_rules(sheet.name)
    for _, node in validations(frame):
        if node.get("sqref") and _stretch(node, area, bottom):
            editor.declared.add_validations(sheet.name)
    for node in frame.iter(
        f"{{{XM}}}sqref"
    ):  # of Excel 2010: the twins of data bars, and rules of their own
        what = node.getparent().tag.rpartition("}")[2]
        if what == "conditionalFormatting" and _stretch(node, area, bottom):
            editor.declared.add_rules(sheet.name)
        elif what == "dataValidation" and _stretch(node, area, bottom):
            editor.declared.add_validations(sheet.name)


def _stretch(node: Any, area: Area, bottom: int) -> bool:
    """Let a list of areas, an attribute or the text of an element, grow with a table; say whether it did."""
    newer = node.tag == f"{{{XM}}}sqref"
    known = parse_areas((node.text if newer else node.get("sqref")) or "")
    grown = [
        Area(a.top, a.left, bottom, a.right) if a.bottom == area.bottom and a.top > area.top
        and a.left >= area.left and a.right <= area.right else a
        for a in known
    ]  # fmt: skip
    if list(known) == grown:
        return False
    text = " ".join(map(str, grown))
    if newer:
        node.text = text
    else:
        node.set("sqref", text)
    return True
