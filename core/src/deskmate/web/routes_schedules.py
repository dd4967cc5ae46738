"""Routes of schedules: how each stands, what became of it, and letting it run or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.types.files import ApplyMode
from deskmate.types.schedules import Due, Schedule, Standing
from deskmate.web import contract_desk as page
from deskmate.web.bodies import FLAG, TEXT, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import BUDGET, FOLDERS

if TYPE_CHECKING:
    from deskmate.host import Host
    from deskmate.store.schedules import Schedules

HISTORY = 100
NEXT = 3
_APPLY: dict[ApplyMode, str] = {
    "review": "Its files wait for your review.",
    "new": "New files are written into the folder.",
    "all": "Files are written into the folder; nothing is deleted.",
}
EMPTY = closed()
_LIST = {"type": "array", "items": WORD, "maxItems": 100}
MAKE = closed(
    ("name", "text", "zone"),
    name=WORD,
    text=TEXT,
    cron=WORD,
    once=WORD,
    folder=WORD,
    pattern=WORD,
    zone=WORD,
    folders=FOLDERS,
    plugins=_LIST,
    connectors=_LIST,
    hosts=_LIST,
    project=WORD,
    model=WORD,
    budget_usd=BUDGET,
    seconds={"type": "number", "minimum": 60, "maximum": 86_400},
    apply={"enum": list(_APPLY)},
    expects=_LIST,
    expects_answer=FLAG,
    allowed=_LIST,
)
Change = Callable[["Schedules", Standing, str], Standing]


class ScheduleRoutes:
    """Work that is done by itself."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/schedules/{schedule}"
        return [
            Route("/api/schedules", self.listing, methods=["GET"]),
            Route("/api/schedules", self.make, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/try", self.try_out, methods=["POST"]),
            Route(f"{one}/pause", self.pause, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/run", self.run, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """All schedules."""
        return answer(await anyio.to_thread.run_sync(self._rows))

    async def show(self, request: Request) -> Response:
        """One schedule with its history."""
        name = str(request.path_params["schedule"])
        return answer(await anyio.to_thread.run_sync(self._whole, name))

    async def make(self, request: Request) -> Response:
        """Make a schedule, a draft: it runs by itself only after a dry run and another word."""
        body = await read_body(request, MAKE)
        schedule = await anyio.to_thread.run_sync(self._wished, body)
        return answer(await anyio.to_thread.run_sync(self._whole, schedule.id), 201)

    async def remove(self, request: Request) -> Response:
        """Forget a schedule with its history; the threads of its runs stay."""
        await read_body(request, EMPTY)
        name = str(request.path_params["schedule"])

        def work() -> page.ScheduleRows:
            store = self._store()
            store.remove(store.get(name).schedule.id)
            return self._rows()

        return answer(await anyio.to_thread.run_sync(work))

    async def try_out(self, request: Request) -> Response:
        """Begin a dry run."""
        await read_body(request, EMPTY)
        name = str(request.path_params["schedule"])
        assert self._desk.by_hand is not None, "the desk is open while the server runs"
        standing = await anyio.to_thread.run_sync(lambda: self._store().get(name))
        await self._desk.by_hand.try_out(standing)
        self._desk.look()
        return answer(await anyio.to_thread.run_sync(self._whole, name), 202)

    async def pause(self, request: Request) -> Response:
        """Let a schedule not run by itself."""
        from deskmate.host.scheduling import making  # noqa: PLC0415

        return await self._change(request, lambda store, now, at: making.pause(store, now))

    async def resume(self, request: Request) -> Response:
        """Let a paused schedule go on, or one whose dry run succeeded begin."""
        from deskmate.host.scheduling import making  # noqa: PLC0415
        from deskmate.store.projects import Projects  # noqa: PLC0415

        def change(store: Schedules, standing: Standing, at: str) -> Standing:
            if standing.state == "draft":
                return making.agree(store, standing, Projects(self._desk.places.data), at)
            return making.go_on(store, standing, at)

        return await self._change(request, change)

    async def run(self, request: Request) -> Response:
        """Begin a run now, as it would be by itself."""
        await read_body(request, EMPTY)
        name = str(request.path_params["schedule"])
        assert self._desk.by_hand is not None, "the desk is open while the server runs"
        standing = await anyio.to_thread.run_sync(lambda: self._store().get(name))
        await self._desk.by_hand.begin(standing)
        self._desk.look()
        return answer(await anyio.to_thread.run_sync(self._whole, name), 202)

    async def _change(self, request: Request, change: Change) -> Response:
        from deskmate.store.thread import utc_now  # noqa: PLC0415

        await read_body(request, EMPTY)
        name = str(request.path_params["schedule"])

        def work() -> page.ScheduleWhole:
            store = self._store()
            change(store, store.get(name), utc_now())
            return self._whole(name)

        return answer(await anyio.to_thread.run_sync(work))

    def _wished(self, body: Mapping[str, Any]) -> Schedule:
        """Store what a page asks for, once it could run. Raises UserError."""
        from deskmate.host.scheduling.making import checked  # noqa: PLC0415
        from deskmate.host.scheduling.ordering import dry_run_of  # noqa: PLC0415

        schedule = checked(_schedule(body, self._desk.runs.host))
        self._desk.runs.host.check(dry_run_of(schedule), new=True)
        self._store().add(schedule)
        return schedule

    def _store(self) -> Schedules:
        from deskmate.store.schedules import Schedules  # noqa: PLC0415

        return Schedules(self._desk.places.data)

    def _rows(self) -> page.ScheduleRows:
        from deskmate.host.scheduling.serving import is_served  # noqa: PLC0415

        store = self._store()
        rows = tuple(_row(store, standing) for standing in store.all())
        return page.ScheduleRows(served=is_served(self._desk.places), rows=rows)

    def _whole(self, name: str) -> page.ScheduleWhole:
        store = self._store()
        standing = store.get(name)
        history = store.history(standing.schedule.id, HISTORY)
        tried = [due for due in history if due.trigger == "dry run"]
        return page.ScheduleWhole(
            row=_row(store, standing),
            facts=_facts(standing.schedule),
            history=tuple(map(_turn, history)),
            may_agree=standing.state == "draft"
            and any(due.state == "succeeded" for due in tried[:1]),
        )


def _schedule(body: Mapping[str, Any], host: Host) -> Schedule:
    from deskmate.host.network import parse_allowed  # noqa: PLC0415
    from deskmate.host.orders import grant_for  # noqa: PLC0415
    from deskmate.host.scheduling.making import new_id, parse_rule  # noqa: PLC0415
    from deskmate.host.scheduling.moments import when_of  # noqa: PLC0415
    from deskmate.host.scheduling.working import DEFAULT_S  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415
    from deskmate.types.limits import Limits  # noqa: PLC0415

    now, words = utc_now(), " ".join(body["name"].split())
    return Schedule(
        id=new_id(words),
        name=words,
        when=when_of(
            body.get("cron"),
            body.get("once"),
            body.get("folder"),
            pattern=body.get("pattern", ""),
            zone=body["zone"],
            now=now,
        ),
        text=body["text"],
        created=now,
        model=body.get("model") or host.model(None).name,
        plugins=tuple(body.get("plugins", ())),
        grants=tuple(
            grant_for(Path(one["folder"]), one["mode"]) for one in body.get("folders", ())
        ),
        project=body.get("project", ""),
        connectors=tuple(body.get("connectors", ())),
        hosts=tuple(parse_allowed(one) for one in body.get("hosts", ()) if one.strip()),
        limits=Limits(cost_usd=body.get("budget_usd"), seconds=body.get("seconds", DEFAULT_S)),
        apply=body.get("apply", "review"),
        expects=tuple(filter(None, body.get("expects", ()))),
        expects_answer=body.get("expects_answer", False),
        allowed=tuple(parse_rule(one) for one in body.get("allowed", ()) if one.strip()),
    )


def _row(store: Schedules, standing: Standing) -> page.ScheduleRow:
    from deskmate.host.scheduling.times import explained, next_dues, to_moment, to_text  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    schedule = standing.schedule
    coming = (
        next_dues(schedule.when, to_moment(utc_now()), NEXT) if standing.state == "active" else ()
    )
    last = store.history(schedule.id, 1)
    return page.ScheduleRow(
        id=schedule.id,
        name=schedule.name,
        state=standing.state,
        why=standing.why,
        when=explained(schedule.when),
        zone=schedule.when.zone,
        text=schedule.text,
        next=tuple(map(to_text, coming)),
        last=_turn(last[0]) if last else None,
    )


def _turn(due: Due) -> page.Turn:
    return page.Turn(
        due=due.due,
        until=due.until,
        count=due.count,
        trigger=due.trigger,
        state=due.state,
        why=due.why,
        note=due.note,
        thread=due.thread,
        deadline=due.deadline,
    )


def _facts(schedule: Schedule) -> dict[str, str]:
    """Return all that a run of the schedule may do, in words."""
    from deskmate.host.network import shown  # noqa: PLC0415

    limits = schedule.limits
    bounds = [
        f"{limits.cost_usd:.2f} USD" if limits.cost_usd is not None else "",
        f"{limits.seconds:g} seconds" if limits.seconds is not None else "",
        f"{limits.max_turns} turns",
        f"{limits.max_calls} calls of tools",
    ]
    unasked = [
        " ".join((rule.tool, *(f"{name}={value}" for name, value in rule.where.items())))
        for rule in schedule.allowed
    ]
    expected = [*schedule.expects, *(["an answer"] if schedule.expects_answer else [])]
    facts = {
        "Does": schedule.text,
        "Folders": "; ".join(f"{grant.folder} ({grant.mode})" for grant in schedule.grants),
        "Project": schedule.project,
        "Plugins": ", ".join(schedule.plugins),
        "Connectors": ", ".join(schedule.connectors),
        "Network": ", ".join(map(shown, schedule.hosts)),
        "Model": schedule.model,
        "At most": ", ".join(filter(None, bounds)),
        "Must deliver": ", ".join(expected),
        "Then": _APPLY[schedule.apply],
        "Runs unasked": "; ".join(unasked) or "nothing that leaves this computer",
        "Questions": f"wait {schedule.wait_s / 3600:g} hours in the inbox; then the answer is no",
    }
    return {name: words for name, words in facts.items() if words}
