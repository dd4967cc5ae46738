"""How commands speak: results on stdout, progress and errors on stderr, JSON when asked."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import click

from deskmate.errors import DeskmateError
from deskmate.shown import CONTROL, one_line, plain
from deskmate.types.codec import to_json
from deskmate.types.places import Places

__all__ = [
    "Session",
    "is_live",
    "json_option",
    "one_line",
    "plain",
    "progress",
    "report_error",
    "report_interrupt",
    "report_usage",
    "say",
    "say_json",
    "shown_progress",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every command gets as `click`'s object."""

    places: Places


def say(text: str = "") -> None:
    """Write one result to stdout, safe for a terminal."""
    click.echo(plain(text))


def say_json(value: Any) -> None:
    """Write one JSON document to stdout: every field, also the empty ones; safe for a terminal as well."""
    text = json.dumps(to_json(value, defaults=True), ensure_ascii=False, indent=2, sort_keys=True)
    click.echo(CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def progress() -> Callable[[str], None]:
    """Return a function that shows one line of progress on stderr; the same words in a row once."""
    last = ""

    def show(line: str) -> None:
        nonlocal last
        if line != last:
            click.echo(f"  {plain(line)}", err=True)
        last = line

    return show


def is_live(*, as_json: bool = False, stream: TextIO | None = None) -> bool:
    """Say whether a live display is wanted: on a terminal that can do it, and not for machines.

    `stream`: where it would be; stderr if None.
    """
    if as_json or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return (stream or sys.stderr).isatty()


@contextmanager
def shown_progress(*, as_json: bool = False) -> Iterator[Callable[[str], None]]:
    """Show lines of progress on stderr while the block runs: live on a terminal, else one by one."""
    if not is_live(as_json=as_json):
        yield progress()
        return
    from deskmate.cli.display import Display  # noqa: PLC0415 - rich is not for --help

    with Display() as display:
        yield display.progress


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` to a command, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Stable JSON on stdout.")(function)


def report_error(error: DeskmateError | OSError) -> None:
    """Say in one line what happened to what, and in a second what to do."""
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _report(f"{name}The disk is full.", "Free some space; deskmate doctor says where.")
            return
        _report(f"{name}{error.strerror or error}.")
        return
    _report(error.message, error.hint)


def report_usage(error: click.ClickException) -> None:
    """Say in one line what is wrong with a command as it was typed, and where its help is."""
    context = getattr(error, "ctx", None)
    hint = f"See {context.command_path} --help" if context is not None else ""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    _report(error.format_message(), hint)


def _report(message: str, hint: str = "") -> None:
    click.echo(f"deskmate: {one_line(message)}", err=True)
    if hint:
        click.echo(f"  {one_line(hint)}", err=True)


def report_interrupt(hint: str = "") -> None:
    """Say that the user stopped it, and in a second line what to do."""
    _report("Stopped by you; nothing is lost.", hint)
    sys.stderr.flush()
