"""`deskmate thread`: list, show, resume and verify threads; the rest is in `own_thread` and `thread_files`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.cost import cost
from deskmate.cli.opening import choose_thread, open_for_reading
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.own_thread import COMMANDS, catalogue
from deskmate.cli.project import projects
from deskmate.cli.thread_files import FILE_COMMANDS
from deskmate.cli.thread_queue import QUEUE_COMMANDS
from deskmate.types.codec import to_json

if TYPE_CHECKING:
    from deskmate.store.signing import Head
    from deskmate.store.verify import VerifyReport
    from deskmate.types.events import Event


@click.group("thread")
def command() -> None:
    """Find, show, resume, name, export and verify threads."""


for own in (*COMMANDS, *FILE_COMMANDS, *QUEUE_COMMANDS, cost):
    command.add_command(own)


@command.command("list", short_help="List threads, those that need you first.")
@click.option("--archived", is_flag=True, help="Archived threads as well.")
@click.option("--deleted", is_flag=True, help="Deleted threads that can be brought back.")
@click.option("--project", help="Threads of this project only.")
@json_option
@click.pass_obj
def list_command(
    session: Session, archived: bool, deleted: bool, project: str | None, as_json: bool
) -> None:
    """List threads: what needs you, what is at work, what is pinned, then the rest, newest first."""
    from deskmate.store.listing import by_attention  # noqa: PLC0415 - only commands need it
    from deskmate.store.owning import deleted_threads  # noqa: PLC0415

    if deleted:
        gone = deleted_threads(session.places.threads)
        if as_json:
            say_json(gone)
        for row in gone if not as_json else ():
            say(f"{row.thread}  {row.days} days left  {row.title}")
        return
    every = by_attention(catalogue(session).summaries())
    if project:
        wanted = projects(session).get(project).id
        every = [summary for summary in every if summary.project == wanted]
    found = [summary for summary in every if archived or not summary.archived]
    if as_json:
        say_json(found)
        return
    if not found:
        say('There is no thread yet. Begin one: deskmate run "…"')
    for summary in found:
        pending = f"  {summary.pending} changes to review" if summary.pending else ""
        mark = "  pinned" if summary.pinned else "  archived" if summary.archived else ""
        title = summary.problem or summary.title
        say(
            f"{summary.thread}  {summary.state:<12}  {summary.changed[:19]}  {title}{pending}{mark}"
        )
    if hidden := len(every) - len(found):
        say(f"{hidden} archived: deskmate thread list --archived")


@command.command("show")
@click.argument("thread", required=False)
@json_option
@click.pass_obj
def show(session: Session, thread: str | None, as_json: bool) -> None:
    """Show a thread's events, one a line; with --json in full."""
    from deskmate.cli.lines import log_line  # noqa: PLC0415 - only this command needs it

    async def work() -> tuple[Event, ...]:
        async with open_for_reading(session, thread) as (store, _):
            return await store.events()

    async def lines() -> str:
        async with open_for_reading(session, thread) as (store, _):
            return "\n".join(await store.each_row(log_line))

    if as_json:
        # as stored, since the hashes cover that
        events = anyio.run(work)
        say_json([{"kind": event.kind, "event": to_json(event)} for event in events])
    else:
        say(anyio.run(lines))


@command.command("allow", short_help="Let a thread reach hosts, or show what it may reach.")
@click.argument("thread")
@click.argument("hosts", nargs=-1, metavar="[HOST[:WORD,…]]…")
@click.option("--remove", is_flag=True, help="Take these hosts away instead.")
@json_option
@click.pass_obj
def allow(
    session: Session, thread: str, hosts: tuple[str, ...], remove: bool, as_json: bool
) -> None:
    """Let a thread reach hosts from its next run on; without HOST show what it may reach.

    \b
    deskmate thread allow t-abc api.example.com:GET,POST

    Words after the colon: methods (GET and HEAD if none is named); `plain` for http on port 80 as well;
    `trusted` to read from it unasked although the thread holds your files; `credentials` to pass on what the
    virtual machine itself sends as such; `opaque` to tunnel unseen.
    A host's byte budget begins anew when it is allowed again.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host import set_thread_hosts, thread_hosts  # noqa: PLC0415 - only commands need it
    from deskmate.host.network import parse_allowed, shown  # noqa: PLC0415

    rules = [parse_allowed(host) for host in hosts]
    if rules:
        allowed, gone = ([], [rule.host for rule in rules]) if remove else (rules, [])
        found = anyio.run(set_thread_hosts, session.places, thread, allowed, gone)
    else:
        found = anyio.run(thread_hosts, session.places, thread)
    if as_json:
        say_json(found)
        return
    for rule in found:
        say(f"{shown(rule)}  (by {rule.by})")
    if not found:
        say(f"{thread} may reach no network at all.")


@command.command("resume")
@click.argument("thread", required=False)
@json_option
@click.pass_obj
def resume(session: Session, thread: str | None, as_json: bool) -> int:
    """Let a thread's interrupted run go on."""
    from deskmate.cli.run import resume_thread  # noqa: PLC0415

    return resume_thread(session, choose_thread(session, thread), as_json=as_json)


@command.command("verify")
@click.argument("thread", required=False)
@click.option("--settled", is_flag=True, help="Nothing may be under way or left over, either.")
@json_option
@click.pass_obj
def verify(session: Session, thread: str | None, settled: bool, as_json: bool) -> int:
    """Check a thread's log, its promises and its files.

    Exit code 1 if something is wrong. What is not settled yet, such as an interrupted run, is only noted.
    """
    report = anyio.run(verify_one, session, choose_thread(session, thread), settled)
    if as_json:
        say_json(report)
    else:
        say_report(report)
    return 1 if report.problems else 0


async def verify_one(
    session: Session, thread: str, settled: bool = False, heads: Sequence[Head] = (), key: str = ""
) -> VerifyReport:
    """Return the report on one thread, compared with its checkpoints that were signed here, and `heads`.

    `settled`: what is only noted otherwise is a problem. `key`: who must have signed them.
    """
    from dataclasses import replace  # noqa: PLC0415

    from deskmate.host.signing_key import kept_checkpoints  # noqa: PLC0415
    from deskmate.store.verify import verify_thread  # noqa: PLC0415

    kept, unread = kept_checkpoints(session.places)
    async with open_for_reading(session, thread) as (store, blobs):
        known = [*(one for one in kept if one.thread == store.thread), *heads]
        report = await verify_thread(store, blobs, heads=known, key=key, settled=settled)
    if unread:
        note = f"of the checkpoints kept beside the threads {unread} cannot be read"
        report = replace(report, notes=(*report.notes, note))
    return report


def say_report(report: VerifyReport) -> None:
    """Write a report in lines for people."""
    state = "sound" if not report.problems else f"{len(report.problems)} problems"
    say(f"{report.thread}: {state}; {report.events} events, {report.blobs} blobs")
    for problem in report.problems:
        say(f"! {problem}")
    for note in report.notes:
        say(f"  {note}")
    say(f"  head {report.head}")
