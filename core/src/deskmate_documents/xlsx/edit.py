"""Edits of a workbook, made in its parts: every row, part and feature that no edit names stays byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx import cells, naming
from deskmate_documents.xlsx.book import Sheet, Workbook, parse_target
from deskmate_documents.xlsx.chartadd import add_chart
from deskmate_documents.xlsx.chartedit import change_chart
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.formula import SPILLING, areas, functions, moved, stored
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.newsheet import new_sheet
from deskmate_documents.xlsx.pivotedit import add_pivot, change_pivot, refresh_pivot
from deskmate_documents.xlsx.pivots import pivots
from deskmate_documents.xlsx.refs import Area, Place, name_of, parse_areas, split_sheet
from deskmate_documents.xlsx.ruleedit import (
    add_rule,
    add_validation,
    change_rule,
    remove_rule,
    remove_validation,
)
from deskmate_documents.xlsx.sheetchange import SheetChange, change_sheet
from deskmate_documents.xlsx.sheetedit import SheetEdit
from deskmate_documents.xlsx.shift import Shift
from deskmate_documents.xlsx.slicers import add_slicer
from deskmate_documents.xlsx.structure import Done, shift_lines
from deskmate_documents.xlsx.tablegrow import append_rows, rename_header

EDITS_LIMIT = 1_000
CELLS_LIMIT = 50_000
STALE_LIMIT = 5_000
_STYLE = ("number_format", "bold", "italic", "color", "fill", "align", "wrap", "locked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What edits did. `declared`: what they may have changed. `stale`: cells whose stored result is old now."""

    declared: Declared
    stale: tuple[str, ...]
    more_stale: bool
    notes: tuple[str, ...]


class Editor:
    """A workbook while it is edited; nothing is written before `save`."""

    def __init__(
        self,
        source: Path,
        *,
        allow_protected: bool = False,
        unsettled: frozenset[str] | None = None,
    ) -> None:
        """Open the workbook.

        `unsettled`: the cells whose stored results are old, in a file that asks to be computed; None for all.

        Raises:
            ToolInputError: it cannot be read, or is kept in a form that is not patched here.
        """
        self.book = Workbook(source)
        if self.book.is_strict:
            raise self.book.package.error(
                "is saved as Strict Open XML; save it as an ordinary .xlsx first"
            )
        if any(name.startswith("_xmlsignatures/") for name in self.book.package.names):
            raise self.book.package.error("is digitally signed; an edit would break the signature")
        self.allow_protected = allow_protected
        self.declared = Declared()
        self.notes: list[str] = []
        self.sheets: dict[str, SheetEdit] = {}
        self._touched: set[tuple[str, Place]] = set()
        self.refreshed: set[str] = set()
        self._calculates = False
        self.workbook_changed = False
        self._unsettled = unsettled
        self._was_old = self.book.is_stale
        self._flushed: set[tuple[str, Place]] = set()
        self._lost: list[tuple[Sheet, Place]] = []
        self._graph: Graph | None = None

    def flush(self) -> None:
        """Write the cells edited so far into the package, so that what is read from the book has them."""
        for name, edit in self.sheets.items():
            edit.finish()
            self._flushed |= {(name, place) for place in edit.formulas}
            self._lost += [(edit.sheet, place) for place in edit.lost_formulas]
        self.sheets.clear()
        for cached in ("tables", "names"):
            self.book.__dict__.pop(cached, None)

    def is_old(self, sheet: str, place: Place) -> bool:
        """Say whether the result of a formula is from before an edit, of these or of earlier ones."""
        return bool(self.first_old([(sheet, place)]))

    def first_old(self, spots: Iterable[tuple[str, Place]]) -> str:
        """Return the first of these formulas whose result is from before an edit; "" if none is."""
        reached: set[tuple[str, Place]] = set()
        more = False
        if self._touched:
            reached, more = Graph(self.book).dependents(self._touched, 1_000_000)
        for sheet, place in spots:
            label = f"{sheet}!{name_of(place)}"
            if self._was_old and (self._unsettled is None or label in self._unsettled):
                return label
            if more or (sheet, place) in reached or (sheet, place) in self._flushed:
                return label
        return ""

    def apply(self, edits: Sequence[Mapping[str, Any]]) -> Outcome:
        """Make the edits in order; the first that is impossible stops all, and nothing is written.

        Raises:
            ToolInputError: what is wrong with which edit.
        """
        if not 1 <= len(edits) <= EDITS_LIMIT:
            raise ToolInputError(f"Give 1 to {EDITS_LIMIT} edits.")
        known: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "set": self._set, "clear": self._clear, "style": self._style, "name": self._name,
            "append": partial(append_rows, self), "rule": partial(add_rule, self),
            "rule_change": partial(change_rule, self), "rule_remove": partial(remove_rule, self),
            "validation": partial(add_validation, self),
            "validation_remove": partial(remove_validation, self), "pivot": partial(add_pivot, self),
            "pivot_change": partial(change_pivot, self), "pivot_refresh": partial(refresh_pivot, self),
            "insert": partial(shift_lines, self, gone=False), "delete": partial(shift_lines, self, gone=True),
            "sheet": partial(new_sheet, self), "sheet_rename": partial(change_sheet, self, op="rename"),
            "sheet_move": partial(change_sheet, self, op="move"), "sheet_delete": partial(change_sheet, self, op="remove"),
            "chart": partial(add_chart, self),
            "chart_change": partial(change_chart, self), "slicer": partial(add_slicer, self),
        }  # fmt: skip
        for number, edit in enumerate(edits, 1):
            action = known.get(str(edit.get("op", "set")))
            if action is None:
                raise ToolInputError(f"Edit {number}: op is one of {', '.join(known)}.")
            if self._graph is None and edit.get("op") not in ("insert", "delete"):
                self._graph = Graph(self.book)
            try:
                action(edit)
            except ToolInputError as error:
                raise ToolInputError(f"Edit {number}: {error.message}") from error
            except (TypeError, ValueError, AttributeError) as error:
                raise ToolInputError(
                    f"Edit {number} has a field of the wrong kind ({error})."
                ) from error
        return self._outcome()

    def shifted(self, shift: Shift, done: Done) -> None:
        """Take note that rows or columns came or went in the book, as `done` says."""
        self._graph = None
        self._touched = _moved(self._touched, shift) | done.old
        self._flushed = _moved(self._flushed, shift) | done.old
        self._lost.clear()
        if self._unsettled is not None:
            spots = {(s, (a.top, a.left)) for s, a in map(_spot, self._unsettled)}
            self._unsettled = frozenset(
                f"{s}!{name_of(place)}" for s, place in _moved(spots, shift)
            )
        self.refreshed.clear()
        self.declared.add_step(shift)
        for sheet, place in sorted(done.old):
            self.declared.old.setdefault(sheet, []).append(Area(*place, *place))
        self.notes.extend(done.notes)

    def sheet_changed(self, step: SheetChange, notes: Sequence[str]) -> None:
        """Take note that a sheet of the book got another name or place, or went."""
        self._graph = None
        self._touched = _called(self._touched, step)
        self._flushed = _called(self._flushed, step)
        self._lost.clear()
        if self._unsettled is not None:
            spots = {(s, (a.top, a.left)) for s, a in map(_spot, self._unsettled)}
            self._unsettled = frozenset(f"{s}!{name_of(p)}" for s, p in _called(spots, step))
        self.workbook_changed = True
        self.declared.add_step(step)
        self.notes.extend(notes)

    def _outcome(self) -> Outcome:
        graph = self._graph or Graph(self.book)
        stale, more = (
            graph.dependents(self._touched, STALE_LIMIT) if self._touched else (set(), False)
        )
        stale = (
            stale | {s for s in self._touched if s in self._written_formulas()}
        ) - self._constants()
        self._calculates = self._calculates or bool(stale)
        self.notes.extend(outdated_pivots(self.book, self._touched, self.refreshed))
        ordered = sorted(stale, key=lambda s: (s[0], s[1]))
        return Outcome(
            declared=self.declared,
            stale=tuple(f"{sheet}!{name_of(place)}" for sheet, place in ordered),
            more_stale=more,
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _written_formulas(self) -> set[tuple[str, Place]]:
        return self._flushed | {
            (name, place) for name, edit in self.sheets.items() for place in edit.formulas
        }

    def _constants(self) -> set[tuple[str, Place]]:
        return self._touched - self._written_formulas()

    def on(self, sheet: Sheet) -> SheetEdit:
        """Return the edit of one sheet."""
        if sheet.name not in self.sheets:
            self.sheets[sheet.name] = SheetEdit(
                self.book, sheet, allow_protected=self.allow_protected
            )
        return self.sheets[sheet.name]

    def target(self, edit: Mapping[str, Any], *, limit: int = CELLS_LIMIT) -> tuple[Sheet, Area]:
        """Return the sheet and area of an edit's `cells`.

        Raises:
            ToolInputError: missing, unknown or too many cells.
        """
        if not isinstance(edit.get("cells"), str):
            raise ToolInputError('cells is missing, such as "Sheet1!B7".')
        sheet, area = parse_target(self.book, edit["cells"])
        if area.size > limit:
            raise ToolInputError(f"{edit['cells']} has {area.size} cells; at most {limit} at once.")
        return sheet, area

    def touch(self, sheet: Sheet, place: Place) -> None:
        """Note that a cell's value changes."""
        self.refreshed.clear()
        self._touched.add((sheet.name, place))
        self.declared.add_cells(sheet.name, Area(*place, *place))

    def _set(self, edit: Mapping[str, Any]) -> None:
        sheet, area = self.target(edit)
        given = [key for key in ("value", "values", "formula") if key in edit]
        if len(given) != 1:
            raise ToolInputError("Give one of value, values and formula.")
        if given == ["formula"]:
            self._set_formula(sheet, area, edit)
        else:
            rows = edit["values"] if given == ["values"] else None
            if rows is not None and area.size == 1:
                area = Area(
                    area.top, area.left, area.top + len(rows) - 1, area.left + len(rows[0]) - 1
                )
            if rows is not None and [len(r) for r in rows] != [area.right - area.left + 1] * (
                area.bottom - area.top + 1
            ):
                raise ToolInputError(f"values must have as many rows and columns as {area}.")
            for row, column in area.cells():
                value = edit["value"] if rows is None else rows[row - area.top][column - area.left]
                self.write(sheet, (row, column), value, as_text=bool(edit.get("as_text")))
        wanted = {key: edit[key] for key in _STYLE if key in edit}
        if wanted:
            self._restyle(sheet, area, wanted)

    def write(self, sheet: Sheet, place: Place, value: Any, *, as_text: bool = False) -> None:
        """Give a cell a constant; a table's header renames its column.

        Raises:
            ToolInputError: the cell cannot be edited, or the value is none.
        """
        if isinstance(value, str) and value.startswith("=") and not as_text:
            raise ToolInputError(f"Give {value[:40]!r} as formula, not as value.")
        rename_header(self, sheet, place, value)
        node = self.on(sheet).cell(place)
        cells.put(node, value, known=self.book.plain_strings, date1904=self.book.date1904)
        self.touch(sheet, place)

    def _set_formula(self, sheet: Sheet, area: Area, edit: Mapping[str, Any]) -> None:
        text = stored(str(edit["formula"]))
        check_references(self.book, text, sheet, area)
        if functions(text) & SPILLING and not edit.get("single"):
            raise ToolInputError(
                "This formula fills several cells; such formulas are not written yet. Use one that gives one value, "
                "or say single: true to take its first value."
            )
        for place in area.cells():
            formula = moved(text, place[0] - area.top, place[1] - area.left)
            self.write_formula(sheet, place, formula)

    def write_formula(self, sheet: Sheet, place: Place, formula: str) -> None:
        """Give a cell a formula in stored form.

        Raises:
            ToolInputError: the cell cannot be edited.
        """
        if any(
            table.sheet == sheet.name
            and table.header_rows
            and place[0] == table.area.top
            and place in table.area
            for table in self.book.tables
        ):
            raise ToolInputError(f"{name_of(place)} is the header of a table; it holds text only.")
        self.on(sheet).put_formula(place, formula)
        self._calculates = True
        self.touch(sheet, place)

    def _clear(self, edit: Mapping[str, Any]) -> None:
        sheet, area = self.target(edit)
        for place in area.cells():
            if self.on(sheet).has(place):
                rename_header(self, sheet, place, None)
                cells.clear(self.on(sheet).cell(place))
                self.touch(sheet, place)

    def _style(self, edit: Mapping[str, Any]) -> None:
        sheet, area = self.target(edit, limit=20_000)
        wanted = {key: edit[key] for key in _STYLE if key in edit}
        if not wanted:
            raise ToolInputError(f"Say which of {', '.join(_STYLE)} to change.")
        self._restyle(sheet, area, wanted)

    def _restyle(self, sheet: Sheet, area: Area, wanted: Mapping[str, Any]) -> None:
        for place in area.cells():
            node = self.on(sheet).cell(place, content=False)
            node.set("s", str(self.book.styles.derived(int(node.get("s", "0")), wanted)))
        self.declared.add_cells(sheet.name, area)
        self.declared.styles = True

    def _name(self, edit: Mapping[str, Any]) -> None:
        name = naming.set_name(self.book, edit)
        self.workbook_changed = self._calculates = True
        self.declared.names.append(name)

    def save(self, target: Path) -> None:
        """Write the result; without any edit it equals the source part for part."""
        package = self.book.package
        self.flush()
        if self._lost:
            naming.drop_from_chain(self.book, self._lost)
        if self.book.styles.changed:
            package.write_xml(self.book.styles_part, self.book.styles.root)
        if self._calculates:
            naming.calculate_on_load(self.book)
        if self.workbook_changed or self._calculates:
            package.write_xml(self.book.main, self.book.root)
        package.save(target)


def _moved(spots: set[tuple[str, Place]], shift: Shift) -> set[tuple[str, Place]]:
    """Return cells as they are named after a shift, without those that are gone."""
    found = {
        (sheet, shift.place(place) if sheet == shift.sheet else place) for sheet, place in spots
    }
    return {(sheet, place) for sheet, place in found if place is not None}


def _called(spots: set[tuple[str, Place]], step: SheetChange) -> set[tuple[str, Place]]:
    """Return cells as they are named after a sheet changed, without those that are gone."""
    return {(name, place) for sheet, place in spots if (name := step.name(sheet)) is not None}


def _spot(label: str) -> tuple[str, Area]:
    sheet, _, cell = label.rpartition("!")
    return sheet, parse_areas(cell)[0]


def check_references(book: Workbook, text: str, sheet: Sheet, area: Area) -> None:
    """Raise ToolInputError for a formula that reads a sheet that is not there, or itself."""
    names = {known.name.lower() for known in book.sheets}
    for where, read in areas(text):
        parts = where.lower().split(":")
        if where and "[" not in where and not all(part in names for part in parts):
            raise ToolInputError(f"The formula refers to the sheet {where!r}, which is not there.")
        own = not where or where.lower() == sheet.name.lower()
        if own and (area.top, area.left) in read:
            raise ToolInputError(
                f"The formula of {name_of((area.top, area.left))} would refer to itself."
            )


def outdated_pivots(
    book: Workbook, touched: set[tuple[str, Place]], fresh: set[str]
) -> Iterator[str]:
    """Yield a sentence for each pivot table that reads edited cells; `fresh`: parts of those computed since."""
    tables = {table.name.lower(): table for table in book.tables}
    for pivot in pivots(book):
        if pivot.part in fresh:
            continue
        table = tables.get(pivot.source.lower())
        sheet, text = (table.sheet, str(table.area)) if table else split_sheet(pivot.source)
        read = parse_areas(text)
        if any(where == sheet and place in area for where, place in touched for area in read):
            yield (
                f"The pivot table {pivot.name} ({pivot.sheet}) reads edited cells; it shows old figures until refreshed."
            )


def edit_workbook(
    source: Path,
    target: Path,
    edits: Sequence[Mapping[str, Any]],
    *,
    allow_protected: bool = False,
    unsettled: frozenset[str] | None = None,
) -> Outcome:
    """Make edits in a workbook and write the result to `target`, which may be the source.

    Args:
        source: the workbook.
        target: where the result goes.
        edits: list of {op, …}; see docs/reference/sheets.md.
        allow_protected: edit locked cells of protected sheets too.
        unsettled: cells (`Sheet!A1`) whose results are old in a file that asks to be computed; None for all.

    Raises:
        ToolInputError: what is wrong with which edit; nothing is written then.
    """
    editor = Editor(source, allow_protected=allow_protected, unsettled=unsettled)
    outcome = editor.apply(edits)
    editor.save(target)
    return outcome
