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
    """Bring the tools that read documents, settle tracked changes, and build, read and edit office files."""
    # Plugins import this package for its modules; only the office plugin itself needs the tools.
    from deskmate_documents.office.toolset import office_tools  # noqa: PLC0415

    return list(office_tools())


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
