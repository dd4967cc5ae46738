"""`deskmate worker`: work in a pool."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import anyio
import click

from deskmate import __version__
from deskmate.cli.output import Session, progress
from deskmate.cli.pool import pool_options
from deskmate.errors import UserError

_EACH_MIB = 640
"""What a machine for a document takes: 512 MiB of its own at most, and what the system needs for it."""


@click.command("worker", short_help="Work in a pool, beside others.")
@pool_options
@click.option(
    "--name",
    help="This worker's own name, the same after each restart; without it the machine's name.",
)
@click.option(
    "--slots",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Virtual machines at once; as many at every worker of a pool.",
)
@click.option(
    "--memory",
    "memory_mib",
    type=click.IntRange(min=_EACH_MIB),
    metavar="MIB",
    help="What they may take together; without it only what is free counts.",
)
@click.pass_obj
def command(
    session: Session,
    engine: str | None,
    store: Path | None,
    name: str | None,
    slots: int,
    memory_mib: int | None,
) -> None:
    """Do what is put into a pool, such as the rows of tables, until you stop it.

    \b
    deskmate worker --engine postgresql://deskmate@db/deskmate --store /srv/deskmate

    Its name is its claim: after a crash it goes on with what it had begun, so let a supervisor start it again
    (docs/how-to/fleet.md). One signal (Ctrl-C, SIGTERM) lets what runs finish, a second one ends it at once; nothing
    is lost by either.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.fleet.status import place_of  # noqa: PLC0415 - the help must stay light

    place = place_of(engine, store)
    if place is None:
        raise UserError(
            "Which pool?", hint="Give --engine URL and --store FOLDER; see docs/how-to/fleet.md"
        )
    own = name or socket.gethostname()
    if not own.replace("-", "").replace("_", "").replace(".", "").isalnum() or len(own) > 60:
        raise UserError(f"{own!r} is no name for a worker.", hint="Use letters, digits, - _ .")
    anyio.run(_work, session, place, own, slots, memory_mib)


async def _work(
    session: Session, place: Any, name: str, slots: int, memory_mib: int | None
) -> None:
    from deskmate.engine.pool_worker import Member  # noqa: PLC0415
    from deskmate.host.adapters import Adapters  # noqa: PLC0415
    from deskmate.host.fleet.worker import run_worker  # noqa: PLC0415
    from deskmate.sandbox.host_checks import available_mib  # noqa: PLC0415

    member = Member(
        name=name,
        slots=slots,
        version=__version__,
        memory_mib=memory_mib,
        each_mib=_EACH_MIB,
        free_mib=available_mib,
    )
    until = anyio.Event()
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, until, tasks.cancel_scope)
        try:
            await run_worker(Adapters(session.places), place, member, progress(), until=until)
        except Exception as error:  # noqa: BLE001 - raised below as itself, not in a task group's group
            failures.append(error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _listen(until: anyio.Event, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if until.is_set():
                scope.cancel()
                return
            click.echo("  ends when what runs has finished; once more: at once", err=True)
            until.set()
