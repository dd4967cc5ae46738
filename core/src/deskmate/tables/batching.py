"""A table's calls sent in batches: cheaper, answered within a day, and waited for across stops and crashes.

What a batch answers is stored as the answer of the row's round; `work` takes it from there and checks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread

from deskmate.errors import (
    ModelRejected,
    ModelUnavailable,
    OutcomeUnknown,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
    UserError,
)
from deskmate.ports import Batches, ModelReply, ModelRequest, Progress
from deskmate.tables.record import TableRecord
from deskmate.tables.room import Room, in_room, take
from deskmate.tables.work import CALLS, Bench, RowWork, asked_of, over_budget, pause
from deskmate.types.codec import to_json
from deskmate.types.ids import Digest
from deskmate.types.messages import Text
from deskmate.types.progress import Counted
from deskmate.types.tables import Row

ROWS = 500
"""Rows of one batch at most, so that memory stays flat; the server would take 100,000."""
CHARACTERS = 32_000_000
"""Text of one batch at most; the server takes 256 MB."""
LOOK_S = 30.0
_READING, _WAITING = (
    "reading documents for the batch",
    "waiting for the batch, which may take a day",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    name: str
    """Its id in the record."""
    request: ModelRequest


class BatchWork:
    """Sends the calls of a table's open rows in batches, and fetches the answers."""

    def __init__(self, bench: Bench, batches: Batches, rows: RowWork, progress: Progress) -> None:
        """`rows`: closes the rows whose documents cannot be read."""
        self._bench, self._batches, self._rows = bench, batches, rows
        self._record: TableRecord = bench.record
        self._progress = progress

    async def ask(self, slots: int) -> None:
        """Send the calls of all rows that are open and have no answer yet, and wait for the answers.

        Raises LimitExceeded where the budget ends, OutcomeUnknown where a batch may have been sent, and what the model's
        server raises. What was sent before is fetched at the next call of `collect`.
        """
        await self.collect()
        left = await anyio.to_thread.run_sync(lambda: list(self._unasked()))
        reached, done = True, 0
        while left and reached:
            chunk, left = left[:ROWS], left[ROWS:]
            calls, rest, reached = await self._read(
                chunk, slots, done, done + len(chunk) + len(left)
            )
            await self._send(calls)
            done += len(chunk) - len(rest)
            left = rest + left
        await self.collect()
        if not reached:
            raise over_budget(self._record.about.id)

    def _unasked(self) -> Iterator[int]:
        for row in self._record.rows(only_open=True):
            if self._record.reply(row.number, row.round) is None:
                yield row.number

    async def _read(
        self, chunk: Sequence[int], slots: int, done: int, total: int
    ) -> tuple[list[_Call], list[int], bool]:
        """Return the calls of a chunk's rows, the rows that no longer fit, and whether the budget reached for all."""
        calls: list[_Call] = []
        waiting = list(reversed(chunk))
        size, reached, closed = 0, True, 0

        async def reader() -> None:
            nonlocal size, reached, closed
            while waiting and reached and size < CHARACTERS:
                number = waiting.pop()
                row = await anyio.to_thread.run_sync(self._record.row, number)
                request = await self._request(row)
                closed += 1
                self._progress(Counted(_READING, done=done + closed, total=total))
                if request is None:
                    continue
                name = await self._hold(row, request)
                if name is not None:
                    calls.append(_Call(name=name, request=request))
                    size += sum(
                        len(b.text) for b in request.messages[0].content if isinstance(b, Text)
                    )
                elif row.state == "open":
                    reached = False
                else:
                    await self._rows.close(row, (), None)  # what stands is kept

        async with anyio.create_task_group() as group:
            for _ in range(slots):
                group.start_soon(reader)
        return calls, list(reversed(waiting)), reached

    async def _request(self, row: Row) -> ModelRequest | None:
        """Return what is asked of a row's document, None where it cannot be read: then its row is closed."""
        bench, model = self._bench, self._bench.model
        assert model is not None
        asked = await anyio.to_thread.run_sync(asked_of, self._record, row)
        digest: Digest | None = None
        try:
            document = await take(row.path)
            digest = document.sha256
            text = await in_room(bench.sandbox, document, Room.text, clock=bench.clock)
        except (UserError, SandboxUnavailable, ProtocolError) as error:
            if isinstance(error, SandboxMissing):
                raise
            await self._rows.close(row, self._rows.failed(asked, error), digest)
            return None
        return asked.request(self._record.about, model.name, document.name, text)

    async def _hold(self, row: Row, request: ModelRequest) -> str | None:
        assert self._bench.model is not None
        whole = self._bench.model.estimate_cost_usd(request)
        estimate = None if whole is None else whole * self._batches.share
        return await anyio.to_thread.run_sync(
            self._record.hold, row.number, row.round, estimate, self._bench.clock.now()
        )

    async def _send(self, calls: Sequence[_Call]) -> None:
        if not calls:
            return
        requests = {_outside(call.name): call.request for call in calls}
        names = [call.name for call in calls]
        for attempt in range(1, CALLS + 1):
            try:
                batch = await self._batches.send(requests)
                with anyio.CancelScope(shield=True):  # it will be charged for
                    await anyio.to_thread.run_sync(self._record.batch_sent, batch, names)
            except OutcomeUnknown:
                raise  # what is held stays held: it may cost something
            except (ModelUnavailable, ModelRejected) as error:
                if isinstance(error, ModelRejected) or attempt == CALLS:
                    await anyio.to_thread.run_sync(self._release, names)
                    raise
                await self._bench.clock.sleep(pause(error, attempt))
                continue
            return

    def _release(self, names: Sequence[str], why: str = "") -> None:
        for name in names:
            self._record.release(name, why)

    async def collect(self, *, cancel: bool = False) -> None:
        """Wait for the batches that were sent, and store their answers. `cancel`: only for what is answered by now."""
        for batch, names in await anyio.to_thread.run_sync(self._record.open_batches):
            if cancel:
                await self._batches.cancel(batch)
            await self._wait(batch)
            answered = set()
            async for outside, told in self._batches.replies(batch):
                name = _inside(outside)
                if name in names and name not in answered:
                    answered.add(name)
                    await anyio.to_thread.run_sync(self._store, name, told)
            await anyio.to_thread.run_sync(self._record.batch_ended, batch)

    def _store(self, name: str, told: ModelReply | str) -> None:
        if isinstance(told, str):
            self._record.release(name, told)
        else:
            reply = json.dumps(to_json(told), ensure_ascii=False)
            self._record.settle(name, told.usage.cost_usd, reply)

    async def _wait(self, batch: str) -> None:
        failures = 0
        while True:
            try:
                state = await self._batches.state(batch)
            except ModelUnavailable as error:
                failures += 1
                if failures == CALLS:
                    raise
                await self._bench.clock.sleep(pause(error, failures))
                continue
            failures = 0
            self._progress(Counted(_WAITING, done=state.done, total=state.total))
            if state.ended:
                return
            await self._bench.clock.sleep(LOOK_S)


def _outside(name: str) -> str:
    """Return a call's id as a server takes it."""
    return name.replace(".", "-")


def _inside(name: str) -> str:
    return name.replace("-", ".")
