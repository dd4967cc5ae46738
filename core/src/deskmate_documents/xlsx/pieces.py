"""A changed workbook in pieces that a reader takes or leaves: cells one by one, and all else as one piece."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.docx.pieces import check_numbers
from deskmate_documents.inventory import compare, inventory
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.detect import found_shifts
from deskmate_documents.xlsx.difference import changes
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.refs import Place, column_name, name_of, parse_area, quote_sheet
from deskmate_documents.xlsx.shift import Formulas, Shift

CELLS_LIMIT = 1_000
SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """`cells`: (sheet, place) in order, with both values. `rest`: what else differs, in sentences.

    `shifts`: rows and columns that came or went, which belong to the rest; places and values are those after them.
    `sheets`: of the newer version, in order.
    """

    cells: tuple[tuple[str, Place, Value | None, Value | None], ...]
    rest: tuple[str, ...]
    shifts: tuple[Shift, ...] = ()
    sheets: tuple[str, ...] = ()


def xlsx_pieces(before: Path, after: Path) -> tuple[tuple[str, ...], ...]:
    """Return what each piece looks like: a cell with what it was and is; last, if there is, the rest.

    Raises:
        ToolInputError: a version cannot be read, or more than 1,000 cells differ.
    """
    found = _difference(before, after)
    shown: list[tuple[str, ...]] = []
    for sheet, place, old, new in found.cells:
        lines = [f"@@ {quote_sheet(sheet)}!{name_of(place)} @@ change {len(shown) + 1}"]
        lines += [f"-{_said(old)}"] if old is not None and _said(old) else []
        lines += [f"+{_said(new)}"] if new is not None and _said(new) else []
        shown.append(tuple(lines))
    if found.rest:
        more = [f"~and {len(found.rest) - SHOWN} more"] if len(found.rest) > SHOWN else []
        head = f"@@ formats, rules, sheets and all else @@ change {len(shown) + 1}"
        shown.append((head, *(f"~{line}" for line in found.rest[:SHOWN]), *more))
    return tuple(shown)


def xlsx_merge(before: Path, after: Path, chosen: Collection[int], target: Path) -> None:
    """Write the workbook with the chosen pieces, numbered from 1; cells are patched, nothing else is touched.

    Raises:
        ToolInputError: as `xlsx_pieces`, or a cell cannot be changed alone, such as one of an array formula.
    """
    found = _difference(before, after)
    check_numbers(chosen, len(found.cells) + bool(found.rest), after.name)
    rest = bool(found.rest) and len(found.cells) + 1 in chosen
    edits = []
    for number, (sheet, place, old, new) in enumerate(found.cells, 1):
        if rest == (number in chosen):
            continue
        label = f"{quote_sheet(sheet)}!{name_of(place)}"
        if rest or not found.shifts:
            edits.append(_edit(label, old if rest else new))
        else:
            edits.append(_unshifted(sheet, place, new, found))
    if not edits:
        target.write_bytes((after if rest else before).read_bytes())
        return
    edit_workbook(after if rest else before, target, edits, allow_protected=True)


def _difference(before: Path, after: Path) -> _Difference:
    old, new = Workbook(before), Workbook(after)
    old, shifts = found_shifts(old, new)
    if shifts and _count(old, new) * 2 > _count(Workbook(before), new):
        old, shifts = Workbook(before), ()
    places: list[tuple[str, Place]] = []
    rest: list[str] = [_told(shift) for shift in shifts]
    for change in changes(old, new):
        if change.kind in ("value", "formula") and change.place is not None:
            places.append((change.sheet, change.place))
            if len(places) > CELLS_LIMIT:
                raise ToolInputError(
                    f"{after.name} differs in more than {CELLS_LIMIT} cells; take it whole or not at all."
                )
        elif change.kind != "result":
            rest.append(change.message)
    rest += _features(old, new)
    cells = tuple(
        (sheet, place, _value(old, sheet, place), _value(new, sheet, place))
        for sheet, place in places
    )
    order = tuple(sheet.name for sheet in new.sheets)
    return _Difference(cells=cells, rest=tuple(rest), shifts=shifts, sheets=order)


def _count(old: Workbook, new: Workbook) -> int:
    """Return how many cells differ."""
    return sum(change.kind in ("value", "formula") for change in changes(old, new))


def _told(shift: Shift) -> str:
    last = shift.at + shift.count - 1
    names = (shift.at, last) if shift.axis == "rows" else (column_name(shift.at), column_name(last))
    what = f"{'Rows' if shift.axis == 'rows' else 'Columns'} {names[0]}:{names[1]}"
    return f"{what} of {shift.sheet} {'are gone' if shift.gone else 'are new'}, and what names cells moved."


def _unshifted(sheet: str, place: Place, value: Value | None, found: _Difference) -> dict[str, Any]:
    """Return the edit of a cell in the version in which no rows or columns came or went.

    Raises:
        ToolInputError: it stands on rows or columns that come, or reads them.
    """
    text = value.formula if value is not None else ""
    label = f"{quote_sheet(sheet)}!{name_of(place)}"
    for shift in reversed(found.shifts):
        back = replace(shift, gone=not shift.gone)
        text = Formulas(back, found.sheets).shifted(text, sheet).text if text else text
        now = back.place(place) if sheet == shift.sheet else place
        if now is None or ("#REF!" in text and value is not None and "#REF!" not in value.formula):
            raise ToolInputError(
                f"{label} belongs to rows or columns that come in; take those too (the last change)."
            )
        place = now
    moved = replace(value, place=place, formula=text) if value is not None else None
    return _edit(f"{quote_sheet(sheet)}!{name_of(place)}", moved)


def _features(old: Workbook, new: Workbook) -> Iterator[str]:
    found = compare(inventory(old.package), inventory(new.package))
    for word, features in (("gone", found.lost), ("new", found.gained), ("changed", found.changed)):
        for feature in features:
            if feature.kind not in ("worksheet", "calculation settings"):
                name = f" {feature.name}" if feature.name else ""
                yield f"{feature.kind}{name} in {feature.where} is {word}."


def _value(book: Workbook, sheet: str, place: Place) -> Value | None:
    found: list[Sheet] = [each for each in book.sheets if each.name == sheet]
    area = parse_area(name_of(place))
    return next(iter(book.values(found[0], area)), None) if found else None


def _said(value: Value) -> str:
    return f"={value.formula}" if value.formula else value.text


def _edit(cells: str, value: Value | None) -> dict[str, Any]:
    if value is None or (value.kind == "empty" and not value.formula):
        return {"op": "clear", "cells": cells}
    if value.array or value.meta:
        raise ToolInputError(f"{cells} is part of an array formula, which cannot be taken alone.")
    if value.formula:
        return {"op": "set", "cells": cells, "formula": f"={value.formula}"}
    if value.kind == "number":
        number = float(value.text)
        whole = number.is_integer() and abs(number) < 2**53
        return {"op": "set", "cells": cells, "value": int(number) if whole else number}
    if value.kind == "bool":
        return {"op": "set", "cells": cells, "value": value.text == "TRUE"}
    if value.kind == "error":
        raise ToolInputError(f"{cells} holds the error {value.text}, which cannot be taken alone.")
    return {"op": "set", "cells": cells, "value": value.text, "as_text": True}
