"""What the routes work with: the rooms of the house, and what is told to every open page."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from deskmate.errors import DeskmateError
from deskmate.host import running
from deskmate.ports import Delta
from deskmate.types.codec import to_json
from deskmate.types.events import ApprovalAsked, Event, RunFinished, UserSaid
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.web import contract as page
from deskmate.web.hub import Hub
from deskmate.web.views import Viewer

if TYPE_CHECKING:
    from deskmate.host.connector_running import Connecting
    from deskmate.host.scheduling.by_hand import ByHand
    from deskmate.host.table_running import TablesAtWork
    from deskmate.store.listing import ThreadSummary
    from deskmate.store.waiting import WaitingMessages

LOOK_S = 1.0
"""How often the list of threads is compared with the logs, which other processes write too."""
_FACTS = {
    "interrupted": "Interrupted",
    "over budget": "Over budget",
    "damaged": "Damaged",
    "rejected": "Rejected",
    "failed": "Failed",
    "stopped": "Stopped",
    "working": "Working",
}


class Desk:
    """The listener of the runs, and the list of threads as every page has it."""

    def __init__(self, places: Places, hub: Hub) -> None:
        self.places, self.hub = places, hub
        self._runs: running.Runs | None = None
        self.by_hand: ByHand | None = None
        self.tables: TablesAtWork | None = None
        self.connecting: Connecting | None = None
        self._viewers: dict[ThreadId, Viewer] = {}
        self._said: dict[ThreadId, int] = {}
        self._rows: dict[str, page.Row] = {}
        self._look = anyio.Event()

    @property
    def runs(self) -> running.Runs:
        """What runs in this process."""
        assert self._runs is not None, "the desk is open only while the server runs"
        return self._runs

    def open(
        self,
        runs: running.Runs,
        by_hand: ByHand | None = None,
        tables: TablesAtWork | None = None,
        connecting: Connecting | None = None,
    ) -> None:
        """Begin to serve with these runs. `by_hand`: begins runs of schedules. `tables`: works on tables."""
        self._runs, self.by_hand, self.tables = runs, by_hand, tables
        self.connecting = connecting

    # what runs tell

    def told(self, thread: ThreadId, item: Event | Delta) -> None:
        """Pass on what a run stored or shows."""
        if isinstance(item, Delta):
            self._beside(thread, item)
            return
        viewer = self._viewers.setdefault(thread, Viewer())
        self._said[thread] = 0
        if entry := viewer.entry(item):
            self.hub.publish(page.Stored(thread=thread, entry=entry))
        if isinstance(item.payload, UserSaid | ApprovalAsked | RunFinished):
            self.look()

    def _beside(self, thread: ThreadId, delta: Delta) -> None:
        if delta.kind == "text":
            at = self._said.get(thread, 0)
            self._said[thread] = at + len(delta.text)
            self.hub.publish(page.Streamed(thread=thread, at=at, text=delta.text))
            return
        now = self.runs.now(thread)
        done, total = (now.done, now.total) if now else (0, 0)
        text = str(delta.text)
        self.hub.publish(page.Progress(thread=thread, text=text, done=done, total=total))

    def began(self, thread: ThreadId) -> None:
        """A run is under way."""
        self._said[thread] = 0
        self.hub.publish(page.Working(thread=thread, working=True, trouble=None))
        self.look()

    def ended(self, thread: ThreadId, problem: running.Problem | None) -> None:
        """A run is over."""
        self._viewers.pop(thread, None)
        self._said.pop(thread, None)
        self.hub.publish(page.Working(thread=thread, working=False, trouble=trouble_of(problem)))
        self.look()

    def messages(self, thread: str) -> WaitingMessages:
        """Return what waits to be heard in a thread."""
        from deskmate.store.waiting import WaitingMessages  # noqa: PLC0415

        return WaitingMessages(self.places.threads, thread)

    async def tell_queue(self, thread: str) -> None:
        """Tell every page what waits in a thread."""
        waiting = await anyio.to_thread.run_sync(self.messages(thread).all)
        self.hub.publish(page.Queue(thread=thread, messages=waiting))

    # the list

    def look(self) -> None:
        """Compare the list with the logs soon."""
        self._look.set()

    async def keep_list(self) -> None:
        """Tell every page what changed in the list, for ever."""
        while True:
            with suppress(DeskmateError, OSError):  # a full disk: the next look tells
                await self.refresh()
            with anyio.move_on_after(LOOK_S):
                await self._look.wait()
            self._look = anyio.Event()

    async def refresh(self) -> tuple[page.Row, ...]:
        """Return the list as it is now; other pages are told what changed."""
        from deskmate.store.catalogue import Catalogue  # noqa: PLC0415
        from deskmate.store.listing import by_attention  # noqa: PLC0415

        catalogue = Catalogue(self.places.data, self.places.threads)
        summaries = await anyio.to_thread.run_sync(catalogue.summaries)
        rows = {row.id: row for row in map(self.row, by_attention(summaries))}
        for name, row in rows.items():
            if self._rows.get(name) != row:
                self.hub.publish(page.Listed(row=row))
        for name in self._rows.keys() - rows.keys():
            self.hub.publish(page.Unlisted(thread=name))
        self._rows = rows
        return tuple(rows.values())

    def row(self, summary: ThreadSummary) -> page.Row:
        """Return a thread's row: its group, and the one fact to know."""
        now = self._runs.now(summary.thread) if self._runs else None
        state = "working" if now is not None else summary.state
        group, fact = _group(summary, state), _FACTS.get(state, "")
        if now is not None and now.asks:
            group, state, fact = "needs you", "needs you", "Approve"
        elif state == "needs you":
            fact = f"Review {summary.pending}" if summary.pending else "Waits for you"
        return page.Row(
            id=summary.thread,
            title=summary.title or summary.thread,
            state=state,
            group=group,
            fact=fact,
            changed=summary.changed,
            events=summary.events,
            pending=summary.pending,
            pinned=summary.pinned,
            archived=summary.archived,
            project=summary.project,
            problem=summary.problem,
        )


def _group(summary: ThreadSummary, state: str) -> page.Group:
    from deskmate.store.listing import ATTENTION  # noqa: PLC0415

    if state == "working":
        return "working"
    if summary.archived:
        return "archived"
    if state in ATTENTION:
        return "needs you"
    return "pinned" if summary.pinned else "other"


def trouble_of(problem: running.Problem | None) -> page.Trouble | None:
    """Return what a page shows of a problem."""
    return page.Trouble(message=problem.message, hint=problem.hint) if problem else None


def wire(value: object) -> object:
    """Return a thing of the contract as JSON: every field, also the empty ones."""
    return to_json(value, defaults=True)
