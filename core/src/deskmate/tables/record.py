"""The record of one table: its order, rows, cells and every model call with its money.

It is a SQLite file, or a schema of a pool's database that many hosts write. Money is kept in millionths of a dollar, so
that sums are exact. Every method is one transaction and blocks; each may be done twice, as when an answer of a
database was lost.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from deskmate.databases import (
    Database,
    DatabaseAway,
    FileDatabase,
    ServerDatabase,
    Transaction,
    told,
)
from deskmate.errors import CorruptData, StorageFailed, UserError
from deskmate.tables.written import call_id, cell_of, micro, row_of, usd
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest
from deskmate.types.tables import Cell, Row, Spent, TableAbout, TableSummary

FILE, LOCK, ENGINE = "table.db", "lock", "engine.db"
VERSION = 1
_SCHEMA = """
create table about (version integer not null, json text not null, budget integer, reserved integer not null);
create table rows (number integer primary key, path text not null, round integer not null, state text not null,
  sha256 text);
create index open_rows on rows (state, number);
create table cells (row integer not null, place integer not null, status text not null, json text not null,
  round integer not null, primary key (row, place)) without rowid;
create table calls (id text primary key, row integer not null, held integer, cost integer, state text not null,
  reply text, at text not null) without rowid;
create index calls_of on calls (row, state);
"""
_LATER = """
create table if not exists batches (id text primary key, calls text not null, state text not null) without rowid;
"""
"""Tables that were made before get it when they are opened."""
_ENDS = ("answered", "refused")
_HINT = "Free some space or check the disk; what is answered stays: deskmate table resume"
P = ParamSpec("P")
T = TypeVar("T")


def _patient(
    method: Callable[Concatenate[TableRecord, P], T],
) -> Callable[Concatenate[TableRecord, P], T]:
    """Have a method be called again while the database is away."""

    @functools.wraps(method)
    def call(self: TableRecord, /, *args: P.args, **named: P.kwargs) -> T:
        return self.database.patiently(lambda: method(self, *args, **named))

    return call


class TableRecord:
    """One table's record, open. Threads may share it."""

    def __init__(self, where: Path | Database) -> None:
        """`where`: its file, or the database that holds it.

        Raises UserError if there is no table, CorruptData if it is of a later version or damaged.
        """
        if isinstance(where, Path):
            if not where.is_file():
                raise UserError(
                    f"There is no table {where.parent.name}.", hint="See: deskmate table list"
                )
            where = FileDatabase(where, f"table {where.parent.name}", hint=_HINT)
        self.database = where
        try:
            version, order = where.all("select version, json from about")[0]
            if version != VERSION:
                raise CorruptData(f"The {where.name} is of version {version}.")
            self.about = from_json(TableAbout, json.loads(order))
            if isinstance(where, FileDatabase):
                where.create(_LATER)
        except BaseException as error:
            where.close()
            if isinstance(error, TypeError | IndexError | StorageFailed) and not isinstance(
                error, DatabaseAway
            ):
                raise CorruptData(f"The {where.name} cannot be read: {error}.") from error
            raise

    def close(self) -> None:
        """Close it."""
        self.database.close()

    def reread(self) -> None:
        """Take the order as it is now: another process may have stored it anew."""
        self.about = from_json(
            TableAbout, json.loads(self._all("select json from about")[0]["json"])
        )

    def _all(self, query: str, *values: object) -> list[Any]:
        return self.database.all(query, *values)

    @_patient
    def set_order(self, about: TableAbout) -> None:
        """Store the order anew: its model or its budget changed."""
        budget = None if about.budget_usd is None else micro(about.budget_usd)
        with self.database.begin() as db:
            db.execute(
                "update about set json = ?, budget = ?",
                (json.dumps(to_json(about), ensure_ascii=False), budget),
            )
        self.about = about

    def row(self, number: int) -> Row:
        """Return one row. Raises UserError if there is none."""
        found = self._all("select * from rows where number = ?", number)
        if not found:
            raise UserError(f"The table {self.about.id} has no row {number}.")
        return row_of(found[0])

    def rows(self, *, only_open: bool = False, after: int = 0) -> Iterator[Row]:
        """Yield the rows in order from the one after `after`, a few hundred at a time in memory.

        `only_open`: those that are not closed.
        """
        states = "('open', 'again')" if only_open else "('open', 'again', 'done')"
        while found := self._all(
            f"select * from rows where state in {states} and number > ? order by number limit 500",  # noqa: S608 - ours
            after,
        ):
            yield from map(row_of, found)
            after = found[-1]["number"]

    def answered(self) -> Iterator[Row]:
        """Yield the rows that are not closed and whose round's call has an end."""
        for row in self.rows(only_open=True):
            if any(self._said(row.number, row.round, end) is not None for end in _ENDS):
                yield row

    def cells(self, row: int) -> tuple[Cell, ...]:
        """Return a row's cells in the order of the columns; those that nobody answered are `open`."""
        found = {
            each["place"]: cell_of(each["json"])
            for each in self._all("select place, json from cells where row = ?", row)
        }
        return tuple(
            found.get(place) or Cell(column=column.name, status="open")
            for place, column in enumerate(self.about.columns)
        )

    @_patient
    def finish_row(
        self, number: int, round_: int, cells: Mapping[str, Cell], digest: Digest | None
    ) -> bool:
        """Store a row's answers and close it; False if that round of it is closed already, and nothing is stored."""
        places = {column.name: place for place, column in enumerate(self.about.columns)}
        with self.database.begin() as db:
            closed = db.execute(
                "update rows set state = 'done', sha256 = ? where number = ? and round = ? and state != 'done'",
                (digest, number, round_),
            )
            if closed.rowcount != 1:
                return False
            db.executemany(
                "insert into cells values (?, ?, ?, ?, ?) on conflict (row, place) do update"
                " set status = excluded.status, json = excluded.json, round = excluded.round",
                [
                    (
                        number,
                        places[name],
                        cell.status,
                        json.dumps(to_json(cell), ensure_ascii=False),
                        round_,
                    )
                    for name, cell in cells.items()
                ],
            )
        return True

    @_patient
    def reopen(self, cells: Iterable[tuple[int, str]]) -> int:
        """Have cells answered again, each named by row and column; return of how many rows."""
        places = {column.name: place for place, column in enumerate(self.about.columns)}
        by_row: dict[int, list[int]] = {}
        for row, column in cells:
            if column not in places:
                raise UserError(f"The table {self.about.id} has no column {column!r}.")
            by_row.setdefault(row, []).append(places[column])
        with self.database.begin() as db:
            for row, wanted in by_row.items():
                known = db.execute(
                    "update rows set round = round + 1, state = 'open' where number = ? and state != 'open'",
                    (row,),
                )
                if known.rowcount:
                    db.executemany(
                        "delete from cells where row = ? and place = ?",
                        [(row, place) for place in wanted],
                    )
        return len(by_row)

    @_patient
    def ask_again(self) -> int:
        """Have the disputed answers of a model that were asked for once asked for again; return in how many rows.

        They stand as they are until there are better ones.
        """
        with self.database.begin() as db:
            found = db.execute("select row, json from cells where status = 'disputed'").fetchall()
            cells = ((each["row"], cell_of(each["json"])) for each in found)
            rows = {row for row, cell in cells if cell.asked == 1 and cell.by != "rules"}
            again = "update rows set round = round + 1, state = 'again' where state = 'done' and number = ?"
            return sum(db.execute(again, (row,)).rowcount for row in sorted(rows))

    def with_status(self, statuses: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield row and column of the cells of these statuses."""
        marks = ",".join("?" * len(statuses))
        query = f"select row, place from cells where status in ({marks}) order by row, place"  # noqa: S608 - marks only
        for found in self._all(query, *statuses):
            yield found["row"], self.about.columns[found["place"]].name

    @_patient
    def hold(self, row: int, round_: int, estimate_usd: float | None, at: str) -> str | None:
        """Reserve the money of one model call and return the call's id; None if the budget does not reach.

        One statement decides, so that calls that start together cannot both have the last of it.
        """
        held = None if estimate_usd is None else micro(estimate_usd, up=True)
        with self.database.begin() as db:
            fits = db.execute(
                "update about set reserved = reserved + ? where budget is null or reserved + ? <= budget",
                (held or 0, held or 0),
            )
            if fits.rowcount != 1:
                return None
            count = db.execute("select count(*) from calls where row = ?", (row,)).fetchone()[0]
            name = call_id(row, round_, count + 1)
            db.execute(
                "insert into calls values (?, ?, ?, null, 'sent', null, ?)", (name, row, held, at)
            )
        return name

    @_patient
    def settle(self, call: str, cost_usd: float | None, reply: str) -> None:
        """Store a call's answer and what it really cost, in place of what was held for it; once."""
        cost = None if cost_usd is None else micro(cost_usd)
        with self.database.begin() as db:
            held = db.execute(
                "select held from calls where id = ? and state = 'sent'", (call,)
            ).fetchone()
            if held is None:
                return
            db.execute(
                "update calls set cost = ?, reply = ?, state = 'answered' where id = ?",
                (cost, reply, call),
            )
            change = (cost if cost is not None else held[0] or 0) - (held[0] or 0)
            db.execute("update about set reserved = reserved + ?", (change,))

    @_patient
    def release(self, call: str, why: str = "") -> None:
        """Give back what was held for a call that was refused and cost nothing. `why`: what the server said."""
        with self.database.begin() as db:
            _release(db, call, why)

    @_patient
    def batch_sent(self, batch: str, calls: Sequence[str]) -> None:
        """Note that these calls are in a batch that the server took."""
        with self.database.begin() as db:
            db.execute("insert into batches values (?, ?, 'sent')", (batch, json.dumps(calls)))

    @_patient
    def batch_ended(self, batch: str) -> None:
        """Note that all answers of a batch are stored, and give back what is held for calls that have none."""
        with self.database.begin() as db:
            found = db.execute(
                "select calls from batches where id = ? and state = 'sent'", (batch,)
            ).fetchone()
            if found is None:
                return
            for name in json.loads(found["calls"]):
                _release(db, name, "The batch has no answer for it.")
            db.execute("update batches set state = 'ended' where id = ?", (batch,))

    def open_batches(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """Return the batches whose answers are not all here: id, and the calls in it."""
        found = self._all("select id, calls from batches where state = 'sent' order by id")
        return tuple((each["id"], frozenset(json.loads(each["calls"]))) for each in found)

    def reply(self, row: int, round_: int) -> str | None:
        """Return the stored answer of a round's call: it was paid for and is not asked for again."""
        return self._said(row, round_, "answered")

    def refusal(self, row: int, round_: int) -> str | None:
        """Return why the round's last call was refused."""
        return self._said(row, round_, "refused")

    def _said(self, row: int, round_: int, state: str) -> str | None:
        found = self._all(
            "select reply from calls where row = ? and state = ? and id like ? order by id desc limit 1",
            row,
            state,
            call_id(row, round_, 0)[:-4] + "%",
        )
        return str(found[0]["reply"] or "") if found else None

    def spent(self) -> Spent:
        """Return the money of all calls, each counted once."""
        found = self._all(
            "select state, count(*) as calls, sum(coalesce(cost, held, 0)) as money,"
            " sum(case when cost is null and held is null then 1 else 0 end) as unknown from calls where state != 'refused' group by state"
        )
        by_state = {each["state"]: each for each in found}
        answered, sent = by_state.get("answered"), by_state.get("sent")
        return Spent(
            answered_usd=usd(answered["money"]) if answered else 0.0,
            unanswered_usd=usd(sent["money"]) if sent else 0.0,
            calls=answered["calls"] if answered else 0,
            unanswered_calls=sent["calls"] if sent else 0,
            known=not any(each["unknown"] for each in found),
        )

    def reserved_usd(self) -> float:
        """Return what is spent or held for calls under way."""
        return usd(self._all("select reserved from about")[0]["reserved"])

    def summary(self) -> TableSummary:
        """Return how the table stands."""
        rows = {
            each["state"]: each["n"]
            for each in self._all("select state, count(*) as n from rows group by state")
        }
        cells = {
            each["status"]: each["n"]
            for each in self._all("select status, count(*) as n from cells group by status")
        }
        total = sum(rows.values())
        unanswered = total * len(self.about.columns) - sum(cells.values())
        return TableSummary(
            about=self.about,
            rows=total,
            rows_done=rows.get("done", 0),
            cells={**cells, **({"open": unanswered} if unanswered else {})},
            spent=self.spent(),
        )


def make_table(
    folder: Path,
    about: TableAbout,
    paths: Iterable[str],
    contents: Mapping[str, Digest] = MappingProxyType({}),
) -> None:
    """Make a table's folder and file, whole or not at all. `contents`: path → content, where that is settled.

    Raises StorageFailed.
    """
    with told(f"table {folder.name}", _HINT):
        folder.mkdir(parents=True, mode=0o700)
        try:
            part = folder / f"{FILE}.part"
            with closing(FileDatabase(part, f"table {folder.name}", hint=_HINT)) as made:
                made.create(_SCHEMA)
                with made.begin() as db:
                    _fill(db, about, paths, contents)
                made.settle()
            part.rename(folder / FILE)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def make_shared_table(
    database: ServerDatabase,
    about: TableAbout,
    paths: Iterable[str],
    contents: Mapping[str, Digest],
) -> None:
    """Make a table in a pool's database, whole or not at all. Raises StorageFailed."""
    with database.begin() as db:
        database.create_in(db, _SCHEMA + _LATER)
        _fill(db, about, paths, contents)


def _release(db: Transaction, call: str, why: str) -> None:
    held = db.execute("select held from calls where id = ? and state = 'sent'", (call,)).fetchone()
    if held is not None:
        db.execute(
            "update calls set state = 'refused', cost = 0, reply = ? where id = ?", (why, call)
        )
        db.execute("update about set reserved = reserved - ?", (held[0] or 0,))


def _fill(
    db: Transaction, about: TableAbout, paths: Iterable[str], contents: Mapping[str, Digest]
) -> None:
    budget = None if about.budget_usd is None else micro(about.budget_usd)
    db.execute(
        "insert into about values (?, ?, ?, 0)",
        (VERSION, json.dumps(to_json(about), ensure_ascii=False), budget),
    )
    db.executemany(
        "insert into rows values (?, ?, 1, 'open', ?)",
        ((n, path, contents.get(path)) for n, path in enumerate(paths, 1)),
    )
