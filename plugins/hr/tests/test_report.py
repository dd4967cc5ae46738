import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_hr.publication import read_report
from deskmate_hr.tools.report import people_report
from deskmate_hr.validators.live import live_formulas
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


def verdicts(tmp_path: Path, answer: Any, held: bool = True, which: int = 0, **changes: Any) -> Any:
    deliverable = replace(answer.deliverables[which], **changes)
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
    [(2, "2", "is small"), (5, "28.6 %", "gives away"), (3, "5", "give away a small group")],
)
def test_a_hidden_count_put_back_fails(tmp_path: Path, column: Any, text: Any, says: Any) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 2, column, text)
    small, tie = verdicts(tmp_path, answer)
    assert any(says in message for message in small)
    assert tie


def test_a_figure_that_is_hidden_for_no_reason_fails(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 1, 1, "–")
    small, tie = verdicts(tmp_path, answer)
    assert any("gives away" in message for message in small)
    assert any("Headcount of Finance is hidden, other than" in message for message in tie)


def test_a_wrong_figure_fails_and_only_by_the_rule_on_figures(tmp_path: Path) -> None:
    answer = reported(tmp_path)
    edit(tmp_path, 0, 3, 1, "21")
    small, tie = verdicts(tmp_path, answer)
    assert small == []
    assert any("Headcount of Sales is 21; the source gives 20" in message for message in tie)


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
        ("", {"group_by": ["Team", "Team"]}, "asked for twice"),
        ("", {"settings": {"measures": "height"}}, "no measure 'height'"),
        ("", {"settings": {"measures": "pay"}}, "no column for pay"),
        ("", {"settings": {"measures": "tenure"}}, "no column for tenure"),
        ("Team,Salary,Currency\nA,1,USD\nA,2,EUR\n", {"settings": {"measures": "pay"}}, "several currencies"),
        ("Team,Age\nA,30\n", {"group_by": ["Age"], "settings": {"bands": "Age: 40, 30"}}, "rising"),
        ("", {"settings": {"x": "1"}}, "unknown"),
        ("", {"path": "none.csv"}, "not a file"),
        ("Team,Hire Date,Leave Date\nA,2020-01-01,2021-01-01\n", {}, "give the period"),
        ("Team,Attrition\n", {}, "no employees"),
        ("Id,Attrition\n" + "\n".join(f"e{n},No" for n in range(99)), {"group_by": ["Id"]}, "coarser"),
        ("Colour,Attrition\nred,No\n", {}, "say by which column"),
        ("Team,Attrition\nA,No\n", {"group_by": [""]}, "A group has no column"),
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
    assert "Research Director" in hidden  # of whom two left
    assert len(hidden) == 2
    assert verdicts(tmp_path, answer) == ([], [])
    assert len(read_report(tmp_path / "people-report.docx", "people-report.docx").tables) == 2


def paid_staff(seed: int = 3) -> str:
    """People with two groupings that overlap, pay and tenure; some groups are small."""
    chance = random.Random(seed)
    rows = ["Name,Dept,Role,Gender,Age,Attrition,Salary,Years at company"]
    for number in range(240):
        dept = chance.choice(["Sales"] * 6 + ["Legal"] + ["Research"] * 5)
        role = {"Legal": "Counsel"}.get(dept) or chance.choice(["Lead"] + ["Staff"] * 5 + [dept])
        gender = chance.choice(("F", "F", "M", "M", "M", "X") if number % 20 == 0 else ("F", "M"))
        rows.append(
            f"Person {number} Of,{dept},{role},{gender},{chance.randint(20, 64)},{chance.choice(('Yes', 'No', 'No', 'No', 'No'))},"
            f"{chance.randint(30_000, 99_000)},{chance.randint(0, 20)}"
        )
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("seed", range(3))
def test_every_shown_figure_is_what_pandas_gives(tmp_path: Path, seed: int) -> None:
    text = paid_staff(seed)
    settings = {"measures": "pay, tenure", "bands": "Age: 30, 45"}
    by = ["Dept", "Role", "Dept × Gender", "Age"]
    answer = reported(tmp_path, text, group_by=by, settings=settings)
    frame = pd.read_csv(io.StringIO(text))
    frame["Age"] = [
        "under 30" if a < 30 else "30 to under 45" if a < 45 else "45 and over"
        for a in frame["Age"]
    ]
    frame["Dept × Gender"] = frame["Dept"] + " · " + frame["Gender"]
    seen = 0
    for table in answer.result["tables"]:
        for row in table["rows"][1:]:
            own = frame if row[0] == "Total" else frame[frame[table["by"]] == row[0]]
            left = int((own["Attrition"] == "Yes").sum())
            right = [
                str(len(own)), str(left), str(len(own) - left), f"{100 * len(own) / len(frame):.1f} %",
                f"{100 * left / len(own):.1f} %", f"{own['Years at company'].mean():.1f}",
                f"{own['Years at company'].median():.1f}", f"{own['Salary'].mean():,.2f}", f"{own['Salary'].median():,.2f}",
            ]  # fmt: skip
            for cell, truth in zip(row[1:], right, strict=True):
                assert cell == "–" or abs(number(cell) - number(truth)) < 0.11
                seen += cell != "–"
    assert seen > 60
    for deliverable in range(2):
        assert verdicts(tmp_path, answer, which=deliverable) == ([], [])


def number(text: str) -> float:
    return float(text.replace(",", "").removesuffix(" %"))


def test_a_mean_that_gives_away_the_pay_of_a_few_is_not_shown(tmp_path: Path) -> None:
    rows = ["Team,Salary"] + ["A,40000"] * 20 + ["B,50000"] * 9 + ["C,90000"] * 2
    answer = reported(tmp_path, "\n".join(rows), settings={"measures": "pay"}, output="r.xlsx")
    table = {row[0]: row for row in answer.result["tables"][0]["rows"]}
    assert table["C"][1:] == ["–"] * 4
    # With the means of A, B and all one could subtract: so one more group is hidden.
    assert [name for name in "AB" if table[name][3] == "–"] == ["B"]
    assert verdicts(tmp_path, answer) == ([], [])
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    book["1 Team"]["B3"], book["1 Team"]["D3"] = 9, 50000
    book.save(tmp_path / "r.xlsx")
    small, _ = verdicts(tmp_path, answer)
    assert any("shown counts give away" in message for message in small)
    assert any("means of pay give away" in message for message in small)


def test_two_tables_are_protected_against_each_other(tmp_path: Path) -> None:
    rows = (
        ["Dept,Role"]
        + ["Legal,Counsel"] * 28
        + ["Legal,Aide"] * 2
        + ["Ops,Aide"] * 50
        + ["Ops,Clerk"] * 40
    )
    answer = reported(tmp_path, "\n".join(rows), group_by=["Dept", "Role"])
    cells = {(t["by"], row[0]): row[1] for t in answer.result["tables"] for row in t["rows"]}
    assert "–" in (cells["Dept", "Legal"], cells["Role", "Counsel"])
    assert verdicts(tmp_path, answer) == ([], [])
    for table, row, count in ((0, 1, "30"), (0, 2, "90"), (1, 1, "52"), (1, 2, "40"), (1, 3, "28")):
        edit(tmp_path, table, row, 1, count)
    small, _ = verdicts(tmp_path, answer)
    assert any("30 less 28 is 2" in message for message in small)


def test_the_workbook_is_live_and_a_typed_rate_fails(tmp_path: Path) -> None:
    answer = reported(tmp_path, output="r.xlsx")
    room = ValidationContext(file=tmp_path / "r.xlsx", sources=Sources({}, {}))
    assert live_formulas(answer.deliverables[0], room) == []
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx")["1 Team"]
    assert sheet["E2"].value == "=B2/B$5"
    assert sheet["B5"].value == "=SUM(B2:B4)"
    assert len(sheet._charts) == 1
    patched = openpyxl.load_workbook(tmp_path / "r.xlsx")
    patched["1 Team"]["E2"] = 0.5
    patched.save(tmp_path / "r.xlsx")
    found = [finding.message for finding in live_formulas(answer.deliverables[0], room)]
    assert any("typed where a formula belongs" in message for message in found)


def test_the_key_figures_of_the_workbook_are_the_totals(tmp_path: Path) -> None:
    answer = reported(tmp_path, output="r.xlsx")
    assert verdicts(tmp_path, answer) == ([], [])
    book = openpyxl.load_workbook(tmp_path / "r.xlsx", data_only=True)
    book["Summary"]["C2"] = "2 in Legal left"
    book.save(tmp_path / "r.xlsx")
    assert "The key figures are not the totals of the first table." in verdicts(tmp_path, answer)[1]
    book["Summary"]["C2"], book["Summary"]["B2"] = None, 58
    book.save(tmp_path / "r.xlsx")
    assert "The key figures are not the totals of the first table." in verdicts(tmp_path, answer)[1]


def test_a_threshold_is_raised_by_a_setting_and_never_lowered(tmp_path: Path) -> None:
    (tmp_path / "emp.csv").write_text(staff())
    config = {"smallest_cell": 10}
    context = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path, config=config)
    table = people_report(context).result["tables"][0]["rows"]
    assert {row[0]: row[1] for row in table}["Legal"] == "–"
    low = replace(context, config={"smallest_cell": 3})
    with pytest.raises(ToolInputError, match="5 to 100"):
        people_report(low)


def test_a_group_that_is_called_total_is_told_from_the_totals(tmp_path: Path) -> None:
    answer = reported(tmp_path, "Team\n" + "Total\n" * 8 + "B\n" * 9, group_by=["Team"])
    rows = answer.result["tables"][0]["rows"]
    assert [row[:2] for row in rows[1:]] == [["B", "9"], ["Total (group)", "8"], ["Total", "17"]]
    assert verdicts(tmp_path, answer) == ([], [])


def test_pay_is_reported_only_where_it_is_asked_for(tmp_path: Path) -> None:
    text = paid_staff()
    quiet = reported(tmp_path, text, request="headcount by Dept")
    asked = reported(tmp_path, text, request="headcount and pay by Dept")
    assert "Mean pay" not in quiet.result["tables"][0]["rows"][0]
    assert "Mean pay" in asked.result["tables"][0]["rows"][0]


def test_no_headline_compares_groups_by_a_protected_trait(tmp_path: Path) -> None:
    rows = [
        f"{'AB'[n % 2]},{'FM'[n // 2 % 2]},{'Yes' if n % (5 + n % 2) == 0 else 'No'}"
        for n in range(160)
    ]
    text = "Dept,Gender,Attrition\n" + "\n".join(rows)
    answer = reported(tmp_path, text, group_by=["Dept", "Gender", "Dept × Gender"])
    compared = [line for line in answer.result["headlines"] if "highest" in line]
    assert [line.partition(",")[0] for line in compared] == ["By Dept"]
    assert verdicts(tmp_path, answer) == ([], [])


@pytest.mark.parametrize(
    ("request_", "period"),
    [
        ("attrition in 2025", ("2025-01-01", "2025-12-31")),
        ("attrition Q1 2025", ("2025-01-01", "2025-03-31")),
        ("attrition 2025 H2", ("2025-07-01", "2025-12-31")),
        ("attrition 2025-02-01 to 2025-06-30", ("2025-02-01", "2025-06-30")),
    ],
)
def test_the_period_is_read_from_the_request(tmp_path: Path, request_: str, period: Any) -> None:
    rows = ["A,2020-01-01,"] * 20 + ["A,2020-01-01,2025-03-10"] * 6
    text = "Dept,Hire Date,Leave Date\n" + "\n".join(rows) + "\n"
    answer = reported(tmp_path, text, group_by=["Dept"], request=request_)
    settings = answer.deliverables[0].data["settings"]
    assert (settings["from"], settings["to"]) == period
    assert verdicts(tmp_path, answer) == ([], [])


def test_a_table_with_dates_and_a_status_is_a_snapshot_where_no_period_is_given(
    tmp_path: Path,
) -> None:
    rows = ["A,2020-01-01,,Active"] * 20 + ["A,2020-01-01,2025-03-10,Terminated"] * 6
    text = "Dept,Hire Date,Termination Date,Status\n" + "\n".join(rows) + "\n"
    answer = reported(tmp_path, text, group_by=["Dept"])
    assert answer.result["tables"][0]["rows"][1][:4] == ["A", "26", "6", "20"]
    walk = reported(tmp_path, text, group_by=["Dept"], request="attrition 2025")
    assert walk.result["tables"][0]["rows"][1][:5] == ["A", "26", "0", "6", "20"]
