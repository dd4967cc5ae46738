"""Asks the person at the terminal; where there is none, says so and the run parks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
import click

from deskmate.cli.output import plain
from deskmate.types.registry import ToolSpec


class TerminalApprover:
    """The `Approver` of the command line."""

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Ask yes or no, showing the call itself; None when nobody is at the terminal."""
        if not sys.stdin.isatty():
            return None
        shown = "\n".join(f"    {name}: {value}" for name, value in arguments.items())
        click.echo(plain(f"? {tool.name}: {why}\n{shown}").replace("\\x0a", "\n"), err=True)
        return await anyio.to_thread.run_sync(
            lambda: click.confirm("  Allow this one call?", default=False, err=True),
            abandon_on_cancel=True,
        )
