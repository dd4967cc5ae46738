"""The HR plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_hr.tools.benchmark import comp_benchmark
from deskmate_hr.tools.interview import interview_plan
from deskmate_hr.tools.offer import offer_letter
from deskmate_hr.tools.policy import policy_answer, policy_lookup
from deskmate_hr.tools.report import people_report
from deskmate_hr.validators.benchmark_rules import benchmark_ties, thin_data
from deskmate_hr.validators.interview_rules import interview_sound
from deskmate_hr.validators.live import live_formulas
from deskmate_hr.validators.offer_rules import letter_true, offer_approved
from deskmate_hr.validators.policy_rules import policy_searched, quotes_verbatim
from deskmate_hr.validators.rules import figures_tie, small_cells


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
        Tool(function=interview_plan, risk="write", reads=("{path}", "interview-plan.docx")),
        Tool(
            function=offer_letter,
            risk="write",
            reads=("{record}", "{template}", "{approvals}", "offer letter - *"),
        ),
        Tool(function=people_report, risk="write", reads=("{path}", "people-report.*")),
        Tool(function=policy_answer, risk="write", reads=("{folder}", "policy-answer*")),
        Tool(function=policy_lookup, reads=("{folder}",)),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skills, one folder each."""
    found = sorted(context.resources.glob("skills/*/SKILL.md"))
    return [SkillSource(folder=path.parent) for path in found]


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the validators."""
    return [
        Validator(
            rule="HR-SMALL-CELLS",
            title="No count of 1 to 4 people is shown or can be worked out within or across the tables.",
            function=small_cells,
            roles=("people_report",),
        ),
        Validator(
            rule="HR-FIGURES-TIE",
            title="Each figure of a people report is computed again from the employee table.",
            function=figures_tie,
            roles=("people_report",),
        ),
        Validator(
            rule="HR-LIVE-FORMULAS",
            title="Shares, rates and totals of a workbook are formulas that give what they show.",
            function=live_formulas,
            roles=("people_report", "comp_benchmark"),
        ),
        Validator(
            rule="HR-QUOTES-VERBATIM",
            title="Each quote of a policy memo stands verbatim at the place that it names.",
            function=quotes_verbatim,
            roles=("policy_answer",),
        ),
        Validator(
            rule="HR-POLICY-SEARCHED",
            title="A policy memo quotes what is in force, and says that the policy is silent only where it is.",
            function=policy_searched,
            roles=("policy_answer",),
        ),
        Validator(
            rule="HR-OFFER-APPROVED",
            title="An offer letter rests on a record that is approved, by somebody else, before today, as it stands.",
            function=offer_approved,
            roles=("offer_letter",),
        ),
        Validator(
            rule="HR-LETTER-TRUE",
            title="An offer letter is its template, each place filled with what the approved record says.",
            function=letter_true,
            roles=("offer_letter",),
        ),
        Validator(
            rule="HR-BENCHMARK-TIES",
            title="Each figure of a benchmark is computed again from the survey and the own people, with its source.",
            function=benchmark_ties,
            roles=("comp_benchmark",),
        ),
        Validator(
            rule="HR-THIN-DATA",
            title="A benchmark shows no role and no own pay of too few people.",
            function=thin_data,
            roles=("comp_benchmark",),
        ),
        Validator(
            rule="HR-INTERVIEW-SOUND",
            title="An interview plan has each question with its scale and interviewer, and none that may not be asked.",
            function=interview_sound,
            roles=("interview_plan",),
        ),
    ]
