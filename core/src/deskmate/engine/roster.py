"""Who works in a pool, and which jobs were stopped and why: two small tables beside the engine's own.

Nothing is judged by them: a worker that was not seen for long is shown as such, and is not taken for dead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from deskmate.databases import Database, FileDatabase, ServerDatabase
from deskmate.types.fleet import PoolWorker, StopReason

SCHEMA = "deskmate"
_TABLES = """
create table if not exists workers (name text primary key, slots integer not null, memory_mib integer,
  version text not null, began text not null, seen text not null, running integer not null, waiting integer not null,
  state text not null) without rowid;
create table if not exists stops (job text primary key, told text not null) without rowid;
create table if not exists pools (one integer primary key, id text not null) without rowid;
"""
_SEEN = (
    "insert into workers values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (name) do update set slots = excluded.slots,"
    " memory_mib = excluded.memory_mib, version = excluded.version, began = excluded.began, seen = excluded.seen,"
    " running = excluded.running, waiting = excluded.waiting, state = excluded.state"
)


class Roster:
    """Over one database. Each method is one transaction and blocks."""

    def __init__(self, database: FileDatabase | ServerDatabase) -> None:
        self._database: Database = database
        database.patiently(lambda: database.create(_TABLES))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def pool_id(self, wanted: str) -> str:
        """Return the pool's own id; where it has none yet, `wanted` is it from now on."""

        def note() -> str:
            with self._database.begin() as db:
                db.execute(
                    "insert into pools values (1, ?) on conflict (one) do nothing", (wanted,)
                )
                return str(db.execute("select id from pools").fetchone()["id"])

        return self._database.patiently(note)

    def see(self, worker: PoolWorker) -> None:
        """Note how a worker stands; a database that is away is not waited for."""
        with self._database.begin() as db:
            db.execute(
                _SEEN,
                (
                    *(worker.name, worker.slots, worker.memory_mib, worker.version, worker.began),
                    *(worker.seen, worker.running, worker.waiting, worker.state),
                ),
            )

    def workers(self) -> tuple[PoolWorker, ...]:
        """Return all workers that ever were here and are not forgotten, by name."""
        return tuple(
            PoolWorker(
                name=each["name"],
                slots=each["slots"],
                memory_mib=each["memory_mib"],
                version=each["version"],
                began=each["began"],
                seen=each["seen"],
                running=each["running"],
                waiting=each["waiting"],
                state=each["state"],
            )
            for each in self._database.all("select * from workers order by name")
        )

    def drop(self, name: str) -> None:
        """Forget a worker."""

        def forget() -> None:
            with self._database.begin() as db:
                db.execute("delete from workers where name = ?", (name,))

        self._database.patiently(forget)

    def stop(self, job: str, reason: StopReason) -> None:
        """Note why a job is stopped; the first reason stays."""
        told = json.dumps(
            {"kind": reason.kind, "message": reason.message, "hint": reason.hint, "by": reason.by}
        )

        def note() -> None:
            with self._database.begin() as db:
                db.execute(
                    "insert into stops values (?, ?) on conflict (job) do nothing", (job, told)
                )

        self._database.patiently(note)

    def stopped(self, job: str) -> StopReason | None:
        """Return why a job was stopped, None if it was not."""
        found = self._database.all("select told from stops where job = ?", job)
        return _reason(json.loads(found[0]["told"])) if found else None

    def go_on(self, job: str) -> None:
        """Forget that a job was stopped."""

        def forget() -> None:
            with self._database.begin() as db:
                db.execute("delete from stops where job = ?", (job,))

        self._database.patiently(forget)


def _reason(told: Mapping[str, str]) -> StopReason:
    return StopReason(
        kind="over_budget" if told["kind"] == "over_budget" else "failed",
        message=told["message"],
        hint=told["hint"],
        by=told["by"],
    )


def now() -> str:
    """Return the time as it is noted: RFC 3339, UTC."""
    return datetime.now(UTC).isoformat()
