"""Documents for plugins, inside the virtual machine: reading, patching, redlining, quoting.

The built-in `office` plugin's hooks live here; plugins import the modules below.
"""

from __future__ import annotations

from deskmate.plugin import PluginContext, Prompt, SkillSource, Tool, Validator, hookimpl


@hookimpl
def deskmate_prompts(context: PluginContext) -> list[Prompt]:
    """Say how to read and quote documents."""
    text = (context.resources / "prompts" / "office.md").read_text(encoding="utf-8")
    return [Prompt(name="office", text=text, order=10)]


@hookimpl
def deskmate_tools(context: PluginContext) -> list[Tool]:
    """Bring the tools that read documents, settle tracked changes, and build, read and edit workbooks."""
    # Plugins import this package for its modules; only the office plugin itself needs the tools.
    from deskmate_documents.office import (  # noqa: PLC0415
        change_tools,
        deck_tools,
        docx_tools,
        evidence_tools,
        pdf_edits,
        pdf_tools,
        render_tools,
        sheet_build_tool,
        sheet_calc_tool,
        sheet_tools,
        tools,
    )

    return [
        Tool(function=tools.document_read, reads=()),
        Tool(function=tools.document_outline, reads=()),
        Tool(function=tools.document_quote, reads=()),
        Tool(function=evidence_tools.document_figure, reads=("{path}",)),
        Tool(function=evidence_tools.document_present, reads=()),
        Tool(function=change_tools.document_changes, reads=("{before}", "{after}")),
        Tool(function=change_tools.document_take, risk="write", reads=("{before}", "{after}")),
        Tool(function=docx_tools.docx_fields, reads=("{path}",)),
        Tool(function=docx_tools.docx_fill, risk="write", reads=("{path}",)),
        Tool(function=docx_tools.docx_build, risk="write", reads=()),
        Tool(function=docx_tools.docx_comment, risk="write", reads=("{path}",)),
        Tool(function=tools.docx_accept, risk="write", reads=()),
        Tool(function=tools.docx_reject, risk="write", reads=()),
        Tool(function=sheet_tools.sheet_map, reads=("{path}",)),
        Tool(function=sheet_tools.sheet_read, reads=("{path}",)),
        Tool(function=sheet_tools.sheet_edit, risk="write", reads=("{path}",)),
        Tool(function=sheet_build_tool.sheet_build, risk="write", reads=()),
        Tool(function=sheet_calc_tool.sheet_recalculate, risk="write", reads=("{path}",)),
        Tool(function=pdf_tools.pdf_outline, reads=("{path}",)),
        Tool(function=pdf_tools.pdf_read, reads=("{path}",), timeout_s=600),
        Tool(function=pdf_tools.pdf_find, reads=("{path}",), timeout_s=300),
        Tool(function=pdf_tools.pdf_tables, reads=("{path}",), timeout_s=300),
        Tool(function=pdf_tools.pdf_form, reads=("{path}",)),
        Tool(function=pdf_tools.pdf_annotations, reads=("{path}",)),
        Tool(function=pdf_edits.pdf_fill, risk="write", reads=("{path}",)),
        Tool(function=pdf_edits.pdf_pages, risk="write", reads=(), timeout_s=300),
        Tool(function=pdf_edits.pdf_split, risk="write", reads=("{path}",), timeout_s=300),
        Tool(function=pdf_edits.pdf_redact, risk="write", reads=("{path}",), timeout_s=600),
        Tool(function=pdf_edits.pdf_annotate, risk="write", reads=("{path}",)),
        Tool(function=deck_tools.deck_outline, reads=("{path}",)),
        Tool(function=deck_tools.deck_read, reads=("{path}",)),
        Tool(function=deck_tools.deck_lint, reads=("{path}",)),
        Tool(function=deck_tools.deck_edit, risk="write", reads=("{path}",)),
        Tool(function=deck_tools.deck_build, risk="write", reads=()),
        Tool(function=deck_tools.deck_summary, risk="write", reads=("{path}",), timeout_s=300),
        Tool(function=render_tools.render_pages, risk="write", reads=("{path}",), timeout_s=600),
    ]


@hookimpl
def deskmate_skills(context: PluginContext) -> list[SkillSource]:
    """Bring the ways of working with office files, one folder each."""
    return [
        SkillSource(folder=path.parent)
        for path in sorted(context.resources.glob("skills/*/SKILL.md"))
    ]


@hookimpl
def deskmate_validators(context: PluginContext) -> list[Validator]:
    """Bring the rules that hold for documents of every profession."""
    from deskmate_documents.office.gates import shared_gates  # noqa: PLC0415

    return list(shared_gates())
