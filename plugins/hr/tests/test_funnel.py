"""The hiring funnel: counted for the workbook, again for the gate, and here by pandas; no small group follows from it."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import ToolInputError
from deskmate_documents.office.gates import shared_gates
from deskmate_hr.people import HIDDEN
from deskmate_hr.tools.funnel import hiring_funnel
from deskmate_hr.validators.funnel_rules import funnel_ties
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.rules import small_cells

STAGES = ("Applied", "Screen", "Interview", "Offer", "Hired")


def extract(seed: int, size: int = 260) -> str:
    chance = random.Random(seed)
    rows = ["Candidate ID,Source,Gender," + ",".join(STAGES)]
    for number in range(size):
        day = date(2026, 1, 5) + timedelta(days=chance.randint(0, 120))
        days = [str(day)]
        for going_on in (0.5, 0.45, 0.4, 0.8):
            if chance.random() > going_on:
                break
            day += timedelta(days=chance.randint(0, 20))
            days.append(str(day) if chance.random() > 0.05 or len(days) == 4 else "")
        days += [""] * (5 - len(days))
        source = chance.choice(["Referral", "Job board", "Agency"])
        rows.append(f"C{number},{source},{chance.choice('FM')},{','.join(days)}")
    return "\n".join(rows) + "\n"


def by_pandas(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the furthest stage of each candidate, and the days from each stage to the next that is known."""
    from io import StringIO

    table = pd.read_csv(StringIO(text), parse_dates=list(STAGES))
    days = table[list(STAGES)]
    furthest = days.notna().to_numpy()[:, ::-1].argmax(axis=1)
    table["furthest"] = len(STAGES) - 1 - furthest
    onward = days.bfill(axis=1).shift(-1, axis=1)
    spans = pd.DataFrame({stage: (onward[stage] - days[stage]).dt.days for stage in STAGES})
    return table, spans


@pytest.mark.parametrize("seed", [1, 2])
def test_every_shown_figure_is_what_pandas_gives_and_none_is_small(
    desk: Any, verdict: Any, tmp_path: Path, seed: int
) -> None:
    text = extract(seed)
    context = desk({"candidates.csv": text})
    answer = hiring_funnel(context, request="Hiring funnel by source and gender")
    table, spans = by_pandas(text)
    book = openpyxl.load_workbook(tmp_path / "hiring-funnel.xlsx", data_only=True)
    assert book.sheetnames == ["Funnel", "1 by Source", "2 by Gender", "Notes"]
    checked = 0
    for sheet, column in (("Funnel", None), ("1 by Source", "Source"), ("2 by Gender", "Gender")):
        for row in list(book[sheet].values)[1:]:
            label, (stage, reached, stopped, _, went_on, median, most) = (
                (row[0], row[1:]) if column else ("", row)
            )
            mine = table[column] == label if column else pd.Series(True, index=table.index)
            place = STAGES.index(stage)
            count = int((mine & (table["furthest"] >= place)).sum())
            assert reached in (count, HIDDEN)
            assert reached == HIDDEN or reached == 0 or reached >= 5
            if stopped not in (HIDDEN, None):
                assert stopped == (mine & (table["furthest"] == place)).sum()
                assert stopped == 0 or stopped >= 5
            if went_on not in (HIDDEN, None):
                further = (mine & (table["furthest"] > place)).sum()
                assert went_on == pytest.approx(further / count)
                assert count - further == 0 or count - further >= 5
            own = spans.loc[mine & (table["furthest"] > place), stage].dropna().sort_values()
            if median not in (HIDDEN, None):
                checked += 1
                assert len(own) >= 5
                assert median == own.median()
                assert most == own.iloc[-(-9 * len(own) // 10) - 1]
    assert checked > 8
    for item in answer.deliverables:
        assert verdict(funnel_ties, item, context) == []
        assert [m for gate in shared_gates() for m in verdict(gate.function, item, context)] == []
    for rule in (small_cells, live_formulas):
        assert verdict(rule, answer.deliverables[0], context) == []


def plain(counts: dict[str, int]) -> str:
    """Return an extract in which so many stop at each stage."""
    rows, number = ["Candidate,Team," + ",".join(STAGES)], 0
    for place, count in enumerate(counts.values()):
        for _ in range(count):
            number += 1
            days = [f"2026-02-{1 + n:02}" if n <= place else "" for n in range(5)]
            rows.append(f"C{number},{'Red' if number % 2 else 'Blue'},{','.join(days)}")
    return "\n".join(rows) + "\n"


def test_a_stage_is_hidden_whose_difference_to_another_is_small(desk: Any, verdict: Any) -> None:
    context = desk(
        {
            "candidates.csv": plain(
                {"Applied": 30, "Screen": 20, "Interview": 10, "Offer": 2, "Hired": 8}
            )
        }
    )
    answer = hiring_funnel(context)
    shown = [row["reached"] for row in answer.result["stages"]]
    assert shown[:3] == ["70", "40", "20"]
    assert HIDDEN in shown[3:]
    assert verdict(small_cells, answer.deliverables[0], context) == []


def test_a_funnel_that_says_anything_else_or_too_much_is_found(
    desk: Any, lies: Any, verdict: Any, change: Any
) -> None:
    context = desk(
        {
            "candidates.csv": plain(
                {"Applied": 30, "Screen": 20, "Interview": 10, "Offer": 2, "Hired": 8}
            )
        }
    )
    item = hiring_funnel(context).deliverables[0]
    file = context.workspace / item.path
    cells = [
        ("Funnel", "B2", 71, "gives '70'"),
        ("Funnel", "C3", 19, "gives '20'"),
        ("Funnel", "F2", 3, "source gives"),
    ]
    lies(funnel_ties, item, context, cells)
    lies(live_formulas, item, context, [("Funnel", "E2", 0.5, "typed")])
    lies(small_cells, item, context, [("Funnel", "C5", 2, "The count 2 is small")])
    change(file, "Funnel", "B6", 8)  # one of both was hidden; now their difference is seen
    for cell, value in (("B5", 10), ("E5", 0.8)):
        lies(small_cells, item, context, [("Funnel", cell, value, "give away a small group")])
        lies(funnel_ties, item, context, [("Funnel", cell, value, "source gives")])


def test_stages_as_rows_give_the_same_as_stages_as_columns(desk: Any, verdict: Any) -> None:
    wide = extract(4)
    lines = ["Candidate,Stage,Date,Source"]
    for row in wide.splitlines()[1:]:
        key, source, _, *days = row.split(",")
        lines += [
            f"{key},{stage},{day},{source}" for stage, day in zip(STAGES, days, strict=True) if day
        ]
        lines.append(f"{key},Rejected,2026-12-01,{source}")
    one = hiring_funnel(desk({"candidates.csv": wide}), output="a.xlsx").result["stages"]
    context = desk({"ats stages.csv": "\n".join(lines) + "\n"})
    answer = hiring_funnel(context, path="ats stages.csv", output="b.xlsx")
    assert answer.result["stages"] == one
    assert verdict(funnel_ties, answer.deliverables[0], context) == []


def test_the_cohort_is_who_began_in_the_period(desk: Any, verdict: Any) -> None:
    text = extract(5)
    table, _ = by_pandas(text)
    context = desk({"candidates.csv": text})
    answer = hiring_funnel(context, request="Hiring funnel Q1 2026")
    began = table[list(STAGES)].min(axis=1)
    assert answer.result["stages"][0]["reached"] == str((began <= "2026-03-31").sum())
    assert "2026-01-01 to 2026-03-31" in answer.result["cohort"]
    assert verdict(funnel_ties, answer.deliverables[0], context) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "Candidate,Applied,Screen\n1,2026-02-03,2026-02-01\n",
            "row 2: Screen on 2026-02-01 is before",
        ),
        ("Candidate,Applied\n1,2026-02-03\n", "1 columns of stages"),
        ("Candidate,Applied,Screen\n1,2026-02-03,\n1,2026-02-03,\n", "several rows"),
        (
            "Candidate,Stage,Date\n1,Applied,2026-02-03\n1,Tea party,2026-02-04\n",
            "order of the stages is not known",
        ),
        ("Candidate,Stage,Date\n1,Applied,2026-02-03\n1,Offer,\n", "are all needed"),
        ("Person,Applied,Screen\n1,2026-02-03,\n", "no column for candidates"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_place(desk: Any, text: str, says: str) -> None:
    with pytest.raises(ToolInputError, match=says):
        hiring_funnel(desk({"candidates.csv": text}))


def test_pictures_and_files_that_are_changed_broken_or_not_held_fail(
    desk: Any, verdict: Any, tmp_path: Path
) -> None:
    context = desk(
        {
            "candidates.csv": plain(
                {"Applied": 30, "Screen": 20, "Interview": 10, "Offer": 9, "Hired": 8}
            )
        }
    )
    book, svg, png = hiring_funnel(context).deliverables
    (tmp_path / svg.path).write_text((tmp_path / svg.path).read_text().replace("77", "78"))
    assert verdict(funnel_ties, svg, context) == [
        "The picture is not the one that its source gives."
    ]
    (tmp_path / png.path).write_bytes(b"junk")
    assert "not a readable PNG" in verdict(funnel_ties, png, context)[0]
    for rule in (funnel_ties, small_cells):
        assert any("UNVERIFIED" in message for message in verdict(rule, book, context, held=False))
    (tmp_path / book.path).write_bytes(b"junk")
    assert "not a readable workbook" in verdict(small_cells, book, context)[0]
