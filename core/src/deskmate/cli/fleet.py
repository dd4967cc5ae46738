"""`deskmate fleet`: look after a pool of workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.pool import pool_options
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.host.fleet.place import PoolPlace
    from deskmate.types.fleet import FleetStatus


@click.group("fleet")
def command() -> None:
    """Look after a pool: who works in it, what waits, what is stuck, what it has cost."""


def _place(engine: str | None, store: Path | None) -> PoolPlace:
    from deskmate.host.fleet.status import place_of  # noqa: PLC0415 - the help must stay light

    place = place_of(engine, store)
    if place is None:
        raise UserError("Which pool?", hint="Give --engine URL and --store FOLDER.")
    return place


@command.command("status", short_help="Show workers, queues, stuck work and money.")
@pool_options
@json_option
def status_command(engine: str | None, store: Path | None, as_json: bool) -> None:
    """Show who works in the pool, what waits, what is stuck, and what its tables have cost."""
    from deskmate.host.fleet.status import fleet_status  # noqa: PLC0415

    found = anyio.run(fleet_status, _place(engine, store))
    if as_json:
        say_json(found)
    else:
        _show(found)


def _show(found: FleetStatus) -> None:
    from deskmate.host.fleet.status import is_there  # noqa: PLC0415

    say(f"pool {found.engine}")
    for one in found.workers:
        if one.state == "ended":
            how = f"ended {one.seen[:19]}Z"
        elif is_there(one):
            waits = f", {one.waiting} wait for room" if one.waiting else ""
            how = f"{one.running} of {one.slots} slots in use{waits}"
        else:
            how = f"not seen since {one.seen[:19]}Z"
        say(f"  {one.name}  {how}  (version {one.version})")
    if not found.workers:
        say("  no worker was ever here: deskmate worker --engine …")
    for queue in found.queues:
        given_up = f", {queue.given_up} given up" if queue.given_up else ""
        where = f"only {queue.host}" if queue.host else "all"
        say(f"  queue ({where}): {queue.waiting} wait, {queue.running} run{given_up}")
    say(f"  {found.done} done, {found.stopped} stopped, {found.spent_usd:.4f} USD for tables")
    for name, count in found.stuck.items():
        say(
            f"! {count} begun by {name}, which is not there. Start it again, or if it is gone for good: deskmate fleet forget {name}"
        )


@command.command("metrics", short_help="Write the same as OpenTelemetry metrics.")
@pool_options
def metrics_command(engine: str | None, store: Path | None) -> None:
    """Write how the pool stands as one OTLP request in JSON, for a collector.

    \b
    deskmate fleet metrics | curl -sf -H 'Content-Type: application/json' --data @- http://localhost:4318/v1/metrics
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.fleet.metrics import otlp_metrics  # noqa: PLC0415
    from deskmate.host.fleet.status import fleet_status  # noqa: PLC0415

    say_json(otlp_metrics(anyio.run(fleet_status, _place(engine, store))))


@command.command("forget", short_help="Give a lost worker's items to others.")
@click.argument("worker")
@click.option("--force", is_flag=True, help="Also if it is connected still.")
@pool_options
@json_option
def forget_command(
    worker: str, force: bool, engine: str | None, store: Path | None, as_json: bool
) -> None:
    """Say that WORKER is gone for good: what it had begun is begun again by others.

    Nobody else decides that: a worker that is only slow, or cut off, goes on with its items, and none runs twice.
    """
    from deskmate.host.fleet.status import forget_worker  # noqa: PLC0415

    async def forget() -> int:
        return await forget_worker(_place(engine, store), worker, force=force)

    count = anyio.run(forget)
    if as_json:
        say_json({"worker": worker, "given_back": count})
    else:
        say(f"{worker} is forgotten; {count} item(s) wait for others")


@command.command("stop", short_help="Stop the work on a table.")
@click.argument("table")
@pool_options
@json_option
@click.pass_obj
def stop_command(
    session: Session, table: str, engine: str | None, store: Path | None, as_json: bool
) -> None:
    """Stop the work on TABLE at all workers; what is answered stays, and `table resume` goes on."""
    from deskmate.host.fleet.tables import PoolTables  # noqa: PLC0415

    count = anyio.run(PoolTables(session.places, _place(engine, store)).stop, table)
    if as_json:
        say_json({"table": table, "stopped": count})
    else:
        say(f"{count} row(s) of {table} are stopped")


@command.command("limit", short_help="Limit how many items begin in a time.")
@click.option(
    "--items", type=click.IntRange(min=1), help="So many at most; without it: any number."
)
@click.option(
    "--per",
    "period_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Within so many seconds.",
)
@pool_options
def limit_command(
    items: int | None, period_s: float, engine: str | None, store: Path | None
) -> None:
    """Limit how many items all workers together begin in a time, as a model's server may want it."""
    from deskmate.host.fleet.status import limit_rate  # noqa: PLC0415

    anyio.run(limit_rate, _place(engine, store), items, period_s)
    say("no limit" if items is None else f"at most {items} items in {period_s:g} s")
