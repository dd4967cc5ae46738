"""`deskmate changes history`: what was applied and undone in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import click

from deskmate.cli.opening import open_for_reading, thread_option
from deskmate.cli.output import Session, json_option, one_line, say, say_json

if TYPE_CHECKING:
    from deskmate.changes.history import Applied


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
    from deskmate.changes.history import history as read_history  # noqa: PLC0415
    from deskmate.changes.names import is_below  # noqa: PLC0415
    from deskmate.types.events import UserSaid  # noqa: PLC0415

    async def work() -> list[dict[str, Any]]:
        async with open_for_reading(session, thread) as (store, blobs):
            events = await store.events()
            said = {
                str(event.payload.run): event.payload.text
                for event in events
                if isinstance(event.payload, UserSaid)
            }
            found = read_history(events, blobs)
        return [
            _entry(applied, said)
            for applied in found
            if not paths or any(is_below(path, paths) for path in _paths(applied))
        ]

    entries = anyio.run(work)
    if as_json:
        say_json(entries)
        return
    for entry in entries:
        _say_entry(entry, files=files)


def _say_entry(entry: dict[str, Any], *, files: bool) -> None:
    what = "undo" if entry["undoes"] else f"apply of {entry['run']}"
    counts = ", ".join(f"{count} {name}" for name, count in entry["operations"].items())
    state = "  (undone)" if entry["undone"] else ""
    by = f"by {entry['by']}" if entry["by"] else "by ?"
    say(f"{entry['plan'][:12]}  {entry['time']}  {by}  {what}: {counts}{state}")
    if entry["asked"]:
        say(f"    asked: {one_line(entry['asked'], 100)}")
    for path, ids in entry["parts"].items():
        say(f"    of {path} only {', '.join(ids)}")
    for path, why in entry["waiting"].items():
        say(f"    still staged then: {path}: {why}")
    for path in entry["paths"] if files else ():
        say(f"    {path}")


def _paths(applied: Applied) -> list[str]:
    return [step.path for step in applied.plan.steps if not step.is_frame]


def _entry(applied: Applied, said: Mapping[str, str]) -> dict[str, Any]:
    plan = applied.plan
    return {
        "plan": applied.digest,
        "time": applied.time,
        "seq": applied.seq,
        "by": applied.by,
        "run": plan.run,
        "asked": said.get(plan.run, ""),
        "undoes": plan.undoes,
        "forced": plan.forced,
        "operations": applied.operations(),
        "paths": _paths(applied),
        "parts": {path: part.ids for path, part in plan.parts.items()},
        "waiting": plan.waiting,
        "undone": not applied.live,
    }
