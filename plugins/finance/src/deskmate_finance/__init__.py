"""The finance plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_finance.tools.recon import recon_match
from deskmate_finance.tools.trial_balance import trial_balance_check
from deskmate_finance.validators.recon_ties import recon_ties


@hookimpl
def deskmate_prompts(context: PluginContext) -> Iterable[Prompt]:
    """Return the profession's role, limits and house rules."""
    names = ("role", "limits", "house-rules")
    folder = context.resources / "prompts"
    return [
        Prompt(name=name, text=(folder / f"{name}.md").read_text("utf-8"), order=100 + place)
        for place, name in enumerate(names)
    ]


@hookimpl
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:
    """Return the tools."""
    return [
        Tool(
            function=recon_match, risk="write", reads=("{bank}", "{ledger}", "reconciliation*.xlsx")
        ),
        Tool(function=trial_balance_check, reads=("{path}",)),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skills, one folder each."""
    return [
        SkillSource(folder=path.parent)
        for path in sorted(context.resources.glob("skills/*/SKILL.md"))
    ]


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the validators."""
    return [
        Validator(
            rule="FIN-RECON-TIES",
            title="A reconciliation ties to the bank statement and the ledger, row by row.",
            function=recon_ties,
            roles=("reconciliation",),
        )
    ]
