"""Close plans: dates by workdays, the critical path, what is refused, and a changed date."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins.finance.tests.finance_rooms import desk, patch, rules, shown, verdicts

from deskmate.plugin import ToolInputError
from deskmate_finance.close import Task, plan
from deskmate_finance.tools.close import close_plan, period_of
from deskmate_finance.workdays import Workdays, calendar_of

TASKS = """Id,Task,Owner,Workdays,After,Earliest,Due,Status,Evidence
A,Cut off,Ann,1,,T-2,T,done,mail
B,Bank,Bo,2,,,T+2,done,
C,Accruals,Ann,2,A,T+1,T+4,open,
D,Review,Cy,1,"B; C",,T+3,open,
E,Statements,Bo,3,D,,2025-04-14,open,
"""


def planned(tmp_path: Path, text: str = TASKS, **arguments: Any) -> Any:
    context = desk(tmp_path, {"close tasks.csv": text})
    return context, close_plan(context, **{"period_end": "2025-03", **arguments})


def test_tasks_stand_on_workdays_with_slack_and_critical_path(tmp_path: Path) -> None:
    # 31 March 2025 is a Monday; 4 April is free
    context, answer = planned(tmp_path, holidays="2025-04-04")
    result = answer.result
    assert (result["first"], result["last"]) == ("2025-03-27", "2025-04-09")
    assert [(c["id"], c["start"], c["end"]) for c in result["critical"]] == [
        ("B", "2025-04-01", "2025-04-02"),
        ("C", "2025-04-01", "2025-04-02"),
        ("D", "2025-04-03", "2025-04-03"),
        ("E", "2025-04-07", "2025-04-09"),
    ]
    assert result["matters"] == "B is done without evidence"
    owners = shown(context.workspace / result["path"], "Owners")
    assert (owners["Ann"], owners["Bo"], owners["Total"]) == (2, 2, 5)
    assert verdicts(context, answer.deliverables[0]) == []


def test_what_is_late_or_done_too_early_is_named(tmp_path: Path) -> None:
    text = TASKS.replace("D,Review,Cy,1", "D,Review,Cy,3").replace("Cy,3,\"B; C\",,T+3,open", "Cy,3,\"B; C\",,T+3,done")  # fmt: skip
    _, answer = planned(tmp_path, text)
    assert answer.result["matters"].splitlines() == [
        "B is done without evidence",
        "D ends 2 workdays after it is due",
        "D is done without evidence",
        "D is done before C",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("A,Cut off,Ann,1,,", "A,Cut off,Ann,1,E,", "wait for each other: A → E → D → C → A"),
        ("B,Bank,Bo", "B,Bank,", "row 3: a task needs an id, a title and an owner"),
        ('"B; C"', '"B; X"', "row 5: D waits for X, which is no task"),
        ("E,Statements", "D,Statements", "rows 5 and 6: the id D stands twice"),
        ("Bo,3", "Bo,x", "'x' is no number of workdays"),
        ("2025-04-14", "2025-04-12", r"2025-04-12 \(Saturday\) is no workday"),
        ("2025-04-14", "soon", "'soon' is neither T"),
        ("done,mail", "nearly,mail", "not nearly"),
        ("Id,Task", "X,Task", "no column for the id"),
        ("2025-04-14,open", "2025-04-14,open\nF,Later,Bo,1,,2026-04-14,,open", "longer than 60 workdays"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_planned_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in TASKS
    with pytest.raises(ToolInputError, match=says):
        planned(tmp_path, TASKS.replace(old, new))


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "result", "rule"),
    [
        ("Plan", "M7", 0, True, {"FIN-CLOSE-PLAN", "FIN-LIVE-TOTALS"}),
        ("Plan", "D8", 1, False, {"FIN-CLOSE-PLAN", "FIN-LIVE-TOTALS"}),
        ("Plan", "P9", "memo", False, {"FIN-CLOSE-PLAN"}),
        ("To look at", "C6", "nothing", False, {"FIN-CLOSE-PLAN"}),
    ],
)
def test_a_changed_plan_is_refused(
    tmp_path: Path, sheet: str, cell: str, value: Any, result: bool, rule: set[str]
) -> None:
    context, answer = planned(tmp_path)
    patch(context.workspace / answer.result["path"], sheet, cell, value, result=result)
    assert rules(verdicts(context, answer.deliverables[0])) == rule


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.integers(-40, 40),
    st.sets(st.integers(0, 60), max_size=8),
)
def test_workdays_are_counted_as_they_are_added(start: date, count: int, free: set[int]) -> None:
    calendar = Workdays(holidays=tuple(sorted(start + timedelta(days=n) for n in free)))
    first = calendar.add(start, 1)
    other = calendar.add(first, count)
    assert calendar.works(other)
    assert calendar.between(first, other) == count


@given(st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(0, 5), max_size=3)), min_size=1, max_size=8))  # fmt: skip
def test_no_task_begins_before_what_it_waits_for_and_some_path_has_no_slack(rows: Any) -> None:
    tasks = [
        Task(
            number=n, id=str(n), title="t", owner="o", days=days, after=tuple(str(a) for a in sorted(after) if a < n),
            earliest=None, due=None, status="open", evidence="",
        )
        for n, (days, after) in enumerate(rows)
    ]  # fmt: skip
    made = plan(tasks, date(2025, 3, 31), calendar_of(""))
    for task in tasks:
        slot = made.slots[task.id]
        assert all(made.slots[one].end < slot.start for one in task.after)
        assert made.calendar.between(slot.end, slot.latest_end) == slot.slack >= 0
    assert any(made.slots[task.id].end == made.last for task in made.critical())


def test_the_end_of_a_period_is_a_day_or_a_month(tmp_path: Path) -> None:
    assert period_of("close 2025-02") == date(2025, 2, 28)
    assert period_of("to 2025-03-30 please") == date(2025, 3, 30)
    with pytest.raises(ToolInputError, match="Name the end of the period"):
        period_of("close the books")
