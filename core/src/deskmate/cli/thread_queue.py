"""`deskmate thread queue` and `pause`: saying something to a thread that is at work."""

from __future__ import annotations

import click

from deskmate.cli.output import Session, json_option, one_line, say, say_json
from deskmate.errors import UserError


@click.command("queue", short_help="Say something to a thread that is at work.")
@click.argument("thread")
@click.argument("words", nargs=-1)
@click.option("--withdraw", metavar="ID", help="Take back a message that was not heard yet.")
@json_option
@click.pass_obj
def queue(
    session: Session, thread: str, words: tuple[str, ...], withdraw: str | None, as_json: bool
) -> None:
    """Say something to a thread that is at work: its run hears it when its step is done. Without WORDS list what waits.

    It is kept until it is heard, also when the run is cut off; the next run of the thread hears it then.
    """
    from deskmate.store.waiting import WaitingMessages  # noqa: PLC0415 - only this command needs it

    messages = WaitingMessages(session.places.threads, thread)
    if withdraw is not None and not messages.withdraw(withdraw):
        raise UserError(f"{withdraw} does not wait in {thread}.", hint="It may be heard already.")
    if words:
        messages.put(" ".join(words))
    waiting = messages.all()
    if as_json:
        say_json(waiting)
        return
    for message in waiting:
        say(f"{message.id}  {one_line(message.text)}")
    if not waiting:
        say("Nothing waits to be heard.")


@click.command("pause", short_help="Let a run finish its step, then pause.")
@click.argument("thread")
@click.pass_obj
def pause(session: Session, thread: str) -> None:
    """Let the run of a thread finish its step and then pause; it goes on with `deskmate thread resume`."""
    from deskmate.store.lock import is_locked  # noqa: PLC0415
    from deskmate.store.thread import LOCK_FILE, thread_folder  # noqa: PLC0415
    from deskmate.store.waiting import WaitingMessages  # noqa: PLC0415

    if not is_locked(thread_folder(session.places.threads, thread) / LOCK_FILE):
        raise UserError(f"Nothing runs in {thread}.")
    WaitingMessages(session.places.threads, thread).ask_pause()
    say(f"{thread} pauses when its step is done.")


QUEUE_COMMANDS = (queue, pause)
"""What `deskmate thread` takes in beside its own."""
