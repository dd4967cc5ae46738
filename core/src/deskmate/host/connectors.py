"""A thread's connectors: which it has, what they offer, and the connections that a run opens when they are called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from deskmate.errors import UserError
from deskmate.host.connecting import Means, connected, means_of
from deskmate.ports import Connector, Progress, Record
from deskmate.types.connectors import ConnectorEntry, ConnectorsSet
from deskmate.types.places import Places
from deskmate.types.policy import Rule
from deskmate.types.progress import Note

if TYPE_CHECKING:
    from deskmate.agent.world import Setup
    from deskmate.connectors.book import Book
    from deskmate.connectors.pins import Drift
    from deskmate.host.adapters import Adapters


SEARCH = "search"
"""A word of the category of connectors whose answers may name pages to read."""
CLOSE_S = 3.0
"""How long the servers may take over a goodbye at the end of a run."""


def choose_connectors(
    book: Book, had: Iterable[str], wanted: Sequence[str], plugins: Collection[str]
) -> tuple[tuple[ConnectorEntry, ...], tuple[str, ...]]:
    """Return the connectors of a thread, and in words which are gone since.

    Raises UserError for one that is wanted and not there, and for one that goes by the name of a plugin.
    """
    chosen = {name: book.get(name) for name in wanted}
    gone = []
    for name in had:
        if name in chosen:
            continue
        entry = book.find(name)
        if entry is None:
            gone.append(f"the connector {name} is gone; go on without it, or add it again")
        else:
            chosen[name] = entry
    for name in chosen:
        if name in plugins:
            raise UserError(
                f"The connector {name} has the name of a plugin of this thread.",
                hint=f"Remove it and add it under another name: deskmate connector remove {name}",
            )
    return tuple(chosen[name] for name in sorted(chosen)), tuple(gone)


def connectors_set(chosen: Iterable[ConnectorEntry]) -> ConnectorsSet:
    """Return the fact that these are the thread's connectors, as they are accepted now."""
    from deskmate.connectors.pins import digest_of_tools  # noqa: PLC0415

    return ConnectorsSet(connectors={entry.name: digest_of_tools(entry.tools) for entry in chosen})


def with_connectors(setup: Setup, chosen: Sequence[ConnectorEntry]) -> Setup:
    """Return a setup in which the connectors' tools are offered, under the user's rules on them."""
    from deskmate.connectors.pins import specs_of  # noqa: PLC0415

    specs = [spec for entry in chosen for spec in specs_of(entry)]
    registry = (
        replace(setup.registry, tools=(*setup.registry.tools, *specs)) if specs else setup.registry
    )
    called = {word: entry.name for entry in chosen for word in (*entry.categories, entry.name)}
    sources = frozenset(entry.name for entry in chosen if _is_source(entry))
    return replace(
        setup, registry=registry, rules=tuple(_rules(chosen)), connected=called, sources=sources
    )


def _is_source(entry: ConnectorEntry) -> bool:
    """Say whether the user connected it as a search, so that its answers may name pages to read."""
    return any(
        SEARCH in category.lower().replace("-", " ").split() for category in entry.categories
    )


def _rules(chosen: Iterable[ConnectorEntry]) -> Iterable[Rule]:
    for entry in chosen:
        for pin in entry.tools:
            if (decision := entry.setting(pin.tool.name).decision) is not None:
                yield Rule(decision=decision, tool=pin.wire)


@asynccontextmanager
async def open_connectors(
    adapters: Adapters, chosen: Sequence[ConnectorEntry], progress: Progress
) -> AsyncIterator[Mapping[str, Connector]]:
    """Yield the thread's connectors by name; each connects when it is first called, and ends with the block."""
    if not chosen:
        yield {}
        return
    from deskmate.connectors.remote import RemoteConnector  # noqa: PLC0415

    book = adapters.connectors()
    means = await anyio.to_thread.run_sync(means_of, adapters.places, adapters.outside())
    try:
        async with anyio.create_task_group() as tasks:
            made = {
                entry.name: RemoteConnector(
                    entry,
                    _dialler(entry, means, adapters, progress),
                    tasks,
                    _on_drift(book, entry, progress),
                )
                for entry in chosen
            }
            try:
                yield made
            finally:
                for connector in made.values():
                    connector.close()
                tasks.cancel_scope.deadline = anyio.current_time() + CLOSE_S
    except BaseExceptionGroup as group:
        raise _first(group) from None  # the run's own: connections keep their faults to themselves


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _dialler(
    entry: ConnectorEntry, means: Means, adapters: Adapters, progress: Progress
) -> Callable[[Record], Any]:
    if entry.program is not None:
        from deskmate.host.programs import connected_program  # noqa: PLC0415

        return lambda record: connected_program(entry, adapters, record, progress)
    return lambda record: connected(entry, means, record)


def _on_drift(book: Book, entry: ConnectorEntry, progress: Progress) -> Callable[[Drift], None]:
    """Return what is done when a server is not what the user accepted: said, and kept for every thread."""

    def note(found: Drift) -> None:
        off = found.off()
        if not off:
            return
        progress(
            Note(
                f"{entry.name} is not what you accepted; off: {', '.join(sorted(off))}. deskmate connector review {entry.name}"
            )
        )
        try:
            kept = book.find(entry.name)
            if kept is not None and kept.tools == entry.tools:
                book.save(replace(kept, off={**kept.off, **off}))
        except (OSError, UserError) as error:  # it is off in this run all the same
            progress(Note(f"that {entry.name} differs could not be kept: {error}"))

    return note


async def set_thread_connectors(
    places: Places, thread: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> tuple[str, ...]:
    """Change which connectors a thread has from its next run on, and return them. Raises UserError."""
    from deskmate.connectors.book import Book  # noqa: PLC0415
    from deskmate.host.job import enabled_plugins, last  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread) as store:
        events = await store.events()
        known = last(events, ConnectorsSet)
        had = tuple(known.connectors) if known else ()
        wanted = change(had)
        chosen, _ = choose_connectors(Book(places.config), (), wanted, enabled_plugins(events))
        record = connectors_set(chosen)
        if record != (known or ConnectorsSet(connectors={})):
            await store.append(record)
    return tuple(entry.name for entry in chosen)
