"""One database of ours, a SQLite file or a schema of a PostgreSQL database, behind the same few SQL words.

What is written stays within what both understand: `?` marks, `on conflict`, no JSON operators. The only module that
connects to PostgreSQL itself, by SQLAlchemy and the driver that DBOS brings.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from deskmate.errors import CorruptData, StorageFailed, UserError

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")
PATIENCE_S = 300.0
"""How long a database that is away is waited for; then the work on it ends and is taken up again from outside."""
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
IDLE_S = 20
"""Of a transaction in which nothing happens: a process that hangs in the middle of one must not block the others."""
_KEEPALIVE = {
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
    f" -c idle_in_transaction_session_timeout={IDLE_S}s",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "connect_timeout": "10",
    "client_encoding": "utf8",
}
"""Of server and client: a side that vanished from the network is noticed about 15 seconds later, not after two hours."""
_PLAIN = re.compile(r"[a-z0-9_-]{1,60}")


class DatabaseAway(StorageFailed):
    """The server of a database does not answer, or another process holds the file."""


class Found(Protocol):
    """What a statement gave. Rows are read by place and by name."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, None behind the last."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""


class Transaction(Protocol):
    """Statements that count together or not at all."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Found:
        """Carry out one statement."""

    def executemany(self, sql: str, values: Any, /) -> object:
        """Carry out one statement for each of several rows of values."""


class Database(Protocol):
    """A database that is open. Threads may share it; they wait for each other."""

    @property
    def name(self) -> str:
        """What it holds, for messages."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that is stored when the block ends. Raises StorageFailed, CorruptData."""

    def all(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of one query."""

    def patiently(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, called again while the server is away, for PATIENCE_S at most.

        An answer that was lost on the way makes it be called once more than it was stored: it must bear that.
        """

    def create(self, script: str) -> None:
        """Make what a script of `create` statements says, in the words of SQLite."""

    def close(self) -> None:
        """Close it, and let whoever waits for the server go."""


class FileDatabase:
    """A SQLite file."""

    def __init__(self, path: Path, name: str, *, hint: str = "") -> None:
        """`name`: such as "table tb-1". `hint`: what to do where it cannot be stored."""
        self.name, self._hint = name, hint
        self._lock, self._closed = threading.Lock(), threading.Event()
        with self._told():
            self._db = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            try:
                self._db.execute("pragma journal_mode=wal")
                self._db.execute("pragma synchronous=full")
            except BaseException:
                self._db.close()
                raise

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Begin a transaction."""
        with self._lock, self._told():
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it
                    self._db.execute("rollback")
                raise

    def all(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of one query."""
        with self._lock, self._told():
            return self._db.execute(sql, values).fetchall()

    def patiently(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, called again while another process holds the file."""
        return patiently(work, self._closed)

    def create(self, script: str) -> None:
        """Make what a script says."""
        with self._lock, self._told():
            self._db.executescript(script)

    def settle(self) -> None:
        """Bring all that is written into the one file."""
        with self._lock, self._told():
            self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close the file, and let whoever waits for it go."""
        self._closed.set()
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        with told(self.name, self._hint):
            yield


@contextmanager
def told(name: str, hint: str = "") -> Iterator[None]:
    """Say what is wrong with a file. Raises StorageFailed, CorruptData."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise DatabaseAway(f"The {name} is held by another process.", hint=hint) from error
        raise StorageFailed(f"The {name} cannot be stored: {error}.", hint=hint) from error
    except sqlite3.DatabaseError as error:
        raise CorruptData(f"The {name} cannot be read: {error}.") from error


class _Row(tuple[Any, ...]):
    """A row that is read by name, too."""

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)


class _Rows:
    """The rows of one statement."""

    def __init__(self, result: sa.CursorResult[Any]) -> None:
        self.rowcount = result.rowcount
        kind = (
            type("_NamedRow", (_Row,), {"names": tuple(result.keys())})
            if result.returns_rows
            else _Row
        )
        self._rows = [kind(row) for row in result.fetchall()] if result.returns_rows else []
        self._next = iter(self._rows)

    def fetchone(self) -> Any:
        return next(self._next, None)

    def fetchall(self) -> list[Any]:
        return list(self._next)


class _ServerTransaction:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> _Rows:
        return _Rows(self._connection.exec_driver_sql(_marks(sql), tuple(values)))

    def executemany(self, sql: str, values: Any, /) -> None:
        rows = [tuple(each) for each in values]
        if rows:
            self._connection.exec_driver_sql(_marks(sql), rows)


class ServerDatabase:
    """One schema of a PostgreSQL database, which is made by `create`. Every transaction takes one connection."""

    def __init__(self, url: str, schema: str, name: str) -> None:
        """`name`: what it holds, for messages. Nothing is connected to yet."""
        if not _PLAIN.fullmatch(schema):
            raise UserError(f"There is no {name}.")
        self.name, self.schema = name, schema
        self._engine = server_engine(url, size=2, options=f"-c search_path={schema}")
        self._closed = threading.Event()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Begin a transaction. Raises DatabaseAway."""
        with server_told(self.name), self._engine.begin() as connection:
            yield _ServerTransaction(connection)

    def all(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of one query."""

        def look() -> list[Any]:
            with self.begin() as db:
                return db.execute(sql, values).fetchall()

        return self.patiently(look)

    def patiently(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, called again while the server is away."""
        return patiently(work, self._closed)

    def exists(self) -> bool:
        """Say whether the schema was made; a server that is away is not waited for. Raises DatabaseAway."""
        query = "select 1 from information_schema.schemata where schema_name = ?"
        with self.begin() as db:
            return db.execute(query, (self.schema,)).fetchone() is not None

    def create(self, script: str) -> None:
        """Make the schema and what is in it, where it is not there."""
        with self.begin() as db:
            self.create_in(db, script)

    def create_in(self, db: Transaction, script: str) -> None:
        """The same as a part of a transaction."""
        # two that come first at once would be in each other's way: the server does not put them in order
        db.execute("select pg_advisory_xact_lock(hashtext(?))", (self.schema,))
        db.execute(f'create schema if not exists "{self.schema}"')
        wider = re.sub(r"\binteger\b", "bigint", script.replace("without rowid", ""))
        for statement in filter(str.strip, wider.split(";")):
            db.execute(statement)

    def close(self) -> None:
        """Close all connections."""
        self._closed.set()
        self._engine.dispose()


def server_engine(url: str, *, size: int, options: str = "") -> sa.Engine:
    """Return connections to a PostgreSQL database, none of them made yet. Raises UserError."""
    alchemy = _sqlalchemy()
    place = alchemy.make_url(server_url(url)).set(drivername="postgresql+psycopg")
    if options:
        place = place.update_query_dict({"options": f"{place.query['options']} {options}"})
    engine: sa.Engine = alchemy.create_engine(
        place, pool_size=size, max_overflow=2, pool_pre_ping=True
    )
    return engine


def _sqlalchemy() -> Any:
    try:
        import sqlalchemy  # noqa: PLC0415 - heavy, and an extra
    except ImportError as error:
        raise UserError(
            "Work with a pool needs the package dbos, which is not installed.",
            hint='pip install "deskmate[scale]"',
        ) from error
    return sqlalchemy


def server_url(url: str) -> str:
    """Return a PostgreSQL address whose connections notice that the other side is gone. Raises UserError."""
    alchemy = _sqlalchemy()
    try:
        place = alchemy.make_url(url)
    except (alchemy.exc.ArgumentError, ValueError) as error:
        raise UserError("The address of the pool names no database.") from error
    if place.get_backend_name() not in ("postgresql", "postgres"):
        raise UserError(
            f"A pool cannot lie in {place.get_backend_name()}.",
            hint="Give postgresql://user@host/database, or sqlite:////folder/pool.db on one machine.",
        )
    place = place.set(drivername="postgresql", query={**_KEEPALIVE, **place.query})
    address: str = place.render_as_string(hide_password=False)
    return address


@contextmanager
def server_told(name: str) -> Iterator[None]:
    """Say what is wrong with a server. Raises DatabaseAway, StorageFailed."""
    import sqlalchemy as sa  # noqa: PLC0415 - heavy, and an extra

    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise DatabaseAway(
            f"The database of the {name} does not answer: {_first_line(error)}",
            hint="Nothing is lost. Start it, and go on as before.",
        ) from error
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseAway(
                f"The database of the {name} went away: {_first_line(error)}"
            ) from error
        raise StorageFailed(f"The {name} cannot be stored: {_first_line(error)}") from error


def patiently(work: Callable[[], T], closed: threading.Event) -> T:
    """Return what `work` returns, called again while it raises DatabaseAway, for PATIENCE_S at most."""
    deadline, attempt = time.monotonic() + PATIENCE_S, 0
    while True:
        try:
            return work()
        except DatabaseAway:
            if time.monotonic() > deadline:
                raise
            if closed.wait(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]):
                raise
            attempt += 1


def _marks(sql: str) -> str:
    return sql.replace("?", "%s")


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
