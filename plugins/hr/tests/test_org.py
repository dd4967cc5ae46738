"""The organisation chart: layers and spans as pandas has them, every fault of the lines named, boxes as native shapes."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pptx
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.tools.org import org_chart
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.org_rules import org_true

CASES = Path(__file__).parents[4] / "shared/cases/ops/northwind/northwind.sqlite"
HEAD = "Employee ID,Name,Job title,Department,Manager ID\n"
SMALL = HEAD + (
    "1,Dana Petrov,Managing Director,Board,\n2,Lee Marsh,Head of Sales,Sales,1\n3,Ada Okafor,CFO,Finance,1\n"
    "4,Bo Lind,Seller,Sales,2\n5,Sam Okoye,Seller,Sales,2\n"
)


def random_tree(seed: int, size: int = 30) -> str:
    chance = random.Random(seed)
    rows = [
        f"{n},Person {n},Job {n % 7},Unit {n % 4},{chance.randint(max(1, n // 5), n - 1) if n > 1 else ''}"
        for n in range(1, size + 1)
    ]
    chance.shuffle(rows)
    return HEAD + "\n".join(rows) + "\n"


@pytest.mark.parametrize("seed", [1])
def test_layers_and_spans_are_those_of_pandas(
    desk: Any, verdict: Any, tmp_path: Path, seed: int
) -> None:
    text = random_tree(seed)
    context = desk({"reporting lines.csv": text})
    answer = org_chart(context)
    table = pd.read_csv(tmp_path / "reporting lines.csv").set_index("Employee ID")
    boss = table["Manager ID"]
    layer = pd.Series(1, index=table.index)
    below = pd.Series(0, index=table.index)
    at = boss
    while at.notna().any():
        layer += at.notna()
        below = below.add(at.dropna().value_counts(), fill_value=0)
        at = at.map(boss)
    book = openpyxl.load_workbook(tmp_path / "org-chart.xlsx", data_only=True)
    shown = pd.DataFrame(
        list(book["People"].values)[1:], columns=[cell.value for cell in book["People"][1]]
    )
    shown.index = shown["ID"].astype(int)
    assert shown["Layer"].sort_index().tolist() == layer.sort_index().tolist()
    assert shown["All reports"].sort_index().tolist() == below.sort_index().astype(int).tolist()
    direct = boss.value_counts().reindex(table.index, fill_value=0)
    assert shown["Direct reports"].sort_index().tolist() == direct.sort_index().tolist()
    assert answer.result["layers"] == [
        {"layer": n, "people": int(count), "managers": int((direct[layer == n] > 0).sum())}
        for n, count in layer.value_counts().sort_index().items()
    ]
    for item in answer.deliverables:
        assert verdict(org_true, item, context) == []
        assert verdict(live_formulas, item, context) == []
        assert [m for gate in shared_gates() for m in verdict(gate.function, item, context)] == []


def test_every_fault_of_the_lines_is_named_and_none_is_mended(desk: Any, verdict: Any) -> None:
    text = SMALL + (
        "6,One Ring,Clerk,Sales,7\n7,Two Ring,Clerk,Sales,6\n8,No Boss,Clerk,Sales,99\n9,Own Boss,Clerk,Sales,9\n"
        "10,Second Top,Chair,Board,\n4,Bo Lind,Seller,Sales,3\n5,Sam Okoye,Seller,Sales,2\n"
    )
    context = desk({"org.csv": text})
    answer = org_chart(context)
    assert answer.result["findings"] == [
        "4 has two managers: 2 (row 5) and 3 (row 12); drawn below 2",
        "5 stands in rows 6 and 13",
        "8 reports to 99, who is not in the table",
        "9 reports to themselves",
        "10 have no manager either; 1 is taken as the top",
        "6 → 7 → 6 report to each other in a circle",
        "5 not connected to the top: 6, 7, 8, 9, 10",
    ]
    assert answer.result["connected"] == 5
    for item in answer.deliverables:
        assert verdict(org_true, item, context) == []


def test_managers_by_name_and_a_root_that_is_named(desk: Any, verdict: Any) -> None:
    text = "Name,Reports to\nDana,\nLee,Dana\nAda,Lee\nBo,Nobody Known\n"
    context = desk({"org.csv": text})
    assert (
        org_chart(context).result["findings"][0]
        == "Bo reports to Nobody Known, who is not in the table"
    )
    answer = org_chart(context, settings={"root": "Lee"})
    assert answer.result["connected"] == 2
    assert verdict(org_true, answer.deliverables[0], context) == []


def test_slides_are_native_shapes_one_manager_each(desk: Any, tmp_path: Path) -> None:
    org_chart(desk({"org.csv": SMALL}))
    deck = pptx.Presentation(str(tmp_path / "org-chart.pptx"))
    assert [slide.shapes.title.text for slide in deck.slides] == [
        "Dana Petrov: 2 direct reports, 4 in all",
        "Lee Marsh: 2 direct reports, 2 in all",
    ]
    first = [shape.text_frame.text for shape in deck.slides[0].shapes if shape.name == "Report"]
    assert first == ["Lee Marsh (+2)\nHead of Sales", "Ada Okafor\nCFO"]
    assert (
        sum(
            shape.shape_type == pptx.enum.shapes.MSO_SHAPE_TYPE.LINE
            for shape in deck.slides[0].shapes
        )
        >= 4
    )


def test_a_chart_that_says_anything_else_is_found(desk: Any, lies: Any) -> None:
    context = desk({"org.csv": SMALL})
    item = org_chart(context).deliverables[0]
    cells = [
        ("People", "E3", "3", "the source gives"),
        ("People", "F4", 2, "the source gives '3'"),
        ("People", "H2", 9, "the source gives '4'"),
        ("Layers", "B3", 3, "the source gives '2'"),
        ("Findings", "A2", "fine", "the source gives"),
    ]
    lies(org_true, item, context, cells)


def test_a_box_under_another_manager_is_found_and_a_moved_one_passes(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk({"org.csv": SMALL})
    book, svg, png, item = org_chart(context).deliverables
    deck = pptx.Presentation(str(tmp_path / item.path))
    box = next(shape for shape in deck.slides[1].shapes if shape.name == "Report")
    box.left += 100_000
    deck.save(str(tmp_path / item.path))
    assert verdict(org_true, item, context) == []
    box.text_frame.text = "Ada Okafor\nCFO"
    deck.save(str(tmp_path / item.path))
    assert any("no report of theirs" in message for message in verdict(org_true, item, context))
    (tmp_path / svg.path).write_text(
        (tmp_path / svg.path).read_text().replace("Bo Lind", "Bo Lund")
    )
    assert verdict(org_true, svg, context) == ["The picture is not the one that its source gives."]
    for file in (png, item, book):
        (tmp_path / file.path).write_bytes(b"junk")
        assert verdict(org_true, file, context)
    assert "UNVERIFIED" in verdict(org_true, book, context, held=False)[0]


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("ID,Name\n1,A\n", {}, "needs columns"),
        ("ID,Manager\n1,2\n2,1\n", {}, "nobody is the top"),
        ("ID,Manager\n1,\n,1\n", {}, "the employee id is missing"),
        ("ID,Manager\n1,\n2,1\n", {"root": "9"}, "0 people are called '9'"),
        ("ID,Manager\n1,\n2,1\n", {"levels": "few"}, "whole number"),
    ],
)
def test_what_does_not_fit_is_refused(
    desk: Any, text: str, settings: dict[str, str], says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        org_chart(desk({"org.csv": text}), settings=settings)


def test_levels_below_those_asked_for_are_counted(desk: Any, verdict: Any) -> None:
    context = desk({"org.csv": random_tree(3, 60)})
    answer = org_chart(context, settings={"levels": "2"})
    assert "are counted, not drawn" in (context.workspace / "org-chart.svg").read_text()
    assert verdict(org_true, answer.deliverables[1], context) == []


@pytest.mark.cases
@pytest.mark.skipif(not CASES.exists(), reason="the cases folder is not there")
def test_the_employees_of_the_public_database_have_one_top(desk: Any, verdict: Any) -> None:
    with sqlite3.connect(f"file:{CASES}?mode=ro&immutable=1", uri=True) as base:
        table = pd.read_sql(
            "select EmployeeID, FirstName || ' ' || LastName as Name, Title, ReportsTo from Employees",
            base,
        )
    base.close()
    table["ReportsTo"] = table["ReportsTo"].astype("Int64")
    context = desk({"org.csv": table.to_csv(index=False)})
    answer = org_chart(context, settings={"manager": "ReportsTo", "id": "EmployeeID"})
    assert answer.result["findings"] == []
    assert answer.result["connected"] == len(table) == 9
    assert verdict(org_true, answer.deliverables[0], context) == []
