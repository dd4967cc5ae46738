"""A fork: a thread of its own that begins with another's events up to one, and with the files as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio.to_thread

from deskmate.errors import UserError
from deskmate.types.events import Event, Payload, ThreadForked, ThreadMarked, ThreadRenamed
from deskmate.types.ids import ThreadId, new_thread_id
from deskmate.types.places import Places

_TITLE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """A fork that was made. `seq`: the parent's last event in it.

    `files_seq`: the parent's event whose files it has, 0 where it had read none. `listed`: files whose content
    nobody had read by then; it is read from the folders when it is needed.
    """

    thread: ThreadId
    parent: ThreadId
    seq: int
    title: str
    files_seq: int
    listed: int


async def fork_thread(
    places: Places,
    parent: str,
    *,
    seq: int | None = None,
    title: str = "",
    now: Callable[[], str] | None = None,
) -> Fork:
    """Fork a thread at event `seq`, the last one if None; the parent stays as it is and may be at work.

    The fork's log is its own: its first event names the parent and the hash of the event it was forked at.
    What was approved once stays with the parent, rules and what the thread may reach are carried over.

    Raises UserError if there is no such thread or event, CorruptData if the parent's log is damaged.
    """
    from deskmate.agent.forks import fork_point  # noqa: PLC0415 - only this command needs it
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.keeping import keeping_content  # noqa: PLC0415
    from deskmate.store.making import fork_log  # noqa: PLC0415
    from deskmate.store.thread import open_thread, utc_now  # noqa: PLC0415

    with keeping_content(places.threads):  # also where the parent is removed meanwhile
        async with open_thread(places.threads, parent, write=False) as store:
            events = await store.events()
            records = await store.rows()
        at = len(events) if seq is None else seq
        if not 1 <= at <= len(events):
            raise UserError(
                f"Thread {parent} has no event {at}; it has 1 to {len(events)}.",
                hint=f"See them: deskmate thread show {parent}",
            )
        point = await anyio.to_thread.run_sync(fork_point, events, at, BlobStore(places.blobs))
        name = " ".join(title.split())[:_TITLE_LIMIT] or f"{_title(events[:at])} (fork)"
        first = ThreadForked(
            thread=new_thread_id(), parent=ThreadId(parent), seq=at, head=events[at - 1].hash
        )
        closing: list[Payload] = [*point.closing, ThreadMarked(), ThreadRenamed(title=name)]
        await anyio.to_thread.run_sync(
            fork_log, places.threads, first, records[:at], closing, now or utc_now
        )
        return Fork(
            thread=first.thread,
            parent=first.parent,
            seq=at,
            title=name,
            files_seq=point.files_seq,
            listed=point.listed,
        )


def _title(events: tuple[Event, ...]) -> str:
    for event in reversed(events):
        if title := getattr(event.payload, "title", ""):
            return str(title)
    return "Thread"
