"""Deskmate as a legal professional: contract review against a playbook, redlines, memos.

This module holds the hooks only; what they return is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl


@hookimpl
def deskmate_prompts(context: PluginContext) -> Iterable[Prompt]:
    """Return the role, the house rules and the limits."""
    return [
        Prompt(
            name=name,
            text=(context.resources / f"prompts/{name}.md").read_text("utf-8"),
            order=order,
        )
        for order, name in ((10, "role"), (20, "house-rules"), (30, "limits"))
    ]


@hookimpl
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:
    """Return the tools for contracts."""
    from deskmate_legal.tools.cite import authorities_write, cite_check  # noqa: PLC0415
    from deskmate_legal.tools.compare import contract_compare  # noqa: PLC0415
    from deskmate_legal.tools.deadlines import deadline_calc, deadlines_write  # noqa: PLC0415
    from deskmate_legal.tools.find import contract_find  # noqa: PLC0415
    from deskmate_legal.tools.memo import memo_write  # noqa: PLC0415
    from deskmate_legal.tools.nda import nda_triage  # noqa: PLC0415
    from deskmate_legal.tools.parse import contract_parse  # noqa: PLC0415
    from deskmate_legal.tools.preflight import signature_preflight  # noqa: PLC0415
    from deskmate_legal.tools.privilege import privilege_screen  # noqa: PLC0415
    from deskmate_legal.tools.redact import redact  # noqa: PLC0415
    from deskmate_legal.tools.redline import contract_redline  # noqa: PLC0415
    from deskmate_legal.tools.review import playbook_review  # noqa: PLC0415
    from deskmate_legal.tools.terms import terms_check  # noqa: PLC0415

    reading = (contract_parse, playbook_review, terms_check, nda_triage, cite_check)
    writing = (
        contract_redline, memo_write, contract_compare, authorities_write, deadlines_write,
    )  # fmt: skip
    playbook = ("*playbook*",)
    # what an earlier result beside the contract may be called: it must be seen to be replaced
    results = (
        "* - redline*.docx", "* - memo*.docx", "* - comparison*.docx", "* - authorities*.docx",
        "* - deadlines*.*", "* - signature check*.docx",
    )  # fmt: skip
    return [
        Tool(function=redact, risk="write", timeout_s=300, reads=("* - redacted*",)),
        Tool(function=privilege_screen, risk="write", timeout_s=300, reads=("{folder}",)),
        Tool(function=signature_preflight, risk="write", timeout_s=300, reads=results),
        Tool(function=deadline_calc, reads=()),
        Tool(function=contract_find, timeout_s=300, reads=("*.docx", "*.pdf", "*.txt")),
        *(Tool(function=function, timeout_s=300, reads=playbook) for function in reading),
        *(
            Tool(function=function, risk="write", timeout_s=300, reads=(*playbook, *results))
            for function in writing
        ),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:
    """Return the skills."""
    names = (
        "review-contract",
        "triage-nda",
        "compare-versions",
        "terms-check",
        "cite-check",
        "redact",
        "deadlines",
        "signature-preflight",
        "privilege-screen",
    )
    return [SkillSource(folder=context.resources / "skills" / name) for name in names]


@hookimpl
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:
    """Return the gates for redlines and memos."""
    from deskmate_legal.validators import every_rule  # noqa: PLC0415

    return [
        Validator(rule=rule, title=title, function=function, roles=roles)
        for rule, title, function, roles in every_rule()
    ]
