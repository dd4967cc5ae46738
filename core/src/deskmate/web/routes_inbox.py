"""Routes of what waits: for the user in all threads, and for a run that has not heard it yet."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.host import inbox as box
from deskmate.types.policy import SENDS
from deskmate.web import contract as page
from deskmate.web.bodies import TEXT, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import ThreadRoutes

LATER = closed(("text",), text=TEXT, attachments={"type": "array", "items": WORD, "maxItems": 20})
EMPTY = closed()


class InboxRoutes:
    """The inbox of all threads, and the queue of each."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads

    def routes(self) -> list[Route]:
        """Return the routes."""
        queue = "/api/threads/{thread}/queue"
        return [
            Route("/api/inbox", self.show, methods=["GET"]),
            Route("/api/inbox/{item}/dismiss", self.dismiss, methods=["POST"]),
            Route(queue, self.say_later, methods=["POST"]),
            Route(f"{queue}/{{message}}", self.withdraw, methods=["DELETE"]),
            Route(f"{queue}/{{message}}/send", self.say_now, methods=["POST"]),
            Route("/api/threads/{thread}/pause", self.pause, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Everything that waits for the user."""
        items = await box.list_inbox(self._desk.places, self._desk.runs.asking())
        return answer(page.Inbox(items=tuple(map(_waits, items))))

    async def dismiss(self, request: Request) -> Response:
        """Take what failed or is finished out of the inbox; its thread stays."""
        await read_body(request, EMPTY)
        found = await box.find_item(self._desk.places, str(request.path_params["item"]))
        await box.dismiss(self._desk.places, found)
        return answer(page.Made(thread=found.thread))

    async def say_later(self, request: Request) -> Response:
        """Say something to a run that is at work: it hears it when its step is done."""
        thread = self._threads.named(request)
        body = await read_body(request, LATER)
        queued = await self._desk.runs.say_later(thread, body["text"], body.get("attachments", ()))
        await self._desk.tell_queue(thread)
        return answer(queued, 202)

    async def withdraw(self, request: Request) -> Response:
        """Take back what the run has not heard yet."""
        thread = self._threads.named(request)
        await read_body(request, EMPTY)
        gone = await self._desk.runs.withdraw(thread, str(request.path_params["message"]))
        await self._desk.tell_queue(thread)
        if not gone:
            raise HTTPException(404, "The run has heard this message already, or it is withdrawn.")
        return answer(page.Made(thread=thread))

    async def say_now(self, request: Request) -> Response:
        """Begin a run with a message that waits although nothing is under way."""
        thread = self._threads.named(request)
        await read_body(request, EMPTY)
        await self._desk.runs.say_now(thread, str(request.path_params["message"]))
        return answer(page.Made(thread=thread), 202)

    async def pause(self, request: Request) -> Response:
        """Let a run finish its step and then pause."""
        thread = self._threads.named(request)
        await read_body(request, EMPTY)
        await self._desk.runs.pause(thread)
        return answer(page.Made(thread=thread))


def _waits(item: box.Item) -> page.Waits:
    return page.Waits(
        id=item.id,
        kind=item.kind,
        thread=item.thread,
        title=item.title,
        text=item.text,
        since=item.since,
        deadline=item.deadline,
        schedule=item.schedule,
        sentence=item.sentence,
        why=item.why,
        shown=item.shown,
        choices=item.choices,
        use=item.use,
        arguments=item.arguments or "",
        sends=item.kind == "approval" and (not item.use or item.why.startswith(SENDS)),
    )
