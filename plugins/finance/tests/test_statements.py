"""Three statements from a trial balance: they tie, they are live, and each gate knows the lie that it is there for."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from plugins.finance.tests.finance_rooms import desk, patch, row_of, rules, shown, verdicts

from deskmate.plugin import Deliverable, ToolContext, ToolInputError
from deskmate_documents.content import read_content
from deskmate_documents.office.gates import shared_gates
from deskmate_finance.lines import LINES
from deskmate_finance.tools.statements import standard_chart, statements_build

NOW = """Account,Name,Debit,Credit
1000,Bank,48550.75,
1100,Trade debtors,61200.00,
1200,Stock,22450.25,
1500,Machinery,90000.00,
1600,Depreciation so far,,27000.00
2000,Trade creditors,,31780.50
2200,Corporation tax,,9100.00
2500,Bank loan,,40000.00
3000,Share capital,,25000.00
3200,Retained earnings,,44450.00
3300,Dividends,10000.00,
4000,Sales,,352550.50
4900,Gain on a van,,1500.00
5000,Purchases,187300.00,
6000,Wages,100130.00,
6800,Depreciation,9000.00,
7200,Loan interest,2750.00,
Total,531381.00,531381.00
"""
BEFORE = """Account,Name,Debit,Credit
1000,Bank,32030.00,
1100,Trade debtors,54900.00,
1200,Stock,19800.00,
1500,Machinery,84000.00,
1600,Depreciation so far,,22000.00
2000,Trade creditors,,31280.00
2200,Corporation tax,,6000.00
2500,Bank loan,,62000.00
3000,Share capital,,25000.00
3200,Retained earnings,,30000.00
4000,Sales,,287000.00
5000,Purchases,272550.00,
"""
NAMES = ("trial balance 2025.csv", "prior trial balance 2024.csv")


def built(tmp_path: Path, now: str = NOW, before: str = BEFORE, **arguments: Any) -> Any:
    context = desk(tmp_path, {NAMES[0]: now, **({NAMES[1]: before} if before else {})})
    answer = statements_build(context, **arguments)
    return context, answer.deliverables[0], answer.result, context.workspace / answer.result["path"]


def test_the_three_statements_tie_to_the_cent(tmp_path: Path) -> None:
    context, delivered, result, file = built(tmp_path)
    assert result["ties"] is True
    assert (result["profit"], result["total_assets"]) == ("54,870.50", "195,201.00")
    assert result["notes"] == "Everything ties."
    flow = shown(file, "Cash flow")
    assert flow["Net cash from operating activities"] == pytest.approx(57_020.75)
    assert flow["Fixed and intangible assets, net of disposals"] == -8500
    assert flow["Net cash from financing activities"] == -32_000
    assert flow["Cash at the end"] == shown(file, "Balance sheet")["Cash and cash equivalents"]
    assert {v for k, v in rows_of(file, "Checks", 5) if k} <= {"ties", "Result", None}
    assert verdicts(context, delivered) == []


def rows_of(file: Path, sheet: str, column: int) -> list[tuple[Any, Any]]:
    import openpyxl

    rows = openpyxl.load_workbook(file, data_only=True)[sheet].iter_rows(values_only=True)
    return [(row[0], row[column - 1]) for row in rows if len(row) >= column]


def test_every_figure_of_the_statements_is_a_formula(tmp_path: Path) -> None:
    import openpyxl

    _, _, _, file = built(tmp_path)
    book = openpyxl.load_workbook(file)
    for name in ("Income statement", "Balance sheet", "Cash flow", "Checks"):
        typed = [c.coordinate for r in book[name] for c in r if isinstance(c.value, int | float)]
        assert typed == []


def test_the_workbook_says_that_it_is_a_draft_and_passes_the_shared_gates(tmp_path: Path) -> None:
    from deskmate.plugin import Sources, ValidationContext

    context, delivered, _, file = built(tmp_path)
    assert "Draft for professional review" in read_content(file).text
    sources = Sources({name: context.workspace / name for name in NAMES}, {})
    room = ValidationContext(file=file, sources=sources)
    assert [f for gate in shared_gates() for f in gate.function(delivered, room)] == []
    for name in ("Income statement", "Balance sheet", "Cash flow", "Trial balance", "Checks"):
        patch(file, name, "A2", "Audited")
    found = [f.rule for gate in shared_gates() for f in gate.function(delivered, room)]
    assert "G-REVIEW" in found


def test_without_opening_balances_there_is_no_cash_flow(tmp_path: Path) -> None:
    context, delivered, result, _file = built(tmp_path, before="")
    assert result["statements"] == ["Income statement", "Balance sheet"]
    assert "no opening balances" in result["notes"]
    assert verdicts(context, delivered) == []
    # A prior period that the sources do have must be used.
    (context.workspace / NAMES[1]).write_text(BEFORE)
    changed = {"sources": {"trial_balance": NAMES[0], "prior": NAMES[1]}}
    assert "FIN-CASH-TIES" in rules(verdicts(context, delivered, originals=NAMES, **changed))


def test_opening_balances_may_be_a_column(tmp_path: Path) -> None:
    text = (
        "Account,Balance,Opening balance,Line\nCash at bank,150.00,100.00,Cash\nShares,-100.00,-100.00,Share capital\n"
        "Fees,-80.00,0,Revenue\nWages,30.00,0,Operating expenses\n"
    )
    context, delivered, result, _file = built(tmp_path, now=text, before="")
    assert (result["profit"], result["change_in_cash"]) == ("50.00", "50.00")
    assert result["chart"].endswith("its own column")
    assert verdicts(context, delivered) == []


def test_retained_earnings_that_were_not_brought_forward_are_shown_and_warned_of(
    tmp_path: Path,
) -> None:
    now = NOW.replace("44450.00", "44350.00").replace("48550.75", "48450.75")
    context, delivered, result, file = built(tmp_path, now=now)
    assert "differ by -100.00" in result["notes"]
    assert shown(file, "Cash flow")["Entries made directly to retained earnings"] == -100
    assert [(r, level) for r, level, _ in verdicts(context, delivered)] == [
        ("FIN-CASH-TIES", "warning")
    ]


def test_the_users_chart_comes_before_the_standard_one(tmp_path: Path) -> None:
    context = desk(
        tmp_path,
        {
            "tb.csv": "Account,Balance\n10 Till,5\n20 Fees,-5\n",
            "chart of accounts.csv": "account,line\n10-19,Cash\n20,Revenue\n",
        },
    )
    answer = statements_build(context)
    assert answer.result["chart"] == "chart of accounts.csv"
    assert verdicts(context, answer.deliverables[0]) == []
    assert answer.deliverables[0].sources["chart"] == "chart of accounts.csv"


@pytest.mark.parametrize(
    ("now", "chart", "says"),
    [
        (
            NOW.replace("48550.75", "48550.76"),
            "",
            r"does not balance: debits less credits are 0\.01",
        ),
        (NOW.replace("1000,", "9999,"), "", "1 accounts have no line in the standard chart: 9999"),
        (NOW.replace("1100,", "1000,"), "", "account 1000 stands twice"),
        (NOW, "account,line\n1000-2000,Cash\n1500-1999,Inventories\n", "several lines"),
        (NOW, "account,line\n1000,Biscuits\n", "no line of the statements"),
        (NOW, "code,what\n1000,Cash\n", "needs the columns account and line"),
        ("Account,Balance,Currency\nA,1,EUR\nB,-1,USD\n", "", "one entity and currency"),
        ("Account,Balance\nA,x\n", "", "not an amount"),
        ("Item,Figure\nA,1\n", "", "no account column"),
    ],
)
def test_what_cannot_be_built_exactly_is_refused(
    tmp_path: Path, now: str, chart: str, says: str
) -> None:
    files = {"trial balance.csv": now, **({"coa.csv": chart} if chart else {})}
    context = desk(tmp_path, files)
    with pytest.raises(ToolInputError, match=says):
        statements_build(context)
    assert list(context.workspace.glob("*.xlsx")) == []


def test_the_files_are_asked_for_where_several_fit(tmp_path: Path) -> None:
    context = desk(tmp_path, {"tb a.csv": NOW, "tb b.csv": NOW})
    with pytest.raises(ToolInputError, match="Several files may be it"):
        statements_build(context)
    assert statements_build(context, request="use tb b.csv please").result["ties"]
    with pytest.raises(ToolInputError, match="cannot be the workbook"):
        statements_build(context, "tb a.csv", output="tb a.csv")
    with pytest.raises(ToolInputError, match="'colour' is unknown"):
        statements_build(context, "tb a.csv", settings={"colour": "red"})


@pytest.fixture
def made(tmp_path: Path) -> tuple[ToolContext, Deliverable, Path]:
    context, delivered, _, file = built(tmp_path)
    return context, delivered, file


@pytest.mark.parametrize(
    ("sheet", "title", "column", "value", "result", "rule"),
    [
        # a typed total, although it is right
        ("Balance sheet", "Total assets", "B", 195201.0, False, "FIN-LIVE-TOTALS"),
        ("Income statement", "Gross profit", "B", "=B6+B7+0.5-0.5", False, "FIN-LIVE-TOTALS"),
        # a result that its formula does not give
        ("Balance sheet", "Total assets", "B", 195201.01, True, "FIN-BS-BALANCES"),
        ("Balance sheet", "Total assets", "B", 195201.01, True, "FIN-LIVE-TOTALS"),
        ("Cash flow", "Cash at the end", "B", 48550.76, True, "FIN-CASH-TIES"),
        ("Cash flow", "Trade payables", "B", 600.5, True, "FIN-STATEMENTS-TIE"),
        ("Income statement", "Revenue", "C", 287000.01, True, "FIN-STATEMENTS-TIE"),
        # a trial balance that is not the source's
        ("Trial balance", "1000", "D", 48550.0, False, "FIN-TB-BALANCES"),
        ("Trial balance", "1000", "C", "Inventories", False, "FIN-TB-BALANCES"),
        ("Trial balance", "1000", "A", "1001", False, "FIN-TB-BALANCES"),
        ("Trial balance", "1000", "G", 1.0, False, "FIN-TB-BALANCES"),
        ("Balance sheet", "Total equity", "A", "Equity, total", False, "FIN-STATEMENTS-TIE"),
    ],
)
def test_each_gate_finds_the_lie_that_it_is_there_for(
    made: Any, sheet: str, title: str, column: str, value: Any, result: bool, rule: str
) -> None:
    context, delivered, file = made
    patch(file, sheet, f"{column}{row_of(file, sheet, title)}", value, result=result)
    assert rule in rules(verdicts(context, delivered))


def test_a_name_that_is_no_figure_may_change(made: Any) -> None:
    context, delivered, file = made
    patch(file, "Trial balance", f"B{row_of(file, 'Trial balance', '1000')}", "Main bank account")
    assert verdicts(context, delivered) == []


def test_originals_that_the_host_never_held_are_an_error_of_each_gate(made: Any) -> None:
    context, delivered, _ = made
    found = verdicts(context, delivered, originals=())
    assert {rule for rule, level, text in found if level == "error" and "UNVERIFIED" in text} == {
        "FIN-TB-BALANCES", "FIN-CASH-TIES", "FIN-STATEMENTS-TIE",
    }  # fmt: skip


def test_a_file_that_is_no_workbook_is_an_error_of_each_gate(made: Any) -> None:
    context, delivered, file = made
    file.write_bytes(b"PK\x03\x04 no workbook")
    found = verdicts(context, delivered)
    assert rules(found) == {
        "FIN-TB-BALANCES", "FIN-BS-BALANCES", "FIN-CASH-TIES", "FIN-STATEMENTS-TIE", "FIN-LIVE-TOTALS",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_any_trial_balance_that_balances_gives_statements_that_tie(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    texts = []
    for _ in range(2):
        rows, total = ["Account,Balance"], Decimal()
        for first, _, _ in chance.sample(standard_chart().ranges, 20):
            figure = Decimal(chance.randrange(-(10**9), 10**9)) / 100
            total += figure
            rows.append(f"{int(first) + 1},{figure:f}")
        texts.append("\n".join([*rows, f"3050,{-total:f}"]) + "\n")
    context, delivered, result, _ = built(tmp_path, *texts)
    assert result["ties"] is True
    assert {level for _, level, _ in verdicts(context, delivered)} <= {"warning"}


def test_the_standard_chart_reaches_every_line_once(tmp_path: Path) -> None:
    chart = standard_chart()
    assert {line for _, _, line in chart.ranges} == {line.title for line in LINES}
    assert all(chart.line_of(str(account)) for account in (1000, 4999, 6899, 8099))
    assert chart.line_of("8100") == ""
