"""Routes of changes: what a run wants to write, how it looks, and writing it, throwing it away, taking it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.errors import UserError
from deskmate.host import reviewing
from deskmate.web import contract as page
from deskmate.web.bodies import FLAG, PATHS, WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import ThreadRoutes

if TYPE_CHECKING:
    from deskmate.changes.apply import Outcome
    from deskmate.changes.review import Item

_HUNKS = {"type": "object", "additionalProperties": PATHS, "maxProperties": 10_000}
APPLY = closed(
    ("run",),
    run=WORD,
    leave_out=PATHS,
    hunks=_HUNKS,
    allow_protected=PATHS,
    confirm_deletes={"type": "integer", "minimum": 0},
    overwrite={"type": "object", "additionalProperties": WORD, "maxProperties": 10_000},
    beside=PATHS,
    yours=PATHS,
)
DISCARD = closed(("run",), run=WORD, paths=PATHS)
UNDO = closed(("plan",), plan=WORD, paths=PATHS, force=FLAG)


class ChangeRoutes:
    """The review of a thread's changes."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads

    def routes(self) -> list[Route]:
        """Return the routes."""
        changes = "/api/threads/{thread}/changes"
        return [
            Route(changes, self.show, methods=["GET"]),
            Route(f"{changes}/differences", self.differences, methods=["GET"]),
            Route(f"{changes}/apply", self.apply, methods=["POST"]),
            Route(f"{changes}/discard", self.discard, methods=["POST"]),
            Route(f"{changes}/undo", self.undo, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What the last run wants to change, or what `run` names, and what was applied so far."""
        thread, places = self._threads.named(request), self._desk.places
        past = await reviewing.past_changes(places, thread)
        try:
            run = request.query_params.get("run", "")
            staged, found = await reviewing.staged_changes(places, thread, run)
        except UserError as error:
            if "no change set" not in error.message:
                raise
            return answer(
                page.Changes(run="", discarded=False, errors=0, items=(), refused={}, past=past)
            )
        return answer(
            page.Changes(
                run=staged.run,
                discarded=staged.discarded,
                errors=staged.errors,
                items=tuple(map(_item, found.items)),
                refused=found.refused,
                past=past,
            )
        )

    async def differences(self, request: Request) -> Response:
        """How the changes of some paths look."""
        thread = self._threads.named(request)
        paths = request.query_params.getlist("path")
        run = request.query_params.get("run", "")
        found = await reviewing.differences(
            self._desk.places, thread, paths, run, lambda line: None
        )
        return answer(page.Differences(changes=found))

    async def apply(self, request: Request) -> Response:
        """Write what was kept, all or nothing."""
        from deskmate.changes.planning import ApplyOptions  # noqa: PLC0415
        from deskmate.changes.staged import find_staged  # noqa: PLC0415

        thread = self._threads.named(request)
        body = await read_body(request, APPLY)
        options = ApplyOptions(
            leave_out=tuple(body.get("leave_out", ())),
            hunks={path: tuple(ids) for path, ids in body.get("hunks", {}).items()},
            allow_protected=tuple(body.get("allow_protected", ())),
            confirm_deletes=body.get("confirm_deletes"),
            overwrite=body.get("overwrite", {}),
            beside=tuple(body.get("beside", ())),
        )
        with self._told():
            async with reviewing.open_for_changes(self._desk.places, thread, _quiet) as place:
                staged = find_staged(await place.store.events(), body["run"])
                if staged.discarded:
                    raise UserError("These changes were discarded.")
                options = replace(options, base_files=staged.base_files)
                outcome = await reviewing.apply_and_settle(
                    place, staged, options, body.get("yours", ())
                )
        return answer(_written(outcome))

    async def discard(self, request: Request) -> Response:
        """Throw changes away; the folders stay as they are."""
        from deskmate.changes.discarding import discard_changes  # noqa: PLC0415

        thread = self._threads.named(request)
        body = await read_body(request, DISCARD)
        with self._told():
            async with reviewing.open_for_changes(self._desk.places, thread, _quiet) as place:
                await discard_changes(place, body.get("paths", ()), body["run"])
        return answer(page.Made(thread=thread))

    async def undo(self, request: Request) -> Response:
        """Bring files back to what they were before an apply."""
        from deskmate.changes.undo import UndoOptions, undo_changes  # noqa: PLC0415

        thread = self._threads.named(request)
        body = await read_body(request, UNDO)
        options = UndoOptions(
            plan=body["plan"],
            paths=tuple(body.get("paths", ())),
            force=body.get("force", False),
        )
        with self._told():
            async with reviewing.open_for_changes(self._desk.places, thread, _quiet) as place:
                outcome = await undo_changes(place, options)
        return answer(_written(outcome))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever becomes of it, the other pages look again."""
        try:
            yield
        finally:
            self._desk.look()


def _quiet(line: str) -> None:
    """Say nothing: the page shows that it waits."""


def _item(item: Item) -> page.Item:
    before, after = item.change.before, item.change.after
    kinds = {entry.kind for entry in (before, after) if entry is not None}
    return page.Item(
        path=item.path,
        operation=item.change.operation,
        standing=item.standing,
        why=item.why,
        flags=item.flags,
        moved_from=item.moved_from,
        size=after.size if after else None,
        was=before.size if before else None,
        is_file="file" in kinds,
        now=(item.found.sha256 or "") if item.found else "",
    )


def _written(outcome: Outcome) -> page.Written:
    return page.Written(
        written=outcome.written,
        left_out=outcome.left_out,
        waiting=outcome.waiting,
        notes=outcome.notes,
    )
