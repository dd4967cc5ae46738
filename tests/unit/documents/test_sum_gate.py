"""G-SUM: totals that do not add up are found; rates, hidden figures and rounding are no defects."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from tests.unit.documents.gate_rooms import errors, room, write_docx

from deskmate.plugin import Deliverable, ToolInputError
from deskmate_documents.content import Grid
from deskmate_documents.office.sum_gate import check_sums, problems

GOOD = (
    ("Item", "Amount", "Share"),
    ("Rent", "1,200.50", "60.0 %"),
    ("Power", "800.25", "40.0 %"),
    ("Total", "2,000.75", "100.0 %"),
)


def found(*rows: tuple[str, ...], above: str = "") -> list[str]:
    return [message for _, message in problems([Grid(rows=rows, where="t", above=above)])]


def check(file: Path, *originals: Path) -> list[str]:
    deliverable = Deliverable(path="w/a", title="A", sources={"original": "w/o"})
    held = dict(zip(("w/o",), originals, strict=False))
    return errors(check_sums(deliverable, room(file, held)))


def test_a_table_that_adds_up_passes() -> None:
    assert found(*GOOD) == []


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (3, 1, "2,000.76", "Total, Amount: 2000.76 is given, the rows above it add up to 2000.75."),
        (1, 2, "50.0 %", "Total, Share: 100.0 % is given, the rows above it add up to 90 %."),
        (2, 1, "(800.25)", "add up to 400.25"),
    ],
)
def test_one_wrong_cell_is_found(row: int, column: int, value: str, message: str) -> None:
    rows = [list(cells) for cells in GOOD]
    rows[row][column] = value
    assert message in " ".join(found(*(tuple(cells) for cells in rows)))


@pytest.mark.parametrize(
    "rows",
    [
        # subtotals and a grand total over them
        (
            ("", "EUR"), ("a", "1"), ("b", "2"), ("Subtotal", "3"),
            ("c", "4"), ("d", "5"), ("Subtotal", "9"), ("Total", "12"),
        ),
        (("", "EUR"), ("a", "1"), ("Subtotal", "1"), ("b", "2"), ("c", "3"), ("Grand total", "6")),
        # a hidden figure: nobody can say
        (("Team", "Left"), ("A", "<5"), ("B", "7"), ("C", "8"), ("Total", "17")),
        (("Team", "Left"), ("A", "–"), ("B", "7"), ("C", "8"), ("Total", "17")),
        (("Team", "Q1", "Q2", "Q3", "Total"), ("A", "1", "–", "3", "9"), ("B", "1", "1", "1", "3"), ("C", "2", "2", "2", "6")),
        # rates and averages do not add up
        (("Team", "Attrition", "Average pay"), ("A", "10 %", "5"), ("B", "20 %", "7"), ("Total", "16 %", "6")),
        # shares within their rounding
        (("", "Share"), ("a", "33.3 %"), ("b", "33.3 %"), ("c", "33.3 %"), ("Total", "100.0 %")),
        # quantities, prices
        (("Item", "Units", "Price", "Total"), ("a", "2", "3", "6"), ("b", "4", "5", "20")),
        # a sentence, not a label
        (("", "n"), ("a", "1"), ("b", "1"), ("Total loss of cargo", "7")),
        (("Total", "5"), ("a", "1"), ("b", "1")),
    ],
)  # fmt: skip
def test_near_misses_pass(rows: tuple[tuple[str, ...], ...]) -> None:
    assert found(*rows) == []


def test_a_hidden_figure_cannot_make_a_total_smaller() -> None:
    rows = (("Team", "Left"), ("A", "–"), ("B", "7"), ("C", "8"), ("Total", "14"))
    assert found(*rows) == ["Total, Left: 14 is given, the rows above it add up to 15."]


def test_figures_in_thousands_may_be_off_by_their_rounding_and_no_more() -> None:
    rows = (("", "2026"), ("a", "10"), ("b", "11"), ("c", "12"), ("Total", "34"))
    assert found(*rows) != []
    assert found(*rows, above="In thousands of euros") == []
    assert found(*rows[:-1], ("Total", "37"), above="In thousands of euros") != []


def test_a_total_of_a_row_counts_where_most_rows_have_one() -> None:
    rows = (
        ("Team", "Q1", "Q2", "Q3", "Total"),
        ("A", "1", "2", "3", "6"),
        ("B", "4", "5", "6", "15"),
        ("C", "7", "8", "9", "25"),
    )
    assert found(*rows) == ["C, total of the row: 25 is given, its cells add up to 24."]


def test_word_markdown_csv_and_workbooks_are_looked_at(tmp_path: Path) -> None:
    bad = [*GOOD[:-1], ("Total", "9,000.75", "100.0 %")]
    made = [write_docx(tmp_path / "a.docx", "Costs", table=bad)]
    lines = ["| " + " | ".join(row) + " |" for row in bad]
    (tmp_path / "a.md").write_text("\n".join([lines[0], "|---|---|---|", *lines[1:]]))
    (tmp_path / "a.csv").write_text("Item;Amount\na;1.50\nb;2.50\nTotal;5.00\n")
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet("S")
        for number, row in enumerate((("Item", "Amount"), ("a", 1.1), ("b", 2.2), ("Total", 4))):
            sheet.write_row(number, 0, row)
    made += [tmp_path / name for name in ("a.md", "a.csv", "a.xlsx")]
    assert [len(check(file)) for file in made] == [1, 1, 1, 1]


def totalled(path: Path, formula: str, value: float) -> Path:
    """Write a workbook whose total is a formula with a stored result that counts."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_column("A1", ["City", "a", "b", "Total"])
        sheet.write_column("B1", ["Size", 10, 20])
        sheet.write_formula("B4", formula, None, value)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b' fullCalcOnLoad="1"', b"")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def test_a_total_by_another_formula_is_what_its_author_wants(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    assert check(totalled(path, "=SUBTOTAL(101,B2:B3)", 15)) == []
    assert check(totalled(path, "=SUM(B2:B3)", 30)) == []
    assert len(check(totalled(path, "=SUM(B2:B3)", 31))) == 1


def test_what_the_original_had_does_not_count(tmp_path: Path) -> None:
    bad = [*GOOD[:-1], ("Total", "9,000.75", "100.0 %")]
    original = write_docx(tmp_path / "o.docx", table=bad)
    assert check(write_docx(tmp_path / "a.docx", table=bad), original) == []
    worse = [*GOOD[:-1], ("Total", "9,000.75", "90.0 %"), ("Total", "1.00", "")]
    assert check(write_docx(tmp_path / "b.docx", table=worse), original)


def test_a_damaged_file_is_not_passed(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ToolInputError):
        check(file)
