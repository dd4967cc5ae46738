"""`deskmate audit`: verify, sign, export and erase the record of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from deskmate.cli.opening import choose_thread, open_for_reading, thread_option
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.thread import say_report, verify_one
from deskmate.cli.tidying import tidy_up
from deskmate.errors import DeskmateError, UserError
from deskmate.types.codec import to_json

if TYPE_CHECKING:
    from datetime import datetime

    from deskmate.host.erasing import ErasedEverywhere
    from deskmate.store.chain import ChainReport
    from deskmate.store.signing import Head, SignedCheckpoint


@click.group("audit")
def command() -> None:
    """Verify, sign, export and erase the record of what was done."""


@command.command("verify", short_help="Check an exported log, a thread, or all threads.")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--thread", "-t", help="Without it, and without FILE: all of them.")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lengths and heads as you kept them, also those of `audit sign`; finds a cut or rewritten log.",
)
@click.option("--key", metavar="HEX", help="The public key that must have signed the checkpoints.")
@json_option
@click.pass_obj
def verify(
    session: Session,
    file: Path | None,
    thread: str | None,
    checkpoint: Path | None,
    key: str | None,
    as_json: bool,
) -> int:
    """Check an exported log FILE by itself, or a thread here, or without both all threads.

    Every altered, missing, added or reordered record is found, up to the last checkpoint that is signed
    or kept elsewhere. Exit code 1 if something is wrong.
    """
    if file:
        return _verify_file(file, checkpoint, key or "", as_json=as_json)
    if key and not checkpoint:
        raise UserError(
            "A key is compared with the checkpoints of a FILE.", hint="Or add --checkpoint HEADS."
        )
    return _verify_threads(session, thread, checkpoint, key or "", as_json=as_json)


def _verify_file(file: Path, checkpoint: Path | None, key: str, *, as_json: bool) -> int:
    from dataclasses import replace  # noqa: PLC0415

    from deskmate.store import chain, signing  # noqa: PLC0415 - only this command needs it

    wanted = signing.parse_key(key) if key else ""
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        records, signed, unread = signing.split(lines)
    report = chain.check(records)
    heads = _heads_of(checkpoint, report.thread)
    problem = report.problem or unread
    problem = problem or next(signing.problems_of([*signed, *heads], records, wanted), "")
    signed += [one for one in heads if isinstance(one, signing.SignedCheckpoint)]
    if wanted and not signed and not problem:
        problem = "there is no signed checkpoint in it"
    report = replace(report, problem=problem)
    if as_json:
        say_json({**to_json(report, defaults=True), "checkpoints": signed})
    elif report.problem:
        say(f"! {report.problem}")
        say(f"  the {report.size} records before it are sound")
    else:
        erased = f", {report.erased} of them erased" if report.erased else ""
        say(f"{report.thread or file}: sound; {report.size} records{erased}")
        say(f"  head {report.head}")
        _say_trust(signed, wanted, has_checkpoint=bool(heads))
    return 1 if report.problem else 0


def _heads_of(checkpoint: Path | None, thread: str) -> list[Head]:
    """Return a thread's checkpoints of a file. Raises UserError where it has none of it."""
    from deskmate.store import signing  # noqa: PLC0415

    heads = signing.read_heads(checkpoint.read_text("utf-8", "replace")) if checkpoint else ()
    found = [one for one in heads if one.thread == thread]
    if heads and not found:
        others = ", ".join(sorted({one.thread for one in heads})[:3])
        raise UserError(f"The checkpoint is of thread {others}, the log of {thread or 'none'}.")
    return found


@command.command("erase", short_help="Remove what is personal in events for good.")
@thread_option
@click.option("--event", "-e", "events", multiple=True, metavar="N[-M]", help="Number, or a range.")
@click.option("--run", "run", help="All events of this run.")
@click.option("--all", "everything", is_flag=True, help="All events of the thread.")
@click.option("--why", required=True, help="What the record says of it; nothing personal.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def erase(
    session: Session,
    /,
    thread: str | None,
    events: tuple[str, ...],
    run: str | None,
    everything: bool,
    why: str,
    **options: bool,
) -> None:
    """Remove texts, arguments, results and findings of events; the chain of records stays whole.

    Forks of the thread lose the same events. What remains says that something was there, when, and that it was erased.
    Deskmate cannot erase copies outside its own folders: exports, backups, recordings, what was sent to a model.
    Files that runs read or wrote are kept for undo; delete the thread for that.
    """
    from deskmate.host.erasing import Choice, erase_events  # noqa: PLC0415

    choice = Choice(events=events, run=run or "", everything=everything)
    name = choose_thread(session, thread)
    if not options["yes"]:
        click.confirm(f"Erase this in {name} for good? It cannot be undone", abort=True, err=True)
    erased = anyio.run(erase_events, session.places, name, choice, why)
    tidied = tidy_up(session, is_due=True)
    if options["as_json"]:
        data = {"thread": name, "erased": list(erased.events)}
        say_json({**data, "forks": erased.forks, "left": erased.left})
    else:
        _say_erased(erased)
        if tidied is None or tidied.left:
            say("Stored content that only these events named is still there: deskmate thread gc")


def _say_erased(erased: ErasedEverywhere) -> None:
    """Say what was erased, and every place that may still hold it."""
    say(f"{erased.thread}: {len(erased.events)} events erased; the chain of records is whole")
    for fork, seqs in erased.forks.items():
        say(f"{fork}: {len(seqs)} events erased, a fork's copies; its chain is whole too")
    for place in erased.left:
        held = f"{len(place.events)} of these events" if place.events else "perhaps some of them"
        say(f"! {place.thread} still holds {held}: {place.why}")
        say(f"    {place.command}")
    say(
        "Not reached: exports, backups, recordings and other copies outside Deskmate's folders, and"
    )
    say("what a model's or a trace server was sent. Erase those where they are.")


def _say_trust(signed: list[SignedCheckpoint], key: str, *, has_checkpoint: bool) -> None:
    """Say how far the check reaches."""
    if signed:
        last = max(signed, key=lambda one: one.size)
        say(f"  signed up to record {last.size} on {last.time[:19]}")
        if not key:
            say(f"  by the key {last.key}; whose it is, only you can know: --key")
    elif not has_checkpoint:
        say("  without a checkpoint a cut end or a log rewritten as a whole cannot be seen")


@command.command("key", short_help="Print the public key of your checkpoints.")
@json_option
@click.pass_obj
def key_command(session: Session, as_json: bool) -> None:
    """Print the public key that your checkpoints are signed with, and say where the private one is."""
    from deskmate.host.signing_key import signing_key  # noqa: PLC0415

    key = signing_key(session.places)
    if as_json:
        say_json({"key": key.public, "place": key.place})
        return
    say(key.public)
    click.echo(f"  the private key is in {key.place}", err=True)


@command.command("sign", short_help="Sign the heads of logs as they are now.")
@click.option("--thread", "-t", help="Without it: all threads.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File; default: stdout.")
@click.pass_obj
def sign_command(session: Session, thread: str | None, output: Path | None) -> int:
    """Sign the length and head of each log as JSON Lines, to be kept where nobody on this machine can change it.

    A copy stays in Deskmate's data folder. Exit code 1 if a log is damaged; it is not signed.
    """
    from deskmate.host.signing_key import keep_checkpoint, signing_key  # noqa: PLC0415
    from deskmate.store import chain  # noqa: PLC0415
    from deskmate.store.listing import list_threads  # noqa: PLC0415

    if output and output.exists():
        raise UserError(f"{output} exists already.", hint="Choose another name.")
    key = signing_key(session.places)
    if key.fresh:
        click.echo(f"  a new signing key is in {key.place}", err=True)
    names = (
        [thread] if thread else [str(one.thread) for one in list_threads(session.places.threads)]
    )
    lines, failed = [], False
    for name in names:
        try:
            made = anyio.run(_signed, session, name, key.private)
        except DeskmateError as error:
            click.echo(f"! {name}: {error.message}", err=True)
            failed = True
            continue
        keep_checkpoint(session.places, made)
        lines.append(chain.canonical({"checkpoint": to_json(made)}) + b"\n")
    if output:
        output.write_bytes(b"".join(lines))
        say(f"{output}: {len(lines)} signed checkpoints")
    else:
        click.echo(b"".join(lines), nl=False)
    return 1 if failed else 0


async def _signed(session: Session, thread: str, private: str) -> SignedCheckpoint:
    from deskmate.store import chain, signing  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    async with open_for_reading(session, thread) as (store, _):
        return signing.sign(chain.check(await store.rows()), private, time=utc_now())


def _verify_threads(
    session: Session, thread: str | None, checkpoint: Path | None, key: str, *, as_json: bool
) -> int:
    from deskmate.store import signing  # noqa: PLC0415
    from deskmate.store.listing import list_threads  # noqa: PLC0415

    key = signing.parse_key(key) if key else ""
    heads = signing.read_heads(checkpoint.read_text("utf-8", "replace")) if checkpoint else ()
    found = list_threads(session.places.threads)
    damaged = [summary for summary in found if summary.problem and not thread]
    names = [thread] if thread else [str(item.thread) for item in found if not item.problem]
    here = {*names, *(str(item.thread) for item in damaged)}
    missing = sorted({one.thread for one in heads} - here) if not thread else []
    reports = []
    for name in names:
        own = [one for one in heads if one.thread == name]
        reports.append(anyio.run(verify_one, session, name, False, own, key))
    if as_json:
        say_json({"reports": reports, "damaged": damaged, "missing": missing})
    else:
        for report in reports:
            say_report(report)
        for summary in damaged:
            say(f"{summary.thread}: damaged")
            say(f"! {summary.problem}")
        for name in missing:
            say(f"{name}: is not here, and a checkpoint has seen it")
    return 1 if damaged or missing or any(report.problems for report in reports) else 0


@command.command("export", short_help="Write a thread's log to a file or a collector.")
@thread_option
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File; default: stdout.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Write length and head here, to be kept where nobody on this machine can change it.",
)
@click.option("--sign", "signed", is_flag=True, help="End the file with a signed checkpoint.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "otlp", "compliance"]),
    default="jsonl",
    help="Records with their hashes, OpenTelemetry spans, or activities without any content.",
)
@click.option("--content", is_flag=True, help="otlp: also what was said, arguments and results.")
@click.option("--endpoint", metavar="URL", help="otlp: send it to a collector on this machine.")
@click.option("--since", type=click.DateTime(), help="compliance: from this time (UTC) on.")
@click.option("--until", type=click.DateTime(), help="compliance: before this time (UTC).")
@click.pass_obj
def export(
    session: Session,
    /,
    thread: str | None,
    output: Path | None,
    checkpoint: Path | None,
    signed: bool,
    form: str,
    **options: Any,
) -> None:
    """Write a thread's log as JSON Lines, each record with its hash, as OpenTelemetry spans, or as activities.

    A file with a signed checkpoint is checked with itself and the public key alone: audit verify FILE
    --key HEX. Spans hold no text unless you say --content.
    """
    from deskmate.store import chain  # noqa: PLC0415

    async def work() -> tuple[Mapping[str, Any], ...]:
        async with open_for_reading(session, thread) as (store, _):
            return await store.rows()

    _check_format(form, options, signed=signed or bool(checkpoint))
    records = anyio.run(work)
    for path in (output, checkpoint):
        if path and path.exists():
            raise UserError(f"{path} exists already.", hint="Choose another name.")
    report = chain.check(records)
    if form == "compliance":
        text = _activities(records, options["since"], options["until"])
    elif form == "otlp":
        text = _spans(records, options["content"])
    else:
        text = _log(session, records, report, signed)
    _put_out(text, len(records), output, options["endpoint"])
    if checkpoint:
        head = {"thread": report.thread, "size": report.size, "head": report.head}
        checkpoint.write_bytes(chain.canonical(head) + b"\n")
    if report.problem:
        raise UserError(f"The log was exported, but is damaged: {report.problem}.")


def _check_format(form: str, options: Mapping[str, Any], *, signed: bool) -> None:
    if form != "otlp" and (options["content"] or options["endpoint"]):
        raise UserError("--content and --endpoint are for spans.", hint="Add --format otlp.")
    if form != "compliance" and (options["since"] or options["until"]):
        raise UserError("--since and --until are for activities.", hint="Add --format compliance.")
    if form != "jsonl" and signed:
        raise UserError("Only the log itself is signed.", hint="Export it: --format jsonl")


def _activities(
    records: tuple[Mapping[str, Any], ...], since: datetime | None, until: datetime | None
) -> bytes:
    from deskmate import __version__  # noqa: PLC0415
    from deskmate.store import chain  # noqa: PLC0415
    from deskmate.store.compliance import as_feed  # noqa: PLC0415

    first, last = (time.isoformat() if time else "" for time in (since, until))
    feed = as_feed(records, version=__version__, since=first, until=last)
    return chain.canonical(feed) + b"\n"


def _log(
    session: Session, records: tuple[Mapping[str, Any], ...], report: ChainReport, signed: bool
) -> bytes:
    from deskmate.store import chain, signing  # noqa: PLC0415
    from deskmate.store.archive import as_lines  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    lines = [*as_lines(records)]
    if signed:
        from deskmate.host.signing_key import keep_checkpoint, signing_key  # noqa: PLC0415

        made = signing.sign(report, signing_key(session.places).private, time=utc_now())
        keep_checkpoint(session.places, made)
        lines.append(chain.canonical({"checkpoint": to_json(made)}) + b"\n")
    return b"".join(lines)


def _spans(records: tuple[Mapping[str, Any], ...], content: bool) -> bytes:
    from deskmate import __version__  # noqa: PLC0415
    from deskmate.store import chain  # noqa: PLC0415
    from deskmate.store.telemetry import as_otlp  # noqa: PLC0415

    return chain.canonical(as_otlp(records, version=__version__, content=content)) + b"\n"


def _put_out(text: bytes, count: int, output: Path | None, endpoint: str | None) -> None:
    if endpoint:
        from deskmate.host.collector import send_spans  # noqa: PLC0415

        send_spans(text, endpoint)
        say(f"{endpoint}: {count} records")
    if output:
        output.write_bytes(text)
        say(f"{output}: {count} records")
    elif not endpoint:
        click.echo(text, nl=False)
