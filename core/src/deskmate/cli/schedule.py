"""`deskmate schedule`: work that is done by itself, at times or when a folder changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.cli.schedule_shown import facts, following, line, say_schedule, shown, state_words
from deskmate.errors import UserError
from deskmate.types.files import ApplyMode

if TYPE_CHECKING:
    from deskmate.store.projects import Projects
    from deskmate.store.schedules import Schedules
    from deskmate.types.schedules import Schedule, Standing

_NEXT = 5
_DAY_S = 86_400.0


@click.group("schedule")
def command() -> None:
    """Let work be done by itself: once, at times, or when a folder changes.

    A schedule runs unwatched only after a dry run that succeeded and your word. What it must ask you waits in
    `deskmate inbox`; a run has succeeded only where what you expect is there and passed its checks.
    """


def schedules(session: Session) -> Schedules:
    """Return the user's schedules."""
    from deskmate.store.schedules import Schedules  # noqa: PLC0415 - only commands need it

    return Schedules(session.places.data)


@command.command("add", short_help="Make a schedule.")
@click.argument("name")
@click.argument("text")
@click.option("--cron", help='Minute, hour, day, month, weekday: "0 7 * * mon".')
@click.option("--at", "once", metavar="TIME", help="Once: 2026-12-01 07:00")
@click.option("--on-change", "folder", metavar="FOLDER", help="When files in it change.")
@click.option(
    "--files", "pattern", default="", metavar="PATTERN", help="Which files of it: '*.csv'"
)
@click.option("--zone", help="Time zone; default: this machine's.")
@click.option("--folder", "-f", "folders", multiple=True, metavar="PATH[:ro|rw|rw-no-delete]")
@click.option("--plugin", "-p", "plugins", multiple=True, help="Enable a plugin for its runs.")
@click.option("--project", default="", help="Its runs are threads of this project.")
@click.option("--allow-host", "hosts", multiple=True, metavar="HOST[:GET,POST,…]")
@click.option(
    "--connector", "connectors", multiple=True, help="Let its runs use a connector of yours."
)
@click.option("--model", "-m", help="Default: the one that a run would use now.")
@click.option("--budget", type=float, metavar="USD", help="Stop before a run costs more.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=NUMBER", help="See `run --help`.")
@click.option(
    "--apply", "apply_mode", type=click.Choice(["review", "new", "all"]), default="review"
)
@click.option(
    "--expect", "expects", multiple=True, metavar="PATTERN", help="A file that a run must deliver."
)
@click.option("--expect-answer", is_flag=True, help="Its words are what a run delivers.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="'TOOL NAME=VALUE…'",
    help="Runs unasked with this target.",
)
@click.option(
    "--wait",
    "wait_h",
    type=click.FloatRange(0.02, 24),
    default=24.0,
    metavar="HOURS",
    help="How long a question waits; then the answer is no.",
)
@click.option(
    "--catch-up",
    "days",
    type=click.FloatRange(0, 366),
    default=7.0,
    metavar="DAYS",
    help="How late the one run may be that stands for missed ones.",
)
@json_option
@click.pass_obj
def add(  # noqa: PLR0913 - one parameter an option, as click wants it
    session: Session,
    name: str,
    text: str,
    cron: str | None,
    once: str | None,
    folder: str | None,
    pattern: str,
    zone: str | None,
    folders: tuple[str, ...],
    plugins: tuple[str, ...],
    project: str,
    hosts: tuple[str, ...],
    connectors: tuple[str, ...],
    model: str | None,
    budget: float | None,
    limits: tuple[str, ...],
    apply_mode: ApplyMode,
    expects: tuple[str, ...],
    expect_answer: bool,
    allowed: tuple[str, ...],
    wait_h: float,
    days: float,
    as_json: bool,
) -> None:
    """Make a schedule: TEXT is the request of each run.

    \b
    deskmate schedule add "Monday metrics" "Measure the process." --cron "0 7 * * mon" \\
      --folder ~/process:rw --plugin ops --expect '*.md' --apply new

    It is a draft until a dry run has succeeded: deskmate schedule run ID --dry-run
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.cli.run import parse_folder, parse_limits  # noqa: PLC0415
    from deskmate.host.network import parse_allowed  # noqa: PLC0415
    from deskmate.host.scheduling.making import checked, new_id, parse_rule  # noqa: PLC0415
    from deskmate.host.scheduling.moments import when_of  # noqa: PLC0415
    from deskmate.host.scheduling.working import DEFAULT_S  # noqa: PLC0415
    from deskmate.types.schedules import Schedule  # noqa: PLC0415

    bounds = parse_limits(limits, budget)
    if bounds.seconds is None:
        bounds = replace(bounds, seconds=DEFAULT_S)
    words = " ".join(name.split())
    schedule = checked(
        Schedule(
            id=new_id(words),
            name=words,
            when=when_of(cron, once, folder, pattern=pattern, zone=zone, now=_now()),
            text=text,
            created=_now(),
            model=model or _default_model(session),
            plugins=plugins,
            grants=tuple(parse_folder(one) for one in folders),
            project=_project_id(session, project),
            hosts=tuple(parse_allowed(one) for one in hosts),
            connectors=connectors,
            limits=bounds,
            apply=apply_mode,
            expects=expects,
            expects_answer=expect_answer,
            allowed=tuple(parse_rule(one) for one in allowed if one.strip()),
            wait_s=wait_h * 3600,
            catch_up_s=days * _DAY_S,
        )
    )
    _check_order(session, schedule)
    schedules(session).add(schedule)
    _show(session, schedules(session).get(schedule.id), as_json=as_json)


def _default_model(session: Session) -> str:
    import os  # noqa: PLC0415

    from deskmate.host.model_choice import environ_with_key  # noqa: PLC0415
    from deskmate.models.choose import default_name  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    environ = environ_with_key(os.environ, session.places)
    return default_name(environ, read_settings(session.places.config))


def _project_id(session: Session, name: str) -> str:
    from deskmate.store.projects import Projects  # noqa: PLC0415

    return Projects(session.places.data).get(name).id if name else ""


def _check_order(session: Session, schedule: Schedule) -> None:
    """Refuse now what every run would refuse, and ask for what plugins want beyond what the user agreed to."""
    from deskmate.cli.permissions import ask_what_is_new  # noqa: PLC0415
    from deskmate.host import Host  # noqa: PLC0415
    from deskmate.host.scheduling.ordering import dry_run_of  # noqa: PLC0415

    ask_what_is_new(session, schedule.plugins, None)
    Host(session.places).check(dry_run_of(schedule), new=True)


@command.command("list", short_help="List schedules.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the schedules: how each stands, when it is due next, and how its last run ended."""
    from deskmate.host.scheduling.serving import is_served  # noqa: PLC0415

    store = schedules(session)
    found = store.all()
    if as_json:
        say_json(
            {"served": is_served(session.places), "schedules": [facts(store, one) for one in found]}
        )
        return
    for one in found:
        schedule = one.schedule
        coming = following(one, _now())
        say(f"{schedule.id}  {schedule.name}  {state_words(one)}")
        if coming:
            say(f"  next     {shown(coming[0], schedule)}")
        last = next(iter(store.history(schedule.id, 1)), None)
        if last is not None:
            say(f"  last     {line(last, schedule)}")
    if not found:
        say(
            'There is no schedule yet. Make one: deskmate schedule add "…" "…" --cron "0 7 * * mon" --expect "*.md"'
        )
    elif any(one.state == "active" for one in found) and not is_served(session.places):
        say(
            "Nothing carries schedules out now: deskmate service install, or deskmate schedule serve"
        )


@command.command("show", short_help="Show a schedule.")
@click.argument("schedule")
@json_option
@click.pass_obj
def show(session: Session, schedule: str, as_json: bool) -> None:
    """Show all of a schedule, and when it is due next."""
    _show(session, schedules(session).get(schedule), as_json=as_json)


@command.command("pause", short_help="Let a schedule not run by itself.")
@click.argument("schedule")
@json_option
@click.pass_obj
def pause(session: Session, schedule: str, as_json: bool) -> None:
    """Let a schedule not run by itself until it is resumed; a run that is at work goes on."""
    from deskmate.host.scheduling import making  # noqa: PLC0415

    store = schedules(session)
    _show(session, making.pause(store, store.get(schedule)), as_json=as_json)


@command.command("resume", short_help="Let a schedule run by itself.")
@click.argument("schedule")
@json_option
@click.pass_obj
def resume(session: Session, schedule: str, as_json: bool) -> None:
    """Let a paused schedule go on, or one that was tried with a dry run begin.

    What was due during a pause is skipped.
    """
    from deskmate.host.scheduling import making  # noqa: PLC0415

    store = schedules(session)
    standing = store.get(schedule)
    if standing.state == "draft":
        standing = making.agree(store, standing, _projects(session), _now())
    else:
        standing = making.go_on(store, standing, _now())
    _show(session, standing, as_json=as_json)


@command.command("remove", short_help="Remove a schedule.")
@click.argument("schedule")
@json_option
@click.pass_obj
def remove(session: Session, schedule: str, as_json: bool) -> None:
    """Remove a schedule with its history; the threads of its runs stay."""
    store = schedules(session)
    standing = store.get(schedule)
    store.remove(standing.schedule.id)
    if as_json:
        say_json({"removed": standing.schedule.id})
        return
    say(f"{standing.schedule.name} is removed; the threads of its runs stay.")


@command.command("history", short_help="Say what became of each time it was due.")
@click.argument("schedule")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="At most so many.")
@json_option
@click.pass_obj
def history(session: Session, schedule: str, limit: int, as_json: bool) -> None:
    """Say what became of each time a schedule was due, the newest first, and why it was skipped or failed."""
    store = schedules(session)
    standing = store.get(schedule)
    found = store.history(standing.schedule.id, limit)
    if as_json:
        say_json(found)
        return
    for due in found:
        say(line(due, standing.schedule))
    if not found:
        say("It was not due yet.")


@command.command("run", short_help="Run a schedule now, or try it with a dry run.")
@click.argument("schedule")
@click.option(
    "--dry-run", is_flag=True, help="Try it: nothing is written, and every question gets a no."
)
@click.option("--agree", is_flag=True, help="Let it run by itself if the dry run succeeds.")
@json_option
@click.pass_obj
def run(session: Session, schedule: str, dry_run: bool, agree: bool, as_json: bool) -> int:
    """Run a schedule now, as it would run by itself; or try it before it does.

    A dry run works on your real files and stages its changes for you to look at; nothing is written into your
    folders, and what would leave this machine is refused and listed. If it succeeds you are asked whether the
    schedule may run by itself.
    """
    from deskmate.cli.schedule_run import run_dry, run_now  # noqa: PLC0415

    if agree and not dry_run:
        raise UserError("--agree goes with --dry-run.")
    standing = schedules(session).get(schedule)
    if dry_run:
        return run_dry(session, standing, agree=agree, as_json=as_json)
    return run_now(session, standing, as_json=as_json)


@command.command("serve", short_help="Carry schedules out while this runs.")
@click.pass_obj
def serve(session: Session) -> None:
    """Carry schedules out while this runs; `deskmate serve` does it as well.

    Ctrl-C stops it: runs that are under way are stopped and go on when something carries schedules out again.
    """
    import logging  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from deskmate.host import Host  # noqa: PLC0415
    from deskmate.host.scheduling.serving import serve_schedules  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")

    def told(line: str) -> None:
        say(f"{_now()[:19]}Z  {line}")
        sys.stdout.flush()

    told("carrying schedules out; Ctrl-C ends it")
    anyio.run(serve_schedules, Host(session.places), session.places, told)


def _show(session: Session, standing: Standing, *, as_json: bool) -> None:
    if as_json:
        say_json(facts(schedules(session), standing))
    else:
        say_schedule(standing, _now())


def _now() -> str:
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    return utc_now()


def _projects(session: Session) -> Projects:
    from deskmate.store.projects import Projects  # noqa: PLC0415

    return Projects(session.places.data)
