import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_documents.tables import read_sheets, write_tables
from deskmate_ops.tools.measures import process_metrics, vendor_scorecard
from deskmate_ops.validators.rules import sums_tie

NORTHWIND = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "cases"
    / "ops"
    / "northwind"
    / "northwind.sqlite"
)
LOG = """Case ID,Activity,Timestamp
1,Open,2025-01-01 08:00
2,Open,2025-01-01 09:00
1,Check,2025-01-01 10:00
1,Check,2025-01-01 11:30
1,Close,2025-01-02 08:00
2,Close,2025-01-01 09:45
"""
VENDORS = "Vendor,Price,Quality\nA,100.00,4\nB,80.00,2\nC,90.00,5\n"


def here(tmp_path: Path, text: str, name: str = "log.csv") -> ToolContext:
    (tmp_path / name).write_text(text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def verdict(tmp_path: Path, answer: Any, held: bool = True, **changes: Any) -> list[str]:
    deliverable = replace(answer.deliverables[0], **changes)
    path = deliverable.sources["source"]
    room = ValidationContext(
        file=tmp_path / deliverable.path,
        sources=Sources({path: tmp_path / path} if held else {}, {}),
    )
    return [finding.message for finding in sums_tie(deliverable, room)]


def test_cases_variants_and_durations_are_measured(tmp_path: Path) -> None:
    answer = process_metrics(here(tmp_path, LOG))
    summary = answer.result["summary"]
    assert (summary["Events"], summary["Cases"], summary["Variants"]) == ("6", "2", "2")
    assert (summary["Median hours per case"], summary["Longest hours of a case"]) == (
        "12.38",
        "24.00",
    )
    assert summary["Cases with a repeated activity"] == "1"
    assert answer.result["handovers"][1] == ["Check", "Close", "1", "20.50", "20.50"]
    assert answer.result["activities"][1] == ["Check", "2", "1", "1"]
    assert verdict(tmp_path, answer) == []


def test_vendors_are_scored_with_weights_and_directions(tmp_path: Path) -> None:
    weights = {"Price": "0.6", "Quality": "0.4"}
    answer = vendor_scorecard(here(tmp_path, VENDORS), weights=weights, lower_is_better=["Price"])
    assert [row[:3] for row in answer.result["scores"][1:]] == [
        ["1", "C", "70.00"],
        ["2", "B", "60.00"],
        ["3", "A", "26.67"],
    ]
    assert answer.result["figures"][-1] == ["Total", "270.00", "11"]
    assert verdict(tmp_path, answer) == []


def test_a_second_run_takes_the_same_source_not_the_first_result(tmp_path: Path) -> None:
    context = here(tmp_path, VENDORS, "vendors.csv")
    vendor_scorecard(context)
    assert vendor_scorecard(context).result["source"] == "vendors.csv"


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value"),
    [("Figures", 4, 1, Decimal("270.01")), ("Scores", 1, 2, Decimal("99.00")), ("Scores", 1, 1, "Z"), ("Weights", 1, 2, "lower")],
)  # fmt: skip
def test_an_altered_figure_fails(
    tmp_path: Path, sheet: Any, row: Any, column: Any, value: Any
) -> None:
    answer = vendor_scorecard(here(tmp_path, VENDORS))
    sheets: dict[str, Any] = read_sheets(tmp_path / "vendor-scorecard.xlsx")
    sheets[sheet][row][column] = value
    write_tables(tmp_path / "vendor-scorecard.xlsx", sheets)
    assert len(verdict(tmp_path, answer)) == 1


def test_a_workbook_saved_again_with_the_same_figures_passes(tmp_path: Path) -> None:
    answer = vendor_scorecard(here(tmp_path, VENDORS))
    sheets: dict[str, Any] = read_sheets(tmp_path / "vendor-scorecard.xlsx")
    write_tables(tmp_path / "vendor-scorecard.xlsx", sheets)
    assert verdict(tmp_path, answer) == []


def test_lost_rows_sheets_sources_and_files_fail(tmp_path: Path) -> None:
    answer = process_metrics(here(tmp_path, LOG))
    assert "UNVERIFIED" in verdict(tmp_path, answer, held=False)[0]
    assert "cannot be computed" in verdict(tmp_path, answer, data={"settings": {"case": "Nope"}})[0]
    sheets: dict[str, Any] = read_sheets(tmp_path / "process-metrics.xlsx")
    del sheets["Variants"][2]
    write_tables(tmp_path / "process-metrics.xlsx", sheets)
    assert any("It has 2 rows; the source gives 3" in m for m in verdict(tmp_path, answer))
    del sheets["Variants"]
    write_tables(tmp_path / "process-metrics.xlsx", sheets)
    assert "has the sheets" in verdict(tmp_path, answer)[0]
    (tmp_path / "process-metrics.xlsx").write_bytes(b"junk")
    assert "not a readable workbook" in verdict(tmp_path, answer)[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Case,Step\n1,a\n", "no timestamp column"),
        ("Case,Activity,Timestamp\n1,,2025-01-01\n", "row 2: case, activity or time is missing"),
        ("Case,Activity,Timestamp\n1,a,soon\n", "not a date"),
        ("Case,Activity,Timestamp\n", "no events"),
    ],
)
def test_logs_that_cannot_be_read_are_refused_with_the_place(
    tmp_path: Path, text: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says):
        process_metrics(here(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        (VENDORS, {"weights": {"Price": "0.5"}}, "must add up to 1"),
        (VENDORS, {"weights": {"Colour": "1"}}, "no criterion 'Colour'"),
        (VENDORS, {"lower_is_better": ["Colour"]}, "no criterion 'Colour'"),
        (VENDORS, {"output": "x.docx"}, "ends in .xlsx"),
        ("Vendor,Price\nA,1\nA,2\n", {}, "a vendor of its own"),
        ("Vendor,Price\nA,1\nB,\n", {}, "Price of B is missing"),
        ("Vendor,Text\nA,x\n", {}, "no column of figures"),
        ("Shop,Price\nA,1\n", {}, "no vendor column"),
    ],
)
def test_vendor_tables_that_do_not_fit_are_refused(
    tmp_path: Path, text: Any, arguments: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says):
        vendor_scorecard(here(tmp_path, text), **arguments)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolInputError, match="not a readable SQLite"):
        vendor_scorecard(here(tmp_path, "hello", "x.sqlite"))


@pytest.mark.cases
@pytest.mark.skipif(not NORTHWIND.is_file(), reason="no cases folder")
def test_a_real_order_database_gives_the_sums_that_sql_gives(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    shutil.copy(NORTHWIND, tmp_path / "northwind.sqlite")
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    answer = vendor_scorecard(context, request="supplier scorecard from northwind.sqlite")
    with closing(sqlite3.connect(tmp_path / "northwind.sqlite")) as database:
        (sales,) = database.execute(
            "select sum(UnitPrice * Quantity * (1 - Discount)) from [Order Details]"
        ).fetchone()
        (stock,) = database.execute("select sum(UnitPrice * UnitsInStock) from Products").fetchone()
    total = dict(zip(answer.result["figures"][0], answer.result["figures"][-1], strict=True))
    assert len(answer.result["figures"]) == 31
    assert abs(Decimal(total["Sales"]) - Decimal(str(sales))) < Decimal("0.15")
    assert Decimal(total["Stock value"]) == Decimal(f"{stock:.2f}")
    assert total["Products"] == "77"
    assert verdict(tmp_path, answer) == []
