"""Prepares visits to customers from Rowan CRM and the user's own notes."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, SkillSource, Tool, Validator, hookimpl
from deskmate_rowan.gates import QUOTES, SUMS, quotes_stand, sums_hold
from deskmate_rowan.tools import visit_brief


@hookimpl
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:
    """Return the tool; its risk stands in plugin.toml, too."""
    return [Tool(function=visit_brief, risk="write")]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skill's folder."""
    return [SkillSource(folder=context.resources / "skills" / "prepare-a-visit")]


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the two gates."""
    role = ("visit-brief",)
    return [
        Validator(
            rule=SUMS, title="The total is the sum of the offers.", function=sums_hold, roles=role
        ),
        Validator(
            rule=QUOTES, title="Every point stands in the notes.", function=quotes_stand, roles=role
        ),
    ]
