"""The operations plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_ops.tools.measures import process_map, process_metrics
from deskmate_ops.tools.risks import risk_register
from deskmate_ops.tools.sop import sop_build
from deskmate_ops.tools.vendors import vendor_scorecard
from deskmate_ops.validators.live import live_formulas
from deskmate_ops.validators.rules import (
    map_true,
    risk_owners,
    risk_scores,
    step_owners,
    steps_complete,
    sums_tie,
    weights_hold,
)


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
        Tool(function=process_metrics, risk="write", reads=("{path}", "process-metrics.xlsx")),
        Tool(function=process_map, risk="write", reads=("{path}", "process-map.*")),
        Tool(
            function=risk_register,
            risk="write",
            reads=("{path}", "risk-register.xlsx", "risk-heat-map.*"),
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


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the validators."""
    return [
        Validator(
            rule="OPS-SUMS-TIE",
            title="Each figure of process metrics and scorecards is computed again from the source.",
            function=sums_tie,
            roles=("process_metrics", "vendor_scorecard"),
        ),
        Validator(
            rule="OPS-MAP-TRUE",
            title="A process map shows moves of the log with their true counts, and its BPMN is whole.",
            function=map_true,
            roles=("process_map",),
        ),
        Validator(
            rule="OPS-LIVE-FORMULAS",
            title="Each formula of a workbook gives what it shows, and totals are formulas.",
            function=live_formulas,
            roles=("process_metrics", "risk_register", "vendor_scorecard"),
        ),
        Validator(
            rule="OPS-WEIGHTS",
            title="Weights are those given and add up to 1, scores lie in 0 to 100, each figure names its source.",
            function=weights_hold,
            roles=("vendor_scorecard",),
        ),
        Validator(
            rule="OPS-RISK-SCORES",
            title="A risk register says what its table says, and each score, band, day and count follows from it.",
            function=risk_scores,
            roles=("risk_register", "risk_map"),
        ),
        Validator(
            rule="OPS-RISK-OWNERS",
            title="No risk is without owner, treatment or review unless it is named as open.",
            function=risk_owners,
            roles=("risk_register",),
        ),
        Validator(
            rule="OPS-STEPS-COMPLETE",
            title="Each step of the notes stands in the procedure, in order, and no other.",
            function=steps_complete,
            roles=("sop",),
        ),
        Validator(
            rule="OPS-STEP-OWNERS",
            title="Each step has an owner or is named as open; nothing said of a step is invented.",
            function=step_owners,
            roles=("sop",),
        ),
    ]
