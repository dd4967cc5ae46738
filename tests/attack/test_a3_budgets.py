"""A3: a model that never stops, or spends without end, is stopped by each limit; the thread can go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.attack.table import Attempts
from tests.unit.agent.conftest import Lab, stamp

from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.events import ModelReplied, ToolFinished, ToolStarted
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import ToolUse
from deskmate.types.policy import Rules

pytestmark = [pytest.mark.attack("A3"), pytest.mark.anyio]
PRICE = 0.01


class Endless:
    """Calls tools for ever, `width` of them a turn; each reply costs a cent."""

    name = "endless"

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._turn = 0

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        self._turn += 1
        uses = tuple(
            ToolUse(
                id=ToolUseId(f"u{self._turn}_{n}"), name="workspace__glob", input={"pattern": "*"}
            )
            for n in range(self._width)
        )
        usage = Usage(input_tokens=100, output_tokens=50, cost_usd=PRICE)
        return ModelReply(content=uses, stop_reason="tool_use", usage=usage, model="endless")

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        return PRICE


def spent(lab: Lab) -> float:
    replies: list[ModelReplied] = lab.store.of(ModelReplied)
    return sum(reply.usage.cost_usd or 0.0 for reply in replies)


LIMITS: Mapping[str, Limits] = {
    "turns": Limits(max_turns=7),
    "calls": Limits(max_calls=5),
    "tokens": Limits(max_tokens=1_000),
    "money": Limits(cost_usd=0.055),
}


@pytest.mark.parametrize("limit", list(LIMITS))
@pytest.mark.parametrize("width", [1, 40])
async def test_each_limit_ends_an_endless_run_and_a_higher_one_lets_it_go_on(
    limit: str, width: int, attempt: Attempts
) -> None:
    lab = Lab(Endless(width))
    limits = LIMITS[limit]
    ended = await lab.say("Go on for ever.", limits=limits)
    attempt(f"{limit}: {ended.reason}", blocked=ended.reason == "over_budget")
    started = len(lab.store.of(ToolStarted))
    attempt(f"{limit}: {started} calls", blocked=started <= limits.max_calls)
    if limits.cost_usd is not None:
        attempt("spent too much", blocked=spent(lab) <= limits.cost_usd)
    uses = sum(len(reply.content) for reply in lab.store.of(ModelReplied))
    assert len(lab.store.of(ToolFinished)) == uses, "every use has its result"
    before = len(lab.store.of(ModelReplied))
    await lab.say("And on.", run="r-2", limits=Limits(max_turns=2))
    assert len(lab.store.of(ModelReplied)) > before


async def test_a_thread_has_a_budget_over_all_its_runs(attempt: Attempts) -> None:
    lab = Lab(Endless(), rules=Rules(budget_usd=0.1))
    for run in range(6):
        ended = await lab.say("Go on.", run=f"r-{run}", limits=Limits(max_turns=4))
    attempt(f"spent {spent(lab)}", blocked=spent(lab) <= 0.1 + 1e-9)
    assert spent(lab) > 0.05
    assert ended.reason == "over_budget"
    assert "policy budget" in ended.text


async def test_time_is_a_limit_before_tools_too(attempt: Attempts) -> None:
    lab = Lab(Endless())
    store, seconds = lab.store, iter(range(0, 10_000, 3))
    plain = store._add

    def slow(payloads: Any) -> Any:
        made = plain(payloads)
        from dataclasses import replace

        new = tuple(replace(event, time=stamp(next(seconds))) for event in made)
        store.stored[-len(new) :] = new
        return new

    store._add = slow  # type: ignore[method-assign]
    ended = await lab.say("Go.", limits=Limits(seconds=60))
    attempt("time", blocked=ended.reason == "over_budget")
    assert len(lab.store.of(ToolStarted)) < 20
