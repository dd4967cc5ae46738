"""The outline of a large workbook: quick, bounded, the same figures as cell by cell, with progress."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from deskmate.plugin import ToolContext
from deskmate_documents.office import sheet_tools
from deskmate_documents.xlsx import survey
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.sheetmap import overview


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Fifty sheets, of which two are large; formulas, errors, empty styled cells and a gap in the rows."""
    path = tmp_path / "large.xlsx"
    with xlsxwriter.Workbook(path) as book:
        bold = book.add_format({"bold": True})
        for number in range(50):
            sheet = book.add_worksheet(f"S{number}")
            sheet.write_row("B2", ["Item", "in thousands", "Total"])
            for row in range(3, 2_500 if number in (7, 8) else 6):
                sheet.write(row, 1, f"item {row}")
                sheet.write(row, 2, row * 1.5)
                sheet.write_formula(row, 3, f"=C{row + 1}*2", None, row * 3)
                sheet.write_blank(row, 9, None, bold)
            sheet.write_formula("G2600", "=1/0", None, "#DIV/0!")
    return path


def test_a_large_sheet_is_counted_as_cell_by_cell(large: Path) -> None:
    book = Workbook(large)
    assert len(book.package.read(book.sheet("S7").part)) > survey.LARGE_BYTES
    quick = survey.quick_survey(book, book.sheet("S7"))
    whole = survey.whole_survey(book, book.sheet("S7"))
    assert (quick.used, quick.cells, quick.formulas, quick.errors) == (
        whole.used, whole.cells, whole.formulas, whole.errors,
    )  # fmt: skip
    assert str(quick.used) == "B2:G2600"
    assert quick.errors == 1
    assert quick.rows == whole.rows
    assert quick.notes == ["C2: in thousands"]


def test_cells_without_names_are_counted_one_by_one(large: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(large) as old, zipfile.ZipFile(bare, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet8.xml":
                data = re.sub(rb'<c r="B\d+"', b"<c", data)
            new.writestr(name, data)
    book = Workbook(bare)
    assert len(book.package.read("xl/worksheets/sheet8.xml")) > survey.LARGE_BYTES
    assert survey.quick_survey(book, book.sheet("S7")).cells > 7_000


def test_doubts_are_looked_for_as_long_as_there_is_time_and_the_rest_is_named(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ToolContext(workspace=large.parent, home=large.parent, resources=large.parent)
    monkeypatch.setattr(sheet_tools, "LINT_SECONDS", 0.0)
    monkeypatch.setattr(sheet_tools, "LINT_LEAST_SECONDS", 0.0)
    answer = sheet_tools.sheet_map("large.xlsx", context, lint=True)
    assert (answer["no_time_for"], answer["doubts"]) == ([f"S{n}" for n in range(50)], [])
    monkeypatch.undo()
    one = sheet_tools.sheet_map("large.xlsx", context, sheet="s7", lint=True)
    assert "no_time_for" not in one
    assert [d["location"] for d in one["doubts"] if d["rule"] == "error-value"] == ["S7!G2600"]


def test_fifty_sheets_are_outlined_in_few_words_with_progress(large: Path) -> None:
    said: list[str] = []
    answer = overview(Workbook(large), said.append)
    assert len(answer["sheets"]) == 50
    assert answer["sheets"][7]["cells"] == 3 + 2_497 * 3 + 1
    assert len(json.dumps(answer)) < 20_000
    assert said == [f"{n} of 50 sheets looked through" for n in (10, 20, 30, 40, 50)]
