from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import (
    find_column,
    find_files,
    parse_amounts,
    parse_times,
    pick_file,
    read_sheets,
    read_table,
    write_tables,
)


def written(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_text(text, encoding=encoding)
    return file


def amounts(*texts: str) -> list[Decimal | None]:
    return parse_amounts(list(enumerate(texts, start=2)), "t.csv, Amount")


def days(*texts: str, order: str = "") -> list[date]:
    moments = parse_times(list(enumerate(texts, start=2)), "t.csv, Date", order)
    return [moment.date() for moment in moments if moment]


def test_lines_above_the_header_are_skipped_and_row_numbers_are_the_files_own(
    tmp_path: Path,
) -> None:
    file = written(
        tmp_path, "Account;12345\n\nDate;Text;Amount\n2025-01-02;a;1,00\n\n2025-01-03;b;2,00\n"
    )
    table = read_table(file)
    assert table.columns == ("Date", "Text", "Amount")
    assert [(row.number, row.cells[1]) for row in table.rows] == [(4, "a"), (6, "b")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: Any) -> None:
    file = written(tmp_path, "Straße,Betrag\nMünchen,1\n", encoding=encoding)
    assert read_table(file).rows[0].cells == ("München", "1")


def test_a_field_over_two_lines_keeps_the_row_number_of_its_first_line(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 'Name,N\n"a\nb",1\nc,2\n'))
    assert [row.number for row in table.rows] == [2, 4]


def test_short_rows_are_filled_and_equal_column_names_told_apart(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "A,A,B\n1,2,3\n4,5\n"))
    assert table.columns == ("A", "A (2)", "B")
    assert table.values("B") == [(2, "3"), (3, "")]


@pytest.mark.parametrize("name", ["t.pdf", "t.docx"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ToolInputError, match="not a table"):
        read_table(written(tmp_path, "x", name))


def test_a_broken_workbook_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="not a readable workbook"):
        read_table(written(tmp_path, "PK\x03\x04 not really", "t.xlsx"))


def test_binary_data_called_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\0\1\2")
    with pytest.raises(ToolInputError, match="not a text file"):
        read_table(tmp_path / "t.csv")


def test_a_table_without_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="no header row"):
        read_table(written(tmp_path, "1,2\n3,4\n"))


def test_a_workbook_written_is_read_back_with_exact_figures(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    write_tables(
        file,
        {"One": [["Day", "Sum"], [date(2025, 3, 1), Decimal("0.30")], ["=1+1", Decimal("-7.005")]]},
    )
    assert read_sheets(file) == {"One": [["Day", "Sum"], ["2025-03-01", "0.3"], ["=1+1", "-7.005"]]}


def test_a_sheet_is_chosen_by_name_and_an_unknown_one_named(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    write_tables(file, {"Note": [["just words"]], "Data": [["A", "B"], ["x", 1]]})
    assert read_table(file, sheet="Data").rows[0].cells == ("x", "1")
    with pytest.raises(ToolInputError, match="it has Note, Data"):
        read_table(file, sheet="Dta")


@pytest.mark.parametrize(
    ("text", "figure"),
    [("1,234.50", "1234.50"), ("(12.00)", "-12.00"), ("12.00-", "-12.00"), ("$ 5", "5"), ("EUR 7.10", "7.10"),
     ("1'000.00", "1000.00"), ("−3.5", "-3.5"), ("+.5", "0.5"), ("1.234,50", "1234.50"), ("0,05", "0.05")],
)  # fmt: skip
def test_amounts_are_read_exactly(text: Any, figure: Any) -> None:
    assert amounts(text) == [Decimal(figure)]


def test_the_whole_column_decides_what_a_point_means() -> None:
    assert amounts("1.234", "5,00") == [Decimal(1234), Decimal("5.00")]
    assert amounts("1.234", "5.00") == [Decimal("1.234"), Decimal("5.00")]


@pytest.mark.parametrize("text", ["abc", "1,23,4.00", "(5.00", "12.3.4", "-"])
def test_what_is_no_amount_names_its_row(text: Any) -> None:
    with pytest.raises(ToolInputError, match=r"row 2: .* is not an amount"):
        amounts(text)


def test_points_and_commas_mixed_in_one_column_are_refused() -> None:
    with pytest.raises(ToolInputError, match="mixes"):
        amounts("1.50", "1,50")


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-04",
        "20250304",
        "2025-03-04T10:00:00Z",
        "04.03.2025",
        "4.3.25",
        "4 Mar 2025",
        "March 4, 2025",
    ],
)
def test_dates_are_read(text: Any) -> None:
    assert days(text) == [date(2025, 3, 4)]


def test_day_and_month_are_told_by_a_part_above_twelve_or_by_sorted_rows() -> None:
    assert days("03/04/2025", "25/04/2025") == [date(2025, 4, 3), date(2025, 4, 25)]
    assert days("03/04/2025", "04/25/2025") == [date(2025, 3, 4), date(2025, 4, 25)]
    assert days("01/02/2025", "03/02/2025", "02/03/2025") == [
        date(2025, 2, 1),
        date(2025, 2, 3),
        date(2025, 3, 2),
    ]


def test_an_order_that_cannot_be_told_is_asked_for() -> None:
    with pytest.raises(ToolInputError, match="say dmy or mdy"):
        days("03/04/2025")
    assert days("03/04/2025", order="mdy") == [date(2025, 3, 4)]


def test_times_of_day_are_kept() -> None:
    (moment,) = parse_times([(2, "4/13/2025 1:05 PM")], "t.csv, Time")
    assert moment is not None
    assert moment.isoformat() == "2025-04-13T13:05:00+00:00"


@pytest.mark.parametrize("text", ["31.02.2025", "soon", "2025-13-01"])
def test_what_is_no_date_names_its_row(text: Any) -> None:
    with pytest.raises(ToolInputError, match=r"row 2: .* is not a date"):
        days(text)


def test_columns_are_found_by_name_words_or_the_users_choice(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "PostingDate,Net Amount,Memo\n2025-01-01,1,x\n"))
    assert find_column(table, ("date", "posting date")) == "PostingDate"
    assert find_column(table, ("amount",)) == "Net Amount"
    assert find_column(table, ("balance",)) is None
    assert find_column(table, ("amount",), "memo") == "Memo"
    with pytest.raises(ToolInputError, match="it has PostingDate, Net Amount, Memo"):
        find_column(table, (), "Betrag")


def test_files_that_the_request_names_come_first(tmp_path: Path) -> None:
    for name in ("a/ledger.csv", "a/bank.csv", "a/.git/x.csv", "a/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_files(tmp_path, (".csv",), "reconcile the ledger") == ["a/ledger.csv", "a/bank.csv"]


def picked(folder: Path, request: str = "") -> str:
    return pick_file(folder, (".csv",), what="ledger", hints=("ledger", "gl"), request=request)


def test_the_file_that_is_meant_is_the_named_the_fitting_or_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="no file for ledger"):
        picked(tmp_path)
    (tmp_path / "a.csv").touch()
    assert picked(tmp_path) == "a.csv"
    (tmp_path / "ledger.csv").touch()
    assert picked(tmp_path) == "ledger.csv"
    assert picked(tmp_path, "take a.csv") == "a.csv"


def test_a_choice_between_several_files_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    with pytest.raises(ToolInputError, match=r"a\.csv, b\.csv"):
        picked(tmp_path)


def test_a_file_that_the_tool_made_itself_is_not_taken_for_its_input(tmp_path: Path) -> None:
    (tmp_path / "ledger.csv").touch()
    (tmp_path / "ledger-report.csv").touch()
    assert (
        pick_file(tmp_path, (".csv",), what="x", hints=("ledger",), made="ledger-report.csv")
        == "ledger.csv"
    )
