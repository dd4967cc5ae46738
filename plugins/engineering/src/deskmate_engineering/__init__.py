"""The engineering plugin: its prompts, tools, skills and validators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl
from deskmate_engineering.tools.adr import adr_check, adr_new
from deskmate_engineering.tools.bisecting import bisect_run
from deskmate_engineering.tools.deploy import deploy_gate
from deskmate_engineering.tools.deps import deps_audit
from deskmate_engineering.tools.docs import docs_check
from deskmate_engineering.tools.fix import fix_propose, run_tests
from deskmate_engineering.tools.hotspots import hotspots
from deskmate_engineering.tools.incident import incident_timeline, postmortem_write
from deskmate_engineering.tools.page import page_check, page_look
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.tools.scan import secrets_scan
from deskmate_engineering.tools.standup import standup_from_git
from deskmate_engineering.validators.adr_rules import adr_sound
from deskmate_engineering.validators.bisect_rules import bisect_true
from deskmate_engineering.validators.deploy_rules import deploy_true
from deskmate_engineering.validators.deps_rules import licences_told, sbom_valid
from deskmate_engineering.validators.docs_rules import docs_true
from deskmate_engineering.validators.fix_rules import keeps_tests, patch_applies, proves_tests
from deskmate_engineering.validators.hotspot_rules import hotspots_true
from deskmate_engineering.validators.incident_rules import (
    blameless,
    cited,
    impact_ties,
    timeline_true,
)
from deskmate_engineering.validators.page_rules import page_true
from deskmate_engineering.validators.review_rules import anchors, review_complete
from deskmate_engineering.validators.rules import no_secrets
from deskmate_engineering.validators.standup_rules import standup_true

_RULES: tuple[tuple[str, Any, str, str], ...] = (
    # rule, function, roles that it looks at (empty: every result), what it makes sure of
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
    ("ENG-BISECT-TRUE", bisect_true, "bisect", "A first bad commit fails, and its parent passes, when the search is made again."),
    ("ENG-PAGE-TRUE", page_true, "page-check page-picture", "A page, opened again from the originals, shows what its report and picture say."),
    ("ENG-SBOM-VALID", sbom_valid, "sbom", "A bill of materials keeps its schema and has each package of the original lock files, and no other."),
    ("ENG-LICENCES", licences_told, "licence-audit", "A licence audit has every package that is denied or to be looked at, and the verdict that follows."),
    ("ENG-ADR-SOUND", adr_sound, "decision", "A decision record has the next number, two options at least, and links that go both ways."),
    ("ENG-HOTSPOTS-TRUE", hotspots_true, "hotspots", "The figures of hotspots are those of the commits."),
    ("ENG-DOCS-TRUE", docs_true, "docs-check", "A check of documentation has what is wrong in the originals, and nothing else."),
    ("ENG-DEPLOY-TRUE", deploy_true, "deploy-checklist", "A deployment's checklist ticks no box without its record, and leaves none out."),
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
        Tool(function=page_look, risk="write", timeout_s=540, office="always"),
        Tool(function=page_check, risk="write", timeout_s=540, office="always"),
        Tool(function=deps_audit, risk="write", timeout_s=240),
        Tool(
            function=deploy_gate,
            risk="write",
            reads=("*.csv", "*.tsv", "*.xlsx", "deploy checklist.md"),
        ),
        Tool(function=bisect_run, risk="write", timeout_s=600),
        Tool(function=adr_new, risk="write"),
        Tool(function=adr_check),
        Tool(function=hotspots, risk="write", timeout_s=240),
        Tool(function=docs_check, risk="write", timeout_s=240),
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
        Validator(rule=rule, title=title, function=function, roles=tuple(roles.split()))
        for rule, function, roles, title in _RULES
    ]
