"""Pages that tools make can be read as they are printed: whole texts, gaps between columns, honest bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from deskmate_documents.xlsx.pages import Page, Value, write_book

ROWS: Sequence[Sequence[Value]] = (
    ["Team", "Hours", "Why"],
    ["Assembly", 90, "word " * 30],
    ["Paint", 80, "short"],
)


def chart(low: int | None = None) -> dict[str, object]:
    found: dict[str, object] = {"type": "column", "at": "E2", "series": [{"values": "B2:B3"}]}
    return found if low is None else {**found, "y_min": low}


def page(rows: Sequence[Sequence[Value]], **more: object) -> Page:
    wrap = {"op": "style", "cells": "C2:C90", "wrap": True}
    kept: dict[str, object] = {"charts": [chart()], "edits": [wrap]} | more
    return Page(name="Hours", rows=rows, widths=(20, 10, 30), formats=("", "0"), **kept)  # type: ignore[arg-type]


def test_a_wrapped_text_has_the_room_it_needs_and_others_the_usual(tmp_path: Path) -> None:
    write_book(tmp_path / "hours.xlsx", [page(ROWS)])
    sheet = openpyxl.load_workbook(tmp_path / "hours.xlsx")["Hours"]
    assert sheet.row_dimensions[2].height == 15 * 5  # 150 letters, 33 to a line
    assert [sheet.row_dimensions[row].height for row in (1, 3)] == [None, None]
    assert sheet["C2"].alignment.wrap_text


def test_a_text_keeps_its_distance_from_the_figure_on_its_left(tmp_path: Path) -> None:
    write_book(tmp_path / "hours.xlsx", [page(ROWS)])
    sheet = openpyxl.load_workbook(tmp_path / "hours.xlsx")["Hours"]
    for cell in ("C1", "C2", "C3"):
        assert sheet[cell].number_format.endswith("_-@"), cell
    assert sheet["A2"].number_format == "General"
    assert (sheet["B2"].number_format, sheet["B2"].value) == ("0", 90)


@pytest.mark.parametrize(
    ("hours", "asked", "floor"),
    [(80, None, 0.0), (-80, None, None), (80, 70, 70.0), ("unknown", None, None)],
)
def test_bars_of_amounts_begin_at_nothing_unless_the_page_says_where(
    tmp_path: Path, hours: Value, asked: int | None, floor: float | None
) -> None:
    rows = [*ROWS[:2], ["Paint", hours, "short"]]
    write_book(tmp_path / "hours.xlsx", [page(rows, charts=[chart(asked)])])
    drawn = openpyxl.load_workbook(tmp_path / "hours.xlsx")["Hours"]._charts[0]
    assert drawn.y_axis.scaling.min == floor
