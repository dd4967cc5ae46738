"""`deskmate thread`: list, show, resume, export, import and verify threads; the rest is in `own_thread`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.changes import choose_thread, open_for_reading
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.own_thread import COMMANDS, by_attention, catalogue
from deskmate.types.codec import to_json

if TYPE_CHECKING:
    from deskmate.store.verify import VerifyReport
    from deskmate.types.events import Event
    from deskmate.types.ids import ThreadId

_TEXT_LIMIT = 120


@click.group("thread")
def command() -> None:
    """Find, show, resume, name, export and verify threads."""


for own in COMMANDS:
    command.add_command(own)


@command.command("list", short_help="List threads, those that need you first.")
@click.option("--archived", is_flag=True, help="Archived threads as well.")
@click.option("--deleted", is_flag=True, help="Deleted threads that can be brought back.")
@json_option
@click.pass_obj
def list_command(session: Session, archived: bool, deleted: bool, as_json: bool) -> None:
    """List threads: what needs you, what is at work, what is pinned, then the rest, newest first."""
    from deskmate.store.owning import deleted_threads  # noqa: PLC0415 - only commands need it

    if deleted:
        gone = deleted_threads(session.places.threads)
        if as_json:
            say_json(gone)
        for row in gone if not as_json else ():
            say(f"{row.thread}  {row.days} days left  {row.title}")
        return
    every = by_attention(catalogue(session).summaries())
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

    async def work() -> tuple[Event, ...]:
        async with open_for_reading(session, thread) as (store, _):
            return await store.events()

    events = anyio.run(work)
    if as_json:
        # as stored, since the hashes cover that
        say_json([{"kind": event.kind, "event": to_json(event)} for event in events])
        return
    for event in events:
        text = " ".join(_text(event).split())
        cut = text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"
        say(f"{event.seq:>5}  {event.time[:19]}  {event.kind:<16}  {cut}")


def _text(event: Event) -> str:
    from deskmate.types.events import (  # noqa: PLC0415
        ModelReplied,
        PluginsSet,
        ThreadCreated,
        ThreadRenamed,
        ToolFinished,
        UserSaid,
        Validated,
    )
    from deskmate.types.messages import text_of, tool_uses_of  # noqa: PLC0415

    match event.payload:
        case ThreadCreated(title=text) | ThreadRenamed(title=text) | UserSaid(text=text):
            return text
        case ModelReplied(content=content):
            uses = ", ".join(use.name for use in tool_uses_of(content))
            return " ".join(
                part for part in (text_of(content), f"[{uses}]" if uses else "") if part
            )
        case ToolFinished(tool=tool, outcome=outcome, text=text):
            return f"{tool} {outcome}: {text}"
        case PluginsSet(versions=versions):
            return ", ".join(f"{name} {version}" for name, version in versions.items())
        case Validated(findings=findings, passed=passed):
            return f"{'passed' if passed else 'not passed'}, {len(findings)} findings"
        case payload:
            if text := _network_text(payload):
                return text
            for name in ("text", "reason", "why", "tool", "model", "error"):
                if text := getattr(payload, name, ""):
                    return str(text)
    return ""


def _network_text(payload: object) -> str:
    from deskmate.types.events import EgressAsked, EgressEnded, NetworkSet  # noqa: PLC0415

    match payload:
        case NetworkSet(rules=rules):
            return ", ".join(f"{rule.host} {' '.join(rule.methods)}" for rule in rules) or "nothing"
        case EgressAsked(method=method, host=host, path=path, allowed=allowed, why=why):
            return f"{'' if allowed else 'REFUSED '}{method} {host}{path}: {why}"
        case EgressEnded(status=status, sent=sent, received=received, why=why):
            return f"{status or 'no answer'}, {sent} bytes sent, {received} received {why}"
    return ""


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


@command.command("export")
@click.argument("thread", required=False)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Default: ./THREAD.zip")
@json_option
@click.pass_obj
def export(session: Session, thread: str | None, output: Path | None, as_json: bool) -> None:
    """Write a thread with all its files into one archive."""
    from deskmate.store.archive import export_thread  # noqa: PLC0415

    async def work() -> tuple[Path, int]:
        async with open_for_reading(session, thread) as (store, blobs):
            target = output or Path(f"{store.thread}.zip")
            return target, await export_thread(store, blobs, target)

    target, count = anyio.run(work)
    if as_json:
        say_json({"file": str(target), "blobs": count, "bytes": target.stat().st_size})
    else:
        say(f"{target}  {target.stat().st_size:,} bytes, {count} blobs")


@command.command("import")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def import_command(session: Session, archive: Path, as_json: bool) -> None:
    """Bring an exported thread back, after checking every hash in it."""
    from deskmate.store.archive import import_thread  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415

    async def work() -> ThreadId:
        blobs = BlobStore(session.places.blobs)
        return await import_thread(archive, session.places.threads, blobs)

    thread = anyio.run(work)
    if as_json:
        say_json({"thread": thread})
    else:
        say(f"Thread {thread} is here. Look at it: deskmate thread show {thread}")


@command.command("verify")
@click.argument("thread", required=False)
@json_option
@click.pass_obj
def verify(session: Session, thread: str | None, as_json: bool) -> int:
    """Check a thread's log and every file it needs. Exit code 1 if something is wrong."""
    report = anyio.run(verify_one, session, choose_thread(session, thread))
    if as_json:
        say_json(report)
    else:
        say_report(report)
    return 1 if report.problems else 0


async def verify_one(session: Session, thread: str) -> VerifyReport:
    """Return the report on one thread."""
    from deskmate.store.verify import verify_thread  # noqa: PLC0415

    async with open_for_reading(session, thread) as (store, blobs):
        return await verify_thread(store, blobs)


def say_report(report: VerifyReport) -> None:
    """Write a report in lines for people."""
    state = "sound" if not report.problems else f"{len(report.problems)} problems"
    say(f"{report.thread}: {state}; {report.events} events, {report.blobs} blobs")
    for problem in report.problems:
        say(f"! {problem}")
    say(f"  head {report.head}")
