"""Charts that are there get other titles and read other cells; everything else of them stays, and the gate holds that."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import load_workbook
from tests.unit.documents.gate_rooms import errors, room
from tests.unit.documents.schemas import schema_errors

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable
from deskmate_documents.office.workbook_gate import check_workbook
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.chartedit import ChartChange, charts, shown
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.edit import Outcome, edit_workbook

FINANCE = Path(__file__).parents[4] / "shared" / "cases" / "finance"
SAVED = sorted(
    p
    for d in ("xlsx_poi", "xlsx_closedxml", "xlsx_xlsxwriter")
    for p in (FINANCE / d).glob("*.xlsx")
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        for number in range(9):
            sheet.write_row(number, 0, [f"R{number}", number, number * 2])
        for title in ("Old title", ""):
            chart = book.add_chart({"type": "column"})
            for column in "BC":
                chart.add_series(
                    {"categories": "=Data!$A$2:$A$4", "values": f"=Data!${column}$2:${column}$4"}
                )
            chart.set_title({"name": title} if title else {"none": True})
            sheet.insert_chart("F2", chart)
        scatter = book.add_chart({"type": "scatter"})
        scatter.add_series(
            {"categories": "=Data!$B$2:$B$4", "values": "=Data!$C$2:$C$4", "name": "Pairs"}
        )
        sheet.insert_chart("F20", scatter)
    return path


def made(source: Path, *edits: dict[str, Any]) -> tuple[Path, Outcome]:
    target = source.with_name("out.xlsx")
    return target, edit_workbook(source, target, list(edits))


def verdict(source: Path, target: Path, declared: Declared) -> list[str]:
    result = Deliverable(
        path="w/out.xlsx", title="x", sources={"original": "w/model.xlsx"},
        data={"declared": declared.to_json()},
    )  # fmt: skip
    return errors(check_workbook(result, room(target, {"w/model.xlsx": source})))


def change(number: int, **fields: Any) -> dict[str, Any]:
    return {"op": "chart_change", "sheet": "Data", "chart": number, **fields}


def seen(path: Path) -> list[dict[str, Any]]:
    book = Workbook(path)
    return list(shown(book, book.sheets[0]))


def test_the_map_counts_charts_with_what_they_read(model: Path) -> None:
    first, second, third = seen(model)
    assert (first["chart"], first["type"], first["title"]) == (1, "barChart", "Old title")
    assert first["series"][1] == {"categories": "=Data!$A$2:$A$4", "values": "=Data!$C$2:$C$4"}
    assert second["title"] == ""
    assert third["series"] == [
        {"name": "Pairs", "categories": "=Data!$B$2:$B$4", "values": "=Data!$C$2:$C$4"}
    ]


def test_titles_and_series_change_and_the_rest_stays(model: Path) -> None:
    series = [{"number": 2, "name": "=C1", "categories": "A2:A9", "values": "Data!C2:C9"}]
    target, outcome = made(
        model, change(1, title="New & better", series=series), change(2, title="Now one")
    )
    first, second, third = seen(target)
    assert (first["title"], second["title"]) == ("New & better", "Now one")
    assert first["series"][0] == seen(model)[0]["series"][0]
    assert first["series"][1] == {
        "name": "=Data!$C$1",
        "categories": "=Data!$A$2:$A$9",
        "values": "=Data!$C$2:$C$9",
    }
    assert third == seen(model)[2]
    assert schema_errors(target, model) == []
    assert len(load_workbook(target)["Data"]._charts) == 3
    assert verdict(model, target, outcome.declared) == []
    silent = replace(outcome.declared, steps=outcome.declared.steps[:1])
    assert verdict(model, target, silent) != []


def test_a_title_goes_and_a_scatter_reads_other_cells(model: Path) -> None:
    series = [{"number": 1, "name": "Others", "values": "C2:C9", "categories": "B2:B9"}]
    target, outcome = made(model, change(1, title=""), change(3, series=series))
    assert seen(target)[0]["title"] == ""
    assert seen(target)[2]["series"] == [
        {"name": "Others", "categories": "=Data!$B$2:$B$9", "values": "=Data!$C$2:$C$9"}
    ]
    assert schema_errors(target, model) == []
    assert verdict(model, target, outcome.declared) == []


def test_a_chart_that_moved_with_its_rows_and_sheet_is_changed_after_that(model: Path) -> None:
    target, outcome = made(
        model,
        {"op": "insert", "cells": "Data!1:1"},
        {"op": "sheet_rename", "sheet": "Data", "name": "Raw"},
        {**change(1, title="T", series=[{"number": 1, "values": "B3:B9"}]), "sheet": "Raw"},
        {"op": "set", "cells": "Raw!B4", "value": 5},
    )
    assert seen(target)[0]["series"][0] == {
        "categories": "=Raw!$A$3:$A$5",
        "values": "=Raw!$B$3:$B$9",
    }
    assert verdict(model, target, outcome.declared) == []


def test_a_change_in_a_chart_beyond_what_was_declared_is_found(model: Path, tmp_path: Path) -> None:
    target, outcome = made(model, change(1, title="T"))
    lie = tmp_path / "lie.xlsx"
    with zipfile.ZipFile(target) as source, zipfile.ZipFile(lie, "w") as out:
        for name in source.namelist():
            data = source.read(name)
            out.writestr(
                name,
                data.replace(b"$B$2:$B$4", b"$C$2:$C$4") if name.endswith("chart1.xml") else data,
            )
    assert verdict(model, lie, outcome.declared) != []


def test_a_chart_that_came_in_with_the_same_edits_can_be_changed(model: Path) -> None:
    new = {
        "op": "chart",
        "cells": "Data!K1",
        "chart": {"type": "line", "series": [{"values": "B2:B4"}]},
    }
    target, outcome = made(model, new, change(4, title="Mine"))
    assert seen(target)[3]["title"] == "Mine"
    assert verdict(model, target, outcome.declared) == []


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (change(9, title="x"), "3 charts"),
        (change(1), "Say a title"),
        (change(1, series=[{"number": 7, "name": "x"}]), "there is no 7"),
        (
            change(1, series=[{"number": 1, "values": "B2:B9", "categories": "A2:A3"}]),
            "as many cells",
        ),
        (change(1, series=[{"number": 1, "values": "Nowhere!B2:B9"}]), "no sheet"),
        (change(1, series=[{"number": 1, "name": "=A1:A3"}]), "one cell"),
        (change(1, series=[{"name": "x"}]), "wrong kind"),
        (change(1, title="x" * 256), "255"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    model: Path, edit: dict[str, Any], why: str
) -> None:
    before = model.read_bytes()
    with pytest.raises(ToolInputError, match=why):
        edit_workbook(model, model, [edit])
    assert model.read_bytes() == before


def test_a_step_that_has_another_shape_is_none() -> None:
    step = ChartChange(part="xl/charts/chart1.xml", title="T", series={1: {"name": "x"}})
    assert ChartChange.from_json(step.to_json()) == step
    for data in (
        {},
        {"chart": 3},
        {"chart": "x", "series": {"a": {}}},
        {"chart": "x", "series": {"1": 3}},
        None,
    ):
        assert ChartChange.from_json(data) is None


@pytest.mark.slow
@pytest.mark.cases
@pytest.mark.skipif(not FINANCE.is_dir(), reason="the cases folder is not beside the checkout")
def test_every_chart_of_workbooks_saved_by_excel_gets_another_title(tmp_path: Path) -> None:
    tried = 0
    for source in SAVED:
        book = Workbook(source)
        for sheet in book.sheets:
            for number, _ in enumerate(charts(book, sheet), 1):
                edit = {
                    "op": "chart_change",
                    "sheet": sheet.name,
                    "chart": number,
                    "title": "Another",
                }
                target = tmp_path / "out.xlsx"
                if sheet.kind != "worksheet":
                    continue
                outcome = edit_workbook(source, target, [edit], allow_protected=True)
                assert schema_errors(target, source) == [], source
                assert verdict(source, target, outcome.declared) == [], source
                tried += 1
    assert tried > 5
