"""`deskmate changes history`: what was applied and undone in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.opening import choose_thread, thread_option
from deskmate.cli.output import Session, json_option, one_line, say, say_json

if TYPE_CHECKING:
    from deskmate.host.reviewing import Past


@click.command("history", short_help="List what was applied and undone: when, by whom, what.")
@click.argument("paths", nargs=-1)
@thread_option
@click.option("--files", is_flag=True, help="List every file, too.")
@json_option
@click.pass_obj
def history(
    session: Session, paths: tuple[str, ...], thread: str | None, files: bool, as_json: bool
) -> None:
    """List what was applied and undone, oldest first: when, by whom, for which request, what.

    PATHS: only what touched these workspace paths or what is below them.
    """
    from deskmate.host.reviewing import past_changes  # noqa: PLC0415

    entries = anyio.run(past_changes, session.places, choose_thread(session, thread), paths)
    if as_json:
        say_json(entries)
        return
    for entry in entries:
        _say_entry(entry, files=files)


def _say_entry(entry: Past, *, files: bool) -> None:
    what = "undo" if entry.undoes else f"apply of {entry.run}"
    counts = ", ".join(f"{count} {name}" for name, count in entry.operations.items())
    state = "  (undone)" if entry.undone else ""
    by = f"by {entry.by}" if entry.by else "by ?"
    say(f"{entry.plan[:12]}  {entry.time}  {by}  {what}: {counts}{state}")
    if entry.asked:
        say(f"    asked: {one_line(entry.asked, 100)}")
    for path, ids in entry.parts.items():
        say(f"    of {path} only {', '.join(ids)}")
    for path, why in entry.waiting.items():
        say(f"    still staged then: {path}: {why}")
    for path in entry.paths if files else ():
        say(f"    {path}")
