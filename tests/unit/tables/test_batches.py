"""Tables whose calls are sent in batches: half the price, waited for across stops, each answer paid for once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.tables.table_rooms import AnsweringModel, reads_well, write_contracts
from tests.unit.tables.test_tables import Desk, quiet

from deskmate.errors import (
    ConfigError,
    LimitExceeded,
    ModelRejected,
    ModelUnavailable,
    OutcomeUnknown,
)
from deskmate.ports import Batches, BatchState, ModelReply, ModelRequest
from deskmate.tables import batching
from deskmate.types.progress import Counted

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]


class Post:
    """Batches that are answered when they are looked at for the `looks`th time. `faults`: raised at the next sendings."""

    def __init__(self, model: AnsweringModel, *, looks: int = 3) -> None:
        self._model, self._looks = model, looks
        self.faults: list[Exception] = []
        self.sent: dict[str, Mapping[str, ModelRequest]] = {}
        self.looked: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.spoilt: dict[str, str] = {}
        self.down = 0

    @property
    def share(self) -> float:
        return 0.5

    async def send(self, requests: Mapping[str, ModelRequest]) -> str:
        if self.faults:
            raise self.faults.pop(0)
        name = f"batch_{len(self.sent) + 1}"
        self.sent[name] = dict(requests)
        return name

    async def state(self, batch: str) -> BatchState:
        if self.down:
            self.down -= 1
            raise ModelUnavailable("It is down.")
        self.looked[batch] = self.looked.get(batch, 0) + 1
        total, ended = len(self.sent[batch]), self.looked[batch] >= self._looks
        return BatchState(done=total if ended else 0, total=total, ended=ended)

    async def cancel(self, batch: str) -> None:
        self.cancelled.append(batch)
        self.looked[batch] = self._looks

    async def replies(self, batch: str) -> AsyncIterator[tuple[str, ModelReply | str]]:
        for name, request in reversed(list(self.sent[batch].items())):
            if batch in self.cancelled:
                yield name, "The batch was cancelled before it was answered."
            elif name in self.spoilt:
                yield name, self.spoilt[name]
            else:
                reply = await self._model.reply(request, lambda text: None)
                yield name, replace(reply, usage=replace(reply.usage, cost_usd=0.005))
        yield "another-call", "not ours"


class Patient(AnsweringModel):
    """A model that takes batches."""

    def __init__(self, say: Any = reads_well, **more: Any) -> None:
        super().__init__(say)
        self.post = Post(self, **more)

    @property
    def batches(self) -> Batches:
        return self.post


async def test_a_batch_fills_a_table_for_half_the_price(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 5)
    (tmp_path / "docs/c00003.txt").write_bytes(b"")
    desk = Desk(tmp_path, model=(model := Patient()))
    plan = await desk.tables.plan(desk.order(batch=True), quiet)
    assert plan.estimate_usd == pytest.approx(5 * 0.02 * 0.5)
    lines: list[str] = []
    name = desk.tables.make(plan)
    summary = await desk.tables.work(name, lines.append)
    assert summary.cells == {"checked": 12, "failed": 3}
    assert desk.cells(name)["c00003.txt"][0].why == "c00003.txt is empty (0 bytes)."
    assert summary.spent.answered_usd == pytest.approx(4 * 0.005)
    assert (summary.spent.calls, summary.spent.unanswered_calls) == (4, 0)
    assert [len(one) for one in model.post.sent.values()] == [4]
    waiting = [line for line in lines if isinstance(line, Counted) and "batch" in line]
    assert any(line.done == line.total == 4 for line in waiting)


async def test_a_table_of_many_rows_is_sent_in_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "ROWS", 4)
    monkeypatch.setattr(batching, "CHARACTERS", 400)
    write_contracts(tmp_path / "docs", 11)
    desk = Desk(tmp_path, model=(model := Patient()))
    _, summary = await desk.run(batch=True)
    assert summary.cells == {"checked": 33}
    names = [name for one in model.post.sent.values() for name in one]
    assert len(names) == len(set(names)) == 11
    assert max(len(one) for one in model.post.sent.values()) <= 4
    assert len(model.post.sent) > 3, "a batch ends at its size, too"


async def test_what_was_sent_before_a_crash_is_waited_for_and_not_sent_again(
    tmp_path: Path,
) -> None:
    write_contracts(tmp_path / "docs", 3)
    desk = Desk(tmp_path, model=(model := Patient()))
    model.post.down = 4
    name = await desk.make(batch=True)
    with pytest.raises(ModelUnavailable):
        await desk.tables.work(name, quiet)
    with desk.tables.opened(name) as record:
        assert record.spent().unanswered_calls == 3
    summary = await desk.tables.work(name, quiet)
    assert summary.cells == {"checked": 9}
    assert len(model.post.sent) == 1
    assert summary.spent.answered_usd == pytest.approx(0.015)
    assert summary.spent.unanswered_usd == 0


async def test_a_batch_that_may_have_been_sent_stays_counted(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 2)
    desk = Desk(tmp_path, model=(model := Patient()))
    model.post.faults = [OutcomeUnknown("Whether it was taken is unknown.")]
    name = await desk.make(batch=True, budget_usd=1.0)
    with pytest.raises(OutcomeUnknown):
        await desk.tables.work(name, quiet)
    summary = await desk.tables.work(name, quiet)
    assert summary.cells == {"checked": 6}
    assert summary.spent.unanswered_usd == pytest.approx(0.02), "the two calls may be charged"


async def test_a_batch_that_was_refused_costs_nothing(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 2)
    desk = Desk(tmp_path, model=(model := Patient()))
    model.post.faults = [ModelUnavailable("Too many."), ModelRejected("No such model.", status=404)]
    name = await desk.make(batch=True)
    with pytest.raises(ModelRejected):
        await desk.tables.work(name, quiet)
    with desk.tables.opened(name) as record:
        assert record.reserved_usd() == 0
        assert record.summary().cells == {"open": 6}
    assert (await desk.tables.work(name, quiet)).cells == {"checked": 6}


async def test_a_call_that_the_batch_does_not_answer_is_a_failed_row_and_free(
    tmp_path: Path,
) -> None:
    write_contracts(tmp_path / "docs", 3)
    desk = Desk(tmp_path, model=(model := Patient()))
    model.post.spoilt["000002-001-001"] = "The batch was not answered within its day."
    name, summary = await desk.run(batch=True)
    assert summary.cells == {"checked": 6, "failed": 3}
    assert desk.cells(name)["c00002.txt"][1].why == "The batch was not answered within its day."
    assert summary.spent.answered_usd == pytest.approx(0.01)
    desk.tables.reopen(name, ("failed",))
    assert (await desk.tables.work(name, quiet)).cells == {"checked": 9}


async def test_the_budget_holds_and_what_there_was_money_for_is_answered(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 6)
    desk = Desk(tmp_path, model=Patient())
    name = await desk.make(batch=True, budget_usd=0.035)
    with pytest.raises(LimitExceeded):
        await desk.tables.work(name, quiet)
    with desk.tables.opened(name) as record:
        summary = record.summary()
    assert summary.cells == {"checked": 9, "open": 9}
    desk.tables.set_budget(name, 1.0)
    assert (await desk.tables.work(name, quiet)).cells == {"checked": 18}


async def test_what_is_disputed_goes_into_a_batch_of_its_own(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 2)
    model = Patient()

    def forges_first(text: str) -> Any:
        law, fee, begins = reads_well(text)
        if len(model.requests) <= 2:
            law = {**law, "quote": "It is governed by the laws of the sea."}
        return [law, fee, begins]

    model._say = forges_first
    _, summary = await Desk(tmp_path, model=model).run(batch=True, budget_usd=1.0)
    assert summary.cells == {"checked": 6}
    assert [len(one) for one in model.post.sent.values()] == [2, 2]


async def test_who_cannot_wait_any_longer_has_the_rest_answered_at_once(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 2)
    desk = Desk(tmp_path, model=(model := Patient(looks=1_000)))
    name = await desk.make(batch=True, budget_usd=1.0)
    model.post.down = 4
    with pytest.raises(ModelUnavailable):
        await desk.tables.work(name, quiet)
    summary = await desk.tables.work(name, quiet, now=True)
    assert model.post.cancelled == ["batch_1"]
    assert summary.cells == {"checked": 6}
    assert summary.spent.answered_usd == pytest.approx(0.02), "two calls at the usual price"
    assert not summary.about.batch


async def test_a_model_without_batches_says_so(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 1)
    for model in (AnsweringModel(reads_well), None):
        with pytest.raises(ConfigError, match="takes no batches"):
            await Desk(tmp_path, model=model).make(
                batch=True, **({} if model else {"model": "offline"})
            )
