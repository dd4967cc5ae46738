"""`deskmate chat`: a thread, turn by turn, in the terminal."""

from __future__ import annotations

from functools import partial

import anyio
import click

from deskmate.cli.desk import kept_desk
from deskmate.cli.output import Session, say
from deskmate.cli.run import parse_folder, run_order
from deskmate.types.ids import ThreadId


@click.command("chat")
@click.argument("thread", required=False)
@click.option("--plugin", "-p", "plugins", multiple=True, help="Enable a plugin for this thread.")
@click.option(
    "--folder", "-f", "folders", multiple=True, metavar="PATH[:MODE]", help="As in `run`."
)
@click.option("--project", default="", help="As in `run`.")
@click.option("--model", "-m", help="As in `run`.")
@click.pass_obj
def command(
    session: Session,
    thread: str | None,
    plugins: tuple[str, ...],
    folders: tuple[str, ...],
    project: str,
    model: str | None,
) -> int:
    """Talk to THREAD, or to a new one, turn by turn. An empty line or Ctrl-D ends it."""
    from deskmate.host import Host, RunOrder, thread_plugins  # noqa: PLC0415

    grants = tuple(parse_folder(folder) for folder in folders)
    if thread:
        anyio.run(thread_plugins, session.places, thread)  # says so if there is no such thread
    current = ThreadId(thread) if thread else None
    code = 0
    with kept_desk(Host(session.places)) as desk:
        while text := _ask():
            current = current or desk.run(partial(desk.host.create_thread, text))
            order = RunOrder(
                text=text, model=model, plugins=plugins, grants=grants, project=project
            )
            code = run_order(session, order, current, desk=desk)
            plugins, grants, project = (), (), ""
    if current:
        say(f"Go on with: deskmate chat {current}")
    return code


def _ask() -> str:
    try:
        return str(click.prompt("you", default="", show_default=False, err=True)).strip()
    except click.Abort:
        return ""
