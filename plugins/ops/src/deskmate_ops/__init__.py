"""The operations plugin: its prompts, tools, skills and validators."""

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
from deskmate_ops.tools.capacity import capacity_plan
from deskmate_ops.tools.changes import change_check
from deskmate_ops.tools.controls import control_matrix
from deskmate_ops.tools.measures import process_map, process_metrics
from deskmate_ops.tools.risks import risk_register
from deskmate_ops.tools.sop import sop_build
from deskmate_ops.tools.status import status_report
from deskmate_ops.tools.vendors import vendor_scorecard
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.plan_rules import (
    capacity_ties,
    change_checked,
    control_coverage,
    status_true,
)
from deskmate_ops.validators.rules import (
    map_true,
    risk_owners,
    risk_scores,
    step_owners,
    steps_complete,
    sums_tie,
    weights_hold,
)

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
            function=capacity_plan,
            risk="write",
            reads=("{capacity}", "{demand}", "capacity-plan.*"),
        ),
        Tool(
            function=change_check,
            risk="write",
            reads=("{path}", "{calendar}", "change-check.*"),
        ),
        Tool(
            function=control_matrix,
            risk="write",
            reads=("{controls}", "{risks}", "{evidence}", "control-matrix.*"),
        ),
        Tool(function=process_metrics, risk="write", reads=("{path}", "process-metrics.xlsx")),
        Tool(function=process_map, risk="write", reads=("{path}", "process-map.*")),
        Tool(
            function=risk_register,
            risk="write",
            reads=("{path}", "risk-register.xlsx", "risk-heat-map.*"),
        ),
        Tool(
            function=status_report,
            risk="write",
            reads=("{tasks}", "{kpis}", "status-report.*"),
        ),
        Tool(function=sop_build, risk="write", reads=("{path}", "*.docx")),
        Tool(
            function=vendor_scorecard,
            risk="write",
            reads=("{path}", "{costs}", "*cost*", "*quote*", "*tco*", "vendor-scorecard.xlsx"),
        ),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skills, one folder each."""
    found = sorted(context.resources.glob("skills/*/SKILL.md"))
    return [SkillSource(folder=path.parent) for path in found]


_RULES: tuple[tuple[str, str, Check, tuple[str, ...]], ...] = (
    (
        "OPS-SUMS-TIE",
        "Each figure of process metrics and scorecards is computed again from the source.",
        sums_tie,
        (
            "process_metrics",
            "vendor_scorecard",
        ),
    ),
    (
        "OPS-MAP-TRUE",
        "A process map shows moves of the log with their true counts, and its BPMN is whole.",
        map_true,
        ("process_map",),
    ),
    (
        "OPS-LIVE-FORMULAS",
        "Each formula of a workbook gives what it shows, and totals are formulas.",
        live_formulas,
        (
            "process_metrics",
            "risk_register",
            "vendor_scorecard",
            "capacity_plan",
            "control_matrix",
            "change_check",
        ),
    ),
    (
        "OPS-WEIGHTS",
        "Weights are those given and add up to 1, scores lie in 0 to 100, each figure names its source.",
        weights_hold,
        ("vendor_scorecard",),
    ),
    (
        "OPS-RISK-SCORES",
        "A risk register says what its table says, and each score, band, day and count follows from it.",
        risk_scores,
        (
            "risk_register",
            "risk_map",
        ),
    ),
    (
        "OPS-RISK-OWNERS",
        "No risk is without owner, treatment or review unless it is named as open.",
        risk_owners,
        ("risk_register",),
    ),
    (
        "OPS-STEPS-COMPLETE",
        "Each step of the notes stands in the procedure, in order, and no other.",
        steps_complete,
        ("sop",),
    ),
    (
        "OPS-STEP-OWNERS",
        "Each step has an owner or is named as open; nothing said of a step is invented.",
        step_owners,
        ("sop",),
    ),
    (
        "OPS-CAPACITY-TIES",
        "Each sum, share and what-if of a capacity plan follows from the rows of its sources.",
        capacity_ties,
        (
            "capacity_plan",
            "capacity_map",
        ),
    ),
    (
        "OPS-CONTROL-COVERAGE",
        "A control matrix says what its tables and evidence say, and hides no gap.",
        control_coverage,
        (
            "control_matrix",
            "control_picture",
        ),
    ),
    (
        "OPS-STATUS-TRUE",
        "A status report shows what its lists say, and the colours that the figures give.",
        status_true,
        (
            "status_report",
            "status_deck",
        ),
    ),
    (
        "OPS-CHANGE-CHECKED",
        "A change is called ready only if it is complete, approved, reversible and its window is free.",
        change_checked,
        (
            "change_check",
            "change_picture",
        ),
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
