"""Routes of what a thread reaches: which connectors it has, and which hosts its machine may ask."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.connectors.book import Book
from deskmate.host import set_thread_hosts
from deskmate.host.connectors import set_thread_connectors
from deskmate.host.network import last_network, parse_allowed, shown
from deskmate.store.thread import open_thread
from deskmate.types.connectors import ConnectorsSet
from deskmate.types.network import USER
from deskmate.web import contract_connectors as page
from deskmate.web.bodies import FLAG, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import ThreadRoutes

CONNECT = closed(("name", "on"), name=WORD, on=FLAG)
ALLOW = closed(("host",), host={**WORD, "minLength": 1, "maxLength": 400})


class ReachRoutes:
    """What is changed here holds from the thread's next run on. What sends is asked about whatever it reaches."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads

    def routes(self) -> list[Route]:
        """Return the routes."""
        reach = "/api/threads/{thread}/reach"
        return [
            Route(reach, self.show, methods=["GET"]),
            Route(f"{reach}/connectors", self.connect, methods=["POST"]),
            Route(f"{reach}/hosts", self.allow, methods=["POST"]),
            Route(f"{reach}/hosts", self.forbid, methods=["DELETE"]),
        ]

    async def show(self, request: Request) -> Response:
        """What a thread reaches, and the connectors that it could have."""
        return await self._shown(self._threads.named(request))

    async def connect(self, request: Request) -> Response:
        """Give the thread a connector, or take it away."""
        thread = self._threads.named(request)
        body = await read_body(request, CONNECT)
        name, on = body["name"], body["on"]

        def change(had: tuple[str, ...]) -> tuple[str, ...]:
            others = tuple(other for other in had if other != name)
            return (*others, name) if on else others

        await set_thread_connectors(self._desk.places, thread, change)
        return await self._shown(thread)

    async def allow(self, request: Request) -> Response:
        """Let the thread's machine ask a host, named as `HOST[:WORD,…]`."""
        thread = self._threads.named(request)
        rule = parse_allowed((await read_body(request, ALLOW))["host"])
        await set_thread_hosts(self._desk.places, thread, [rule], [])
        return await self._shown(thread)

    async def forbid(self, request: Request) -> Response:
        """Take a host away that the user allowed."""
        thread = self._threads.named(request)
        host = (await read_body(request, ALLOW))["host"]
        await set_thread_hosts(self._desk.places, thread, [], [host])
        return await self._shown(thread)

    async def _shown(self, thread: str) -> Response:
        places = self._desk.places
        async with open_thread(places.threads, thread, write=False) as store:
            events = await store.events()
        sets = [e.payload for e in events if isinstance(e.payload, ConnectorsSet)]
        has = sets[-1].connectors if sets else {}
        known = await anyio.to_thread.run_sync(Book(places.config).all)
        connectors = tuple(
            page.Reached(
                name=entry.name,
                server=entry.server or entry.url,
                tools=len(entry.offered()),
                on=entry.name in has,
            )
            for entry in known
        )
        hosts = tuple(
            page.HostRule(host=rule.host, words=shown(rule), by=rule.by, mine=rule.by == USER)
            for rule in last_network(events).rules
        )
        return answer(page.Reach(connectors=connectors, hosts=hosts))
