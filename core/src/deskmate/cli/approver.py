"""Asks the person at the terminal; where there is none, says so and the run parks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import anyio.to_thread
import click

from deskmate.cli.output import plain
from deskmate.types.registry import ToolSpec


class TerminalApprover:
    """The `Approver` of the command line."""

    def __init__(self, *, paused: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`paused`: keeps a live display off the terminal while a question stands there."""
        self._paused = paused

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Ask yes or no, showing the call itself; None when nobody is at the terminal."""
        if not sys.stdin.isatty():
            return None
        # As JSON each argument stays on its line: a line feed in it could forge another question.
        lines = [f"    {_line(name)}: {_line(value)}" for name, value in arguments.items()]
        question = plain("\n".join([f"? {tool.name}: {' '.join(why.split())}", *lines]))
        with self._paused():
            click.echo(question, err=True)
            return await anyio.to_thread.run_sync(
                lambda: click.confirm("  Allow this one call?", default=False, err=True),
                abandon_on_cancel=True,
            )


def _line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text[1:-1] if isinstance(value, str) else text
