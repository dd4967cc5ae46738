from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_hr.publication import read_report
from deskmate_hr.tools.report import people_report
from deskmate_hr.validators.rules import figures_tie, small_cells

CASES = (
    Path(__file__).resolve().parents[4] / "shared" / "cases" / "hr" / "data" / "emp_attrition.csv"
)
TEAMS = {"Sales": (20, 6), "Legal": (7, 2), "Finance": (30, 9)}


def staff() -> str:
    rows = [
        f"{team},{'Yes' if n < gone else 'No'}"
        for team, (size, gone) in TEAMS.items()
        for n in range(size)
    ]
    return "Team,Attrition\n" + "\n".join(rows) + "\n"


def reported(tmp_path: Path, text: str = "", **arguments: Any) -> Any:
    (tmp_path / "emp.csv").write_text(text or staff())
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
    return people_report(context, **arguments)


def verdicts(tmp_path: Path, answer: Any, held: bool = True, **changes: Any) -> Any:
    deliverable = replace(answer.deliverables[0], **changes)
    sources = Sources({"emp.csv": tmp_path / "emp.csv"} if held else {}, {})
    room = ValidationContext(file=tmp_path / deliverable.path, sources=sources)
    return (
        [f.message for f in small_cells(deliverable, room)],
        [f.message for f in figures_tie(deliverable, room)],
    )


@pytest.mark.parametrize("output", ["report.docx", "report.xlsx"])
def test_a_report_hides_small_cells_and_passes_both_rules(tmp_path: Path, output: Any) -> None:
    answer = reported(tmp_path, output=output)
    rows = answer.result["tables"][0]["rows"]
    assert rows[0] == ["Team", "Headcount", "Left", "Stayed", "Share of headcount", "Attrition"]
    assert rows[2] == ["Legal", "7", "–", "–", "12.3 %", "–"]
    assert rows[-1] == ["Total", "57", "17", "40", "100.0 %", "29.8 %"]
    assert verdicts(tmp_path, answer) == ([], [])


def edit(tmp_path: Path, table: int, row: int, column: int, text: str, prose: str = "") -> None:
    from docx import Document

    document = Document(str(tmp_path / "people-report.docx"))
    document.tables[table].rows[row].cells[column].text = text
    if prose:
        document.add_paragraph(prose)
    document.save(str(tmp_path / "people-report.docx"))


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [(2, "2", "is small"), (5, "28.6 %", "gives away"), (3, "5", "worked out")],
)
def test_a_hidden_count_put_back_fails(tmp_path: Path, column: Any, text: Any, says: Any) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 2, column, text)
    small, tie = verdicts(tmp_path, answer)
    assert any(says in message for message in small)
    assert tie


def test_a_wrong_figure_fails_and_only_by_the_rule_on_figures(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 3, 1, "21")
    small, tie = verdicts(tmp_path, answer)
    assert small == [] or all("worked out" in m for m in small)
    assert any("Sales | 21" in message for message in tie)


def test_prose_may_use_published_figures_and_no_others(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 0, 0, "Team", "Sales had 20 people.")
    assert verdicts(tmp_path, answer) == ([], [])
    edit(tmp_path, 0, 0, 0, "Team", "Legal lost 2 people.")
    assert any("figure 2 is in no table" in m for m in verdicts(tmp_path, answer)[1])


def test_a_table_of_ones_own_with_small_counts_fails(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 0, 1, "People")
    edit(tmp_path, 0, 2, 2, "2")
    assert any("is small" in message for message in verdicts(tmp_path, answer)[0])


def test_sources_and_data_that_are_missing_fail(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    assert "UNVERIFIED" in verdicts(tmp_path, answer, held=False)[1][0]
    assert "does not say how" in verdicts(tmp_path, answer, data={})[1][0]
    assert (
        "cannot be computed"
        in verdicts(tmp_path, answer, data={"group_by": ["X"], "settings": {}})[1][0]
    )


def test_a_report_that_cannot_be_opened_fails_both_rules(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    (tmp_path / "people-report.docx").write_bytes(b"junk")
    small, tie = verdicts(tmp_path, answer)
    assert "not a readable DOCX" in small[0]
    assert "not a readable DOCX" in tie[0]


def test_a_walk_from_opening_to_closing_balances_and_gives_the_rate(tmp_path: Path) -> None:
    rows = ["A,2020-01-01,"] * 20 + ["A,2020-01-01,2025-06-30"] * 6 + ["A,2025-03-01,"] * 8
    rows += ["A,2025-02-01,2025-05-01"] * 5 + ["A,2019-01-01,2024-01-01"] * 9
    text = "Dept,Hire Date,Leave Date\n" + "\n".join(rows) + "\n"
    period = {"from": "2025-01-01", "to": "2025-12-31"}
    answer = reported(tmp_path, text, group_by=["Dept"], settings=period)
    assert answer.result["tables"][0]["rows"][1] == [
        "A",
        "26",
        "13",
        "11",
        "28",
        "100.0 %",
        "40.7 %",
    ]
    assert verdicts(tmp_path, answer) == ([], [])


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("", {"group_by": ["Nope"]}, "no column 'Nope'"),
        ("", {"output": "r.pdf"}, "ends in .docx or .xlsx"),
        ("", {"settings": {"x": "1"}}, "unknown"),
        ("", {"path": "none.csv"}, "not a file"),
        ("Team,Hire Date,Leave Date\nA,2020-01-01,2021-01-01\n", {}, "give the period"),
        ("Team,Attrition\n", {}, "no employees"),
        ("Id,Attrition\n" + "\n".join(f"e{n},No" for n in range(99)), {"group_by": ["Id"]}, "coarser"),
        ("Colour,Attrition\nred,No\n", {}, "say by which column"),
        ("Team,Hire Date,Leave Date\nA,2022-01-01,2021-01-01\n", {"settings": {"from": "2021-01-01", "to": "2021-12-31"}}, "before the hire"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(
    tmp_path: Path, text: Any, arguments: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says):
        reported(tmp_path, text, **arguments)


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_file(), reason="no cases folder")
def test_a_real_table_gives_the_figures_that_counting_gives(tmp_path: Path) -> None:
    answer = reported(
        tmp_path, CASES.read_text("utf-8-sig"), request="attrition by Department and JobRole"
    )
    tables = {table["by"]: table["rows"] for table in answer.result["tables"]}
    assert tables["Department"][-1] == ["Total", "1470", "237", "1233", "100.0 %", "16.1 %"]
    hidden = [row[0] for row in tables["JobRole"] if row[2] == "–"]
    assert hidden == ["Human Resources", "Research Director"]
    assert verdicts(tmp_path, answer) == ([], [])
    assert len(read_report(tmp_path / "people-report.docx", "people-report.docx").tables) == 2
