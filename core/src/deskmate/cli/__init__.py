"""The command line: one module a command, loaded only when it is called.

`main` is the one place that turns errors into one line and an exit code.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from deskmate import __version__
from deskmate.cli.output import Session, report_error, report_interrupt, report_usage
from deskmate.errors import DeskmateError
from deskmate.types.places import find_places

COMMANDS = {
    "audit": "Verify, sign and export the record of what was done.",
    "bench": "Measure this machine against Deskmate's targets.",
    "changes": "Review, apply, discard and undo what runs changed.",
    "chat": "Talk to a thread, turn by turn.",
    "connector": "Connect the user's own tools: servers that speak MCP.",
    "demo": "Watch the main job: a contract reviewed in a virtual machine.",
    "doctor": "Say what works on this machine, what does not, and the cure.",
    "fleet": "Look after a pool of workers on one machine or many.",
    "image": "Build and look after the virtual machine's image.",
    "inbox": "See and answer what waits for you in all threads.",
    "index": "Publish plugins for others: pinned versions in a signed folder.",
    "mcp": "Offer plugins' tools to other programs that speak MCP.",
    "model": "List and test models.",
    "plugin": "Install, find, enable and disable plugins.",
    "policy": "See and set what a thread's tools may do unasked.",
    "project": "Give threads common folders, plugins and instructions.",
    "secret": "Keep the keys that plugins need, outside of machines and logs.",
    "run": "Ask for something and let the agent work on it.",
    "schedule": "Let work be done by itself, at times or when a folder changes.",
    "serve": "Serve the page in the browser, on this machine only.",
    "service": "Let your own systemd carry schedules out.",
    "sign": "Sign a result as a named person, bound to its very bytes.",
    "skill": "List and show the skills of the installed plugins.",
    "stop": "Stop runs and their virtual machines now.",
    "table": "Ask the same questions of many documents, with evidence.",
    "template": "List and remove frozen virtual machines.",
    "thread": "List, show, resume, export and verify threads.",
    "worker": "Work in a pool, beside other machines.",
}
"""Command → one line of help; each lives in the module of its name."""


class LazyGroup(click.Group):
    """A group that imports a command's module when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all command names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"deskmate.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="deskmate")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Deskmate: an AI coworker that works on your files inside a virtual machine on your machine.

    Nothing touches your files until you apply it, and everything can be undone.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False  # click itself knows only whether there is a terminal
    ctx.obj = Session(places=find_places(dict(os.environ), Path.home()))


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 usage, 3–5 see `run`."""
    try:
        code = root.main(args=arguments, standalone_mode=False, prog_name="deskmate")
    except click.ClickException as error:
        report_usage(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        report_interrupt()
        sys.exit(130)
    except DeskmateError as error:
        report_error(error)
        sys.exit(error.exit_code)
    except OSError as error:
        report_error(error)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
