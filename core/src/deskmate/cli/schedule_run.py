"""Runs of a schedule that are begun by hand: the dry run before it may run by itself, and a run now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, say, say_json
from deskmate.cli.permissions import someone_is_there
from deskmate.cli.run import shown_run, until_interrupted
from deskmate.errors import DeskmateError, UserError

if TYPE_CHECKING:
    from deskmate.host import RunResult
    from deskmate.host.scheduling.making import Asked
    from deskmate.host.scheduling.outcome import Verdict
    from deskmate.types.schedules import Due, Standing

_CODES = {"succeeded": 0, "waiting": 4}


def run_dry(session: Session, standing: Standing, *, agree: bool, as_json: bool) -> int:
    """Try a schedule, say what it asked for, and let it run by itself if the user says so."""
    from deskmate.host.scheduling.planning import claimed  # noqa: PLC0415
    from deskmate.store.schedules import Schedules  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    store, now = Schedules(session.places.data), utc_now()
    due = claimed(standing.schedule, now, "dry run", now)
    store.claim(due)
    store.begin(due, now)
    try:
        verdict, asked = _try(session, standing, due, as_json=as_json)
    except (DeskmateError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, DeskmateError) else "you stopped it"
        store.settle(due, "failed", why, utc_now())
        raise
    settled = store.settle(due, verdict.state, verdict.why, utc_now())
    good = verdict.state == "succeeded"
    if good and standing.state == "draft" and not as_json and not agree and someone_is_there():
        _say_dry(standing, due, verdict, asked)
        agree = click.confirm("  Let it run by itself from now on?", default=False, err=True)
    elif not as_json:
        _say_dry(standing, due, verdict, asked)
    if good and agree:
        standing = _agree(session, standing)
    if as_json:
        say_json({"due": settled, "asked": asked, "state": standing.state})
    elif standing.state == "active":
        say("It runs by itself from now on.")
    elif good:
        say(f"Let it run by itself: deskmate schedule resume {standing.schedule.id}")
    return 0 if good else 1


def _try(
    session: Session, standing: Standing, due: Due, *, as_json: bool
) -> tuple[Verdict, tuple[Asked, ...]]:
    """Carry the dry run out here, shown as any run; return what is true of it and what it asked for."""
    from dataclasses import replace  # noqa: PLC0415

    from deskmate.host import Host  # noqa: PLC0415
    from deskmate.host.scheduling.making import asked_in  # noqa: PLC0415
    from deskmate.host.scheduling.ordering import dry_run_of, title_of  # noqa: PLC0415
    from deskmate.host.scheduling.outcome import judge, of_dry_run  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415
    from deskmate.types.ids import ThreadId  # noqa: PLC0415

    host, schedule, thread = Host(session.places), standing.schedule, ThreadId(due.thread)
    tried = replace(schedule, apply="review")  # nothing is written, so nothing can be in the folder

    with shown_run(as_json=as_json) as (observer, approver):

        async def work() -> RunResult:
            await host.create_thread(title_of(schedule, due), thread)
            return await host.run(
                dry_run_of(schedule), thread, observer=observer, approver=approver
            )

        anyio.run(until_interrupted, work)

    async def look() -> tuple[Verdict, tuple[Asked, ...]]:
        async with open_thread(session.places.threads, thread, write=False) as store:
            events = await store.events()
        verdict = judge(events, tried, BlobStore(session.places.blobs))
        return of_dry_run(verdict), asked_in(events, schedule)

    return anyio.run(look)


def _say_dry(standing: Standing, due: Due, verdict: Verdict, asked: tuple[Asked, ...]) -> None:
    say(f"dry run {verdict.state}: {verdict.why}")
    for one in asked:
        will = "will run unasked, as you agreed" if one.agreed else "will wait for you each time"
        say(f"  {one.tool} {one.shown}")
        say(f"    refused now; {will}")
    say(f"thread {due.thread}: deskmate changes show --thread {due.thread}")


def _agree(session: Session, standing: Standing) -> Standing:
    from deskmate.host.scheduling.making import agree  # noqa: PLC0415
    from deskmate.store.projects import Projects  # noqa: PLC0415
    from deskmate.store.schedules import Schedules  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    places = session.places
    return agree(Schedules(places.data), standing, Projects(places.data), utc_now())


def run_now(session: Session, standing: Standing, *, as_json: bool) -> int:
    """Carry one run out now, as it would be by itself, and say what became of it."""
    from deskmate.cli.schedule_shown import line  # noqa: PLC0415
    from deskmate.host.scheduling.planning import claimed  # noqa: PLC0415
    from deskmate.store.schedules import Schedules  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    schedule = standing.schedule
    if standing.state == "draft":
        raise UserError(
            f"{schedule.name} was not tried yet.",
            hint=f"deskmate schedule run {schedule.id} --dry-run",
        )
    store, now = Schedules(session.places.data), utc_now()
    due = claimed(schedule, now, "hand", now)

    async def work() -> Due | None:
        from deskmate.cli.output import progress  # noqa: PLC0415
        from deskmate.host import Host  # noqa: PLC0415
        from deskmate.host.adapters import SystemClock  # noqa: PLC0415
        from deskmate.host.running import running  # noqa: PLC0415
        from deskmate.host.scheduling.runner import Runner  # noqa: PLC0415
        from deskmate.host.scheduling.serving import Quiet  # noqa: PLC0415
        from deskmate.host.scheduling.working import Working  # noqa: PLC0415

        host, settled = Host(session.places), None
        async with (
            running(host, session.places, Quiet()) as runs,
            anyio.create_task_group() as tasks,
        ):
            working = Working(host, session.places, runs)
            if why := await working.refusal(standing):
                raise UserError(f"{schedule.name} does not run: {why}.")
            store.claim(due)
            runner = Runner(store, working, SystemClock(), tasks, told=progress())
            settled = await runner.carry_out(schedule, due)
        return settled

    settled = anyio.run(until_interrupted, work)
    if as_json:
        say_json(settled)
    elif settled is not None:
        say(line(settled, schedule))
        if settled.state == "waiting":
            say("Answer it: deskmate inbox")
    return _CODES.get(settled.state, 1) if settled is not None else 1
