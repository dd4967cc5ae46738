"""`deskmate audit`: verify and export the record of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import click

from deskmate.cli.changes import open_for_reading, thread_option
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.thread import say_report, verify_one
from deskmate.errors import UserError


@click.group("audit")
def command() -> None:
    """Verify and export the record of what was done."""


@command.command("verify", short_help="Check an exported log, a thread, or all threads.")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--thread", "-t", help="Without it, and without FILE: all of them.")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Length and head of the log as you kept them; finds a cut or rewritten log.",
)
@json_option
@click.pass_obj
def verify(
    session: Session, file: Path | None, thread: str | None, checkpoint: Path | None, as_json: bool
) -> int:
    """Check an exported log FILE by itself, or a thread here, or without both all threads.

    Every altered, missing, added or reordered record is found, up to the last checkpoint that is
    kept elsewhere. Exit code 1 if something is wrong.
    """
    if file:
        return _verify_file(file, checkpoint, as_json=as_json)
    if checkpoint:
        raise UserError(
            "A checkpoint is compared with a FILE.", hint="deskmate audit export first."
        )
    return _verify_threads(session, thread, as_json=as_json)


def _verify_file(file: Path, checkpoint: Path | None, *, as_json: bool) -> int:
    from deskmate.store import chain  # noqa: PLC0415 - only this command needs it
    from deskmate.store.verify import parse_checkpoint  # noqa: PLC0415

    known = parse_checkpoint(checkpoint.read_text("utf-8")) if checkpoint else None
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        report = chain.check(chain.read_lines(lines), known)
    if as_json:
        say_json(report)
    elif report.problem:
        say(f"! {report.problem}")
        say(f"  the {report.size} records before it are sound")
    else:
        say(f"{report.thread or file}: sound; {report.size} records")
        say(f"  head {report.head}")
        if not known:
            say("  without a checkpoint a cut end or a log rewritten as a whole cannot be seen")
    return 1 if report.problem else 0


def _verify_threads(session: Session, thread: str | None, *, as_json: bool) -> int:
    from deskmate.store.listing import list_threads  # noqa: PLC0415

    found = list_threads(session.places.threads)
    damaged = [summary for summary in found if summary.problem and not thread]
    names = [thread] if thread else [str(item.thread) for item in found if not item.problem]
    reports = [anyio.run(verify_one, session, name) for name in names]
    if as_json:
        say_json({"reports": reports, "damaged": damaged})
    else:
        for report in reports:
            say_report(report)
        for summary in damaged:
            say(f"{summary.thread}: damaged")
            say(f"! {summary.problem}")
    return 1 if damaged or any(report.problems for report in reports) else 0


@command.command("export")
@thread_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File; default: stdout.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Write length and head here, to be kept where nobody on this machine can change it.",
)
@click.pass_obj
def export(
    session: Session, thread: str | None, output: Path | None, checkpoint: Path | None
) -> None:
    """Write a thread's log as JSON Lines, each record with its hash."""
    from deskmate.store import chain  # noqa: PLC0415
    from deskmate.store.archive import as_lines  # noqa: PLC0415

    async def work() -> tuple[Mapping[str, Any], ...]:
        async with open_for_reading(session, thread) as (store, _):
            return await store.rows()

    records = anyio.run(work)
    for path in (output, checkpoint):
        if path and path.exists():
            raise UserError(f"{path} exists already.", hint="Choose another name.")
    report = chain.check(records)
    text = b"".join(as_lines(records))
    if output:
        output.write_bytes(text)
        say(f"{output}: {len(records)} records")
    else:
        click.echo(text, nl=False)
    if checkpoint:
        head = {"thread": report.thread, "size": report.size, "head": report.head}
        checkpoint.write_bytes(chain.canonical(head) + b"\n")
    if report.problem:
        raise UserError(f"The log was exported, but is damaged: {report.problem}.")
