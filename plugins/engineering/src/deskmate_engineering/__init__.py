"""The engineering plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_engineering.tools.fix import fix_propose, run_tests
from deskmate_engineering.tools.incident import incident_timeline, postmortem_write
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.tools.scan import secrets_scan
from deskmate_engineering.tools.standup import standup_from_git
from deskmate_engineering.validators.fix_rules import keeps_tests, patch_applies, proves_tests
from deskmate_engineering.validators.incident_rules import (
    blameless,
    cited,
    impact_ties,
    timeline_true,
)
from deskmate_engineering.validators.review_rules import anchors, review_complete
from deskmate_engineering.validators.rules import no_secrets
from deskmate_engineering.validators.standup_rules import standup_true

_RULES = (
    # rule, function, role that it looks at (empty: every result), what it makes sure of
    ("ENG-ANCHOR", anchors, "review", "Each finding of a review quotes a line that the change has."),
    ("ENG-REVIEW-COMPLETE", review_complete, "review", "What the checks find in the originals is in the review, or set aside with a reason."),
    ("ENG-PATCH-APPLIES", patch_applies, "patch", "A patch applies to its base commit and changes the files that it names, and no other."),
    ("ENG-TESTS-KEPT", keeps_tests, "patch", "A patch deletes, moves, skips or weakens no test."),
    ("ENG-TESTS-PASS", proves_tests, "patch", "The tests that a patch names failed before and pass after, and no other gets worse."),
    ("ENG-STANDUP-TRUE", standup_true, "standup", "A stand-up has each commit of its window once, under its author, and nothing else."),
    ("ENG-TIMELINE-TRUE", timeline_true, "postmortem", "Each row of a timeline has the moment and words of the line that it names, and none is left out."),
    ("ENG-IMPACT-TIES", impact_ties, "postmortem", "Marks, spans, counts and severity of a post-mortem follow from its records."),
    ("ENG-CITED", cited, "postmortem", "Each line of a post-mortem names the lines that it rests on, and its figures stand there."),
    ("ENG-BLAMELESS", blameless, "postmortem", "A post-mortem blames nobody."),
    ("ENG-NO-SECRETS", no_secrets, "", "No deliverable holds an unmasked key, token or password."),
)  # fmt: skip


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
        Tool(function=review_diff),
        Tool(function=review_report, risk="write"),
        Tool(function=run_tests, timeout_s=300),
        Tool(function=fix_propose, risk="write", timeout_s=600),
        Tool(function=standup_from_git, risk="write"),
        Tool(function=incident_timeline),
        Tool(function=postmortem_write, risk="write"),
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
        Validator(rule=rule, title=title, function=function, roles=(role,) if role else ())
        for rule, function, role, title in _RULES
    ]
