"""The engineering plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.tools.scan import secrets_scan
from deskmate_engineering.tools.standup import standup_from_git
from deskmate_engineering.validators.rules import anchors, no_secrets


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
        Tool(function=standup_from_git, risk="write"),
        Tool(function=review_diff),
        Tool(function=review_report, risk="write"),
        Tool(function=secrets_scan, reads=("{path}",)),
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
            rule="ENG-ANCHOR",
            title="Each finding of a review quotes a line that is there.",
            function=anchors,
            roles=("review",),
        ),
        Validator(
            rule="ENG-NO-SECRETS",
            title="No deliverable holds an unmasked key, token or password.",
            function=no_secrets,
        ),
    ]
