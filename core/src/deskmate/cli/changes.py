"""`deskmate changes`: review, apply, discard and undo what runs changed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import click

from deskmate.cli.history import history
from deskmate.cli.opening import choose_thread, open_for_changes, run_option, thread_option
from deskmate.cli.output import Session, is_live, json_option, progress, say, say_json
from deskmate.cli.pages import pages
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.changes.apply import Outcome
    from deskmate.changes.planning import ApplyOptions
    from deskmate.changes.review import Item
    from deskmate.changes.staged import Staged

NEEDS_YOU = 4


@click.group("changes")
def command() -> None:
    """Review, apply, discard and undo what runs changed."""


command.add_command(pages)
command.add_command(history)


@command.command("show", short_help="List what the last run wants to change.")
@thread_option
@run_option
@json_option
@click.pass_obj
def show(session: Session, thread: str | None, run: str, as_json: bool) -> None:
    """List what the last run, or the given one, wants to change, and how each change stands."""
    from deskmate.host.reviewing import staged_changes  # noqa: PLC0415

    staged, changes = anyio.run(staged_changes, session.places, choose_thread(session, thread), run)
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


@command.command("diff", short_help="Show changed text files line by line, in numbered hunks.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@json_option
@click.pass_obj
def diff(
    session: Session, paths: tuple[str, ...], thread: str | None, run: str, as_json: bool
) -> None:
    """Show the changes of text files line by line; of other files size and digest.

    The hunks of a file are numbered: changes apply --hunks takes some of them. PATHS: only these workspace
    paths and what is below them.
    """
    from deskmate.host.reviewing import differences  # noqa: PLC0415

    name = choose_thread(session, thread)
    changes = anyio.run(differences, session.places, name, paths, run, progress())
    if as_json:
        say_json({"changes": changes})
        return
    for change in changes:
        for line in change.lines:
            say(line)


@command.command("apply", short_help="Write the changes into your folders, all or nothing.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@click.option("--leave-out", multiple=True, metavar="PATH", help="Not this; it stays staged.")
@click.option(
    "--hunks",
    multiple=True,
    metavar="FILE:1,3-5",
    help="Of this text, Word document or workbook only these changes, as changes diff numbers them.",
)
@click.option("--allow-protected", multiple=True, metavar="PATH", help="Write this protected name.")
@click.option(
    "--confirm-deletes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Deleting exactly N files is meant; without it a terminal asks when there are many.",
)
@click.option("--yours", multiple=True, metavar="PATH", help="You changed it, too: yours stays.")
@click.option(
    "--new", multiple=True, metavar="PATH", help="You changed it, too: the new one is taken."
)
@click.option(
    "--both", multiple=True, metavar="PATH", help="You changed it, too: both stay, side by side."
)
@json_option
@click.pass_obj
def apply(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    paths: tuple[str, ...],
    thread: str | None,
    run: str,
    leave_out: tuple[str, ...],
    hunks: tuple[str, ...],
    allow_protected: tuple[str, ...],
    confirm_deletes: int | None,
    yours: tuple[str, ...],
    new: tuple[str, ...],
    both: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write the change set, or only PATHS of it, into your folders: all of it or, on an error, nothing.

    What you leave out stays staged: apply it later or discard it. With --hunks and without PATHS nothing but
    those hunks is written. Files that you changed meanwhile are left out and named, and the exit code is then 4,
    unless you say which version is right: --yours, --new or --both.
    """
    from deskmate.changes.planning import ApplyOptions  # noqa: PLC0415

    pieces = _read_hunks(hunks)
    options = ApplyOptions(
        paths=(*paths, *pieces) if pieces else paths,
        leave_out=leave_out,
        hunks=pieces,
        allow_protected=allow_protected,
        confirm_deletes=confirm_deletes,
        beside=both,
    )
    outcome = anyio.run(_apply, session, thread, run, options, as_json, yours, new)
    return _report(outcome, "written", as_json=as_json)


def _read_hunks(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return path → ids of what `--hunks` names. Raises UserError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        path, colon, listed = word.rpartition(":")
        ids = [part.strip() for part in listed.split(",")]
        if not colon or not path or not all(ids):
            raise UserError(f"{word} names no hunks.", hint="Such as --hunks docs/nda.txt:1,3-5")
        found[path] = (*found.get(path, ()), *(one for part in ids for one in _range(part)))
    return found


def _range(part: str) -> list[str]:
    first, dash, last = part.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal()):
        return [part]
    if not int(first) <= int(last) < int(first) + 10_000:
        raise UserError(f"{part} is no range of hunks.", hint="Such as 3-5.")
    return [str(number) for number in range(int(first), int(last) + 1)]


async def _apply(
    session: Session,
    thread: str | None,
    run: str,
    options: ApplyOptions,
    as_json: bool,
    yours: tuple[str, ...],
    new: tuple[str, ...],
) -> Outcome:
    from dataclasses import replace  # noqa: PLC0415

    from deskmate.changes.apply import choose_changes  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415
    from deskmate.host.reviewing import apply_and_settle, conflicts  # noqa: PLC0415

    async with open_for_changes(session, thread) as place:
        staged = find_staged(await place.store.events(), run)
        if staged.discarded:
            raise UserError(f"The changes of run {staged.run} were discarded.")
        if staged.errors:
            progress()(f"! The output checks found {staged.errors} error(s) in what you apply.")
        options = replace(options, base_files=staged.base_files)
        if decided := (*yours, *new, *options.beside):
            known = await conflicts(place, staged)
            _check_decided(decided, known)
            # what is decided on belongs to what is written, also where only some paths are
            paths = (*options.paths, *new) if options.paths else ()
            options = replace(options, paths=paths, overwrite={path: known[path] for path in new})
        if options.confirm_deletes is None and sys.stdin.isatty() and not as_json:
            selection = await choose_changes(place, staged.difference, staged.grants, options)
            if selection.must_confirm:
                number = await anyio.to_thread.run_sync(_ask_number, selection.losses)
                options = replace(options, confirm_deletes=number)
        return await apply_and_settle(place, staged, options, yours)


def _check_decided(paths: Sequence[str], known: Collection[str]) -> None:
    """Raise UserError if a path is no conflict, or is decided on twice."""
    for path in paths:
        if path not in known:
            raise UserError(
                f"{path} is no file that you changed, too.", hint="See deskmate changes show."
            )
        if paths.count(path) > 1:
            raise UserError(
                f"{path} is decided on twice.", hint="Give one of --yours, --new, --both."
            )


def _ask_number(losses: int) -> int:
    """Let the user type how many files may be lost. Raises UserError if it is another number."""
    click.echo(f"  This would delete, empty or scramble {losses} files.", err=True)
    typed = click.prompt(
        "  Type that number if it is meant", default="", show_default=False, err=True
    )
    if str(typed).strip() != str(losses):
        raise UserError("Not confirmed; nothing was written.", hint="See deskmate changes show.")
    return losses


def _report(outcome: Outcome, verb: str, *, as_json: bool) -> int:
    if as_json:
        say_json(outcome)
    else:
        say(f"{len(outcome.written)} {verb}" if outcome.plan else f"Nothing to be {verb}.")
        for path in outcome.written:
            say(f"  {path}")
        for path, why in sorted(outcome.left_out.items()):
            say(f"! {path} was left out: {why}")
        for path, why in sorted(outcome.waiting.items()):
            say(f"  still staged: {path}: {why}")
        for note in outcome.notes:
            say(f"! could not be kept: {note}")
    return NEEDS_YOU if outcome.left_out else 0


@command.command("discard", short_help="Throw the changes, or some of them, away.")
@click.argument("paths", nargs=-1)
@thread_option
@run_option
@json_option
@click.pass_obj
def discard(
    session: Session, paths: tuple[str, ...], thread: str | None, run: str, as_json: bool
) -> None:
    """Throw the change set, or only PATHS of it, away. Your folders stay as they are.

    Of a file of which some hunks were applied this throws the others away.
    """
    from deskmate.changes.discarding import discard_changes  # noqa: PLC0415

    async def work() -> Staged:
        async with open_for_changes(session, thread) as place:
            return await discard_changes(place, paths, run)

    staged = anyio.run(work)
    if as_json:
        document = {"run": staged.run, "difference": staged.difference, "discarded": True}
        say_json({**document, "paths": list(paths)})
    else:
        what = f"{len(paths)} path(s)" if paths else "The changes"
        say(f"{what} of run {staged.run} are discarded.")


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


@command.command("recover", short_help="Settle what an interrupted apply left.")
@thread_option
@click.pass_obj
def recover_command(session: Session, thread: str | None) -> None:
    """Settle what an interrupted apply left; other commands do that by themselves."""

    async def work() -> None:
        async with open_for_changes(session, thread):
            say("All changes are settled.")

    anyio.run(work)
