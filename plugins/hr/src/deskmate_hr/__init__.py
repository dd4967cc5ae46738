"""The HR plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deskmate.plugin import (
    Deliverable,
    Finding,
    PluginContext,
    Prompt,
    SkillSource,
    Tool,
    ValidationContext,
    Validator,
    hookimpl,
)
from deskmate_hr.tools.benchmark import comp_benchmark
from deskmate_hr.tools.equity import pay_equity
from deskmate_hr.tools.funnel import hiring_funnel
from deskmate_hr.tools.interview import interview_plan
from deskmate_hr.tools.offer import offer_letter
from deskmate_hr.tools.org import org_chart
from deskmate_hr.tools.policy import policy_answer, policy_lookup
from deskmate_hr.tools.redact import pii_redact
from deskmate_hr.tools.report import people_report
from deskmate_hr.tools.review import review_lint
from deskmate_hr.tools.walk import headcount_walk
from deskmate_hr.validators.benchmark_rules import benchmark_ties, thin_data
from deskmate_hr.validators.equity_rules import equity_ties
from deskmate_hr.validators.funnel_rules import funnel_ties
from deskmate_hr.validators.interview_rules import interview_sound
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.map_rule import map_sealed
from deskmate_hr.validators.offer_rules import letter_true, offer_approved
from deskmate_hr.validators.org_rules import org_true
from deskmate_hr.validators.policy_rules import policy_searched, quotes_verbatim
from deskmate_hr.validators.redaction_rule import redacted
from deskmate_hr.validators.review_rules import review_quoted
from deskmate_hr.validators.rules import figures_tie, small_cells
from deskmate_hr.validators.walk_rules import walk_ties

Check = Callable[[Deliverable, ValidationContext], Iterable[Finding]]


@hookimpl
def deskmate_prompts(context: PluginContext) -> Iterable[Prompt]:
    """Return the profession's role, limits and house rules."""
    folder = context.resources / "prompts"
    return [
        Prompt(name=name, text=(folder / f"{name}.md").read_text("utf-8"), order=100 + place)
        for place, name in enumerate(("role", "limits", "house-rules"))
    ]


@hookimpl
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:
    """Return the tools."""
    return [
        Tool(
            function=comp_benchmark,
            risk="write",
            reads=("{survey}", "{employees}", "compensation-benchmark.xlsx"),
        ),
        Tool(
            function=headcount_walk,
            risk="write",
            reads=("{path}", "{closing}", "{moves}", "headcount-walk.*"),
        ),
        Tool(
            function=pii_redact,
            risk="write",
            reads=("{path}", "{roster}", "*.docx", "*.pdf", "* - redacted.*"),
        ),
        Tool(function=hiring_funnel, risk="write", reads=("{path}", "hiring-funnel.*")),
        Tool(function=interview_plan, risk="write", reads=("{path}", "interview-plan.docx")),
        Tool(
            function=offer_letter,
            risk="write",
            reads=("{record}", "{template}", "{approvals}", "offer letter - *"),
        ),
        Tool(function=org_chart, risk="write", reads=("{path}", "org-chart.*")),
        Tool(function=pay_equity, risk="write", reads=("{path}", "pay-equity.xlsx")),
        Tool(function=people_report, risk="write", reads=("{path}", "people-report.*")),
        Tool(function=policy_answer, risk="write", reads=("{folder}", "policy-answer*")),
        Tool(function=policy_lookup, reads=("{folder}",)),
        Tool(function=review_lint, risk="write", reads=("{path}", "review-lint.xlsx")),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skills, one folder each."""
    found = sorted(context.resources.glob("skills/*/SKILL.md"))
    return [SkillSource(folder=path.parent) for path in found]


_RULES: tuple[tuple[str, str, Check, tuple[str, ...]], ...] = (
    (
        "HR-SMALL-CELLS",
        "No count of 1 to 4 people is shown or can be worked out within or across the tables.",
        small_cells,
        ("people_report", "hiring_funnel"),
    ),
    (
        "HR-FIGURES-TIE",
        "Each figure of a people report is computed again from the employee table.",
        figures_tie,
        ("people_report",),
    ),
    (
        "HR-LIVE-FORMULAS",
        "Shares, rates and totals of a workbook are formulas that give what they show.",
        live_formulas,
        (
            "people_report",
            "comp_benchmark",
            "pay_equity",
            "headcount_walk",
            "hiring_funnel",
            "org_chart",
            "review_lint",
        ),
    ),
    (
        "HR-QUOTES-VERBATIM",
        "Each quote of a policy memo stands verbatim at the place that it names.",
        quotes_verbatim,
        ("policy_answer",),
    ),
    (
        "HR-POLICY-SEARCHED",
        "A policy memo quotes what is in force, and says that the policy is silent only where it is.",
        policy_searched,
        ("policy_answer",),
    ),
    (
        "HR-OFFER-APPROVED",
        "An offer letter rests on a record that is approved, by somebody else, before today, as it stands.",
        offer_approved,
        ("offer_letter",),
    ),
    (
        "HR-LETTER-TRUE",
        "An offer letter is its template, each place filled with what the approved record says.",
        letter_true,
        ("offer_letter",),
    ),
    (
        "HR-BENCHMARK-TIES",
        "Each figure of a benchmark is computed again from the survey and the own people, with its source.",
        benchmark_ties,
        ("comp_benchmark",),
    ),
    (
        "HR-THIN-DATA",
        "A benchmark shows no role and no own pay of too few people.",
        thin_data,
        ("comp_benchmark",),
    ),
    (
        "HR-INTERVIEW-SOUND",
        "An interview plan has each question with its scale and interviewer, and none that may not be asked.",
        interview_sound,
        ("interview_plan",),
    ),
    (
        "HR-EQUITY-TIES",
        "Each estimate, gap and rate of a pay equity analysis is computed again from the employee table.",
        equity_ties,
        ("pay_equity",),
    ),
    (
        "HR-WALK-TIES",
        "A headcount walk is what its sources give, ties to zero in each unit, and shows no unit of few people.",
        walk_ties,
        ("headcount_walk", "headcount_picture"),
    ),
    (
        "HR-ORG-TRUE",
        "An organisation chart shows the table's lines of reporting, and names each circle, orphan and double manager.",
        org_true,
        ("org_chart", "org_picture", "org_deck"),
    ),
    (
        "HR-REVIEW-QUOTED",
        "Each finding of a review lint quotes its text and names rule and source; none is missing or made up.",
        review_quoted,
        ("review_lint",),
    ),
    (
        "HR-REDACTED",
        "What was to be redacted is in no part of the file, and nothing else was changed.",
        redacted,
        ("redacted",),
    ),
    (
        "HR-MAP-SEALED",
        "A sealed map of a redaction is what the original and the redacted file give, for keys that somebody named.",
        map_sealed,
        ("redaction-map",),
    ),
    (
        "HR-FUNNEL-TIES",
        "Each count, share and time of a hiring funnel is counted again from the extract.",
        funnel_ties,
        ("hiring_funnel", "funnel_picture"),
    ),
)
"""Rule, what it makes sure of, the function that does, and the results that it looks at."""


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the validators."""
    return [
        Validator(rule=rule, title=title, function=function, roles=roles)
        for rule, title, function, roles in _RULES
    ]
