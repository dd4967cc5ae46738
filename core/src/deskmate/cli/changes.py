"""`deskmate changes`: review, apply, discard and undo what runs changed."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import click

from deskmate.cli.output import Session, is_live, json_option, progress, say, say_json
from deskmate.cli.own_thread import catalogue
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.changes.apply import Outcome, Place
    from deskmate.changes.review import ChangeSet, Item
    from deskmate.changes.staged import Staged
    from deskmate.changes.undo import Applied
    from deskmate.store.blobs import BlobStore
    from deskmate.store.thread import ThreadStore

NEEDS_YOU = 4


@click.group("changes")
def command() -> None:
    """Review, apply, discard and undo what runs changed."""


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
    from deskmate.changes.apply import Place, recover  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    name = choose_thread(session, thread)
    async with open_thread(session.places.threads, name) as store:
        blobs = BlobStore(session.places.blobs)
        place = Place(store=store, blobs=blobs, journal=store.folder / "apply")
        for outcome in await recover(place):
            what = f"not carried out: {outcome.text}" if outcome.text else "finished now"
            click.echo(f"  an interrupted apply was {what}", err=True)
        yield place


async def _review(session: Session, thread: str | None, run: str) -> tuple[Staged, ChangeSet]:
    from deskmate.changes.apply import review_changes  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415

    async with open_for_reading(session, thread) as (store, blobs):
        staged = find_staged(await store.events(), run)
        return staged, await review_changes(blobs, staged.difference, staged.grants)


@command.command("show", short_help="List what the last run wants to change.")
@thread_option
@run_option
@json_option
@click.pass_obj
def show(session: Session, thread: str | None, run: str, as_json: bool) -> None:
    """List what the last run, or the given one, wants to change, and how each change stands."""
    staged, changes = anyio.run(_review, session, thread, run)
    if as_json:
        say_json({"staged": staged, "items": changes.items, "refused": changes.refused})
        return
    counts = ", ".join(f"{count} {name}" for name, count in changes.operations().items())
    state = " (discarded)" if staged.discarded else ""
    say(f"Run {staged.run}{state}: {counts or 'nothing left to apply'}")
    if staged.errors:
        say(f"! The output checks found {staged.errors} error(s): do not rely on these files.")
    moved = {item.moved_from for item in changes.items if item.moved_from}
    _say_items([item for item in changes.items if item.path not in moved])
    for path, why in sorted(changes.refused.items()):
        say(f"! {path}: not taken from the virtual machine: {why}")


def _say_items(items: Sequence[Item]) -> None:
    """List changes: as a table on a terminal, else one a line."""
    from deskmate.cli import tables  # noqa: PLC0415

    if items and is_live(stream=sys.stdout):
        from deskmate.cli.display import terminal  # noqa: PLC0415 - rich is for terminals only

        console = terminal(sys.stdout)
        console.print(tables.change_table(items, console.width))
        return
    for item in items:
        sign = tables.sign_of(item)[0]
        sizes = tables.sizes_of(item)
        parts = [f"{sign} {item.path}", f"({sizes} bytes)" if sizes else ""]
        say("  ".join(part for part in (*parts, *tables.remarks_of(item)) if part))


@command.command("diff", short_help="Show changed text files line by line.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@json_option
@click.pass_obj
def diff(
    session: Session, paths: tuple[str, ...], thread: str | None, run: str, as_json: bool
) -> None:
    """Show the changes of text files line by line; of other files size and digest.

    PATHS: only these workspace paths and what is below them.
    """
    from deskmate.changes.planning import is_below  # noqa: PLC0415
    from deskmate.changes.review import describe_difference, read_difference  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415

    async def work() -> list[dict[str, Any]]:
        async with open_for_reading(session, thread) as (store, blobs):
            staged = find_staged(await store.events(), run)
            return [
                {
                    "path": change.path,
                    "operation": change.operation,
                    "lines": list(describe_difference(change, blobs)),
                }
                for change in read_difference(staged.difference, blobs).changes
                if not paths or is_below(change.path, paths)
            ]

    changes = anyio.run(work)
    if as_json:
        say_json({"changes": changes})
        return
    for change in changes:
        for line in change["lines"]:
            say(line)


@command.command("apply", short_help="Write the changes into your folders, all or nothing.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@click.option("--allow-protected", multiple=True, metavar="PATH", help="Write this protected name.")
@click.option("--confirm-bulk", is_flag=True, help="Many deletions at once are meant.")
@json_option
@click.pass_obj
def apply(
    session: Session,
    paths: tuple[str, ...],
    thread: str | None,
    run: str,
    allow_protected: tuple[str, ...],
    confirm_bulk: bool,
    as_json: bool,
) -> int:
    """Write the change set, or only PATHS of it, into your folders: all of it or, on an error, nothing.

    Files that you changed meanwhile are left out and named; the exit code is then 4.
    """
    from deskmate.changes.apply import apply_changes  # noqa: PLC0415
    from deskmate.changes.planning import ApplyOptions  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415

    async def work() -> Outcome:
        async with open_for_changes(session, thread) as place:
            staged = find_staged(await place.store.events(), run)
            if staged.discarded:
                raise UserError(f"The changes of run {staged.run} were discarded.")
            if staged.errors:
                progress()(f"! The output checks found {staged.errors} error(s) in what you apply.")
            options = ApplyOptions(
                paths=paths,
                allow_protected=allow_protected,
                confirm_bulk=confirm_bulk,
                base_files=staged.base_files,
            )
            return await apply_changes(
                place, staged.difference, staged.grants, options, run=staged.run
            )

    return _report(anyio.run(work), "written", as_json=as_json)


def _report(outcome: Outcome, verb: str, *, as_json: bool) -> int:
    if as_json:
        say_json(outcome)
    else:
        say(f"{len(outcome.written)} {verb}" if outcome.plan else f"Nothing to be {verb}.")
        for path in outcome.written:
            say(f"  {path}")
        for path, why in sorted(outcome.left_out.items()):
            say(f"! {path} was left out: {why}")
        for note in outcome.notes:
            say(f"! could not be kept: {note}")
    return NEEDS_YOU if outcome.left_out else 0


@command.command("discard")
@thread_option
@run_option
@json_option
@click.pass_obj
def discard(session: Session, thread: str | None, run: str, as_json: bool) -> None:
    """Throw the change set away. Your folders stay as they are."""
    from deskmate.changes.staged import find_staged  # noqa: PLC0415
    from deskmate.types.events import ChangesDiscarded  # noqa: PLC0415

    async def work() -> Staged:
        async with open_for_changes(session, thread) as place:
            staged = find_staged(await place.store.events(), run)
            if not staged.discarded:
                await place.store.append(ChangesDiscarded(difference=staged.difference))
            return staged

    staged = anyio.run(work)
    if as_json:
        say_json({"run": staged.run, "difference": staged.difference, "discarded": True})
    else:
        say(f"The changes of run {staged.run} are discarded.")


@command.command("undo", short_help="Bring your files back to what they were.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@click.option("--plan", default="", help="Undo this entry of the history, an undo too.")
@click.option("--force", is_flag=True, help="Also where a file changed since; that is kept, too.")
@json_option
@click.pass_obj
def undo(
    session: Session,
    paths: tuple[str, ...],
    thread: str | None,
    run: str,
    plan: str,
    force: bool,
    as_json: bool,
) -> int:
    """Bring your files back to what they were: of the whole thread, one run, one entry, or PATHS."""
    from deskmate.changes.undo import UndoOptions, undo_changes  # noqa: PLC0415

    async def work() -> Outcome:
        async with open_for_changes(session, thread) as place:
            options = UndoOptions(run=run, plan=plan, paths=paths, force=force)
            return await undo_changes(place, options)

    return _report(anyio.run(work), "undone", as_json=as_json)


@command.command("history")
@thread_option
@json_option
@click.pass_obj
def history(session: Session, thread: str | None, as_json: bool) -> None:
    """List what was applied and undone, oldest first."""
    from deskmate.changes.undo import history as read_history  # noqa: PLC0415

    async def work() -> tuple[Applied, ...]:
        async with open_for_reading(session, thread) as (store, blobs):
            return read_history(await store.events(), blobs)

    found = anyio.run(work)
    if as_json:
        say_json([_entry(applied) for applied in found])
        return
    for applied in found:
        what = "undo" if applied.is_undo else f"apply of {applied.plan.run}"
        state = "" if applied.live else "  (undone)"
        say(f"{applied.digest[:12]}  {applied.time}  {what}  {len(_paths(applied))} files{state}")


def _paths(applied: Applied) -> list[str]:
    return [step.path for step in applied.plan.steps if not step.is_frame]


def _entry(applied: Applied) -> dict[str, Any]:
    return {
        "plan": applied.digest,
        "time": applied.time,
        "seq": applied.seq,
        "run": applied.plan.run,
        "undoes": applied.plan.undoes,
        "forced": applied.plan.forced,
        "paths": _paths(applied),
        "undone": not applied.live,
    }


@command.command("recover", short_help="Settle what an interrupted apply left.")
@thread_option
@click.pass_obj
def recover_command(session: Session, thread: str | None) -> None:
    """Settle what an interrupted apply left; other commands do that by themselves."""

    async def work() -> None:
        async with open_for_changes(session, thread):
            say("All changes are settled.")

    anyio.run(work)
