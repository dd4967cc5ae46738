"""`deskmate stop`: the switch that ends runs and their virtual machines now."""

from __future__ import annotations

import sys

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError

_WORDS = {
    "idle": "nothing was running",
    "stopped": "stopped",
    "killed": "ended the hard way",
    "left": "NOT stopped",
}


@click.command("stop")
@click.argument("threads", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every run of yours on this machine.")
@json_option
@click.pass_obj
def command(session: Session, threads: tuple[str, ...], every: bool, as_json: bool) -> int:
    """Stop runs now, together with their virtual machines.

    Nothing is lost: a stopped thread goes on with `deskmate thread resume`. Exit code 1 if a run could
    not be stopped.
    """
    from deskmate.host.scheduling.stopping import note_stopped  # noqa: PLC0415
    from deskmate.host.stopping import stop_threads  # noqa: PLC0415 - only this command needs it

    if sys.platform == "win32":
        raise UserError(
            "Stopping by command works on Linux only.", hint="Press Ctrl-C in its window."
        )
    if every == bool(threads):
        raise UserError("Say what to stop.", hint="Name threads, or use --all.")
    note_stopped(
        session.places, threads
    )  # else whoever carries schedules out would go on with them
    found = anyio.run(stop_threads, session.places.threads, threads)
    if as_json:
        say_json(found)
    for row in found if not as_json else ():
        machines = f"; {row.processes} process(es) of it are gone" if row.processes else ""
        say(f"{row.thread}  {_WORDS[row.how]}{machines}{': ' + row.why if row.why else ''}")
    if not found and not as_json:
        say("Nothing is running.")
    return 1 if any(row.how == "left" for row in found) else 0
