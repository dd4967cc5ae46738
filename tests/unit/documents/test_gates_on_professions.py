"""What the five professions make today passes every shared gate: none of them cries wolf."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.documents.gate_rooms import room

from deskmate.plugin import ToolAnswer, ToolContext
from deskmate_documents.office.gates import shared_gates
from deskmate_engineering.tools.incident import postmortem_write
from deskmate_engineering.tools.review import review_report
from deskmate_engineering.tools.standup import standup_from_git
from deskmate_finance.tools.recon import recon_match
from deskmate_hr.tools.benchmark import comp_benchmark
from deskmate_hr.tools.offer import offer_letter
from deskmate_hr.tools.policy import policy_answer
from deskmate_hr.tools.report import people_report
from deskmate_legal.tools.compare import contract_compare
from deskmate_legal.tools.memo import memo_write
from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_ops.tools.measures import process_map, process_metrics
from deskmate_ops.tools.risks import risk_register
from deskmate_ops.tools.sop import sop_build
from deskmate_ops.tools.vendors import vendor_scorecard

ROOT = Path(__file__).parents[3]
BANK = "Date,Description,Amount,Balance\n2026-03-02,Deposit INV-1,1250.00,1250.00\n2026-03-30,Bank charges,-12.40,1237.60\n"
LEDGER = "Date,Text,Amount,Balance\n2026-03-02,Deposit INV-1,1250.00,1250.00\n"
# some of these cells must be hidden
STAFF = {"Sales": (14, 6), "Engineering": (22, 5), "Finance": (9, 0), "Legal": (2, 1)}
EVENTS = "case,activity,timestamp\nA,Receive,2026-03-02T08:00\nA,Pay,2026-03-03T10:00\nB,Receive,2026-03-02T09:00\nB,Pay,2026-03-04T13:00\n"
RISKS = (
    "ID,Risk,Likelihood,Impact,Owner,Mitigation,Due,Review date,Status\n"
    "R1,One supplier,4,5,Dana Petrov,Second source,2026-01-31,2026-01-15,open\n"
    "R2,Flood,1,5,,,,,open\n"
)
COSTS = "Vendor,Item,Year,Amount\nNorthlight,Fee,0,1000.10\nNorthlight,Fee,1,500\nHarbour,Fee,1,900.55\n"
RUNBOOK = (
    "# Failover\n\nOwner: Storage team\n\n1. Stop writes on the primary.\n2. Promote the replica.\n"
)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    work = tmp_path / "ws"
    (work / "w").mkdir(parents=True)
    people = ["Name,Department,Left"]
    people += [
        f"Person {n} Of{team},{team},{'yes' if n < left else 'no'}"
        for team, (size, left) in STAFF.items()
        for n in range(size)
    ]
    files = {
        "bank.csv": BANK,
        "ledger.csv": LEDGER,
        "employees.csv": "\n".join(people) + "\n",
        "events.csv": EVENTS,
        "failover.md": RUNBOOK,
        "risks.csv": RISKS,
        "vendors.csv": "Vendor,Quality,Delivery\nNorthlight,4,3\nHarbour,5,4\n",
        "costs.csv": COSTS,
    }
    for name, text in files.items():
        (work / "w" / name).write_text(text)
    return ToolContext(workspace=work, home=tmp_path, resources=tmp_path)


def findings(context: ToolContext, *answers: ToolAnswer) -> list[str]:
    """Run every shared gate as the clean room does: all of the workspace that is no result was held by the host."""
    deliverables = [item for answer in answers for item in answer.deliverables]
    evidence = [item for answer in answers for item in answer.evidence]
    made = {item.path for item in deliverables}
    files = [path for path in context.workspace.rglob("*") if path.is_file()]
    names = {path.relative_to(context.workspace).as_posix(): path for path in files}
    held = {
        name: path
        for name, path in names.items()
        if name not in made and "/.git/hooks/" not in name
    }
    return [
        f"{finding.rule} {item.path}: {finding.message}"
        for item in deliverables
        for gate in shared_gates()
        for finding in gate.function(
            item,
            room(
                names[item.path],
                held,
                evidence,
                {path: names[path] for path in made if path != item.path},
                said=["Do it."],
            ),
        )
    ]


def test_finance(context: ToolContext) -> None:
    answer = recon_match(context, bank="w/bank.csv", ledger="w/ledger.csv")
    assert findings(context, answer) == []


@pytest.mark.parametrize("output", ["w/report.docx", "w/report.xlsx"])
def test_hr(context: ToolContext, output: str) -> None:
    answer = people_report(context, path="w/employees.csv", group_by=["Department"], output=output)
    assert findings(context, answer) == []


def test_hr_in_writing(context: ToolContext, tmp_path: Path) -> None:
    material = context.workspace / "hr"
    maker = ROOT / "examples/make_people.py"
    subprocess.run([sys.executable, maker, material], check=True, timeout=60)
    named = people_report(context, path="hr/employees.csv", settings={"measures": "tenure, pay"})
    memo = policy_answer(context, "How many days a week may I work remotely?", "hr/policies")
    letter = offer_letter(
        context, record="hr/offers.csv", template="hr/offer template.docx", offer="OF-17"
    )
    pay = comp_benchmark(context, survey="hr/market survey.csv", employees="hr/employees.csv")
    assert findings(context, named, memo, letter, pay) == []


def test_ops(context: ToolContext) -> None:
    measured = process_metrics(context, path="w/events.csv")
    drawn = process_map(context, path="w/events.csv")
    built = sop_build(context, path="w/failover.md")
    listed = risk_register(context, path="w/risks.csv")
    scored = vendor_scorecard(context, path="w/vendors.csv", costs="w/costs.csv")
    assert findings(context, measured, drawn, built, listed, scored) == []


def test_engineering(context: ToolContext) -> None:
    repository = context.workspace / "w/engine"
    repository.mkdir()
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.io")
    for command in (
        ("init", "-q", "-b", "main"),
        (*who, "commit", "-q", "--allow-empty", "-m", "Add 12 valves"),
    ):
        subprocess.run(["git", "-C", repository, *command], check=True, env=environ, timeout=60)
    log = "2026-03-02T13:01:10Z ERROR pool exhausted\n2026-03-02T13:40:00Z INFO rolled back\n"
    (context.workspace / "w/app.log").write_text(log)
    (repository / "valve.py").write_text("def turn(valve, seen=[]):\n    seen.append(valve)\n")
    for more in (("add", "."), (*who, "commit", "-q", "-m", "Turn 3 valves")):
        subprocess.run(["git", "-C", repository, *more], check=True, env=environ, timeout=60)
    told = standup_from_git(context, path="w/engine", output="w/standup.md")
    reviewed = review_report(context, path="w/engine")
    written = postmortem_write(context, paths=["w/app.log"])
    assert findings(context, told, reviewed, written) == []


def test_legal(context: ToolContext) -> None:
    maker = ROOT / "examples/make_contract.py"
    subprocess.run([sys.executable, maker, context.workspace / "w"], check=True, timeout=60)
    (contract,) = (context.workspace / "w").glob("*.docx")
    nda = f"w/{contract.name}"
    reviewed = playbook_review(nda, context)
    redline = contract_redline(nda, reviewed.result["edits"], context)
    memo = memo_write(nda, context)
    compared = contract_compare(
        nda, redline.deliverables[0].path, context, target="w/compared.docx"
    )
    assert findings(context, reviewed, redline, memo, compared) == []
