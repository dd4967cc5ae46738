"""Tables over many documents: planned and priced, made, worked on to the end, and read again."""

from __future__ import annotations

import glob
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import ConfigError, CorruptData, LimitExceeded, UserError
from deskmate.host.adapters import Adapters
from deskmate.host.table_pace import Pace
from deskmate.ports import Batched, Batches, Clock, Engine, Item, Model, Progress, Sandbox
from deskmate.tables.asking import request_for
from deskmate.tables.batching import BatchWork
from deskmate.tables.order import read_columns
from deskmate.tables.record import ENGINE, FILE, LOCK, TableRecord, make_table
from deskmate.tables.room import Room, in_room, take
from deskmate.tables.work import Bench, RowWork
from deskmate.tables.written import item_key
from deskmate.types.ids import new_table_id
from deskmate.types.places import Places
from deskmate.types.tables import CellStatus, Column, TableAbout, TableSummary

if TYPE_CHECKING:
    from deskmate.store.lock import WriterLock

ROWS_LIMIT = 100_000
SAMPLES = 3
OFFLINE = "offline"
OpenEngine = Callable[[Path], AbstractAsyncContextManager[Engine]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOrder:
    """What the user asks for. `over`: patterns of files. `columns`: they, or their file. `model`: None: the usual one.

    `batch`: its calls may be answered within a day, for less.
    """

    question: str
    over: tuple[str, ...]
    columns: Path | tuple[Column, ...]
    model: str | None = None
    budget_usd: float | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A table before it is made. `sampled`: how many documents were read for the price.

    `estimate_usd`: an upper estimate of all calls, None where it is unknown. `unreadable`: path → why, of the sample.
    """

    about: TableAbout
    paths: tuple[str, ...]
    sampled: int = 0
    estimate_usd: float | None = 0.0
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        """Say whether it costs nothing."""
        return self.estimate_usd == 0.0

    @property
    def budget_usd(self) -> float | None:
        """Return what the table's calls may cost: without the user's word the estimate, in full cents."""
        if self.about.budget_usd is not None or not self.estimate_usd:
            return self.about.budget_usd
        return math.ceil(round(self.estimate_usd * 100, 6)) / 100


class Tables:
    """The user's tables: one folder each."""

    def __init__(
        self,
        places: Places,
        *,
        environ: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        model: Model | None = None,
        clock: Clock | None = None,
        open_engine: OpenEngine | None = None,
        adapters: Adapters | None = None,
    ) -> None:
        """`sandbox`, `model`, `clock`, `open_engine`: used instead of the usual ones; for tests and embedding.

        `adapters`: those of a host, instead of own ones.
        """
        self._adapters = adapters or Adapters(
            places, environ=environ, sandbox=sandbox, model=model, clock=clock
        )
        self._folder = places.tables
        self._open_engine = open_engine

    async def plan(self, order: TableOrder, progress: Progress) -> Plan:
        """Find the documents, check the order, and price it by reading a few of the documents; nothing is spent.

        Raises UserError, ConfigError.
        """
        columns = order.columns
        if isinstance(columns, Path):
            columns = read_columns(columns)
        paths = await anyio.to_thread.run_sync(find_documents, order.over)
        model = await anyio.to_thread.run_sync(self._adapters.model, order.model)
        rules_only = by_rules(model.name)
        if rules_only:
            need_rules(columns)
        about = TableAbout(
            id=new_table_id(),
            made=self._adapters.clock.now(),
            question=order.question,
            model=model.name,
            over=order.over,
            columns=columns,
            budget_usd=order.budget_usd,
            batch=order.batch,
        )
        if order.batch:
            _batches(model)
        plan = Plan(about=about, paths=paths)
        return plan if rules_only else await self._priced(plan, model, progress)

    async def _priced(self, plan: Plan, model: Model, progress: Progress) -> Plan:
        free = request_for(model.name, plan.about.question, plan.about.columns, "x", "x")
        if model.estimate_cost_usd(free) == 0.0:
            return plan
        costs: list[float | None] = []
        unreadable: dict[str, str] = {}
        step = max(len(plan.paths) // SAMPLES, 1)
        for path in plan.paths[::step][:SAMPLES]:
            progress(f"reading {Path(path).name} for the price")
            try:
                document = await take(path)
                text = await in_room(
                    self._adapters.sandbox(), document, Room.text, clock=self._adapters.clock
                )
            except (UserError, ConfigError) as error:
                unreadable[path] = error.message
                continue
            request = request_for(
                model.name, plan.about.question, plan.about.columns, document.name, text
            )
            costs.append(model.estimate_cost_usd(request))
        known = [cost for cost in costs if cost is not None]
        if plan.about.budget_usd is not None and len(known) < len(costs):
            raise ConfigError(
                f"The price of {model.name} is unknown, so a budget cannot be kept.",
                hint="Give its price in the settings (models), or leave --budget out.",
            )
        mean = sum(known) / len(known) if known and len(known) == len(costs) else None
        share = _batches(model).share if plan.about.batch else 1.0
        estimate = None if mean is None else mean * len(plan.paths) * share
        return replace(plan, sampled=len(costs), estimate_usd=estimate, unreadable=unreadable)

    def make(self, plan: Plan) -> str:
        """Make a planned table and return its id; without a budget the estimate is its budget."""
        about = replace(plan.about, budget_usd=plan.budget_usd)
        make_table(self._folder / about.id, about, plan.paths)
        return about.id

    async def work(
        self,
        table: str,
        progress: Progress,
        *,
        slots: int = 2,
        model: str | None = None,
        now: bool = False,
    ) -> TableSummary:
        """Work on a table until every row is closed; what was done before is not done again.

        Answers of a model that failed a check are asked for a second time, if there is money left for it.
        `slots`: how many documents at once, each in a machine of its own. `model`: another one from now on.
        `now`: no more in batches. Raises LimitExceeded where the budget ends, SandboxMissing, UserError; the table goes
        on at the next call.
        """
        with self._locked(table), self.opened(table) as record:
            wanted = model or record.about.model
            chosen = await anyio.to_thread.run_sync(self._adapters.model, wanted)
            if by_rules(chosen.name):
                need_rules(record.about.columns)
            sandbox = self._adapters.sandbox()
            pace = Pace(record, progress, self._adapters.clock)
            bench = Bench(
                record=record,
                sandbox=sandbox,
                model=None if by_rules(chosen.name) else chosen,
                clock=self._adapters.clock,
                told=pace.told,
            )
            rows = RowWork(bench)
            await self._set_way(bench, rows, chosen, progress, now=now)
            await sandbox.registry((), progress)
            async with self._engine(self._path(table) / ENGINE) as engine, sandbox.pooled():
                await _pass(bench, rows, engine, slots, progress, pace)
                if bench.model is not None and record.ask_again():
                    progress("asking again what failed a check")
                    pace.again()
                    await _pass(bench, rows, engine, slots, progress, pace)
            return await anyio.to_thread.run_sync(record.summary)

    async def _set_way(
        self, bench: Bench, rows: RowWork, model: Model, progress: Progress, *, now: bool
    ) -> None:
        """Note which model answers from now on and how; what its batches have is fetched before they are left."""
        record = bench.record
        batch = record.about.batch and not (now or by_rules(model.name))
        sent = await anyio.to_thread.run_sync(record.open_batches)
        if sent and (not batch or model.name != record.about.model):
            known = await anyio.to_thread.run_sync(self._adapters.model, record.about.model)
            await BatchWork(bench, _batches(known), rows, progress).collect(cancel=True)
        if (model.name, batch) != (record.about.model, record.about.batch):
            record.set_order(replace(record.about, model=model.name, batch=batch))

    def _engine(self, database: Path) -> AbstractAsyncContextManager[Engine]:
        if self._open_engine is not None:
            return self._open_engine(database)
        from deskmate.engine.durable import open_engine  # noqa: PLC0415 - only tables need it

        return open_engine(database)

    def reopen(self, table: str, statuses: Sequence[CellStatus], cells: Sequence[str] = ()) -> int:
        """Have cells answered again: those of these statuses, and those named as ROW:COLUMN; return of how many rows."""
        with self._locked(table), self.opened(table) as record:
            chosen = list(record.with_status(statuses)) if statuses else []
            return record.reopen([*chosen, *map(_place, cells)])

    def set_budget(self, table: str, budget_usd: float) -> None:
        """Let a table's calls cost so much in all, what was spent included."""
        with self._locked(table), self.opened(table) as record:
            record.set_order(replace(record.about, budget_usd=budget_usd))

    def left(self, table: str) -> str:
        """Return what to say to who ends its waiting for a table."""
        return f"Go on with: deskmate table resume {table}"

    def newest(self) -> str:
        """Return the id of the table that was made last. Raises UserError if there is none."""
        summaries = self.summaries()
        if not summaries:
            raise UserError(
                "There is no table yet.",
                hint='Begin one: deskmate table run "…" --over … --columns …',
            )
        return summaries[0].about.id

    def summaries(self) -> tuple[TableSummary, ...]:
        """Return how all tables stand, the newest first. Those that cannot be read are left out."""
        found = []
        for table in self._known():
            try:
                with self.opened(table) as record:
                    found.append(record.summary())
            except CorruptData:
                continue
        return tuple(sorted(found, key=lambda one: one.about.made, reverse=True))

    def _known(self) -> tuple[str, ...]:
        return tuple(file.parent.name for file in self._folder.glob(f"tb-*/{FILE}"))

    @contextmanager
    def opened(self, table: str) -> Iterator[TableRecord]:
        """Open a table's record, for reading or, under its lock, for writing. Raises UserError, CorruptData."""
        record = TableRecord(self._path(table) / FILE)
        try:
            yield record
        finally:
            record.close()

    def _path(self, table: str) -> Path:
        if not table.replace("-", "").isalnum():
            raise UserError(f"There is no table {table}.", hint="See: deskmate table list")
        return self._folder / table

    @contextmanager
    def _locked(self, table: str) -> Iterator[None]:
        from deskmate.store.lock import WriterLock, is_locked  # noqa: PLC0415

        path = self._path(table)
        if not (path / FILE).is_file():
            raise UserError(f"There is no table {table}.", hint="See: deskmate table list")
        if is_locked(path / LOCK):
            raise UserError(
                f"Another Deskmate is at work on the table {table}.",
                hint="Wait until it is done, or stop it.",
            )
        lock: WriterLock = WriterLock(path / LOCK, table)
        try:
            yield
        finally:
            lock.release()


def find_documents(over: Sequence[str]) -> tuple[str, ...]:
    """Return the absolute paths of the files that patterns name, sorted, each once. Raises UserError."""
    found: set[str] = set()
    for pattern in over:
        named = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207 - patterns may be absolute
        files = {str(Path(path).absolute()) for path in named if Path(path).is_file()}
        if not files:
            raise UserError(f"There is no file {pattern}.", hint="Put the pattern in quotes.")
        found |= files
    if not found:
        raise UserError("There are no documents.", hint="Name them: --over 'contracts/*.pdf'")
    if len(found) > ROWS_LIMIT:
        raise UserError(f"These are {len(found):,} documents; a table has at most {ROWS_LIMIT:,}.")
    return tuple(sorted(found))


async def _pass(
    bench: Bench, rows: RowWork, engine: Engine, slots: int, progress: Progress, pace: Pace
) -> None:
    """Answer the rows that are open. Raises LimitExceeded after what there was money for is stored."""
    record, over = bench.record, None
    if record.about.batch and bench.model is not None:
        batches = BatchWork(bench, _batches(bench.model), rows, progress)
        try:
            await batches.ask(slots)
        except LimitExceeded as error:
            over = error
    progress("putting the documents in the queue")
    await engine.submit(_items(record))
    pace.begin()
    await engine.serve(rows, slots=slots)
    if over is not None:
        raise over


def _batches(model: Model) -> Batches:
    """Return a model's batches. Raises ConfigError if it takes none."""
    if not isinstance(model, Batched):
        raise ConfigError(
            f"{model.name} takes no batches.", hint="Leave --batch out, or choose sonnet or opus."
        )
    return model.batches


def by_rules(model: str) -> bool:
    """Say whether this model is none: rules alone answer."""
    return model == OFFLINE


def need_rules(columns: Sequence[Column]) -> None:
    """Raise ConfigError if a column cannot be answered without a model."""
    without = [column.name for column in columns if not column.has_rules]
    if without:
        raise ConfigError(
            f"Without a language model only rules answer, and {len(without)} column(s) have none: "
            f"{', '.join(without[:5])}.",
            hint="Give them patterns, or choose a model: --model sonnet",
        )


def _items(record: TableRecord) -> Iterator[Item]:
    for row in record.answered() if record.about.batch else record.rows(only_open=True):
        key = item_key(row.number, row.round)
        yield Item(key=key, arguments={"row": row.number, "round": row.round})


def _place(cell: str) -> tuple[int, str]:
    row, mark, column = cell.partition(":")
    if not mark or not row.isdecimal() or not column:
        raise UserError(
            f"{cell!r} names no cell.", hint="Name it by row and column: 12:Governing law"
        )
    return int(row), column
