"""Erasing what is personal in a thread's record: choosing the events, and every place on this machine that has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deskmate.errors import UserError
from deskmate.types.events import (
    Erased,
    Event,
    RunFinished,
    RunResumed,
    ThreadCreated,
    ThreadRenamed,
    UserSaid,
)
from deskmate.types.places import Places

_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which events: by number or range such as `7-12`, of one run, or all. They add up."""

    events: tuple[str, ...] = ()
    run: str = ""
    everything: bool = False


async def erase_events(places: Places, thread: str, choice: Choice, why: str) -> Erased:
    """Erase, and return what was. Raises UserError for a choice that names nothing, or a run under way."""
    from deskmate.store.catalogue import FILE  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread) as store:
        events = await store.events()
        if _is_under_way(events):
            raise UserError(
                f"A run of {thread} is under way or was interrupted.",
                hint=f"Let it end first: deskmate thread resume {thread}",
            )
        seqs = chosen(events, choice)
        erased = await store.erase(seqs | titles_of(events, seqs), why)
    for ending in (
        "",
        "-wal",
        "-shm",
    ):  # the index holds the words too; it is made anew from the logs
        (places.data / f"{FILE}{ending}").unlink(missing_ok=True)
    return erased


def chosen(events: Sequence[Event], choice: Choice) -> frozenset[int]:
    """Return the numbers of the chosen events. Raises UserError."""
    if not (choice.events or choice.run or choice.everything):
        raise UserError("Nothing is named to be erased.", hint="Name --event, --run or --all.")
    found: set[int] = {event.seq for event in events} if choice.everything else set()
    for text in choice.events:
        found |= _numbers(text, len(events))
    if choice.run:
        of_run = _of_run(events, choice.run)
        if not of_run:
            raise UserError(f"There is no run {choice.run} in this thread.")
        found |= of_run
    return frozenset(found)


def titles_of(events: Sequence[Event], seqs: Collection[int]) -> frozenset[int]:
    """Return the events whose title is the beginning of a chosen request: a thread is named after its first one."""
    said = [
        " ".join(event.payload.text.split())
        for event in events
        if event.seq in seqs and isinstance(event.payload, UserSaid)
    ]
    return frozenset(
        event.seq
        for event in events
        if isinstance(event.payload, ThreadCreated | ThreadRenamed)
        and any(text.startswith(event.payload.title.rstrip("…")) for text in said)
    )


def _numbers(text: str, last: int) -> set[int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r} is not an event's number.", hint="Write 7, or 7-12.")
    first, end = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= end <= last:
        raise UserError(f"There are no events {text}; the thread has {last}.")
    return set(range(first, end + 1))


def _of_run(events: Sequence[Event], run: str) -> set[int]:
    """Return the events from a run's first words to what came before the next run."""
    found: set[int] = set()
    now = ""
    for event in events:
        if isinstance(event.payload, UserSaid | RunResumed):
            now = event.payload.run
        if now == run:
            found.add(event.seq)
    return found


def _is_under_way(events: Sequence[Event]) -> bool:
    for event in reversed(events):
        if isinstance(event.payload, UserSaid | RunResumed):
            return True
        if isinstance(event.payload, RunFinished):
            return False
    return False
