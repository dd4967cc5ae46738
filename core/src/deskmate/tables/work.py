"""The work on one row: read the document, answer its columns, check the answers, store them once."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import anyio.to_thread

from deskmate.errors import (
    DeskmateError,
    LimitExceeded,
    ModelRejected,
    ModelUnavailable,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
    UserError,
)
from deskmate.ports import Clock, Model, ModelReply, ModelRequest, Sandbox
from deskmate.tables.asking import answers_in, request_for
from deskmate.tables.record import TableRecord
from deskmate.tables.room import Document, Room, in_room, take
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest
from deskmate.types.tables import WHY_LIMIT, Cell, Column, Row, TableAbout

CALLS = 4
"""How many calls of a model one row gets before it has failed."""
_REFUSED = (401, 403, 404)
"""A server's answers to a key or a model's name, whatever the document."""
_WAIT_S = 2.0
_WAIT_LIMIT_S = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What rows are worked on with. `model`: None where rules alone answer."""

    record: TableRecord
    sandbox: Sandbox
    model: Model | None
    clock: Clock
    told: Callable[[Row, Sequence[Cell]], None] = lambda row, cells: None
    take: Callable[[Row], Awaitable[Document]] = lambda row: take(row.path)
    """Where documents come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a row's round asks for. `doubts`: the disputed answers to these columns, where it asks for a second time."""

    columns: tuple[Column, ...]
    doubts: tuple[Cell, ...] = ()

    def request(self, about: TableAbout, model: str, name: str, text: str) -> ModelRequest:
        """Return what the model is asked of the document of this name and text."""
        return request_for(model, about.question, self.columns, name, text, self.doubts)

    def settled(self, found: Sequence[Cell]) -> list[Cell]:
        """Return the cells that stand now. Of what was asked twice, what is disputed again says so."""
        if not self.doubts:
            return list(found)
        return [_better(old, new) for old, new in zip(self.doubts, found, strict=True)]


def asked_of(record: TableRecord, row: Row) -> Asked:
    """Return what a row's round asks for: what is open, or what is disputed and was asked for once."""
    pairs = list(zip(record.about.columns, record.cells(row.number), strict=True))
    if row.state == "open":
        return Asked(columns=tuple(column for column, cell in pairs if cell.status == "open"))
    chosen = [
        (column, cell)
        for column, cell in pairs
        if cell.status == "disputed" and cell.asked == 1 and cell.by != "rules"
    ]
    return Asked(
        columns=tuple(column for column, _ in chosen), doubts=tuple(cell for _, cell in chosen)
    )


def over_budget(table: str) -> LimitExceeded:
    """Return the error of a call that the rest of the budget may not reach for."""
    return LimitExceeded(
        "The next call of the model could cost more than what is left of the budget.",
        limit="cost_usd",
        hint=f"deskmate table resume {table} --budget USD",
    )


class RowWork:
    """Does rows, several at once. Whatever happens to it, a row's answers are stored once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._record = bench.record

    async def __call__(self, key: str, arguments: Mapping[str, Any]) -> None:
        """Do one round of a row. Raises LimitExceeded before it would spend more than the budget; the row stays open.

        A document that cannot be read or answered is a row of failed cells that say why, not an exception.
        """
        number, round_ = int(arguments["row"]), int(arguments["round"])
        row = await anyio.to_thread.run_sync(self._record.row, number)
        if row.round != round_ or row.state == "done":
            return  # it was stored before the crash
        asked = await anyio.to_thread.run_sync(asked_of, self._record, row)
        document: Document | None = None
        try:
            document = await self._bench.take(row)
            if row.sha256 not in (None, document.sha256):
                raise UserError(
                    f"{document.name} changed since the table was begun; begin a new table."
                )
            found = await self._answer(row, document, asked)
        except LimitExceeded:
            if not asked.doubts:
                raise
            # what stands is kept, and asked about again when there is money for it
            await self.close(row, (), None)
            return
        except (
            UserError,
            ModelRejected,
            ModelUnavailable,
            SandboxUnavailable,
            ProtocolError,
        ) as error:
            if isinstance(error, SandboxMissing) or getattr(error, "status", None) in _REFUSED:
                raise  # no row would fare better
            found = self.failed(asked, error)
        else:
            found = asked.settled(found)
        await self.close(row, found, document.sha256 if document else None)

    def failed(self, asked: Asked, error: DeskmateError) -> list[Cell]:
        """Return the cells of what was asked where a document could not be read or answered."""
        return asked.settled([_failed(column, error) for column in asked.columns])

    async def close(self, row: Row, found: Sequence[Cell], digest: Digest | None) -> None:
        """Store what was found in a row's round and close it, once; what was not found again stands as it is."""
        cells = {cell.column: cell for cell in found}
        stored = await anyio.to_thread.run_sync(
            self._record.finish_row, row.number, row.round, cells, row.sha256 or digest
        )
        if stored:
            self._bench.told(row, found)

    async def _answer(self, row: Row, document: Document, asked: Asked) -> list[Cell]:
        model, columns = self._bench.model, asked.columns
        if model is None:
            return list(await self._in_room(document, lambda room: room.find(columns)))
        told = await anyio.to_thread.run_sync(self._record.reply, row.number, row.round)
        if told is not None:
            reply = from_json(ModelReply, json.loads(told))
        elif self._record.about.batch:
            why = await anyio.to_thread.run_sync(self._record.refusal, row.number, row.round)
            raise ModelRejected(why or "The batch has no answer for it.")
        else:
            text = await self._in_room(document, Room.text)
            request = asked.request(self._record.about, model.name, document.name, text)
            reply = await self._ask(row, model, request)
        answers = answers_in(reply, columns)
        cells = await self._in_room(document, lambda room: room.check(columns, answers))
        return [replace(cell, by=cell.by or model.name) for cell in cells]

    async def _in_room(self, document: Document, work: Callable[[Room], Awaitable[T]]) -> T:
        return await in_room(self._bench.sandbox, document, work, clock=self._bench.clock)

    async def _ask(self, row: Row, model: Model, request: ModelRequest) -> ModelReply:
        estimate = model.estimate_cost_usd(request)
        for attempt in range(1, CALLS + 1):
            call = await anyio.to_thread.run_sync(
                self._record.hold, row.number, row.round, estimate, self._bench.clock.now()
            )
            if call is None:
                raise over_budget(self._record.about.id)
            heard: list[str] = []
            try:
                reply = await model.reply(request, heard.append)
            except (ModelUnavailable, ModelRejected) as error:
                if not heard:  # what was begun may be charged for: it stays held
                    await anyio.to_thread.run_sync(self._record.release, call)
                if isinstance(error, ModelRejected) or attempt == CALLS:
                    raise
                await self._bench.clock.sleep(pause(error, attempt))
                continue
            told = json.dumps(to_json(reply), ensure_ascii=False)
            settle = functools.partial(self._record.settle, call, reply.usage.cost_usd, told)
            with anyio.CancelScope(shield=True):  # it is paid for
                await anyio.to_thread.run_sync(settle)
            return reply
        raise AssertionError


def pause(error: ModelUnavailable, attempt: int) -> float:
    """Return the seconds before a call is made again. `attempt`: how often it has failed."""
    wanted = error.retry_after_s if error.retry_after_s is not None else _WAIT_S * 2**attempt
    return min(wanted, _WAIT_LIMIT_S)


def _failed(column: Column, error: DeskmateError) -> Cell:
    hint = f" {error.hint}" if error.hint else ""
    return Cell(column=column.name, status="failed", why=f"{error.message}{hint}"[:WHY_LIMIT])


def _better(old: Cell, new: Cell) -> Cell:
    if new.status == "failed":
        return replace(old, asked=2, why=f"{old.why}; asked again: {new.why}"[:WHY_LIMIT])
    why = f"asked twice: {new.why}"[:WHY_LIMIT] if new.status == "disputed" else new.why
    return replace(new, asked=2, why=why)
