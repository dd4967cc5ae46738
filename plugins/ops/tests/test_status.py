"""The status report: counted as pandas counts, coloured by figures alone, each row with its source; page and deck say the same."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import docx
import pandas as pd
import pptx
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_ops.status import AMBER, GREEN, OPEN, RED, Limits, rag_of, state_of
from deskmate_ops.tools.status import status_report
from deskmate_ops.validators.plan_rules import status_true

DAY = "2026-11-29"
FACTS = {"date": DAY}
TASKS = """ID,Task,Workstream,Owner,Due date,Status
T1,Qualify the second supplier,Supply,Dana Petrov,2026-10-30,In progress
T2,Sign the contract,Supply,Dana Petrov,2026-12-15,Open
T3,Cut over *the* system,Systems,Lee Marsh,2026-12-20,Blocked
T4,Write the plan,Systems,Lee Marsh,2026-11-10,Done
T5,Hire two planners,People,TBD,,Sort of
T6,Old visit,Supply,Bo Lind,2026-09-01,Cancelled
"""
KPIS = """KPI,Value,Target,Better,Date,Source,Unit
On-time delivery,93.4,95,higher,2026-11-24,ERP report 12,%
Stock-outs,14,8,lower,2026-11-24,ERP report 12,
Cost per order,4.10,4.20,lower,2026-10-01,Finance cube,EUR
Complaints,7,,lower,,,
"""


def test_colours_and_open_points_follow_from_the_lists(desk: Any, verdict: Any) -> None:
    context = desk({"task list.csv": TASKS, "kpis.csv": KPIS})
    answer = status_report(context, as_of=DAY)
    assert [(s["name"], s["state"], s["tasks"], s["done"], s["late"]) for s in answer.result["workstreams"]] == [
        ("Supply", RED, 2, 0, 1), ("Systems", AMBER, 2, 1, 0), ("People", GREEN, 1, 0, 0),
    ]  # fmt: skip
    assert [line.split(":")[1].split(",")[0].strip() for line in answer.result["key_figures"]] == [
        AMBER,
        RED,
        GREEN,
        OPEN,
    ]
    assert answer.result["open_points"] == [
        "Hire two planners: no owner (task list.csv, row 6)",
        "Hire two planners: no due date (task list.csv, row 6)",
        "Hire two planners: status Sort of is not known, taken as open (task list.csv, row 6)",
        "Cost per order: 59 days old (kpis.csv, row 4)",
        "Complaints: no target (kpis.csv, row 5)",
        "Complaints: no date (kpis.csv, row 5)",
        "Complaints: no source (kpis.csv, row 5)",
    ]
    for item in answer.deliverables:
        assert verdict(status_true, item, context, facts=FACTS) == []
        assert [
            m for gate in shared_gates() for m in verdict(gate.function, item, context, facts=FACTS)
        ] == []
    page = docx.Document(str(context.workspace / "status-report.docx"))
    assert [table.rows[0].cells[0].text for table in page.tables] == [
        "Workstream", "Key figure", "Late or blocked", "Next step", "What the lists leave open",
    ]  # fmt: skip
    deck = pptx.Presentation(str(context.workspace / "status-report.pptx"))
    assert sum(shape.has_chart for slide in deck.slides for shape in slide.shapes) == 1
    assert deck.slides[1].shapes.title.text == "1 of 3 workstreams are red: Supply"


@pytest.mark.parametrize("seed", [1])
def test_counts_are_those_of_pandas(desk: Any, verdict: Any, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows = ["Task,Workstream,Owner,Due,Status"]
    words = ["Open", "In progress", "Done", "Blocked", "Cancelled"]
    for number in range(150):
        due = date(2026, 11, 29) + timedelta(days=chance.randint(-20, 40))
        rows.append(
            f"Task {number},Stream {chance.randint(1, 6)},Ada Okafor,{due},{chance.choice(words)}"
        )
    context = desk({"tasks.csv": "\n".join(rows) + "\n"})
    answer = status_report(context, as_of=DAY)
    table = pd.read_csv(tmp_path / "tasks.csv", parse_dates=["Due"])
    table = table[table["Status"] != "Cancelled"]
    open_ = table["Status"] != "Done"
    late = open_ & (table["Due"] < DAY)
    right = (
        table.assign(done=~open_, late=late, blocked=table["Status"] == "Blocked")
        .groupby("Workstream")[["done", "late", "blocked"]]
        .sum()
    )
    shown = pd.DataFrame(answer.result["workstreams"]).set_index("name")
    for column in right.columns:
        assert shown[column].to_dict() == right[column].to_dict()
    assert shown["tasks"].to_dict() == table["Workstream"].value_counts().to_dict()
    for item in answer.deliverables:
        assert verdict(status_true, item, context, facts=FACTS) == []


@pytest.mark.parametrize(
    ("figures", "colour"),
    [
        ((10, 0, 0, 0), GREEN), ((0, 0, 0, 0), GREEN), ((10, 0, 0, 1), AMBER), ((10, 1, 14, 0), AMBER), ((10, 1, 15, 0), RED),
        ((10, 2, 1, 0), RED), ((11, 2, 1, 0), AMBER),
    ],
)  # fmt: skip
def test_the_colour_changes_at_its_limits_and_nowhere_else(figures: Any, colour: str) -> None:
    assert rag_of(figures, Limits())[0] == colour


def test_a_page_that_says_anything_else_is_found(desk: Any, verdict: Any) -> None:
    context = desk({"task list.csv": TASKS, "kpis.csv": KPIS})
    item = status_report(context, as_of=DAY).deliverables[0]
    file = context.workspace / item.path
    whole = file.read_bytes()
    lies = [
        ("Red", "Green", "the lists give 'Red'"),
        ("Dana Petrov", "Ada Okafor", "the lists give 'Dana Petrov'"),
        ("30", "3", "the lists give '30'"),
        ("Overall: Red", "Overall: Green", "The lists do not say"),
        ("kpis.csv, row 2", "kpis.csv, row 9", "the lists give"),
        ("Colours are computed", "Colours are chosen", "The lists do not say"),
    ]
    for old, new, says in lies:
        document = docx.Document(str(file))
        cells = [
            p for t in document.tables for row in t.rows for c in row.cells for p in c.paragraphs
        ]
        paragraph = next(
            p
            for p in [*cells, *document.paragraphs]
            if (p.text == old if len(old) < 4 else old in p.text)
        )
        paragraph.runs[0].text = paragraph.text.replace(old, new)
        for run in paragraph.runs[1:]:
            run.text = ""
        document.save(str(file))
        found = verdict(status_true, item, context, facts=FACTS)
        assert any(says in message for message in found), found
        file.write_bytes(whole)


def test_a_deck_whose_chart_or_table_was_changed_is_found(desk: Any, verdict: Any) -> None:
    from pptx.chart.data import CategoryChartData

    context = desk({"task list.csv": TASKS, "kpis.csv": KPIS})
    item = status_report(context, as_of=DAY).deliverables[1]
    file = context.workspace / item.path
    deck = pptx.Presentation(str(file))
    deck.slides[1].shapes.title.left += 1000  # a near miss: where it stands is nobody's figure
    deck.save(str(file))
    assert verdict(status_true, item, context, facts=FACTS) == []
    chart = next(shape.chart for slide in deck.slides for shape in slide.shapes if shape.has_chart)
    data = CategoryChartData()
    data.categories = ["Supply", "Systems", "People"]
    for name in ("Done", "Open, in time", "Late"):
        data.add_series(name, [1, 1, 1])
    chart.replace_data(data)
    deck.save(str(file))
    assert any(
        "The chart shows" in message for message in verdict(status_true, item, context, facts=FACTS)
    )
    deck.slides[1].shapes[1].table.cell(1, 1).text = (
        "Green" if deck.slides[1].shapes[1].has_table else ""
    )
    deck.save(str(file))
    assert any(
        "the lists give 'Red'" in message
        for message in verdict(status_true, item, context, facts=FACTS)
    )


def test_what_is_broken_old_or_not_held_fails(desk: Any, verdict: Any) -> None:
    context = desk({"task list.csv": TASKS, "kpis.csv": KPIS})
    for item in status_report(context, as_of=DAY).deliverables:
        assert "UNVERIFIED" in verdict(status_true, item, context, held=False)[0]
        assert (
            "neither today" in verdict(status_true, item, context, facts={"date": "2027-03-01"})[0]
        )
        (context.workspace / item.path).write_bytes(b"junk")
        assert verdict(status_true, item, context, facts=FACTS)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"tasks.csv": "Task,Owner\na,Lee\n"}, "no column for status"),
        ({"tasks.csv": "Task,Status\n,open\n"}, "row 2: there is no task"),
        ({"tasks.csv": "Task,Status,Due\na,open,2026-02-30\n"}, "not a date"),
        ({"tasks.csv": "Task,Status\na,open\n", "kpis.csv": "KPI,Value\nx,\n"}, "name and value"),
        (
            {"tasks.csv": "Task,Status\na,open\n", "kpis.csv": "KPI,Value,Better\nx,1,sideways\n"},
            "no direction",
        ),
    ],
)
def test_lists_that_do_not_fit_are_refused(desk: Any, files: dict[str, str], says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        status_report(desk(files), as_of=DAY)


def test_words_of_states_and_settings_are_read_or_refused() -> None:
    assert [state_of(text) for text in ("To Do", "in_progress", "100 %", "On Hold", "Won't do", "perhaps")] == [
        "waiting", "active", "done", "blocked", "dropped", "",
    ]  # fmt: skip
    for config in ({"status_red_share": "0"}, {"status_red_days": "many"}, {"status_soon_days": 0}):
        with pytest.raises(ToolInputError, match="status_"):
            Limits.of(config)


def test_a_long_list_is_cut_and_says_so(desk: Any, verdict: Any) -> None:
    rows = "".join(f"Task {n},Ada Okafor,2026-12-{1 + n % 28:02},Open\n" for n in range(60))
    context = desk({"tasks.csv": "Task,Owner,Due,Status\n" + rows})
    page, deck = status_report(context, as_of=DAY).deliverables
    text = "\n".join(p.text for p in docx.Document(str(context.workspace / page.path)).paragraphs)
    assert "48 more stand in the source." in text
    for item in (page, deck):
        assert verdict(status_true, item, context, facts=FACTS) == []
