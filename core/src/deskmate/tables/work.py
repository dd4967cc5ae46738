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
from deskmate.ports import Clock, Model, ModelReply, Sandbox
from deskmate.tables.asking import answers_in, request_for
from deskmate.tables.record import TableRecord
from deskmate.tables.room import Document, Room, in_room, take
from deskmate.types.codec import from_json, to_json
from deskmate.types.tables import WHY_LIMIT, Cell, Column, Row

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
        if row.round != round_ or row.state != "open":
            return  # it was stored before the crash
        cells = await anyio.to_thread.run_sync(self._record.cells, number)
        wanted = [
            column
            for column, cell in zip(self._record.about.columns, cells, strict=True)
            if cell.status == "open"
        ]
        document: Document | None = None
        try:
            document = await take(row.path)
            if row.sha256 not in (None, document.sha256):
                raise UserError(
                    f"{document.name} changed since the table was begun; begin a new table."
                )
            found = await self._answer(row, document, wanted)
        except (
            UserError,
            ModelRejected,
            ModelUnavailable,
            SandboxUnavailable,
            ProtocolError,
        ) as error:
            if isinstance(error, SandboxMissing) or getattr(error, "status", None) in _REFUSED:
                raise  # no row would fare better
            found = [_failed(column, error) for column in wanted]
        digest = row.sha256 or (document.sha256 if document else None)
        stored = await anyio.to_thread.run_sync(
            self._record.finish_row, number, round_, {cell.column: cell for cell in found}, digest
        )
        if stored:
            self._bench.told(row, found)

    async def _answer(self, row: Row, document: Document, wanted: Sequence[Column]) -> list[Cell]:
        model = self._bench.model
        if model is None:
            return list(await self._in_room(document, lambda room: room.find(wanted)))
        told = await anyio.to_thread.run_sync(self._record.reply, row.number, row.round)
        if told is None:
            text = await self._in_room(document, Room.text)
            reply = await self._ask(row, model, wanted, document.name, text)
        else:
            reply = from_json(ModelReply, json.loads(told))
        answers = answers_in(reply, wanted)
        cells = await self._in_room(document, lambda room: room.check(wanted, answers))
        return [replace(cell, by=cell.by or model.name) for cell in cells]

    async def _in_room(self, document: Document, work: Callable[[Room], Awaitable[T]]) -> T:
        return await in_room(self._bench.sandbox, document, work, clock=self._bench.clock)

    async def _ask(
        self, row: Row, model: Model, columns: Sequence[Column], name: str, text: str
    ) -> ModelReply:
        request = request_for(model.name, self._record.about.question, columns, name, text)
        estimate = model.estimate_cost_usd(request)
        for attempt in range(1, CALLS + 1):
            call = await anyio.to_thread.run_sync(
                self._record.hold, row.number, row.round, estimate, self._bench.clock.now()
            )
            if call is None:
                raise LimitExceeded(
                    "The next call of the model could cost more than what is left of the budget.",
                    limit="cost_usd",
                    hint=f"deskmate table resume {self._record.about.id} --budget USD",
                )
            heard: list[str] = []
            try:
                reply = await model.reply(request, heard.append)
            except (ModelUnavailable, ModelRejected) as error:
                if not heard:  # what was begun may be charged for: it stays held
                    await anyio.to_thread.run_sync(self._record.release, call)
                if isinstance(error, ModelRejected) or attempt == CALLS:
                    raise
                await self._bench.clock.sleep(_pause(error, attempt))
                continue
            told = json.dumps(to_json(reply), ensure_ascii=False)
            settle = functools.partial(self._record.settle, call, reply.usage.cost_usd, told)
            with anyio.CancelScope(shield=True):  # it is paid for
                await anyio.to_thread.run_sync(settle)
            return reply
        raise AssertionError


def _pause(error: ModelUnavailable, attempt: int) -> float:
    wanted = error.retry_after_s if error.retry_after_s is not None else _WAIT_S * 2**attempt
    return min(wanted, _WAIT_LIMIT_S)


def _failed(column: Column, error: DeskmateError) -> Cell:
    hint = f" {error.hint}" if error.hint else ""
    return Cell(column=column.name, status="failed", why=f"{error.message}{hint}"[:WHY_LIMIT])
