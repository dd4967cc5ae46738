"""The finance plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_finance.tools.analytics import je_analytics
from deskmate_finance.tools.audit import model_audit
from deskmate_finance.tools.close import close_plan
from deskmate_finance.tools.dcf import dcf_build
from deskmate_finance.tools.journal import je_build
from deskmate_finance.tools.recon import recon_match
from deskmate_finance.tools.sampling import sox_sample
from deskmate_finance.tools.statements import statements_build
from deskmate_finance.tools.translation import tb_translate
from deskmate_finance.tools.trial_balance import trial_balance_check
from deskmate_finance.tools.variance import variance_bridge
from deskmate_finance.tools.xbrl import xbrl_facts
from deskmate_finance.validators.rules import every_rule


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
        # these look for their files by name, also for a chart of accounts and a prior period
        Tool(function=statements_build, risk="write", reads=("*.csv", "*.tsv", "*.xlsx", "*.xlsm")),
        Tool(function=tb_translate, risk="write", reads=("*.csv", "*.tsv", "*.xlsx", "*.xlsm")),
        Tool(
            function=variance_bridge,
            risk="write",
            reads=("{path}", "{base_path}", "variance bridge*"),
        ),
        Tool(function=je_build, risk="write", reads=("*.csv", "*.tsv", "*.xlsx", "*.xlsm")),
        Tool(function=je_analytics, risk="write", reads=("{path}", "journal analysis*.xlsx")),
        Tool(function=close_plan, risk="write", reads=("{path}", "close plan*.xlsx")),
        Tool(function=sox_sample, risk="write", reads=("{path}", "{results}", "sample*.xlsx")),
        Tool(function=dcf_build, risk="write", reads=("{path}", "valuation*.xlsx")),
        Tool(
            function=xbrl_facts, risk="write", reads=("{path}", "{calculation}", "xbrl facts*.xlsx")
        ),
        Tool(
            function=model_audit, risk="write", timeout_s=300, reads=("{path}", "model audit*.xlsx")
        ),
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
        Validator(rule=rule, title=title, function=function, roles=roles)
        for rule, title, function, roles in every_rule()
    ]
