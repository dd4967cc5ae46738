"""`deskmate inbox`: what waits for the user in all threads, and answering it."""

from __future__ import annotations

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.run import EXIT_CODES, show_result, shown_run, until_interrupted


@click.group("inbox", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """See what waits for you: questions, what failed, and what is finished; and answer.

    Without a word after it, it lists.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command, as_json=False)


@command.command("list", short_help="List what waits.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List what waits for you, questions first."""
    from deskmate.host.inbox import list_inbox  # noqa: PLC0415 - only commands need it

    items = anyio.run(list_inbox, session.places)
    if as_json:
        say_json(items)
        return
    for item in items:
        until = f"  (until {item.deadline[:16]}Z)" if item.deadline else ""
        say(f"{item.id}  {item.kind}  {item.title}{until}")
        say(f"  {item.text}")
    if not items:
        say("Nothing waits for you.")


@command.command("show", short_help="Show one thing that waits.")
@click.argument("item")
@json_option
@click.pass_obj
def show(session: Session, item: str, as_json: bool) -> None:
    """Show one thing that waits, by its id or its thread: of an approval the whole call."""
    from deskmate.host.inbox import find_item  # noqa: PLC0415

    found = anyio.run(find_item, session.places, item)
    if as_json:
        say_json(found)
        return
    say(f"{found.id}  {found.kind}  {found.title}")
    say(f"  {found.text}")
    for line in found.shown:
        say(f"    {' '.join(line.split())}")
    say(f"  thread   {found.thread}")
    if found.deadline:
        say(f"  until    {found.deadline[:19]}Z; then the answer is no")
    say(_what_to_do(found.kind, found.id, found.thread))


def _what_to_do(kind: str, item: str, thread: str) -> str:
    match kind:
        case "approval":
            return f"Answer: deskmate inbox answer {item} yes|no"
        case "question":
            return f'Answer: deskmate inbox answer {item} "…"'
        case "deliverable":
            return f"See it: deskmate changes show --thread {thread}"
    return f"See it: deskmate thread show {thread}; go on: deskmate thread resume {thread}"


@command.command("answer", short_help="Answer a question; its thread goes on.")
@click.argument("item")
@click.argument("words", nargs=-1, required=True)
@json_option
@click.pass_obj
def answer(session: Session, item: str, words: tuple[str, ...], as_json: bool) -> int:
    """Answer a question, by its id or its thread: yes or no to an approval, else in your words.

    The answer is for that one call with just these arguments. Its thread goes on here and now.
    """
    from deskmate.host import Host, RunResult  # noqa: PLC0415
    from deskmate.host import inbox as box  # noqa: PLC0415

    found = anyio.run(box.find_item, session.places, item)
    host = Host(session.places)
    with shown_run(as_json=as_json) as (observer, approver):

        async def work() -> RunResult:
            return await box.answer(
                host, session.places, found, " ".join(words), observer=observer, approver=approver
            )

        result = anyio.run(until_interrupted, work)
        streamed = observer.streams
    if as_json:
        say_json(result)
    else:
        show_result(result, streamed=streamed)
    return EXIT_CODES[result.reason]


@command.command("dismiss", short_help="Take things out of the inbox.")
@click.argument("items", nargs=-1, required=True)
@json_option
@click.pass_obj
def dismiss(session: Session, items: tuple[str, ...], as_json: bool) -> None:
    """Take what failed or is finished out of the inbox; its thread and its changes stay."""
    from deskmate.host import inbox as box  # noqa: PLC0415

    gone = []
    for name in items:
        found = anyio.run(box.find_item, session.places, name)
        anyio.run(box.dismiss, session.places, found)
        gone.append(found.id)
        if not as_json:
            say(f"{found.id} is out of the inbox: {found.title}")
    if as_json:
        say_json({"dismissed": gone})
