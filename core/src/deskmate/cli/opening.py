"""Which thread and change set a command means, and opening it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.output import Session, progress
from deskmate.cli.own_thread import catalogue
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.changes.apply import Outcome, Place
    from deskmate.store.blobs import BlobStore
    from deskmate.store.thread import ThreadStore


def thread_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--thread` to a command; without it the thread that changed last is meant."""
    return click.option("--thread", "-t", help="Without it: the one that changed last.")(function)


def run_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--run` to a command."""
    return click.option("--run", "run", default="", help="The change set of this run.")(function)


def choose_thread(session: Session, thread: str | None) -> str:
    """Return the thread's id, or that of the one that changed last. Raises UserError."""
    if thread:
        return thread
    threads = catalogue(session).summaries()
    for summary in threads:
        if not summary.problem:
            return str(summary.thread)
    if threads:
        raise UserError("No thread can be read.", hint="See deskmate thread list for why.")
    raise UserError("There is no thread yet.", hint='Begin one: deskmate run "…"')


@asynccontextmanager
async def open_for_reading(
    session: Session, thread: str | None
) -> AsyncIterator[tuple[ThreadStore, BlobStore]]:
    """Open a thread's log and the blobs."""
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    name = choose_thread(session, thread)
    async with open_thread(session.places.threads, name, write=False) as store:
        yield store, BlobStore(session.places.blobs)


@asynccontextmanager
async def open_for_changes(session: Session, thread: str | None) -> AsyncIterator[Place]:
    """Open a thread for writing and settle what an earlier process left."""
    from deskmate.host import reviewing  # noqa: PLC0415

    def settled(outcome: Outcome) -> None:
        what = f"not carried out: {outcome.text}" if outcome.text else "finished now"
        click.echo(f"  an interrupted apply was {what}", err=True)

    name = choose_thread(session, thread)
    async with reviewing.open_for_changes(session.places, name, progress(), settled) as place:
        yield place
