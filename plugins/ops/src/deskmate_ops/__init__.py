"""The operations plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_ops.tools.measures import process_metrics, vendor_scorecard
from deskmate_ops.tools.sop import sop_build
from deskmate_ops.validators.rules import steps_complete, sums_tie


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
        Tool(function=sop_build, risk="write", reads=("{path}", "*.docx")),
        Tool(function=vendor_scorecard, risk="write", reads=("{path}", "vendor-scorecard.xlsx")),
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
            rule="OPS-STEPS-COMPLETE",
            title="Each step of the notes stands in the procedure, in order, and no other.",
            function=steps_complete,
            roles=("sop",),
        ),
    ]
