"""`deskmate thread search|rename|pin|archive|delete|restore|fork|gc`: threads as things that people own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.tidying import tidy_up

if TYPE_CHECKING:
    from deskmate.host.forking import Fork
    from deskmate.store.catalogue import Catalogue


def catalogue(session: Session) -> Catalogue:
    """Return the catalogue of the user's threads."""
    from deskmate.store.catalogue import Catalogue  # noqa: PLC0415 - only commands need it

    return Catalogue(session.places.data, session.places.threads)


@click.command("search", short_help="Find words in all threads.")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="At most so many threads.")
@json_option
@click.pass_obj
def search(session: Session, words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find words in all threads: what was said, what tools answered and read, names of files.

    Every word must occur; the last one may be a beginning; "in quotes" is a phrase. Best first.
    """
    hits = catalogue(session).search(" ".join(words), limit=limit)
    if as_json:
        say_json(hits)
        return
    last = ""
    for hit in hits:
        if hit.thread != last:
            say(f"{hit.thread}  {hit.changed[:10]}  {hit.title}")
            last = hit.thread
        say(f"  {hit.seq:>5}  {hit.snippet}")
    if not hits:
        say("Found nothing. Try fewer words, or the beginning of one.")


@click.command("rename")
@click.argument("thread")
@click.argument("title", nargs=-1, required=True)
@click.pass_obj
def rename(session: Session, thread: str, title: tuple[str, ...]) -> None:
    """Give a thread another title."""
    from deskmate.store.owning import rename_thread  # noqa: PLC0415

    anyio.run(rename_thread, session.places.threads, thread, " ".join(title))
    say(f"{thread} is now: {' '.join(title)}")


@click.command("pin")
@click.argument("thread")
@click.option("--off", is_flag=True, help="Unpin it.")
@click.pass_obj
def pin(session: Session, thread: str, off: bool) -> None:
    """Keep a thread at the top of the list."""
    from deskmate.store.owning import mark_thread  # noqa: PLC0415

    anyio.run(lambda: mark_thread(session.places.threads, thread, pinned=not off))
    say(f"{thread} is {'no longer ' if off else ''}pinned.")


@click.command("archive", short_help="Take a thread out of the list, or bring it back.")
@click.argument("thread")
@click.option("--off", is_flag=True, help="Bring it back into the list.")
@click.pass_obj
def archive(session: Session, thread: str, off: bool) -> None:
    """Take a thread out of the list; search still finds it, and nothing is removed."""
    from deskmate.store.owning import mark_thread  # noqa: PLC0415

    anyio.run(lambda: mark_thread(session.places.threads, thread, archived=not off))
    say(f"{thread} is {'no longer ' if off else ''}archived.")


@click.command("delete", short_help="Delete a thread, so that it can be restored.")
@click.argument("thread")
@click.pass_obj
def delete(session: Session, thread: str) -> None:
    """Delete a thread; for 30 days `thread restore` brings it back. Your own files stay as they are."""
    from deskmate.store.owning import KEPT_DAYS, delete_thread  # noqa: PLC0415

    delete_thread(session.places.threads, thread)
    say(f"{thread} is deleted. For {KEPT_DAYS} days: deskmate thread restore {thread}")
    tidy_up(session)


@click.command("restore")
@click.argument("thread")
@click.pass_obj
def restore(session: Session, thread: str) -> None:
    """Bring a deleted thread back."""
    from deskmate.store.owning import restore_thread  # noqa: PLC0415

    restore_thread(session.places.threads, thread)
    say(f"{thread} is back.")


@click.command("fork", short_help="Make a thread of its own out of a thread at any event.")
@click.argument("thread")
@click.option(
    "--at", "seq", type=int, metavar="N", help="Event, as `thread show` counts; default: the last."
)
@click.option("--title", default="", help="Default: the thread's, with (fork).")
@json_option
@click.pass_obj
def fork(session: Session, thread: str, seq: int | None, title: str, as_json: bool) -> None:
    """Go another way from an event of a thread: with all that was said, and the files as they were then.

    The thread itself stays as it is. The fork works on the files as the thread had them at that event, not
    as your folders are now, until you apply its changes; where a file in your folder is another by then,
    `changes show` says so and apply leaves it out.
    """
    from deskmate.host.forking import fork_thread  # noqa: PLC0415 - only commands need it

    async def work() -> Fork:
        return await fork_thread(session.places, thread, seq=seq, title=title)

    made = anyio.run(work)
    if as_json:
        say_json(made)
        return
    say(f"{made.thread}  {made.title}")
    files = (
        f"files as of event {made.files_seq}" if made.files_seq else "no files were read by then"
    )
    say(f"  from {made.parent} at event {made.seq}; {files}")
    if made.listed:
        say(
            f"  {made.listed} files were not read by then; they come from your folders as they are now"
        )
    say(f'Go on: deskmate run "…" --thread {made.thread}')


@click.command("gc", short_help="Free the space of content that no thread needs.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@click.pass_obj
def gc(session: Session, dry_run: bool, as_json: bool) -> None:
    """Remove stored content that no thread, no undo, no fork and no deleted thread in its 30 days needs.

    While a thread is at work nothing is removed. Your own files are never touched. Once a day it happens by itself,
    for about a second, after a run has ended or a thread was deleted.
    """
    from deskmate.store.collection import collect  # noqa: PLC0415 - only this command needs it

    done = collect(session.places.threads, session.places.blobs, remove=not dry_run)
    if as_json:
        say_json(done)
        return
    for thread in done.purged:
        say(f"{thread} is gone for good: it was deleted more than 30 days ago.")
    if dry_run:
        say(
            f"{done.left:,} of {done.left + done.kept:,} pieces of content are not needed any more."
        )
        return
    say(
        f"{done.removed:,} pieces of content removed, {done.removed_bytes:,} bytes; {done.kept:,} are needed."
    )
    if done.left:
        say(
            f"{done.left:,} more are not needed and stay, since a thread is at work: try again later."
        )


COMMANDS = (search, rename, pin, archive, delete, restore, fork, gc)
"""What `deskmate thread` takes in beside its own."""
