"""Rows and columns that came or went between two versions are found, and are one change of a review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook as NewWorkbook
from openpyxl import load_workbook
from openpyxl.worksheet.formula import ArrayFormula

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.detect import _shifts
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.pieces import xlsx_merge, xlsx_pieces


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, Path]:
    """A sheet in which two rows came in, one was filled, and two other cells were edited."""
    old, new = tmp_path / "old.xlsx", tmp_path / "new.xlsx"
    book = NewWorkbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "S"
    for row in range(1, 41):
        sheet.append([f"n{row}", row, f"=B{row}*2"])
    sheet["E1"] = "=SUM(B1:B40)"
    book.save(old)
    edits: list[dict[str, Any]] = [
        {"op": "insert", "cells": "S!10:11"},
        {"cells": "S!A10", "values": [["fresh", 7]]},
        {"cells": "S!B3", "value": 333},
        {"cells": "S!C30", "formula": "=B30*5"},
    ]
    edit_workbook(old, new, edits)
    return old, new


def test_rows_that_came_in_are_one_piece_and_cells_behind_them_are_not_all_changed(
    grown: tuple[Path, Path],
) -> None:
    shown = xlsx_pieces(*grown)
    assert [piece[0].split(" @@")[0] for piece in shown] == [
        "@@ S!B3", "@@ S!A10", "@@ S!B10", "@@ S!C30", "@@ formats, rules, sheets and all else",
    ]  # fmt: skip
    assert shown[-1][1] == "~Rows 10:11 of S are new, and what names cells moved."


def test_cells_are_taken_with_or_without_the_rows_that_came_in(
    grown: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = grown
    target = tmp_path / "out.xlsx"
    xlsx_merge(old, new, {4, 5}, target)
    sheet = load_workbook(target)["S"]
    assert (sheet["B3"].value, sheet["A10"].value, sheet["C30"].value) == (3, None, "=B30*5")
    assert (sheet["A12"].value, sheet["E1"].value) == ("n10", "=SUM(B1:B42)")
    xlsx_merge(old, new, {1, 4}, target)
    sheet = load_workbook(target)["S"]
    assert (sheet["B3"].value, sheet["A10"].value, sheet["C28"].value) == (333, "n10", "=B28*5")
    assert sheet["E1"].value == "=SUM(B1:B40)"
    with pytest.raises(ToolInputError, match="take those too"):
        xlsx_merge(old, new, {2}, target)


def test_columns_that_went_are_found_and_appended_rows_are_none(
    grown: tuple[Path, Path], tmp_path: Path
) -> None:
    old, _ = grown
    less, more = tmp_path / "less.xlsx", tmp_path / "more.xlsx"
    edit_workbook(old, less, [{"op": "delete", "cells": "S!A:A"}])
    (only,) = xlsx_pieces(old, less)
    assert only[1] == "~Columns A:A of S are gone, and what names cells moved."
    edit_workbook(old, more, [{"cells": "S!A41", "values": [["new", 1]]}])
    assert [piece[0].split(" @@")[0] for piece in xlsx_pieces(old, more)] == [
        "@@ S!A41",
        "@@ S!B41",
    ]


@given(
    lines=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    at=st.integers(1, 12),
    count=st.integers(1, 3),
    edited=st.integers(0, 11),
)
@settings(max_examples=200, deadline=None)
def test_what_is_found_makes_the_lines_as_long_as_they_are(
    lines: list[int], at: int, count: int, edited: int
) -> None:
    old = [f"{n}" for n in lines] + ["end"]
    place = min(at, len(old)) - 1
    new = [*old[:place], *(f"new {n}" for n in range(count)), *old[place:]]
    if edited < place:
        new[edited] = "changed"
    length = len(old)
    for shift in _shifts(old, new, "S", "rows"):
        length += shift.sign
        assert 1 <= shift.at <= len(new)
    assert length == len(new)
    assert list(_shifts(old, old, "S", "rows")) == []


def test_many_equal_lines_take_no_time_to_speak_of() -> None:
    old = ["a", "b"] * 10_000
    assert list(_shifts(old, ["b", "a"] * 10_000, "S", "rows")) == []


def test_a_shift_that_cannot_be_made_again_leaves_the_older_version_as_it_is(
    tmp_path: Path,
) -> None:
    """Rows went together with a part of an array formula, which only another program can do."""
    old, new = tmp_path / "old.xlsx", tmp_path / "new.xlsx"
    for path, gone in ((old, 0), (new, 2)):
        book = NewWorkbook()
        first = book.active
        assert first is not None
        first.title = "First"
        last = 40 - gone
        first["A1"] = f"=SUM(S!B1:B{last})"
        sheet = book.create_sheet("S")
        for row in (n for n in range(1, 41) if not (gone and n in (10, 11))):
            sheet.append([f"n{row}", row])
        sheet["E10"] = ArrayFormula("E10:E14" if not gone else "E10:E12", "=ROW(B1:B5)")
        book.save(path)
    found = [piece[0].split(" @@")[0] for piece in xlsx_pieces(old, new)]
    assert "@@ First!A1" in found
    shown = next(piece for piece in xlsx_pieces(old, new) if piece[0].startswith("@@ First!A1"))
    assert shown[1:] == ("-=SUM(S!B1:B40)", "+=SUM(S!B1:B38)")


def test_cells_of_several_sheets_are_not_taken_back_over_rows_of_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.xlsx", tmp_path / "new.xlsx"
    book = NewWorkbook()
    first = book.active
    assert first is not None
    first.title = "First"
    sheet = book.create_sheet("S")
    for row in range(1, 41):
        sheet.append([f"n{row}", row])
    book.create_sheet("Last")
    book.save(old)
    formula = {"cells": "First!A1", "formula": "=SUM(First:Last!C30)+SUM(S:Last!B30)"}
    edit_workbook(old, new, [{"op": "insert", "cells": "S!10:11"}, formula | {"cells": "Last!D1"}])
    with pytest.raises(ToolInputError, match="several sheets"):
        xlsx_merge(old, new, {1}, tmp_path / "out.xlsx")
