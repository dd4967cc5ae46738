"""Rows and columns inserted into a worksheet or deleted from it, with everything in the workbook that names cells."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx import naming
from deskmate_documents.xlsx.book import Sheet, Table, Workbook
from deskmate_documents.xlsx.chartedit import ChartChange, apply_chart
from deskmate_documents.xlsx.formula import bare, moved, tokens
from deskmate_documents.xlsx.newsheet import NewSheet, add_sheet
from deskmate_documents.xlsx.refs import COLUMNS, ROWS, Area, Place
from deskmate_documents.xlsx.rules import XM
from deskmate_documents.xlsx.sheetchange import SheetChange, apply_change
from deskmate_documents.xlsx.sheetedit import SheetEdit
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shift import Formulas, Shift
from deskmate_documents.xlsx.shiftcells import POSITIONS, CellShift, Names, name_token, used
from deskmate_documents.xlsx.shiftframe import FrameShift
from deskmate_documents.xlsx.shiftparts import (
    PartShift,
    shift_caches,
    shift_connections,
)
from deskmate_documents.xlsx.shifttables import check_columns, shift_table

if TYPE_CHECKING:
    from deskmate_documents.xlsx.declared import Step
    from deskmate_documents.xlsx.edit import Editor

COUNT_LIMIT = 10_000
_NOTED = 10


@dataclass(slots=True, kw_only=True)
class Done:
    """What a shift did. `old`: cells whose stored results may be old. `written`: cells that got a formula."""

    old: set[tuple[str, Place]] = field(default_factory=set)
    written: set[tuple[str, Place]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def wanted_shift(sheet: Sheet, area: Area, *, gone: bool) -> Shift:
    """Return the shift that whole rows (`5:7`) or columns (`C:D`) of a sheet mean.

    Raises:
        ToolInputError: the area is no whole rows or columns, or too many.
    """
    rows = (area.left, area.right) == (1, COLUMNS)
    columns = (area.top, area.bottom) == (1, ROWS)
    if rows == columns:
        raise ToolInputError("Say whole rows (Sheet!5:7) or whole columns (Sheet!C:D).")
    first, last = (area.top, area.bottom) if rows else (area.left, area.right)
    if last - first + 1 > COUNT_LIMIT:
        raise ToolInputError(f"At most {COUNT_LIMIT} rows or columns at once.")
    return Shift(
        sheet=sheet.name,
        axis="rows" if rows else "columns",
        at=first,
        count=last - first + 1,
        gone=gone,
    )


def apply_shift(book: Workbook, shift: Shift) -> Done:
    """Shift a workbook in memory; an error leaves it half done, to be thrown away.

    Raises:
        ToolInputError: what cannot be shifted as it is meant, or a part is damaged.
    """
    try:
        return _applied(book, shift)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        cause = " ".join(str(error).split())[:100] or type(error).__name__
        raise book.package.error(
            f"has a damaged part, so that its rows and columns cannot be moved ({cause})"
        ) from error


def _applied(book: Workbook, shift: Shift) -> Done:
    target = book.sheet(shift.sheet)
    _check(book, target, shift)
    formulas = Formulas(shift, [sheet.name for sheet in book.sheets])
    done = Done()
    tables = {table.part: table for table in book.tables}
    own = [table for table in tables.values() if table.sheet == shift.sheet]
    names = _names(book, formulas, {t.name.lower() for t in own if shift.cuts(t.area)}, bool(own))
    fresh = _tables(book, tables.values(), formulas)
    done.notes += shift_caches(book, shift, names.resized)
    shift_connections(book, formulas)
    indirect: list[str] = []
    for sheet in book.sheets:
        PartShift(book, sheet, formulas, done.notes).apply()
        if sheet.kind == "worksheet":
            _sheet(book, sheet, formulas, names, done, indirect)
    naming.drop_chain(book)
    for cached in ("names", "tables"):
        book.__dict__.pop(cached, None)
    _headers(book, target, fresh, shift)
    _fill(book, target, shift, done)
    done.notes += _said(book, indirect)
    done.notes = list(dict.fromkeys(done.notes))
    if done.old:
        naming.calculate_on_load(book)
    book.package.write_xml(book.main, book.root)
    return done


def _check(book: Workbook, target: Sheet, shift: Shift) -> None:
    if any(sheet.kind not in ("worksheet", "chartsheet") for sheet in book.sheets):
        raise ToolInputError(
            f"{book.name} has macro or dialog sheets, which name cells in ways that are not moved here."
        )
    if any(name.startswith("xl/revisions/") for name in book.package.names):
        raise ToolInputError(
            f"{book.name} is shared with a record of changes; stop sharing it first."
        )
    if book.package.related(book.main, "volatileDependencies"):
        raise ToolInputError(f"{book.name} takes live data into cells, which are not moved here.")
    rows, columns = used(book, target)
    last = rows if shift.axis == "rows" else columns
    if not shift.gone and last >= shift.at and last + shift.count > shift.limit:
        raise ToolInputError(f"{target.name} has no room for {shift.count} more {shift.axis}.")


def _names(book: Workbook, formulas: Formulas, tables: set[str], moves: bool) -> Names:
    """Shift the defined names; say which have more or fewer cells, or another result.

    `tables`: names of those that have. `moves`: whether a table moves at all.
    """
    resized = set(tables)
    order = [node.get("name", "") for node in book.root.iterfind(f"{q('sheets')}/{q('sheet')}")]
    named = list(book.root.iterfind(f"{q('definedNames')}/{q('definedName')}"))
    for node in named:
        local = node.get("localSheetId", "")
        home = order[int(local)] if local.isdigit() and int(local) < len(order) else ""
        before = node.text or ""
        found = formulas.shifted(before, home, fixed_only=True)
        node.text = found.text
        moves = moves or found.text != before
        called = {bare(token.text) for token in tokens(before) if token.kind == "function"}
        if found.resized or (found.text != before and called & POSITIONS):
            resized.add(node.get("name", "").lower())
    for node in book.root.iter(f"{{{XM}}}f"):
        node.text = formulas.shifted(node.text or "", "", fixed_only=True).text
    _spread(named, resized, moves=moves)
    return Names(resized=frozenset(resized), moves=moves)


def _spread(named: Sequence[Element], resized: set[str], *, moves: bool) -> None:
    """Add the names that are made of names which have another result."""
    read: dict[str, set[str]] = {}
    for node in named:
        parts = tokens(node.text or "")
        called = {bare(token.text) for token in parts if token.kind == "function"}
        used = {name_token(token) for token in parts if token.kind in ("name", "table")}
        name = node.get("name", "").lower()
        read[name] = read.get(name, set()) | used
        if moves and used and called & POSITIONS:
            resized.add(name)
    grows = True
    while grows:
        more = {name for name, used in read.items() if used & resized} - resized
        resized |= more
        grows = bool(more)


def _tables(
    book: Workbook, tables: Iterable[Table], formulas: Formulas
) -> list[tuple[Table, list[str]]]:
    shift = formulas.shift
    fresh: list[tuple[Table, list[str]]] = []
    for table in tables:
        root = book.package.parse(table.part)
        before = etree.tostring(root)
        if table.sheet == shift.sheet:
            check_columns(book, table, shift)
            names = shift_table(root, f"The table {table.name}", shift)
            fresh += [(table, names)] if names else []
        for node in root.iter(q("calculatedColumnFormula"), q("totalsRowFormula")):
            node.text = formulas.shifted(node.text or "", table.sheet).text
        if etree.tostring(root) != before:
            book.package.write_xml(table.part, root)
    return fresh


def _sheet(
    book: Workbook,
    sheet: Sheet,
    formulas: Formulas,
    names: Names,
    done: Done,
    indirect: list[str],
) -> None:
    cells = CellShift(book, sheet, formulas, names)
    part = book.part(sheet)
    frame = part.skeleton()
    before = etree.tostring(frame)
    around = FrameShift(frame, sheet.name, formulas)
    around.apply()
    PartShift(book, sheet, formulas, done.notes).beside(frame)
    changed = etree.tostring(frame) != before
    bodies = [t.body for t in book.tables if t.sheet == sheet.name and t.header_rows]
    data = cells.rewrite(frame if changed else None, bodies if cells.moves else ())
    if data != book.package.read(sheet.part):
        book.package.write(sheet.part, data)
    book.forget(sheet)
    done.old |= {(sheet.name, place) for place in cells.old}
    done.notes += around.notes
    indirect += cells.indirect


def _headers(
    book: Workbook, sheet: Sheet, fresh: list[tuple[Table, list[str]]], shift: Shift
) -> None:
    """Give new columns of tables their headers."""
    from deskmate_documents.xlsx import cells  # noqa: PLC0415

    edit = SheetEdit(book, sheet, allow_protected=True)
    for table, names in fresh:
        for number, name in enumerate(names):
            if table.header_rows:
                node = edit.cell((table.area.top, shift.at + number))
                cells.put(node, name, known=book.plain_strings, date1904=book.date1904)
    edit.finish()


def _fill(book: Workbook, sheet: Sheet, shift: Shift, done: Done) -> None:
    """Give new rows of tables the formulas of columns that compute themselves."""
    if shift.gone or shift.axis != "rows":
        return
    edit = SheetEdit(book, sheet, allow_protected=True)
    for table in book.tables:
        body = table.body
        rows = [n for n in range(shift.at, shift.at + shift.count) if body.top <= n <= body.bottom]
        if table.sheet != sheet.name or shift.at + shift.count > body.bottom + 1 or not rows:
            continue
        root = book.package.parse(table.part)
        near = rows[0] - 1 if rows[0] > body.top else rows[-1] + 1
        around = Area(near, table.area.left, near, table.area.right)
        above = {value.place[1]: value for value in book.values(sheet, around)}
        for column, node in enumerate(root.iter(q("tableColumn")), table.area.left):
            known = above.get(column)
            if node.find(q("calculatedColumnFormula")) is None or known is None:
                continue
            for row in rows if known.formula and not known.array else ():
                edit.put_formula((row, column), moved(known.formula, row - near, 0))
                done.written.add((sheet.name, (row, column)))
                done.old.add((sheet.name, (row, column)))
    edit.finish()


def _said(book: Workbook, indirect: list[str]) -> list[str]:
    notes = []
    if indirect:
        shown = ", ".join(indirect[:_NOTED]) + (" and others" if len(indirect) > _NOTED else "")
        notes.append(f"INDIRECT names cells as text, which does not move: look at {shown}.")
    if book.package.related(book.main, "vbaProject"):
        notes.append("Macros may name cells as text, which does not move: look at them.")
    return notes


def replay(book: Workbook, steps: Iterable[Step]) -> None:
    """Do with an original what edits say they did with its rows, columns and sheets, so that the rest can be compared.

    Raises:
        ToolInputError: one cannot be made.
    """
    for step in steps:
        if isinstance(step, NewSheet):
            add_sheet(book, step)
        elif isinstance(step, SheetChange):
            apply_change(book, step)
        elif isinstance(step, ChartChange):
            apply_chart(book, step)
        else:
            apply_shift(book, step)


@contextlib.contextmanager
def replayed(file: Path | None, steps: Sequence[Step]) -> Iterator[Path | None]:
    """Give a copy of a file in which rows, columns and sheets came and went; the file itself where none did.

    Raises:
        ToolInputError: one cannot be made.
    """
    if file is None or not steps:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="deskmate-shift-") as folder:
        book = Workbook(file)
        calculated = book.is_stale
        replay(book, steps)
        if not calculated:
            naming.calculated(book)
            book.package.write_xml(book.main, book.root)
        copy = Path(folder) / file.name
        book.package.save(copy)
        yield copy


def shift_lines(editor: Editor, edit: Mapping[str, Any], *, gone: bool) -> None:
    """Insert or delete whole rows or columns: `cells` such as `Model!5:7` or `Model!C:D`.

    Raises:
        ToolInputError: the sheet is protected, or something cannot be shifted as it is meant.
    """
    sheet, area = editor.target(edit, limit=1 << 40)
    shift = wanted_shift(sheet, area, gone=gone)
    if editor.on(sheet).is_protected and not editor.allow_protected:
        raise ToolInputError(
            f"{sheet.name} is protected; if the user agrees, say allow_protected: true."
        )
    editor.flush()
    done = apply_shift(editor.book, shift)
    editor.shifted(shift, done)
