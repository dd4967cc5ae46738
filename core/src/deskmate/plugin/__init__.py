"""The public API for plugin authors: everything a plugin may import from Deskmate, and nothing else.

A plugin is an ordinary Python distribution with an entry point in the group `deskmate.plugins` and a
static `plugin.toml`. Its hooks return the frozen dataclasses of this module. Plugin code runs inside
the VM only, never on the host.
"""

from deskmate.errors import ToolDenied, ToolError, ToolInputError
from deskmate.plugin.contexts import PluginContext, Sources, ToolContext, ValidationContext
from deskmate.plugin.contributions import Prompt, SkillSource, Tool, ToolAnswer, Validator
from deskmate.plugin.hookspecs import PROJECT, hookimpl
from deskmate.types.files import Claim, Deliverable, Evidence
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest

__all__ = [
    "PROJECT",
    "Claim",
    "Deliverable",
    "Digest",
    "Evidence",
    "Finding",
    "PluginContext",
    "Prompt",
    "SkillSource",
    "Sources",
    "Tool",
    "ToolAnswer",
    "ToolContext",
    "ToolDenied",
    "ToolError",
    "ToolInputError",
    "ValidationContext",
    "Validator",
    "hookimpl",
]
