"""The four hooks. Each is a plain function that returns things; it runs once, in the guest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from deskmate.plugin.contexts import PluginContext
    from deskmate.plugin.contributions import Prompt, SkillSource, Tool, Validator

PROJECT = "deskmate"
"""pluggy's project name."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the implementation of the hook of the same name."""


@hookspec
def deskmate_prompts(context: PluginContext) -> Iterable[Prompt]:  # type: ignore[empty-body]
    """Return the blocks that the plugin adds to the system prompt.

    When called: once, in the guest, when the plugin set's template is made.
    Arguments: `context`: the plugin's name, version and resource folder.
    Returns: prompts; all together at most 2,000 tokens. None or empty adds nothing.
    Errors: an exception makes the plugin unusable; the other plugins still work.
    Example: `return [Prompt(name="role", text=(context.resources / "prompts/role.md").read_text())]`
    Added in: 1.0
    """


@hookspec
def deskmate_tools(context: PluginContext) -> Iterable[Tool]:  # type: ignore[empty-body]
    """Return the plugin's tools.

    When called: once, in the guest, when the plugin set's template is made.
    Arguments: `context`: the plugin's name, version and resource folder.
    Returns: tools; names are unique within the plugin and stand in plugin.toml with their risk.
    Errors: an exception, a bad signature or a name that plugin.toml lacks makes the plugin unusable.
    Example: `return [Tool(function=contract_parse), Tool(function=contract_redline, risk="write")]`
    Added in: 1.0
    """


@hookspec
def deskmate_skills(context: PluginContext) -> Iterable[SkillSource]:  # type: ignore[empty-body]
    """Return the plugin's skills.

    When called: once, in the guest, when the plugin set's template is made.
    Arguments: `context`: the plugin's name, version and resource folder.
    Returns: folders in the Agent Skills format.
    Errors: an unreadable skill is named in `plugin list` and left out.
    Example: `return [SkillSource(folder=context.resources / "skills" / "review-contract")]`
    Added in: 1.0
    """


@hookspec
def deskmate_validators(context: PluginContext) -> Iterable[Validator]:  # type: ignore[empty-body]
    """Return the plugin's output validators.

    When called: once, in the guest, when the plugin set's template is made.
    Arguments: `context`: the plugin's name, version and resource folder.
    Returns: validators; rule ids are unique and stand in plugin.toml.
    Errors: an exception makes the plugin unusable. A rule that fails later is an error finding.
    Example: `return [Validator(rule="LEGAL-REJECT-ALL", title="…", function=check, roles=("redline",))]`
    Added in: 1.0
    """
