"""`deskmate thread export|import`: threads as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import click

from deskmate.cli.opening import open_for_reading
from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.store.backup import Backup, Restored

_ENDINGS = {"zip": ".zip", "jsonl": "", "html": ".html"}
Format = Literal["zip", "jsonl", "html"]


@click.command("export", short_help="Write a thread, or all, into a file.")
@click.argument("thread", required=False)
@click.option(
    "--all", "every", is_flag=True, help="All threads in one zip; they may go on working."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["zip", "jsonl", "html"]),
    default="zip",
    show_default=True,
    help="zip, a folder with events.jsonl and blobs, or one page to read.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Default: named after the thread."
)
@json_option
@click.pass_obj
def export(
    session: Session,
    thread: str | None,
    every: bool,
    form: Format,
    output: Path | None,
    as_json: bool,
) -> int:
    """Write a thread with all its files into one archive, or all threads into one.

    zip and jsonl can be brought back with `thread import`, here or elsewhere, with the same hashes. html is a
    page to read: it needs nothing beside it, loads nothing, and holds the text of what was said and changed.
    """
    if every:
        if thread or form != "zip":
            raise UserError(
                "--all writes all threads into a zip.", hint="Leave THREAD and --format out."
            )
        return _export_all(session, output, as_json=as_json)
    target, count = anyio.run(_export, session, thread, form, output)
    size = sum(path.stat().st_size for path in (target, *target.rglob("*")) if path.is_file())
    if as_json:
        say_json({"file": str(target), "blobs": count, "bytes": size})
    elif form == "html":
        say(f"{target}  {size:,} bytes; open it in a browser")
    else:
        say(f"{target}  {size:,} bytes, {count} blobs")
    return 0


async def _export(
    session: Session, thread: str | None, form: Format, output: Path | None
) -> tuple[Path, int]:
    from deskmate.store.archive import export_thread  # noqa: PLC0415 - only commands need it

    async with open_for_reading(session, thread) as (store, blobs):
        target = output or Path(f"{store.thread}{_ENDINGS[form]}")
        if form != "html":
            return target, await export_thread(store, blobs, target, folder=form == "jsonl")
        from deskmate.host.thread_page import thread_page  # noqa: PLC0415

        page = "".join(thread_page(await store.events(), blobs))
    if target.exists():
        raise UserError(f"{target} exists already.", hint="Choose another name.")
    target.write_text(page, "utf-8")
    return target, 0


def _export_all(session: Session, output: Path | None, *, as_json: bool) -> int:
    from deskmate.store.backup import export_all  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415

    target = output or Path(f"deskmate-{datetime.now(UTC):%Y-%m-%d}.zip")

    async def work() -> Backup:
        blobs = BlobStore(session.places.blobs)
        return await export_all(session.places.threads, blobs, target, progress)

    with shown_progress(as_json=as_json) as progress:
        done = anyio.run(work)
    if as_json:
        say_json({"file": str(target), "backup": done, "bytes": target.stat().st_size})
    else:
        size = target.stat().st_size
        say(f"{target}  {size:,} bytes, {len(done.threads)} threads, {done.blobs} blobs")
        for name, why in done.left_out.items():
            say(f"! {name} is left out: {why}")
    return 1 if done.left_out else 0


@click.command("import", short_help="Bring exported threads back.")
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@json_option
@click.pass_obj
def import_command(session: Session, archive: Path, as_json: bool) -> int:
    """Bring an exported thread back, or all of `export --all` that are not here; every hash is checked.

    ARCHIVE is a zip, or a folder of `export --format jsonl`. A thread that is here already stays as it is.
    """
    from deskmate.store.backup import import_all  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415

    async def work() -> Restored:
        return await import_all(archive, session.places.threads, BlobStore(session.places.blobs))

    done = anyio.run(work)
    if as_json:
        first = {"thread": done.threads[0]} if done.threads else {}
        say_json({**first, "threads": done.threads, "here": done.here, "refused": done.refused})
        return 1 if done.refused else 0
    for thread in done.threads:
        say(f"Thread {thread} is here. Look at it: deskmate thread show {thread}")
    for name in done.here:
        say(f"Thread {name} was here already and stays as it is.")
    for name, why in done.refused.items():
        say(f"! {name} was not brought back: {why}")
    return 1 if done.refused else 0


FILE_COMMANDS = (export, import_command)
"""What `deskmate thread` takes in from here."""
