"""The Pool port over DBOS: items in a PostgreSQL database, or in one SQLite file for the workers of one machine.

Who puts items in is a client of DBOS only; who does them is an executor with a name of its own that stays the same
over restarts: what it had begun is its own, and begun again when it is back. Nobody judges another to be dead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from deskmate.databases import (
    FileDatabase,
    ServerDatabase,
    patiently,
    server_engine,
    server_told,
    server_url,
)
from deskmate.engine import running
from deskmate.engine.roster import SCHEMA, Roster
from deskmate.errors import UserError
from deskmate.ports.engines import Counts, Item
from deskmate.types.fleet import QueueCounts

if TYPE_CHECKING:
    import threading

    import sqlalchemy as sa
    from dbos import DBOSClient

T = TypeVar("T")
BULK_QUEUE = "bulk"
"""The queue of all workers."""
_HOST = "host:"
_SQLITE = "sqlite:///"
_CHUNK = 500
_RUNNING, _WAITING = ("PENDING",), ("ENQUEUED", "DELAYED")
_GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
_NAME = "the pool"


def queue_of(host: str) -> str:
    """Return the queue of what only one worker may do, or of what all may."""
    return _HOST + host if host else BULK_QUEUE


class SharedPool:
    """The items of a pool, for whoever puts them in or looks at them. Made by `open_pool`."""

    def __init__(self, url: str, closed: threading.Event) -> None:
        self.url = url
        self._closed = closed
        self._connections = _connections(url)
        self._client = _client(self._connections)
        self.roster = _roster(url)

    def close(self) -> None:
        """Close all connections, and let whoever waits for the database go."""
        self._closed.set()
        self.roster.close()
        self._client.destroy()
        self._connections.dispose()

    def do(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, which asks the database; wait while that is away."""

        def ask() -> T:
            with server_told(_NAME):
                return work()

        return patiently(ask, self._closed)

    async def submit(self, items: Iterable[Item]) -> int:
        """Store items durably; one whose key is known is not stored again, one that was stopped waits anew."""
        return await anyio.to_thread.run_sync(self._submit, items)

    def _submit(self, items: Iterable[Item]) -> int:
        waiting, new = iter(items), 0
        while chunk := {item.key: item for item in islice(waiting, _CHUNK)}:
            new += self.do(lambda chunk=chunk: self._submit_some(chunk))  # type: ignore[misc]
        return new

    def _submit_some(self, items: Mapping[str, Item]) -> int:
        known = {
            one.workflow_id: one.status
            for one in self._client.list_workflows(
                workflow_ids=list(items), load_input=False, load_output=False
            )
        }
        new = [item for key, item in items.items() if key not in known]
        with self._connections.begin() as connection:
            for item in new:
                self._client.enqueue_in_transaction(
                    connection, _options(item), item.key, dict(item.arguments), item.priority
                )
        again: dict[str, list[str]] = {}
        for key, status in known.items():
            if status in ("CANCELLED", _GIVEN_UP):
                again.setdefault(queue_of(items[key].host), []).append(key)
        for (
            queue,
            keys,
        ) in again.items():  # without the name they would run beside it, in any number
            self._client.resume_workflows(keys, queue_name=queue)
        return len(new)

    async def counts(self, prefix: str = "") -> Counts:
        """Return how the items stand whose keys begin with `prefix`."""
        found: Counter[str] = Counter()
        for status, _, _, count in await anyio.to_thread.run_sync(self.tally, prefix):
            found[status] += count
        return Counts(
            queued=sum(found[status] for status in _WAITING),
            running=sum(found[status] for status in _RUNNING),
            done=found["SUCCESS"],
            stopped=found["CANCELLED"] + found[_GIVEN_UP],
        )

    def tally(self, prefix: str = "") -> list[tuple[str, str, str, int]]:
        """Return status, queue, worker and number of the items whose keys begin with `prefix`. Blocks."""
        import sqlalchemy as sa  # noqa: PLC0415 - heavy

        place = "" if self.url.startswith(_SQLITE) else "dbos."
        query = sa.text(
            "select status, coalesce(queue_name, ''), coalesce(executor_id, ''), count(*)"  # noqa: S608 - ours
            f" from {place}workflow_status where substr(workflow_uuid, 1, :size) = :prefix group by 1, 2, 3"
        )

        def ask() -> list[tuple[str, str, str, int]]:
            with self._connections.begin() as connection:
                found = connection.execute(query, {"size": len(prefix), "prefix": prefix})
                return [(row[0], row[1], row[2], row[3]) for row in found]

        return self.do(ask)

    def queues(self) -> tuple[tuple[QueueCounts, ...], Mapping[str, int]]:
        """Return what waits and runs by queue, and what each worker has begun. Blocks."""
        waiting, busy, given_up, by = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for status, queue, executor, count in self.tally():
            queue = queue or BULK_QUEUE  # what was given up is in none
            if status in _WAITING:
                waiting[queue] += count
            elif status in _RUNNING:
                busy[queue] += count
                by[executor] += count
            elif status == _GIVEN_UP:
                given_up[queue] += count
        names = sorted({BULK_QUEUE, *waiting, *busy, *given_up})
        counted = tuple(
            QueueCounts(
                host=name.removeprefix(_HOST) if name.startswith(_HOST) else "",
                waiting=waiting[name],
                running=busy[name],
                given_up=given_up[name],
            )
            for name in names
        )
        return counted, dict(by)

    def ended(self) -> tuple[int, int]:
        """Return how many items of all time are done, and how many were stopped. Blocks."""
        found: Counter[str] = Counter()
        for status, _, _, count in self.tally():
            found[status] += count
        return found["SUCCESS"], found["CANCELLED"]

    def limit_rate(self, limit: int | None, period_s: float) -> None:
        """Let at most `limit` items of the queue of all begin within any `period_s` seconds; None: any number. Blocks."""

        def change() -> None:
            queue = self._client.retrieve_queue(BULK_QUEUE)
            if queue is None:
                raise UserError(
                    "This pool has no queue yet: no worker was ever here.",
                    hint="Start one: deskmate worker --engine …",
                )
            queue.set_limiter(None if limit is None else {"limit": limit, "period": period_s})

        self.do(change)

    async def stop(self, prefix: str) -> int:
        """Stop the items whose keys begin with `prefix`; return how many were neither done nor stopped."""
        return await anyio.to_thread.run_sync(self.stop_now, prefix)

    def stop_now(self, prefix: str, *, only_waiting: bool = False) -> int:
        """The same. `only_waiting`: let what runs finish. Blocks."""
        count = 0
        status = [*_WAITING] if only_waiting else [*_RUNNING, *_WAITING]
        for keys in self._open_keys(workflow_id_prefix=prefix, status=status):
            self.do(lambda keys=keys: self._client.cancel_workflows(keys))  # type: ignore[misc]
            count += len(keys)
        return count

    def _open_keys(self, **chosen: Any) -> Iterator[list[str]]:
        """Yield keys of items that wait or run, some hundred at a time, until there are none left.

        What was done to each lot must have ended it, or moved it out of the choice.
        """
        while True:
            found = self.do(
                lambda: self._client.list_workflows(
                    limit=_CHUNK, load_input=False, load_output=False, **chosen
                )
            )
            if not found:
                return
            yield [one.workflow_id for one in found]

    async def forget(self, host: str) -> int:
        """Let others do what a worker had begun that is gone for good; return how many items that were."""
        return await anyio.to_thread.run_sync(self._forget, host)

    def _forget(self, host: str) -> int:
        count = self.do(lambda: self.give_back(host))
        self.roster.drop(host)
        return count

    def give_back(self, host: str) -> int:
        """Have what a worker had begun wait anew; return how many items that were. Blocks; does not wait."""
        count = 0
        for queue in (BULK_QUEUE, queue_of(host)):
            with server_told(_NAME):
                found = self._client.list_workflows(
                    status=list(_RUNNING),
                    executor_id=host,
                    queue_name=queue,
                    load_input=False,
                    load_output=False,
                )
                keys = [one.workflow_id for one in found]
                if keys:
                    self._client.resume_workflows(keys, queue_name=queue)
            count += len(keys)
        return count

    def running_of(self, host: str, keys: Iterable[str]) -> set[str]:
        """Return those of some items that a worker has begun and still owns. Blocks; does not wait for the database."""
        with server_told(_NAME):
            found = self._client.list_workflows(
                workflow_ids=list(keys),
                status=list(_RUNNING),
                executor_id=host,
                load_input=False,
                load_output=False,
            )
        return {one.workflow_id for one in found}


@asynccontextmanager
async def open_pool(url: str) -> AsyncIterator[SharedPool]:
    """Open a pool to put items in; what it lacks in the database is made. Raises UserError, StorageFailed."""
    pool = await anyio.to_thread.run_sync(make_pool, url)
    try:
        yield pool
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(pool.close)


def make_pool(url: str) -> SharedPool:
    """The same as `open_pool`; whoever calls it closes it. Blocks."""
    import threading  # noqa: PLC0415 - beside what is heavy

    place, closed = pool_url(url), threading.Event()
    dbos = running.load_dbos()

    def migrate() -> None:
        with server_told(_NAME), running.no_cloud():
            dbos.migrate(place)

    if place.startswith(_SQLITE):
        running.prepare_file(Path(place.removeprefix(_SQLITE)))
    migrate()
    return SharedPool(place, closed)


def pool_url(url: str) -> str:
    """Return the address of a pool as it is used. Raises UserError."""
    if not url.startswith(_SQLITE):
        return server_url(url)
    file = Path(url.removeprefix(_SQLITE))
    if not file.is_absolute() or not file.parent.is_dir():
        raise UserError(
            f"{url} is no file in a folder that is there.",
            hint="Give an absolute path: sqlite:////folder/pool.db",
        )
    return url


def file_of(url: str) -> Path | None:
    """Return the file of a pool of one machine, None of one on a server."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


@contextmanager
def _quiet() -> Iterator[None]:
    with running.no_cloud():
        yield


def _roster(url: str) -> Roster:
    file = file_of(url)
    if file is not None:
        return Roster(FileDatabase(file.with_name(f"{file.name}-roster"), "pool's list of workers"))
    return Roster(ServerDatabase(url, SCHEMA, "pool"))


def _client(connections: sa.Engine) -> DBOSClient:
    from dbos import DBOSClient  # noqa: PLC0415 - heavy

    with _quiet():
        return DBOSClient(
            system_database_engine=connections,
            application_name=running.NAME,
            retry_connection_errors=False,
            lazy=True,
        )


def _connections(url: str) -> sa.Engine:
    import sqlalchemy as sa  # noqa: PLC0415 - heavy

    if not url.startswith(_SQLITE):
        return server_engine(url, size=4)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("pragma busy_timeout=30000")

    return engine


def _options(item: Item) -> Any:
    options: dict[str, Any] = {
        "workflow_name": running.WORKFLOW,
        "queue_name": queue_of(item.host),
        "workflow_id": item.key,
        "app_version": running.SCHEMA,
        "priority": item.priority,
    }
    if item.host:  # its queue is in parts, and each item is of one
        options["queue_partition_key"] = item.part or item.key
    elif item.part:
        raise UserError(f"The item {item.key} is of a part and names no worker.")
    return options
