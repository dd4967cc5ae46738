"""The stop switch and schedules: a run that the user stopped is not taken up again."""

from __future__ import annotations

from collections.abc import Collection

from deskmate.store.schedules import Schedules
from deskmate.store.thread import utc_now
from deskmate.types.places import Places

STOPPED = "you stopped it"


def note_stopped(places: Places, threads: Collection[str]) -> None:
    """Note that the user stops the scheduled runs at work in these threads, or all where none is named. Blocks."""
    store = Schedules(places.data)
    for due in store.open_dues():
        if due.state == "running" and (not threads or due.thread in threads):
            store.settle(due, "failed", STOPPED, utc_now())
