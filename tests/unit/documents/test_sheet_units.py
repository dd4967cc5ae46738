"""Units that do not fit together are found, and those that do are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.lint import lint

EUR, USD, PERCENT = "#,##0 [$€-407]", '#,##0 "$";[$USD] #,##0', "0.0%"
Cell = tuple[Any, str]


def units(path: Path, rows: list[list[Cell | None]]) -> dict[str, str]:
    """Write rows of (value, number format) and return what is said of their units, by cell."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if cell is not None:
                    look = book.add_format({"num_format": cell[1]}) if cell[1] else None
                    sheet.write(number, column, cell[0], look)
    return {
        d.location.removeprefix("S!"): d.message for d in lint(Workbook(path)) if d.rule == "unit"
    }


def column(*cells: Cell) -> list[list[Cell | None]]:
    return [[cell] for cell in cells]


def test_a_currency_among_others_stands_out(tmp_path: Path) -> None:
    euros = [(n, EUR) for n in (10, 20, 30, 40)]
    found = units(tmp_path / "a.xlsx", column(*euros[:2], (25, "[$USD] 0"), *euros[2:]))
    assert found == {"A3": "It shows USD, the figures around it in column A EUR."}


def test_a_figure_among_percentages_stands_out_if_it_is_above_one(tmp_path: Path) -> None:
    shares = [(n / 10, PERCENT) for n in range(1, 5)]
    found = units(tmp_path / "a.xlsx", column(*shares, (5, ""), (0.5, "")))
    assert list(found) == ["A5"]
    assert "without %" in found["A5"]


@pytest.mark.parametrize(
    "rows",
    [
        column((1, EUR), (2, "[$USD] 0")),
        column((1, EUR), (2, EUR), (3, EUR), ("", ""), (4, "[$USD] 0")),
        column((1, EUR), (2, EUR), (3, EUR), ("=A3/A2", PERCENT)),
        column((1, "€ 0"), (2, EUR), (3, EUR), (4, "0.00")),
        column(("Amount (EUR)", ""), (1, EUR), (2, EUR)),
        column(("Price in EUR and USD", ""), (1, EUR), (2, EUR)),
        column(("Tax % of EUR", ""), (0.1, PERCENT), (0.2, PERCENT)),
    ],
)
def test_units_that_fit_are_left_alone(tmp_path: Path, rows: list[list[Cell | None]]) -> None:
    assert units(tmp_path / "a.xlsx", rows) == {}


def test_a_header_that_names_another_unit_is_found(tmp_path: Path) -> None:
    found = units(tmp_path / "a.xlsx", column(("Amount (USD)", ""), (1, EUR), (2, EUR)))
    assert list(found) == ["A2"]
    assert "its header A1 says USD" in found["A2"]
    assert "A2" in units(tmp_path / "b.xlsx", column(("Rate in %", ""), (1, EUR), (2, EUR)))


@pytest.mark.parametrize(
    ("formula", "cause"),
    [
        ("=A1+B1", "EUR and USD"),
        ("=SUM(A1:B1)", "EUR and USD"),
        ("=A1-C1", "% and EUR"),
        ("=ROUND(A1+B1,2)*2", "EUR and USD"),
        ("=AVERAGE(A1,B1)", "EUR and USD"),
        ("=A1*C1+B1", ""),
        ("=A1*B1", ""),
        ("=A1+D1", ""),
        ("=A1*(1+C1)", ""),
        ("=A1/B1-C1", ""),
        ("=SUM(A1,B1*C1)", ""),
        ("=SUM(A1:A9)", ""),
        ("=COUNT(A1:C1)", ""),
    ],
)
def test_a_formula_that_adds_up_different_units_is_found(
    tmp_path: Path, formula: str, cause: str
) -> None:
    row: list[Cell | None] = [(100, EUR), (50, "[$USD] 0"), (0.2, PERCENT), (7, ""), (formula, "")]
    found = units(tmp_path / "a.xlsx", [row])
    assert list(found) == (["E1"] if cause else [])
    assert cause in found.get("E1", "")


def test_running_totals_and_whole_columns_are_looked_at_by_area(tmp_path: Path) -> None:
    """What each formula reads is answered from an index, not cell by cell: long columns stay cheap."""
    rows: list[list[Cell | None]] = [[("Amount", ""), ("Total", ""), ("Share", "")]]
    for row in range(2, 60):
        look = USD if row == 41 else EUR
        rows.append([(row, look), (f"=SUM(A$2:A{row})", EUR), (f"=A{row}/SUM(A:A)", PERCENT)])
    found = units(tmp_path / "a.xlsx", rows)
    sums = {cell for cell, text in found.items() if "adds up" in text}
    assert sums == {f"B{row}" for row in range(41, 60)} | {f"C{row}" for row in range(2, 60)}


def test_a_sheet_is_read_once_for_all_its_doubts(tmp_path: Path) -> None:
    class Counting(Workbook):
        read: list[str]

        def values(self, sheet: Sheet, *rest: Any, **options: Any) -> Iterator[Value]:
            self.read.append(sheet.name)
            return super().values(sheet, *rest, **options)

    path = tmp_path / "a.xlsx"
    units(path, column((1, EUR), (2, EUR), ("=SUM(A1:A2)", EUR)))
    book = Counting(path)
    book.read = []
    assert list(lint(book)) == []
    assert book.read == ["S"]
