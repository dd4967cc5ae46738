"""`deskmate run`: one request, and all turns until the agent stops. Also what `chat` and `thread resume` share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from deskmate.cli.output import Session, is_live, json_option, report_interrupt, say, say_json
from deskmate.cli.permissions import ask_what_is_new
from deskmate.cli.tidying import tidy_up
from deskmate.errors import UserError
from deskmate.types.files import ApplyMode, Grant
from deskmate.types.ids import ThreadId
from deskmate.types.limits import Limits

if TYPE_CHECKING:
    from deskmate.cli.approver import TerminalApprover
    from deskmate.cli.desk import Desk
    from deskmate.cli.display import Display
    from deskmate.cli.render import Renderer
    from deskmate.host import RunOrder, RunResult

EXIT_CODES = {
    "done": 0,
    "failed": 1,
    "rejected": 3,
    "needs_you": 4,
    "over_budget": 5,
    "stopped": 130,
}
_RESUMABLE = ("failed", "over_budget", "stopped")
_LIMITS = {
    "turns": "max_turns",
    "calls": "max_calls",
    "tokens": "max_tokens",
    "seconds": "seconds",
}
_MODES = ("ro", "rw", "rw-no-delete")
T = TypeVar("T")


def parse_folder(value: str) -> Grant:
    """Return the grant for `PATH[:ro|rw|rw-no-delete]`. Raises UserError if the folder is not there."""
    path, _, mode = value.rpartition(":")
    if mode not in _MODES or not path:
        path, mode = value, "rw"
    folder = Path(path).expanduser().absolute()
    before, _, unknown = value.rpartition(":")
    if not folder.exists() and before and Path(before).expanduser().is_dir():
        raise UserError(f"{unknown!r} is no mode of a folder.", hint="Use ro, rw or rw-no-delete.")
    if not folder.exists():
        raise UserError(f"{folder} does not exist.", hint="Give --folder a folder that is there.")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint=f"Give --folder {folder.parent}")
    return Grant(name=folder.name or "root", folder=str(folder), mode=mode)  # type: ignore[arg-type]


def parse_limits(words: tuple[str, ...], budget: float | None) -> Limits:
    """Return the limits that were written as NAME=NUMBER. Raises UserError."""
    found: dict[str, Any] = {"cost_usd": budget} if budget is not None else {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in _LIMITS or not number.isdecimal() or int(number) < 1:
            names = ", ".join(_LIMITS)
            raise UserError(f"{word!r} is no limit.", hint=f"Use {names}: --limit seconds=600")
        found[_LIMITS[name]] = int(number)
    return Limits(**found)


@click.command("run")
@click.argument("text", required=False, default="")
@click.option("--thread", "-t", help="Go on in this thread; without it a new one begins.")
@click.option("--plugin", "-p", "plugins", multiple=True, help="Enable a plugin for this thread.")
@click.option(
    "--folder",
    "-f",
    "folders",
    multiple=True,
    metavar="PATH[:ro|rw|rw-no-delete]",
    help="Let the thread use a folder (copies of it: nothing is written before you apply).",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="HOST[:GET,POST,…]",
    help="Let the thread read from a host, or use these methods there; see `thread allow`.",
)
@click.option(
    "--connector",
    "-c",
    "connectors",
    multiple=True,
    help="Let the thread use a connector of yours.",
)
@click.option(
    "--web/--no-web",
    default=None,
    help="Let the thread read pages at addresses that stand in your words or in what a search answered.",
)
@click.option("--project", help="Put the thread into this project, by its name or id.")
@click.option(
    "--model", "-m", help="sonnet, opus, offline, local:NAME, replay:FILE; see `model list`."
)
@click.option("--budget", type=float, metavar="USD", help="Stop before the run costs more.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Stop before the run uses more: turns, calls (of tools), tokens or seconds.",
)
@click.option(
    "--apply",
    "apply_mode",
    type=click.Choice(["review", "new", "all"]),
    default="review",
    help="What may be written without review: nothing, new files only, or all.",
)
@click.option(
    "--record", type=click.Path(path_type=Path), help="Record the model's answers to a file."
)
@json_option
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    text: str,
    thread: str | None,
    plugins: tuple[str, ...],
    folders: tuple[str, ...],
    hosts: tuple[str, ...],
    connectors: tuple[str, ...],
    web: bool | None,
    project: str | None,
    model: str | None,
    budget: float | None,
    limits: tuple[str, ...],
    apply_mode: ApplyMode,
    record: Path | None,
    as_json: bool,
) -> int:
    """Ask for something: TEXT is your request in plain words.

    \b
    deskmate run "Review this NDA against our playbook." --plugin legal --folder ~/contracts:rw

    Without TEXT and with --thread a run that was interrupted goes on. Exit codes: 0 done, 1 failed,
    2 usage, 3 rejected by the validators, 4 needs you, 5 over budget, 130 stopped by you.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    if not text and not thread:
        raise UserError("There is no request.", hint='Say what to do: deskmate run "…"')
    from deskmate.host import RunOrder  # noqa: PLC0415 - the help must stay light
    from deskmate.host.network import parse_allowed  # noqa: PLC0415

    order = RunOrder(
        text=text,
        model=model,
        plugins=plugins,
        grants=tuple(parse_folder(folder) for folder in folders),
        limits=parse_limits(limits, budget),
        apply=apply_mode,
        record=record,
        hosts=tuple(parse_allowed(host) for host in hosts),
        project=project or "",
        connectors=connectors,
        web=web,
    )
    return run_order(session, order, ThreadId(thread) if thread else None, as_json=as_json)


def run_order(
    session: Session,
    order: RunOrder,
    thread: ThreadId | None,
    *,
    as_json: bool = False,
    desk: Desk | None = None,
) -> int:
    """Carry one order out, show it, and return the exit code. `desk`: of several orders together."""
    ask_what_is_new(session, (*order.plugins, *_project_plugins(session, order)), thread)
    from deskmate.host import Host  # noqa: PLC0415

    host = desk.host if desk else Host(session.places)
    with shown_run(as_json=as_json) as (observer, approver):

        async def work() -> RunResult:
            return await host.run(order, thread, observer=observer, approver=approver)

        try:
            result = desk.run(work) if desk else anyio.run(until_interrupted, work)
        except KeyboardInterrupt:
            result = None
        streamed = observer.streams
    if result is None:
        report_interrupt("Go on with: deskmate thread resume")
        raise SystemExit(EXIT_CODES["stopped"])
    if as_json:
        say_json(result)
    else:
        show_result(result, streamed=streamed)
    tidy_up(session)
    return EXIT_CODES[result.reason]


def _project_plugins(session: Session, order: RunOrder) -> tuple[str, ...]:
    from deskmate.store.projects import Projects  # noqa: PLC0415

    return Projects(session.places.data).get(order.project).plugins if order.project else ()


@contextmanager
def shown_run(*, as_json: bool) -> Iterator[tuple[Renderer | Display, TerminalApprover]]:
    """Show a run while the block runs: live on a terminal, else line by line."""
    from deskmate.cli.approver import TerminalApprover  # noqa: PLC0415
    from deskmate.cli.render import Renderer  # noqa: PLC0415

    if not is_live(as_json=as_json):
        yield Renderer(colour=False), TerminalApprover()
        return
    from deskmate.cli.display import Display  # noqa: PLC0415 - rich is not for --help

    with Display() as display:
        display.begin("opening the thread")
        yield display, TerminalApprover(paused=display.paused)


async def until_interrupted(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns; Ctrl-C cancels it for good, then raises KeyboardInterrupt.

    A cancelled scope cancels every further wait as well. The event loop's own way cancels once, and a
    library that is just connecting may take that for a failed connection.
    """
    results: list[T] = []
    failures: list[Exception] = []

    async def stop_on_interrupt(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                scope.cancel()
                return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_interrupt, tasks.cancel_scope)
        try:
            results.append(await work())
        except Exception as error:  # noqa: BLE001 - raised below as itself, not in a task group's group
            failures.append(error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if not results:
        raise KeyboardInterrupt
    return results[0]


def resume_thread(session: Session, thread: str, *, as_json: bool = False) -> int:
    """Let the thread's interrupted run go on; return the exit code."""
    from deskmate.host import RunOrder  # noqa: PLC0415

    return run_order(session, RunOrder(), ThreadId(thread), as_json=as_json)


def show_result(result: RunResult, *, streamed: bool = False) -> None:
    """Write a run's answer, its files and what to do next to stdout.

    `streamed`: the answer stands on the terminal already, if stdout is one.
    """
    streamed = streamed and sys.stdout.isatty()
    if result.answer and not streamed:
        say(f"{result.label + ': ' if result.label else ''}{result.answer}")
    for deliverable in result.deliverables:
        say(f"  {deliverable.role.replace('_', ' ')}: {deliverable.path}")
    if result.applied:
        say(result.applied)
    elif result.staged:
        say(f"Waiting for your review: deskmate changes show --thread {result.thread}")
    if result.reason != "done" and not streamed:
        why = "" if result.text == result.answer else f": {result.text}"
        say(f"{result.reason.replace('_', ' ')}{why}")
    if result.usage.prompt_tokens:
        from deskmate.host.costs import in_words  # noqa: PLC0415 - not for --help

        say(f"used {in_words(result.usage)}")
    say(f"thread {result.thread}")
    if result.reason in _RESUMABLE:
        say(f"Go on with: deskmate thread resume {result.thread}")
