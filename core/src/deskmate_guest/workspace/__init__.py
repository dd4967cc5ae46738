"""The built-in plugin `workspace`: files, programs, and what the agent tells its user."""

from __future__ import annotations

from deskmate.plugin import PluginContext, Prompt, Tool, hookimpl
from deskmate_guest.workspace.commands import python, shell
from deskmate_guest.workspace.files import edit, read, write
from deskmate_guest.workspace.finding import glob, grep
from deskmate_guest.workspace.hooks import hook
from deskmate_guest.workspace.telling import ask, plan, present


@hookimpl
def deskmate_prompts(context: PluginContext) -> list[Prompt]:
    """Say how to work here."""
    text = (context.resources / "prompts" / "workspace.md").read_text(encoding="utf-8")
    return [Prompt(name="workspace", text=text, order=0)]


@hookimpl
def deskmate_tools(context: PluginContext) -> list[Tool]:
    """Bring the ten tools that every thread has, and the one that runs approved hooks."""
    return [
        Tool(function=shell, risk="write", timeout_s=660),
        Tool(function=python, risk="write", timeout_s=600),
        Tool(function=read, reads=()),
        Tool(function=write, risk="write", reads=()),
        Tool(function=edit, risk="write", reads=()),
        Tool(function=glob, reads=()),
        Tool(function=grep, reads=("{path}",)),
        Tool(function=plan, reads=()),
        Tool(function=ask, reads=()),
        Tool(function=present, reads=()),
        Tool(function=hook, risk="write", timeout_s=150, reads=(), offered=()),
    ]
