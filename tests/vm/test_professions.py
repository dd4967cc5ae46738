"""Each profession does a job on material made here, in a real machine; and a spoilt result is never told as done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
from tests.vm.desk import Desk, tree

from deskmate.host import Host, RunOrder, RunResult
from deskmate.ports import Delta
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event
from deskmate.types.files import Grant

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
SHARED_GATES = {"G-QUOTE", "G-PLACEHOLDER", "G-OOXML"}

BANK = """\
Date,Description,Amount,Balance
2026-03-02,Deposit INV-1001,1250.00,1250.00
2026-03-05,Office rent,-800.00,450.00
2026-03-09,Customer INV-1002,2300.50,2750.50
2026-03-30,Bank charges,-12.40,2738.10
"""
LEDGER = """\
Date,Text,Amount,Balance
2026-03-02,Deposit INV-1001,1250.00,1250.00
2026-03-04,Office rent,-800.00,450.00
2026-03-09,Customer INV-1002,2300.50,2750.50
"""
LEAVE = "Every employee may take sixteen weeks of paid parental leave within the first year."
HANDBOOK = f"# Handbook\n\n## Parental leave\n\n{LEAVE}\n\n## Expenses\n\nHand receipts in.\n"
# department: people, of whom have left
STAFF = {"Sales": (14, 6), "Engineering": (22, 5), "Finance": (9, 0), "Legal": (2, 1)}
COMMITS = (("Ada", "Add the valve"), ("Ada", "Add the pump"), ("Grace", "Say what it is"))
EVENTS = """\
case,activity,timestamp
A,Receive,2026-03-02T08:00
A,Check,2026-03-02T10:00
A,Pay,2026-03-03T10:00
B,Receive,2026-03-02T09:00
B,Check,2026-03-02T12:00
B,Check,2026-03-02T13:00
B,Pay,2026-03-04T13:00
C,Receive,2026-03-05T09:00
C,Pay,2026-03-05T10:00
"""
STEPS = (
    "Stop writes on the primary.",
    "Wait until the replica has caught up.",
    "Promote the replica.",
)
RUNBOOK = "# Database failover\n\nOwner: Storage team\n\n" + "".join(
    f"{number}. {step}\n" for number, step in enumerate(STEPS, 1)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with material for every profession."""
    work = tmp_path / "work"
    subprocess.run(
        [sys.executable, ROOT / "examples/make_contract.py", work], check=True, timeout=60
    )
    people = ["Name,Department,Left"]
    for department, (count, left) in STAFF.items():
        names = (f"{department} person {number}" for number in range(count))
        people += [
            f"{name},{department},{'yes' if n < left else 'no'}" for n, name in enumerate(names)
        ]
    files = {
        "bank statement.csv": BANK,
        "ledger.csv": LEDGER,
        "employees.csv": "\n".join(people) + "\n",
        "handbook.md": HANDBOOK,
        "event log.csv": EVENTS,
        "failover runbook.md": RUNBOOK,
    }
    for name, text in files.items():
        (work / name).write_text(text, "utf-8")
    repository = work / "engine"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    for number, (author, subject) in enumerate(COMMITS):
        (repository / f"part-{number}.py").write_text(f"# {subject}\n")
        git(repository, "add", ".")
        who = ("-c", f"user.name={author}", "-c", "user.email=someone@example.com")
        git(repository, *who, "commit", "-q", "-m", subject)
    return work


def git(repository: Path, *arguments: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", repository, *arguments], check=True, env=environ, timeout=60)


def work(desk: Desk, folder: Path, plugin: str, request: str, *gates: str) -> dict[str, Any]:
    """Run a request by rules alone; the result must have passed the shared gates and these, and is applied."""
    before = tree(folder)
    desk.call("plugin", "enable", plugin, "--yes")
    done: dict[str, Any] = desk.json("run", request, "--plugin", plugin, "--folder", f"{folder}:rw")
    assert done["reason"] == "done", done
    assert tree(folder) == before
    if gates:
        (verdict,) = desk.events(done["thread"], "Validated")
        assert verdict["passed"] is True
        assert set(verdict["rules"]) >= SHARED_GATES | set(gates)
        desk.call("changes", "apply", "--thread", done["thread"])
    # An answer is for people: no data structures, no name of a place that leads nowhere.
    assert not set("{}[]") & set(done["answer"].replace("[deskmate]", "")), done["answer"]
    assert "none" not in done["answer"], done["answer"]
    return done


def rows_of(file: Path, sheet: str) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(file)[sheet].iter_rows(values_only=True))


def test_finance_reconciles_a_bank_statement_and_finds_the_one_open_item(
    desk: Desk, folder: Path
) -> None:
    request = "Reconcile the bank statement with the ledger."
    done = work(desk, folder, "finance", request, "FIN-RECON-TIES")
    file = folder / "reconciliation.xlsx"
    open_items = rows_of(file, "Open items")
    assert len(open_items) == 2  # the header and the one item
    assert {"bank", 5, "Bank charges"} <= set(open_items[1])
    assert Decimal("-12.40") in [
        Decimal(str(cell)) for cell in open_items[1] if isinstance(cell, int | float)
    ]
    assert len(rows_of(file, "Matched")) >= 1 + 3
    assert "Bank charges" in done["answer"]
    assert "-12.40" in done["answer"]
    assert "Difference: 0.00" in done["answer"]


TRIAL_BALANCE = """\
Account,Name,Debit,Credit
1000,Bank,150.25,
1500,Machines,80.00,
3000,Shares,,100.00
3200,Retained earnings,,20.00
4000,Sales,,190.25
5000,Purchases,80.00,
"""
PRIOR_BALANCE = "Account,Debit,Credit\n1000,120.00,\n3000,,100.00\n3200,,20.00\n"
SALES = (
    "Product,Budget units,Budget,Actual units,Actual\nA,10,100.00,12,132.00\nB,5,100.00,5,90.00\n"
)


def test_finance_builds_statements_explains_a_variance_and_audits_a_model(
    desk: Desk, folder: Path
) -> None:
    (folder / "trial balance.csv").write_text(TRIAL_BALANCE)
    (folder / "prior trial balance.csv").write_text(PRIOR_BALANCE)
    (folder / "sales budget.csv").write_text(SALES)
    book = openpyxl.Workbook()
    for row in (
        ["Line", 1, 2, 3],
        ["Sales", 10, 11, 12],
        ["Cost", "=B2*0.4", "=C2*0.4", "=C2*0.4"],
    ):
        book.active.append(row)
    book.save(folder / "model.xlsx")
    gates = ("FIN-TB-BALANCES", "FIN-BS-BALANCES", "FIN-CASH-TIES", "FIN-STATEMENTS-TIE")
    request = "Build the three statements from the trial balance."
    done = work(desk, folder, "finance", request, *gates, "FIN-LIVE-TOTALS", "G-REVIEW")
    assert "Profit for the period: 110.25" in done["answer"]
    assert "Everything ties." in done["answer"]
    file = folder / "financial statements.xlsx"
    figures = openpyxl.load_workbook(file, data_only=True)["Cash flow"]
    assert {r[0]: r[1] for r in figures.iter_rows(values_only=True)}["Cash at the end"] == 150.25

    request = "Explain the variance in sales budget.csv with a bridge."
    done = work(desk, folder, "finance", request, "FIN-BRIDGE-TIES", "FIN-BRIDGE-PICTURE")
    assert "Budget 200.00 to Actual 222.00: 22.00" in done["answer"]
    assert "Volume: +26.67" in done["answer"]
    assert (folder / "variance bridge.png").read_bytes().startswith(b"\x89PNG")

    done = work(desk, folder, "finance", "Audit the workbook model.xlsx.", "FIN-AUDIT-COMPLETE")
    assert "Sheet!B3:C3 (2 cells): =B2*0.4 holds the literal 0.4." in done["answer"]


def test_hr_reports_without_exposing_anybody_and_answers_from_the_handbook(
    desk: Desk, folder: Path
) -> None:
    request = "Report headcount and attrition from employees.csv by department."
    work(desk, folder, "hr", request, "HR-SMALL-CELLS", "HR-FIGURES-TIE")
    (table,) = docx.Document(str(folder / "people-report.docx")).tables
    rows = {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}
    assert rows["Total"][:3] == ["47", "12", "35"]
    assert rows["Total"][-1] == "25.5 %"
    assert rows["Engineering"][0] == "22"
    assert not {"1", "2", "3", "4"} & {cell for row in rows.values() for cell in row}
    done = work(desk, folder, "hr", "What does the handbook say about parental leave?")
    assert LEAVE in done["answer"]
    assert "work/handbook.md, paragraph 3" in done["answer"]
    assert done["deliverables"] == []


@pytest.mark.slow
def test_hr_writes_a_memo_a_letter_and_a_benchmark(desk: Desk, tmp_path: Path) -> None:
    material = tmp_path / "work"
    maker = ROOT / "examples/make_people.py"
    subprocess.run([sys.executable, maker, material], check=True, timeout=60)
    request = "Policy memo: how many days a week may I work remotely?"
    done = work(desk, material, "hr", request, "HR-QUOTES-VERBATIM", "HR-POLICY-SEARCHED")
    assert "up to three days a week" in done["answer"]
    assert "remote-work-2025.md: replaced by" in done["answer"]
    request = "Write the offer letter for Ada Okafor."
    done = work(desk, material, "hr", request, "HR-OFFER-APPROVED", "HR-LETTER-TRUE", "G-REVIEW")
    assert "Base salary: EUR 116,000 per year" in done["answer"]
    letter = docx.Document(str(material / "offer letter - Ada Okafor.docx"))
    assert letter.tables[0].cell(0, 1).text == "EUR 116,000 per year"
    order = ("run", "Write the offer letter for Bo Lind.", "--plugin", "hr")
    refused = desk.json(*order, "--folder", f"{material}:rw", code=1)
    assert "it is not approved: approved by is empty" in refused["answer"]
    assert refused["deliverables"] == []
    request = "Compensation benchmark of the market survey."
    done = work(
        desk, material, "hr", request, "HR-BENCHMARK-TIES", "HR-THIN-DATA", "HR-LIVE-FORMULAS"
    )
    assert "Counsel: fewer than 5 people in the survey" in done["answer"]
    assert rows_of(material / "compensation-benchmark.xlsx", "Market")[1][0] == "Account Manager"


def test_engineering_tells_from_git_what_was_done(desk: Desk, folder: Path) -> None:
    request = "What was done in git? Give me the stand-up."
    done = work(desk, folder, "engineering", request, "ENG-STANDUP-TRUE")
    for author, subject in COMMITS:
        assert f"- {subject} (`" in done["answer"]
        assert f"**{author}**" in done["answer"]
    assert "3 commits" in done["answer"]
    assert "1 commits" not in done["answer"]


def test_ops_measures_a_process_and_turns_notes_into_a_procedure(desk: Desk, folder: Path) -> None:
    done = work(desk, folder, "ops", "Measure the process from event log.csv.", "OPS-SUMS-TIE")
    summary = {row[0]: row[1] for row in rows_of(folder / "process-metrics.xlsx", "Summary")}
    assert (summary["Events"], summary["Cases"], summary["Variants"]) == (9, 3, 3)
    assert summary["Cases with a repeated activity"] == 1
    # A took 26 hours, B 52, C 1
    assert Decimal(str(summary["Median hours per case"])) == 26
    assert "Longest hours of a case: 52.00" in done["answer"]
    request = "Turn failover runbook.md into an SOP."
    work(desk, folder, "ops", request, "OPS-STEPS-COMPLETE")
    procedure = docx.Document(str(folder / "failover runbook.docx"))
    lines = [paragraph.text for paragraph in procedure.paragraphs]
    places = [next(n for n, line in enumerate(lines) if line.endswith(step)) for step in STEPS]
    assert places == sorted(places)
    assert "Storage team" in [cell.text for cell in procedure.tables[0].rows[0].cells]
    assert [row.cells[0].text for row in procedure.tables[1].rows][1:] == ["1.1", "1.2", "1.3"]


@pytest.mark.slow
def test_ops_maps_a_process_keeps_risks_and_scores_vendors(desk: Desk, tmp_path: Path) -> None:
    material = tmp_path / "work"
    maker = ROOT / "examples/make_operations.py"
    subprocess.run([sys.executable, maker, material], check=True, timeout=60)
    done = work(desk, material, "ops", "Draw a process map.", "OPS-MAP-TRUE")
    assert "(begin) → Receive order: 120" in done["answer"]
    assert (material / "process-map.png").read_bytes().startswith(b"\x89PNG")
    request = "Make a risk register."
    done = work(desk, material, "ops", request, "OPS-RISK-SCORES", "OPS-RISK-OWNERS")
    assert "R2: no owner is named" in done["answer"]
    assert rows_of(material / "risk-register.xlsx", "Register")[1][0] == "R1"
    request = "Vendor scorecard with total cost of ownership."
    done = work(desk, material, "ops", request, "OPS-SUMS-TIE", "OPS-WEIGHTS", "OPS-LIVE-FORMULAS")
    assert "Harbour Systems: total 76000.00 EUR, present value 72098.77" in done["answer"]
    assert rows_of(material / "vendor-scorecard.xlsx", "Scores")[1][1] == "Harbour Systems"


@pytest.mark.slow
def test_hr_walks_headcount_and_ops_plans_capacity(desk: Desk, tmp_path: Path) -> None:
    for plugin, maker in (("hr", "make_people.py"), ("ops", "make_operations.py")):
        order = [sys.executable, str(ROOT / "examples" / maker), str(tmp_path / plugin)]
        subprocess.run(order, check=True, timeout=60)
    gates = ("HR-WALK-TIES", "HR-LIVE-FORMULAS")
    done = work(desk, tmp_path / "hr", "hr", "Headcount walk.", *gates)
    assert "102 + 8 hires − 12 leavers = 98" in done["answer"]
    first = rows_of(tmp_path / "hr/headcount-walk.xlsx", "Walk")[1]
    assert first[:7] == ("Engineering", 46, 0, 0, 5, 1, "=B2+C2+D2-E2-F2")
    gates = ("OPS-CAPACITY-TIES", "OPS-LIVE-FORMULAS")
    done = work(desk, tmp_path / "ops", "ops", "Capacity plan with 20 % more demand.", *gates)
    assert "Bottleneck: Logistics." in done["answer"]
    assert "Demand +20 %" in done["answer"]
    assert (tmp_path / "ops/capacity-plan.png").read_bytes().startswith(b"\x89PNG")


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


def quiet(item: Event | Delta) -> None:
    """Show nothing."""


EDIT = {
    "paragraph": 16,
    "find": "seven (7) years",
    "replace": "three (3) years",
    "reason": "Our position is three years.",
}
SECRET = "AKIA" + "QZ7XK3M9P2LT5VWB"
DEFECTS: Mapping[str, tuple[str, str, dict[str, Any], str]] = {
    # plugin → rule that must find it, tool, arguments, program that spoils what the tool wrote
    "legal": (
        "LEGAL-REJECT-ALL",
        "legal__contract_redline",
        {
            "path": "work/Northlight - Harbour mutual NDA.docx",
            "edits": [EDIT],
            "target": "work/redline.docx",
        },
        """
import docx
file = docx.Document("work/redline.docx")
(run,) = [r for p in file.paragraphs for r in p.runs if "State of Texas" in r.text]
run.text = run.text.replace("State of Texas", "State of Nevada")  # a change that is not tracked
file.save("work/redline.docx")
""",
    ),
    "finance": (
        "FIN-RECON-TIES",
        "finance__recon_match",
        {"bank": "work/bank statement.csv", "ledger": "work/ledger.csv"},
        """
import openpyxl
book = openpyxl.load_workbook("work/reconciliation.xlsx")
(cell,) = [c for row in book["Open items"].iter_rows() for c in row if c.value == -12.4]
cell.value = -2.4
book.save("work/reconciliation.xlsx")
""",
    ),
    "hr": (
        "HR-SMALL-CELLS",
        "hr__people_report",
        {"path": "work/employees.csv", "group_by": ["Department"]},
        """
import docx
file = docx.Document("work/people-report.docx")
(row,) = [r for r in file.tables[0].rows if r.cells[0].text == "Legal"]
row.cells[1].text = "2"  # what the suppression had hidden
file.save("work/people-report.docx")
""",
    ),
    "engineering": (
        "ENG-NO-SECRETS",
        "engineering__standup_from_git",
        {"path": "work/engine", "output": "work/standup.md"},
        f"""
with open("work/standup.md", "a") as file:
    file.write("- Rotated the key {SECRET}.\\n")
""",
    ),
    "ops": (
        "OPS-STEPS-COMPLETE",
        "ops__sop_build",
        {"path": "work/failover runbook.md"},
        """
import docx
file = docx.Document("work/failover runbook.docx")
(step,) = [p for p in file.paragraphs if "Promote the replica." in p.text]
step._p.getparent().remove(step._p)
file.save("work/failover runbook.docx")
""",
    ),
}


CONTRACT = {"path": "work/Northlight - Harbour mutual NDA.docx"}
ALSO: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    # what a library of the image finds, and three more results with their gates
    "legal": tuple(
        (f"legal__{name}", CONTRACT)
        for name in ("cite_check", "authorities_write", "deadlines_write", "signature_preflight")
    )
}


async def follow(desk: Desk, folder: Path, plugin: str, script: tuple[Line, ...]) -> RunResult:
    """Run a model's script in a new thread; what passes would be applied at once."""
    host = Host(desk.places, model=ScriptedModel(script))
    order = RunOrder(
        text="Do it.",
        plugins=(plugin,),
        grants=(Grant(name="work", folder=str(folder)),),
        apply="all",
    )
    return await host.run(order, None, observer=quiet, approver=Nobody())


TILL = "def total(prices, discount=0):\n    return sum(prices) * (1 - discount / 10)\n"
TILL_TEST = (
    "from till import total\n\n\ndef test_discount():\n    assert total([100], 10) == 90\n\n\n"
    "def test_none():\n    assert total([]) == 0\n"
)
OUTAGE = """2026-03-02T13:01:10Z ERROR pool exhausted
2026-03-02T13:40:00Z INFO rolled back release 42
"""


@pytest.mark.slow
@pytest.mark.anyio
async def test_engineering_reviews_mends_a_test_and_tells_of_an_outage(
    desk: Desk, tmp_path: Path
) -> None:
    shop = tmp_path / "work" / "shop"
    shop.mkdir(parents=True)
    (tmp_path / "work" / "app.log").write_text(OUTAGE)
    git(shop, "init", "-q", "-b", "main")
    who = ("-c", "user.name=Ada", "-c", "user.email=someone@example.com")
    for name, text in (("README.md", "Shop.\n"), ("till.py", TILL), ("test_till.py", TILL_TEST)):
        (shop / name).write_text(text)
        git(shop, "add", ".")
        git(shop, *who, "commit", "-q", "-m", f"Add {name}")
    desk.call("plugin", "enable", "engineering", "--yes")
    edit = {"file": "till.py", "find": "discount / 10", "replace": "discount / 100"}
    named = {"tests": ["test_till.py::test_discount"], "why": "A discount is in percent."}
    script: tuple[Line, ...] = (
        (("engineering__run_tests", {"path": "work/shop"}),),
        (("engineering__fix_propose", {"path": "work/shop", "edits": [edit], **named}),),
        (("engineering__review_report", {"path": "work/shop", "base": "HEAD~1"}),),
        (("engineering__postmortem_write", {"paths": ["work/app.log"]}),),
        "All done.",
    )
    ended = await follow(desk, tmp_path / "work", "engineering", script)
    assert (ended.reason, ended.findings) == ("done", ())
    ran = desk.events(ended.thread, "ToolFinished")
    assert '"where":"test_till.py:5 (test_discount)"' in ran[0]["text"], ran[0]["text"]
    (verdict,) = desk.events(ended.thread, "Validated")
    assert {"ENG-TESTS-PASS", "ENG-REVIEW-COMPLETE", "ENG-IMPACT-TIES"} <= set(verdict["rules"])
    git(shop, "apply", "../fix.patch")
    assert "discount / 100" in (shop / "till.py").read_text()
    assert "Findings: none." in (tmp_path / "work" / "review.md").read_text()
    assert "rolled back release 42" in (tmp_path / "work" / "postmortem.md").read_text()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "plugin",
    # each gate refuses its defects in a child process, too; here one stands for all every day
    [
        plugin if plugin == "legal" else pytest.param(plugin, marks=pytest.mark.slow)
        for plugin in DEFECTS
    ],
)
async def test_a_result_spoilt_after_its_tool_wrote_it_is_rejected_and_a_sound_one_is_not(
    plugin: str, desk: Desk, folder: Path
) -> None:
    rule, tool, arguments, program = DEFECTS[plugin]
    before = tree(folder)
    desk.call("plugin", "enable", plugin, "--yes")  # some name connectors, which want an agreement
    spoil = ("workspace__python", {"code": program})
    ended = await follow(desk, folder, plugin, (((tool, arguments),), (spoil,), "All done."))
    ran = desk.events(ended.thread, "ToolFinished")
    assert [call["outcome"] for call in ran] == ["ok", "ok"], ran
    assert '"exit_code":0' in ran[1]["text"], ran[1]["text"]
    assert ended.reason == "rejected"
    errors = {finding.rule for finding in ended.findings if finding.level == "error"}
    assert rule in errors
    assert tree(folder) == before  # not even --apply all writes what was rejected

    also = ALSO.get(plugin, ())
    sound = await follow(desk, folder, plugin, (((tool, arguments), *also), "All done."))
    assert (sound.reason, sound.findings) == ("done", ())
    calls = desk.events(sound.thread, "ToolFinished")
    assert [call["outcome"] for call in calls] == ["ok"] * (1 + len(also)), calls
    (verdict,) = desk.events(sound.thread, "Validated")
    assert rule in verdict["rules"]
    assert sound.deliverables
    for deliverable in sound.deliverables:
        assert (folder / deliverable.path.removeprefix("work/")).stat().st_size > 0
