"""Charts that are there become others of type and look; what they read stays, and the gate makes the change once more."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import load_workbook
from tests.unit.documents.schemas import schema_errors
from tests.unit.documents.test_sheet_charts import SAVED, change, made, seen, verdict

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.chartedit import ChartChange, shown
from deskmate_documents.xlsx.charttype import TAGS
from deskmate_documents.xlsx.edit import edit_workbook

KINDS = tuple(TAGS)


def series(column: str, **more: Any) -> dict[str, Any]:
    return {
        "categories": "=Data!$A$2:$A$5", "values": f"=Data!${column}$2:${column}$5", "name": f"=Data!${column}$1", **more,
    }  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A chart of each type over figures, in the order of KINDS, and then one of each with two series over texts."""
    path = tmp_path / "model.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        sheet.write_row(0, 0, ["Year", "Costs", "Sales", "Who"])
        for row in range(1, 5):
            sheet.write_row(row, 0, [2020 + row, row * 10, row * 20, f"Who {row}"])
        for kind in KINDS:
            chart = book.add_chart({"type": kind})
            chart.add_series(series("B", fill={"color": "#AA0000"}, line={"color": "#AA0000"}))
            chart.set_y_axis({"name": "Euros"})
            sheet.insert_chart("F2", chart)
        pair = book.add_chart({"type": "column", "subtype": "stacked"})
        for column in "BC":
            pair.add_series(
                series(column, data_labels={"value": True, "position": "inside_end"})
                | {"categories": "=Data!$D$2:$D$5"}
            )
        sheet.insert_chart("F20", pair)
        beside = book.add_chart({"type": "line"})
        beside.add_series(series("C", y2_axis=True))
        both = book.add_chart({"type": "column"})
        both.add_series(series("B"))
        both.combine(beside)
        sheet.insert_chart("F40", both)
    return path


def xml(path: Path, number: int) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"xl/charts/chart{number}.xml").decode()


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_becomes_every_other_and_reads_the_same(model: Path, kind: str) -> None:
    before = seen(model)
    target, outcome = made(model, *(change(n + 1, type=kind) for n in range(len(KINDS))))
    after = seen(target)
    assert [chart["type"] for chart in after[: len(KINDS)]] == [TAGS[kind]] * len(KINDS)
    assert [chart["series"] for chart in after] == [chart["series"] for chart in before]
    assert schema_errors(target, model) == []
    assert len(load_workbook(target)["Data"]._charts) == len(KINDS) + 2
    assert verdict(model, target, outcome.declared) == []
    if kind not in ("pie", "doughnut"):
        assert [
            "AA0000" in xml(target, n + 1)
            for n, k in enumerate(KINDS)
            if k not in ("pie", "doughnut")
        ].count(False) == 0


def test_a_type_and_back_again_is_the_same_chart_to_a_reader(model: Path) -> None:
    there, _ = made(model, change(1, type="line", title="T"))
    assert 'val="AA0000"' in xml(there, 1).partition("<a:ln")[2]
    back = there.with_name("back.xlsx")
    edit_workbook(there, back, [change(1, type="column")])
    assert seen(back)[0]["type"] == "barChart"
    assert "lying" not in seen(back)[0]
    assert xml(back, 1).count("<c:catAx>") == xml(back, 1).count("<c:valAx>") == 1


def test_columns_lie_down_with_their_axes_and_titles(model: Path) -> None:
    turned, _ = made(model, change(1, look={"y_title": ""}), change(1, look={"y_title": "Money"}))
    target = turned.with_name("lying.xlsx")
    edit_workbook(turned, target, [change(1, type="bar")])
    was, now = xml(turned, 1), xml(target, 1)
    assert '<c:barDir val="bar"/>' in now
    assert "<c:catAx>" in now
    assert now.partition("<c:catAx>")[2].partition("axPos")[2][:9] == ' val="l"/'
    assert now.partition("<c:valAx>")[2].partition("axPos")[2][:9] == ' val="b"/'
    assert "Money" in now
    assert "-5400000" in was
    assert "-5400000" not in now


def test_labels_lose_a_place_that_the_new_type_does_not_know(model: Path) -> None:
    assert "dLblPos" in xml(model, 8)
    target, _ = made(model, change(8, type="line"))
    assert "dLblPos" not in xml(target, 8)
    assert xml(target, 8).count("showVal") == 2
    assert seen(target)[7]["stacked"] == "stacked"


def test_groups_of_several_types_become_one_type_and_keep_their_axes(model: Path) -> None:
    assert seen(model)[8]["type"] == "barChart, lineChart"
    target, outcome = made(model, change(9, type="column"))
    assert (
        seen(target)[8]["type"] == "barChart, barChart"
    )  # the second one stands on axes of its own
    assert seen(target)[8]["series"] == seen(model)[8]["series"]
    assert verdict(model, target, outcome.declared) == []
    assert schema_errors(target, model) == []


def test_series_are_piled_up_and_set_apart(model: Path) -> None:
    target, outcome = made(
        model, change(8, stacked="percent"), change(1, stacked=True), change(3, stacked=False)
    )
    assert [seen(target)[n].get("stacked") for n in (7, 0, 2)] == [
        "percentStacked",
        "stacked",
        None,
    ]
    assert 'formatCode="0%"' in xml(target, 8)
    assert verdict(model, target, outcome.declared) == []
    assert schema_errors(target, model) == []
    back, _ = made(model, change(8, stacked=False))
    assert '<c:grouping val="clustered"/>' in xml(back, 8)
    assert "overlap" not in xml(back, 8)


def test_the_look_changes_where_it_is_said(model: Path) -> None:
    look = {"legend": "bottom", "x_title": "Year", "y_title": "", "y_format": "#,##0", "y_min": 5, "y_max": 99.5, "gap": 40, "labels": True}  # fmt: skip
    fills = [{"number": 1, "fill": "00bb11"}, {"number": 2, "fill": "none"}]
    target, outcome = made(
        model, change(1, look=look), change(8, series=fills), change(5, look={"labels": "percent", "legend": "none"})
    )  # fmt: skip
    first = xml(target, 1)
    for part in ('<c:legendPos val="b"/>', "<a:t>Year</a:t>", 'formatCode="#,##0"', '<c:min val="5"/>', '<c:max val="99.5"/>', '<c:gapWidth val="40"/>', '<c:showVal val="1"/>'):  # fmt: skip
        assert part in first, part
    assert "Euros" not in first
    assert 'val="00BB11"' in xml(target, 8)
    assert "<a:noFill/>" in xml(target, 8)
    assert '<c:showPercent val="1"/>' in xml(target, 5)
    assert "legend>" not in xml(target, 5)
    assert schema_errors(target, model) == []
    assert verdict(model, target, outcome.declared) == []


def test_what_was_not_declared_is_found(model: Path) -> None:
    target, outcome = made(model, change(1, type="line", look={"legend": "none"}))
    (step,) = outcome.declared.steps
    assert isinstance(step, ChartChange)
    for lie in (replace(step, kind="area"), replace(step, look={}), replace(step, kind="")):
        assert verdict(model, target, replace(outcome.declared, steps=[lie])) != []


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (change(1, type="radar"), "type is"),
        (change(8, type="pie"), "shows one series"),
        (change(8, type="scatter"), "categories are texts"),
        (change(1, stacked="high"), "stacked"),
        (change(5, stacked=True), "Only columns"),
        (change(1, look={"legend": "north"}), "right, left"),
        (change(1, look={"shadow": True}), "no 'shadow'"),
        (change(1, look={"y_min": 9, "y_max": 3}), "less than"),
        (change(1, look={"y_min": float("nan")}), "a number"),
        (change(3, look={"gap": 50}), "Only columns"),
        (change(5, look={"x_title": "x"}), "no such axis"),
        (change(1, look={"labels": "percent"}), "Only pies"),
        (change(1, series=[{"number": 1, "fill": "red"}]), "six hex digits"),
        (change(5, series=[{"number": 1, "fill": "FF0000"}]), "a colour each"),
    ],
)
def test_what_does_not_fit_is_said(model: Path, edit: dict[str, Any], why: str) -> None:
    before = model.read_bytes()
    with pytest.raises(ToolInputError, match=why):
        edit_workbook(model, model, [edit])
    assert model.read_bytes() == before


def test_a_step_of_another_shape_is_none() -> None:
    step = ChartChange(
        part="p", kind="line", stacked="percent", look={"y_min": 3}, series={1: {"fill": "none"}}
    )
    assert ChartChange.from_json(step.to_json()) == step
    for lie in ({"type": "radar"}, {"stacked": "high"}, {"look": 3}):
        assert ChartChange.from_json(step.to_json() | lie) is None


@pytest.mark.slow
@pytest.mark.cases
@pytest.mark.skipif(not SAVED, reason="the cases folder is not beside the checkout")
def test_charts_of_workbooks_saved_by_excel_become_lines_and_bars(tmp_path: Path) -> None:
    """Each chart becomes another type, one in turn; all of a workbook at once, and its schemas hold for all of them."""
    tried = 0
    wanted = cycle(("bar", "line", "doughnut", "area"))
    target = tmp_path / "out.xlsx"
    for source in SAVED:
        book = Workbook(source)
        pages = [sheet for sheet in book.sheets if sheet.kind == "worksheet"]
        before = {sheet.name: list(shown(book, sheet)) for sheet in pages}
        edits = [
            {"op": "chart_change", "sheet": name, "chart": chart["chart"], "type": next(wanted)}
            for name, listed in before.items()
            for chart in listed
            if chart["type"] and not set(chart["type"].split(", ")) - {*TAGS.values(), "radarChart"}
        ]
        if not edits:
            continue
        outcome = edit_workbook(source, target, edits, allow_protected=True)
        assert schema_errors(target, source) == [], source
        assert verdict(source, target, outcome.declared) == [], source
        after = Workbook(target)
        for name, listed in before.items():
            now = list(shown(after, after.sheet(name)))
            assert [c["series"] for c in now] == [c["series"] for c in listed], source
        tried += len(edits)
    assert tried > 5
