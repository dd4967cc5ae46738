"""Erasing what is personal in a thread's record: choosing the events, and every place on this machine that has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.types.events import (
    Compacted,
    Event,
    RunFinished,
    RunResumed,
    SubagentDid,
    ThreadCreated,
    ThreadRenamed,
    UserSaid,
)
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.store.family import Copy

_FORK = re.compile(r"(?: \(fork\))+$")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which events: by number or range such as `7-12`, of one run, or all. They add up."""

    events: tuple[str, ...] = ()
    run: str = ""
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A place that still holds what was to be erased. `events`: numbers there; `command`: what erases it there."""

    thread: str
    events: tuple[int, ...]
    why: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedEverywhere:
    """What was erased: `events` of the thread, and of each of its forks; and what is `left` on this machine."""

    thread: str
    events: tuple[int, ...]
    forks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    left: tuple[Left, ...] = ()


async def erase_events(places: Places, thread: str, choice: Choice, why: str) -> ErasedEverywhere:
    """Erase in the thread and its forks, and return what was, and where it still is.

    Forks come first: what a crash interrupts is done by the same command again. A thread that this one was forked
    from is named and not touched. Raises UserError for a choice that names nothing, or a run under way in it.
    """
    from deskmate.store.catalogue import FILE  # noqa: PLC0415
    from deskmate.store.family import copies_of, held_in  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    forks: dict[str, tuple[int, ...]] = {}
    left: list[Left] = []
    async with open_thread(places.threads, thread) as store:
        events = await store.events()
        _check_is_settled(events, thread)
        seqs = chosen(events, choice)
        seqs |= titles_of(events, seqs) | summaries_of(events, seqs)
        for copy in await anyio.to_thread.run_sync(copies_of, places.threads, thread, seqs):
            if reason := _why_not(copy, thread):
                left += [_left(copy, reason, why)] if copy.seqs or copy.problem else []
                continue
            try:
                if done := await _erase_fork(places, copy.thread, copy.seqs, why):
                    forks[copy.thread] = done
            except DeskmateError as error:
                left.append(_left(copy, error.message, why))
        erased: tuple[int, ...] = ()
        held = await anyio.to_thread.run_sync(held_in, store.folder, seqs)
        if held or not (forks or left):  # it may be only the copies that are left
            erased = (await store.erase(seqs, why)).seqs
    for ending in ("", "-wal", "-shm"):  # the index holds the words too; it is made anew
        (places.data / f"{FILE}{ending}").unlink(missing_ok=True)
    return ErasedEverywhere(thread=thread, events=erased, forks=forks, left=tuple(left))


async def _erase_fork(
    places: Places, thread: str, seqs: Collection[int], why: str
) -> tuple[int, ...]:
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    """Return what was erased; where all is erased already, closing the log takes its last traces off the disk."""
    async with open_thread(places.threads, thread) as store:
        if not seqs:
            return ()
        events = await store.events()
        _check_is_settled(events, thread)
        more = titles_of(events, seqs) | summaries_of(events, seqs)
        return (await store.erase({*seqs, *more}, why)).seqs


def _check_is_settled(events: Sequence[Event], thread: str) -> None:
    if _is_under_way(events):
        raise UserError(
            f"A run of {thread} is under way or was interrupted.",
            hint=f"Let it end first: deskmate thread resume {thread}",
        )


def _why_not(copy: Copy, thread: str) -> str:
    """Return why a copy is not erased with the thread's own events; empty where it is."""
    if copy.problem:
        return copy.problem
    if copy.deleted:
        return "it was deleted and can be brought back"
    return "" if copy.below else f"it has the same events and is no fork of {thread}"


def _left(copy: Copy, reason: str, why: str) -> Left:
    """Name a place, with the command that erases there."""
    restore = f"deskmate thread restore {copy.thread} && " if copy.deleted else ""
    events = " ".join(f"--event {one}" for one in ranges(copy.seqs))
    command = f"{restore}deskmate audit erase --thread {copy.thread} {events} --why {quote(why)}"
    if copy.problem:
        command = f"deskmate thread verify {copy.thread}"
    return Left(thread=copy.thread, events=tuple(sorted(copy.seqs)), why=reason, command=command)


def ranges(numbers: Collection[int]) -> tuple[str, ...]:
    """Return numbers as the command takes them: `3`, or `5-9`."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return tuple(f"{first}-{last}" if first != last else f"{first}" for first, last in found)


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
    """Return further events whose title is one of the chosen, or the beginning of a chosen request.

    A thread is named after its first request, a fork after its parent.
    """
    said = []
    for event in (event for event in events if event.seq in seqs):
        if isinstance(event.payload, UserSaid):
            said.append(" ".join(event.payload.text.split()))
        elif isinstance(event.payload, ThreadCreated | ThreadRenamed):
            said.append(event.payload.title)
    return frozenset(
        event.seq
        for event in events
        if event.seq not in seqs
        and isinstance(event.payload, ThreadCreated | ThreadRenamed)
        and any(text.startswith(_FORK.sub("", event.payload.title).rstrip("…")) for text in said)
    )


def summaries_of(events: Sequence[Event], seqs: Collection[int]) -> frozenset[int]:
    """Return the summaries that were made after the first of the chosen events: they may tell what it said."""
    first = min(seqs, default=0)
    return frozenset(
        event.seq for event in events if first and event.seq > first and _is_summary(event)
    )


def _is_summary(event: Event) -> bool:
    payload = event.payload
    if isinstance(payload, SubagentDid):
        return payload.kind == Compacted.__name__
    return isinstance(payload, Compacted)


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
