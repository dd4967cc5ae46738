"""A connector that is a program: it is started here, and its lines are passed on. Nothing of them is read."""

from __future__ import annotations

from deskmate.plugin import PluginContext, Tool, hookimpl
from deskmate_guest.stdio.relay import exchange, start, warm


@hookimpl
def deskmate_tools(context: PluginContext) -> list[Tool]:
    """Bring what the host calls; no model ever sees these."""
    return [
        Tool(function=start, risk="write", timeout_s=60, reads=()),
        Tool(function=exchange, risk="write", timeout_s=60, reads=()),
        Tool(function=warm, risk="write", timeout_s=300, reads=()),
    ]
