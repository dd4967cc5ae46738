"""Routes of threads: the list, one of them, and what its owner does to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host import RunOrder
from deskmate.host.orders import grant_for
from deskmate.types.events import (
    Event,
    GrantsSet,
    NetworkSet,
    PluginsSet,
    SandboxOpened,
    ThreadForked,
    UserSaid,
)
from deskmate.types.limits import Limits
from deskmate.web import contract as page
from deskmate.web.bodies import FLAG, PATHS, TEXT, WORD, answer, closed, read_body
from deskmate.web.desk import Desk, trouble_of
from deskmate.web.windows import window_of

if TYPE_CHECKING:
    from deskmate.store.listing import ThreadSummary

AT_ONCE = 400
"""Events of a thread that are told at first; what came before is asked for."""
_APPLY = {"enum": ["review", "new", "all"]}
BUDGET = {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 100_000}
_FOLDER = closed(("folder", "mode"), folder=WORD, mode={"enum": ["ro", "rw", "rw-no-delete"]})
FOLDERS: dict[str, Any] = {"type": "array", "items": _FOLDER, "maxItems": 50}
_ORDER: dict[str, Any] = {
    "text": TEXT,
    "model": WORD,
    "plugins": PATHS,
    "folders": FOLDERS,
    "apply": _APPLY,
    "budget_usd": BUDGET,
    "project": WORD,
    "attachments": {"type": "array", "items": WORD, "maxItems": 20},
}
NEW = closed(("text",), **_ORDER)
SAY = closed(("text",), **_ORDER)
DECIDE = closed(("use", "arguments", "allow"), use=WORD, arguments=WORD, allow=FLAG)
CHANGE = closed(title=WORD, pinned=FLAG, archived=FLAG)
FORK = closed(seq={"type": "integer", "minimum": 1}, title=WORD)
EMPTY = closed()


class ThreadRoutes:
    """Threads as things that people own and talk to."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/api/threads/{thread}"
        return [
            Route("/api/threads", self.listing, methods=["GET"]),
            Route("/api/threads", self.new, methods=["POST"]),
            Route("/api/search", self.search, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.change, methods=["PATCH"]),
            Route(f"{one}/messages", self.say, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/stop", self.stop, methods=["POST"]),
            Route(f"{one}/decisions", self.decide, methods=["POST"]),
            Route(f"{one}/forks", self.fork, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """All threads."""
        return answer(page.Threads(rows=await self._desk.refresh()))

    async def new(self, request: Request) -> Response:
        """Begin a thread with a request."""
        order = _order(await read_body(request, NEW))
        return answer(page.Made(thread=await self._desk.runs.start(order)), 201)

    async def say(self, request: Request) -> Response:
        """Say something in a thread: a request, or the answer to a question."""
        thread = self.named(request)
        order = _order(await read_body(request, SAY))
        return answer(page.Made(thread=await self._desk.runs.start(order, thread)), 202)

    async def resume(self, request: Request) -> Response:
        """Let an interrupted or stopped run go on."""
        thread = self.named(request)
        await read_body(request, EMPTY)
        return answer(page.Made(thread=await self._desk.runs.start(RunOrder(), thread)), 202)

    async def stop(self, request: Request) -> Response:
        """Stop what runs in a thread."""
        thread = self.named(request)
        await read_body(request, EMPTY)
        await self._desk.runs.stop(thread)
        return answer(page.Made(thread=thread))

    async def decide(self, request: Request) -> Response:
        """Allow one call, or refuse it."""
        thread = self.named(request)
        body = await read_body(request, DECIDE)
        await self._desk.runs.decide(thread, body["use"], body["arguments"], allow=body["allow"])
        self._desk.look()
        return answer(page.Made(thread=thread))

    async def change(self, request: Request) -> Response:
        """Rename, pin or archive a thread."""
        from deskmate.store.owning import mark_thread, rename_thread  # noqa: PLC0415

        thread = self.named(request)
        body = await read_body(request, CHANGE)
        threads = self._desk.places.threads
        if self._desk.runs.now(thread):
            raise UserError("This thread is at work.", hint="Do that when it has finished.")
        if "title" in body:
            await rename_thread(threads, thread, body["title"])
        if "pinned" in body or "archived" in body:
            await mark_thread(
                threads, thread, pinned=body.get("pinned"), archived=body.get("archived")
            )
        await self._desk.refresh()
        return answer(page.Made(thread=thread))

    async def fork(self, request: Request) -> Response:
        """Make a thread of its own out of this one at an event, with the files as they were."""
        from deskmate.host.forking import fork_thread  # noqa: PLC0415

        thread = self.named(request)
        body = await read_body(request, FORK)
        made = await fork_thread(
            self._desk.places, thread, seq=body.get("seq"), title=body.get("title", "")
        )
        await self._desk.refresh()
        return answer(page.Made(thread=made.thread), 201)

    async def search(self, request: Request) -> Response:
        """Find words in all threads."""
        from deskmate.store.catalogue import Catalogue  # noqa: PLC0415

        words = request.query_params.get("q", "")[:1_000]
        catalogue = Catalogue(self._desk.places.data, self._desk.places.threads)
        hits = await anyio.to_thread.run_sync(catalogue.search, words)
        return answer(
            page.Finds(
                hits=tuple(
                    page.Found(
                        thread=hit.thread,
                        title=hit.title,
                        changed=hit.changed,
                        seq=hit.seq,
                        snippet=hit.snippet,
                    )
                    for hit in hits
                )
            )
        )

    async def show(self, request: Request) -> Response:
        """One thread, or what came after an event of it."""
        from deskmate.store.listing import running_state, summary_of  # noqa: PLC0415
        from deskmate.store.thread import open_thread  # noqa: PLC0415

        thread = self.named(request)
        threads = self._desk.places.threads
        after, before = (_seq(request.query_params.get(name)) for name in ("after", "before"))
        async with open_thread(threads, thread, write=False) as store:
            events = await store.events()
        summary = await anyio.to_thread.run_sync(
            lambda: running_state(summary_of(threads / thread), threads)
        )
        waiting = await anyio.to_thread.run_sync(self._desk.messages(thread).all)
        heard = {e.payload.queued for e in events if isinstance(e.payload, UserSaid)}
        whole = self._whole(summary, events, after, before)
        return answer(replace(whole, queued=tuple(m for m in waiting if m.id not in heard)))

    def _whole(
        self, summary: ThreadSummary, events: tuple[Event, ...], after: int, before: int
    ) -> page.Thread:
        thread, runs = summary.thread, self._desk.runs
        told = events[: before - 1] if before else events
        start = after or max(len(told) - AT_ONCE, 0)
        entries, earlier = window_of(told, start)
        facts = _facts(events)
        now = runs.now(thread)
        live = (
            page.Live(text=now.text, said=now.said, doing=now.doing, done=now.done, total=now.total)
            if now
            else None
        )
        return page.Thread(
            row=self._desk.row(summary),
            entries=entries,
            earlier=earlier,
            next=len(events),
            live=live,
            trouble=trouble_of(runs.problem(thread)),
            queued=(),
            **facts,
        )

    def named(self, request: Request) -> str:
        """Return the thread that the path names. Raises 404."""
        from deskmate.store.thread import thread_folder  # noqa: PLC0415

        name = str(request.path_params["thread"])
        try:
            thread_folder(self._desk.places.threads, name)
        except UserError as error:
            raise HTTPException(404, error.message) from error
        return name


def _seq(text: str | None) -> int:
    """Return the number of an event, 0 for what is none."""
    return int(text) if text and text.isdecimal() and len(text) < 20 else 0


def _order(body: dict[str, Any]) -> RunOrder:
    budget = body.get("budget_usd")
    return RunOrder(
        text=body["text"],
        model=body.get("model") or None,
        plugins=tuple(body.get("plugins", ())),
        grants=tuple(
            grant_for(absolute(entry["folder"]), entry["mode"]) for entry in body.get("folders", ())
        ),
        limits=Limits(cost_usd=budget) if budget is not None else Limits(),
        apply=body.get("apply", "review"),
        project=body.get("project", ""),
        attachments=tuple(body.get("attachments", ())),
    )


def absolute(folder: str) -> Path:
    """Return a folder's path. Raises UserError unless it is whole: the server's own folder is nobody's business."""
    path = Path(folder)
    if not path.is_absolute() or "\0" in folder:
        raise UserError(f"{folder} is not the whole path of a folder.", hint="Choose it again.")
    return path


def _facts(events: tuple[Event, ...]) -> dict[str, Any]:
    """Return what the head of a thread shows, from the last word on each."""
    facts: dict[str, Any] = {
        "folders": (),
        "plugins": {},
        "model": "",
        "apply": "review",
        "budget_usd": None,
        "hosts": (),
        "isolation": "",
        "forked_from": "",
    }
    for event in events:
        match event.payload:
            case GrantsSet(grants=grants):
                facts["folders"] = tuple(
                    page.Folder(name=grant.name, folder=grant.folder, mode=grant.mode)
                    for grant in grants
                )
            case PluginsSet(versions=versions):
                facts["plugins"] = dict(versions)
            case UserSaid(model=model, apply=apply, limits=limits):
                facts |= {"model": model, "apply": apply, "budget_usd": limits.cost_usd}
            case NetworkSet(rules=rules):
                facts["hosts"] = tuple(rule.host for rule in rules)
            case SandboxOpened(isolation=isolation):
                facts["isolation"] = isolation
            case ThreadForked(parent=parent):
                facts["forked_from"] = facts["forked_from"] or parent
    return facts
