"""Write the examples that `deskmate plugin check` tries on the HR and operations plugins: `python examples/make_checks.py`.

Each tool is called on invented material and must answer; each gate must pass what a tool made, and refuse the same with one
lie in it. The lies are told here, into files; what they are is said beside them. Material and lies land in the plugins'
`checks` folders.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docx
import make_operations
import make_people
import openpyxl

from deskmate.plugin import ToolAnswer, ToolContext
from deskmate_hr.tools import (
    benchmark,
    equity,
    funnel,
    interview,
    offer,
    org,
    policy,
    report,
    review,
    walk,
)
from deskmate_ops.tools import capacity, changes, controls, measures, risks, sop, status, vendors

ROOT = Path(__file__).parents[1]
DAY = "2026-11-29"
Lie = Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A tool that is called on the material.

    `expect`: part of its answer. `lies`: rule → how its first result is spoilt. `says`: rule → what else would be said of
    that result. `kept`: it tells the day of its call, so the good example lies there as a file, too.
    """

    tool: Callable[..., ToolAnswer]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    lies: Mapping[str, Lie] = field(default_factory=dict)
    says: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kept: bool = False


def cell(sheet: str, place: str, value: Any) -> Lie:
    """Return a lie: another value in a cell of a workbook; formulas keep what they show."""

    def tell(file: Path) -> None:
        book = openpyxl.load_workbook(file, data_only=True)
        book[sheet][place] = value
        book.save(file)

    return tell


def words(old: str, new: str, *, in_table: bool = False) -> Lie:
    """Return a lie: other words in the first paragraph or cell of a Word document, or in a picture, that has these."""

    def tell(file: Path) -> None:
        if file.suffix == ".svg":
            text = file.read_text("utf-8")
            assert old in text, (file, old)
            file.write_text(text.replace(old, new), "utf-8")
            return
        document = docx.Document(str(file))
        cells = [c for table in document.tables for row in table.rows for c in row.cells]
        texts = [p for c in cells for p in c.paragraphs]
        paragraph = next(
            p for p in (texts if in_table else [*document.paragraphs, *texts]) if old in p.text
        )
        paragraph.runs[0].text = paragraph.text.replace(old, new, 1)
        for run in paragraph.runs[1:]:
            run.text = ""
        document.save(str(file))

    return tell


def nothing(file: Path) -> None:
    """Leave a result as it is: the lie is in what is said of it."""


OPS = (
    Job(
        tool=measures.process_metrics,
        arguments={"path": "orders event log.csv"},
        lies={"OPS-SUMS-TIE": cell("Summary", "B3", 119)},
    ),
    Job(
        tool=measures.process_map,
        arguments={"path": "orders event log.csv"},
        lies={"OPS-MAP-TRUE": words("Approve", "Improve")},
    ),
    Job(
        tool=risks.risk_register,
        arguments={"path": "risk list.csv", "as_of": DAY},
        expect={"overdue": ["R2"]},
        lies={
            "OPS-RISK-SCORES": cell("Register", "G2", 21),
            "OPS-RISK-OWNERS": cell("Open points", "B2", "nothing"),
        },
    ),
    Job(
        tool=vendors.vendor_scorecard,
        arguments={"path": "vendors.csv", "costs": "vendor costs.csv"},
        lies={"OPS-WEIGHTS": cell("Weights", "B2", 0.9)},
    ),
    Job(
        tool=sop.sop_build,
        arguments={"path": "failover runbook.md"},
        lies={
            "OPS-STEPS-COMPLETE": words("Promote the replica", "Delete the replica"),
            "OPS-STEP-OWNERS": words("DBA on call", "Storage lead", in_table=True),
        },
    ),
    Job(
        tool=capacity.capacity_plan,
        arguments={"capacity": "capacity.csv", "demand": "demand.csv"},
        expect={"bottleneck": "Logistics"},
        lies={
            "OPS-CAPACITY-TIES": cell("Summary", "C2", 1),
            "OPS-LIVE-FORMULAS": cell("Summary", "D2", 0.5),
        },
    ),
    Job(
        tool=controls.control_matrix,
        arguments={
            "controls": "controls.csv",
            "risks": "risk list.csv",
            "evidence": "evidence",
            "as_of": DAY,
        },
        lies={"OPS-CONTROL-COVERAGE": cell("Coverage", "E5", "covered")},
    ),
    Job(
        tool=changes.change_check,
        arguments={"path": "change requests.csv", "calendar": "freeze calendar.csv", "as_of": DAY},
        lies={"OPS-CHANGE-CHECKED": cell("Changes", "J2", "ready")},
    ),
    Job(
        tool=status.status_report,
        arguments={"tasks": "task list.csv", "kpis": "kpis.csv", "as_of": DAY},
        expect={"rag": "Red"},
        lies={"OPS-STATUS-TRUE": words("Overall: Red", "Overall: Green")},
    ),
)
PEOPLE = {"path": "employees.csv", "group_by": ["Department"]}
HR = (
    Job(
        tool=report.people_report,
        arguments={**PEOPLE, "output": "people-report.xlsx"},
        lies={"HR-SMALL-CELLS": cell("1 Department", "C4", 3), "HR-FIGURES-TIE": cell("1 Department", "B2", 47)},
    ),
    Job(tool=policy.policy_lookup, arguments={"question": "How many days of remote work are there?", "folder": "policies", "as_of": DAY}),
    Job(
        tool=policy.policy_answer,
        arguments={"question": "How many days of remote work are there?", "folder": "policies", "as_of": DAY},
        lies={"HR-QUOTES-VERBATIM": words("three days a week", "five days a week"), "HR-POLICY-SEARCHED": words("2 file(s)", "3 file(s)")},
    ),
    Job(
        tool=offer.offer_letter,
        arguments={"record": "offers.csv", "template": "offer template.docx", "offer": "OF-17"},
        lies={"HR-LETTER-TRUE": words("116,000", "126,000"), "HR-OFFER-APPROVED": nothing},
        says={"HR-OFFER-APPROVED": {"offer": "OF-18"}},
        kept=True,
    ),
    Job(
        tool=benchmark.comp_benchmark,
        arguments={"survey": "market survey.csv", "employees": "employees.csv", "as_of": DAY},
        lies={"HR-BENCHMARK-TIES": cell("Survey", "G2", 1), "HR-THIN-DATA": cell("Roles", "B4", 3)},
    ),
    Job(tool=interview.interview_plan, arguments={"path": "interview questions.csv"}, lies={"HR-INTERVIEW-SOUND": words("days to find", "weeks to find")}),
    Job(
        tool=equity.pay_equity,
        arguments={"path": "employees.csv", "group": "Gender", "controls": ["Department"]},
        lies={"HR-EQUITY-TIES": cell("Model", "B2", 9)},
    ),
    Job(
        tool=walk.headcount_walk,
        arguments={"path": "opening.csv", "closing": "closing.csv"},
        lies={"HR-WALK-TIES": cell("Walk", "C2", 99), "HR-LIVE-FORMULAS": cell("Walk", "G2", 99)},
    ),
    Job(tool=funnel.hiring_funnel, arguments={"path": "applications.csv", "group_by": ["Source"]}, lies={"HR-FUNNEL-TIES": cell("Funnel", "B2", 241)}),
    Job(tool=review.review_lint, arguments={"path": "performance reviews.csv"}, lies={"HR-REVIEW-QUOTED": cell("Findings", "E2", "He is late.")}),
    Job(tool=org.org_chart, arguments={"path": "reporting lines.csv"}, lies={"HR-ORG-TRUE": cell("Findings", "A2", "none")}),
)  # fmt: skip
QUESTIONS = """Competency,Question,Interviewer,Weak,Good,Excellent
Debugging,Tell me about a fault that took you days to find.,Lee Marsh,no method,a method,a method and what changed after
Teamwork,When did you change your mind because of a colleague?,Ada Okafor,never,one case,one case and its effect
"""
SAME = "Northlight GmbH,Ada Okafor,Data Engineer,Permanent,2040-03-05,Lee Marsh,116000,EUR,year,10 % of the base salary,2040-02-20,Sam Dube,Managing Director"
OFFERS = f"{make_people.FIELDS}\nOF-17,{SAME},Dana Petrov,2026-11-02,AP-991\nOF-18,{SAME},,,\n"


def people(folder: Path) -> None:
    """Write the material of HR, with days that stay ahead."""
    make_people.main(folder)
    (folder / "offers.csv").write_text(OFFERS, "utf-8")
    (folder / "interview questions.csv").write_text(QUESTIONS, "utf-8")


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{key}" = {toml(one)}' for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        str(value) if isinstance(value, int | float) else '"' + str(value).replace('"', '\\"') + '"'
    )


def table(name: str, rows: Mapping[str, Any]) -> str:
    """Return a table of an array, without what is empty."""
    lines = [
        f"{key} = {toml(value)}" for key, value in rows.items() if value not in ("", {}, [], ())
    ]
    return f"[[{name}]]\n" + "\n".join(lines) + "\n"


def write_checks(checks: Path, jobs: tuple[Job, ...], material: Callable[[Path], None]) -> None:
    """Write material, spoilt results and `cases.toml` of a plugin."""
    for name in ("files", "bad", "good"):
        shutil.rmtree(checks / name, ignore_errors=True)
    material(checks / "files")
    for name in ("bad", "good"):
        (checks / name).mkdir(parents=True)
    parts = [
        "# Written by examples/make_checks.py: calls that must answer, results that a gate must pass or refuse.\n"
    ]
    facts = {"date": DAY}
    for job in jobs:
        tool = job.tool.__name__
        parts.append(
            table("call", {"tool": tool, "arguments": job.arguments, "expect": job.expect})
        )
        for rule, lie in job.lies.items():
            with tempfile.TemporaryDirectory() as scratch:
                work = Path(scratch, "work")
                shutil.copytree(checks / "files", work)
                context = ToolContext(workspace=work, home=work, resources=work)
                item = job.tool(context, **job.arguments).deliverables[0]
                whole = checks / "good" / f"{rule.lower()}{Path(item.path).suffix}"
                if job.kept:
                    shutil.copyfile(work / item.path, whole)
                lie(work / item.path)
                bad = checks / "bad" / f"{rule.lower()}{Path(item.path).suffix}"
                shutil.copyfile(work / item.path, bad)
            good = {
                "rule": rule,
                "verdict": "pass",
                "tool": tool,
                "arguments": job.arguments,
                "facts": facts,
            }
            spoilt = {
                "rule": rule, "verdict": "refuse", "file": f"bad/{bad.name}", "role": item.role, "sources": dict(item.sources),
                "data": {**item.data, **job.says.get(rule, {})}, "facts": facts,
            }  # fmt: skip
            if job.kept:
                good = {
                    **spoilt,
                    "verdict": "pass",
                    "file": f"good/{whole.name}",
                    "data": dict(item.data),
                }
            parts += [table("gate", good), table("gate", spoilt)]
    (checks / "cases.toml").write_text("\n".join(parts), "utf-8")


if __name__ == "__main__":
    write_checks(ROOT / "plugins/ops/src/deskmate_ops/checks", OPS, make_operations.write_folder)
    write_checks(ROOT / "plugins/hr/src/deskmate_hr/checks", HR, people)
    sys.stdout.write("Written.\n")
