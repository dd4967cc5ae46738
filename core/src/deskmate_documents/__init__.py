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
    """Bring the tools that read documents, settle tracked changes, and read and edit workbooks."""
    # Plugins import this package for its modules; only the office plugin itself needs the tools.
    from deskmate_documents.office import sheet_tools, tools  # noqa: PLC0415

    return [
        Tool(function=tools.document_read, reads=()),
        Tool(function=tools.document_outline, reads=()),
        Tool(function=tools.document_quote, reads=()),
        Tool(function=tools.docx_accept, risk="write", reads=()),
        Tool(function=tools.docx_reject, risk="write", reads=()),
        Tool(function=sheet_tools.sheet_map, reads=("{path}",)),
        Tool(function=sheet_tools.sheet_read, reads=("{path}",)),
        Tool(function=sheet_tools.sheet_edit, risk="write", reads=("{path}",)),
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
    from deskmate_documents.office.difference_gate import check_difference  # noqa: PLC0415
    from deskmate_documents.office.package_gate import check_package  # noqa: PLC0415
    from deskmate_documents.office.placeholder_gate import check_placeholders  # noqa: PLC0415
    from deskmate_documents.office.quote_gate import check_quotes  # noqa: PLC0415

    return [
        Validator(
            rule="G-QUOTE",
            title="Every quotation stands verbatim in its source, at the cited place.",
            function=check_quotes,
        ),
        Validator(
            rule="G-PLACEHOLDER",
            title="No placeholder is left that the original did not have.",
            function=check_placeholders,
        ),
        Validator(
            rule="G-OOXML",
            title="The Office file is whole: parts, links, ids and comments fit together.",
            function=check_package,
        ),
        Validator(
            rule="G-DIFF",
            title="An edited file differs from its original only where its edits say so.",
            function=check_difference,
        ),
    ]
