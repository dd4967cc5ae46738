"""Long threads against a server that caches prompts and has a window: they go on, whatever is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.compaction import ASK_FOR_SUMMARY
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.ports import ModelReply, ModelRequest, ToolOutcome
from deskmate.store.invariants import CHECKERS
from deskmate.testing.caching_server import CachingServer, Json, Refused
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    Compacted,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    ToolFinished,
    Validated,
)
from deskmate.types.limits import Limits
from deskmate.types.messages import Text
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]
    Make = Callable[["Reader", int | None, int | None], tuple[Lab, CachingServer]]

pytestmark = pytest.mark.anyio
PART = 2_000
"""Characters of what is read in one turn."""


class Reader:
    """A model that reads part after part, then writes a memo, then says so. It summarises when it is asked to."""

    def __init__(self, turns: int, *, summary: str = "I read parts; all rents are paid.") -> None:
        self.turns = turns
        self.summary = summary
        self.asked = 0
        self.summaries = 0

    def __call__(self, body: Json) -> Sequence[Json]:
        last = body["messages"][-1]["content"][-1]
        if last.get("text") == ASK_FOR_SUMMARY:
            self.summaries += 1
            if not self.summary:
                raise Refused("the request cannot be taken")
            return [{"type": "text", "text": self.summary}]
        self.asked += 1
        if self.asked < self.turns - 1:
            return [self._use("lab__part", {"number": self.asked})]
        if self.asked == self.turns - 1:
            return [self._use("lab__memo", {"text": "All rents are paid."})]
        return [{"type": "text", "text": "The memo is there."}]

    def _use(self, name: str, given: dict[str, Any]) -> Json:
        return {"type": "tool_use", "id": f"toolu_{self.asked:03}", "name": name, "input": given}


def part_tool() -> tuple[ToolSpec, Callable[[Any, Any], ToolOutcome]]:
    spec = ToolSpec(
        plugin="lab",
        name="lab__part",
        title="Part",
        description="Reads a part.",
        input_schema={"type": "object"},
        risk="read",
    )

    def read(tree: Any, given: Any) -> ToolOutcome:
        return ToolOutcome(text=f"Part {given['number']}. " * (PART // 8))

    return spec, read


@pytest.fixture
async def make(make_lab: MakeLab) -> AsyncIterator[Make]:
    """Make a thread whose model is behind a server: what it says, its window, and the window that the model is known for."""
    servers: list[CachingServer] = []
    models: list[AnthropicModel] = []

    def start(reader: Reader, window: int | None, known: int | None) -> tuple[Lab, CachingServer]:
        server = CachingServer(reader, window=window)
        servers.append(server.__enter__())
        info = replace(find_model("sonnet", {}), context_tokens=known)
        models.append(AnthropicModel(info, api_key="none", base_url=server.url))
        lab = make_lab(models[-1])
        tools: Any = lab.sandbox.inner._plugins["lab"].tools
        tools["lab__part"] = part_tool()
        return lab, server

    yield start
    for model in models:
        await model.aclose()
    for one in servers:
        one.__exit__()


def problems(lab: Lab) -> list[str]:
    return [f"{name}: {one}" for name, check in CHECKERS.items() for one in check(lab.store.stored)]


async def test_a_thread_of_50_turns_reads_95_percent_of_its_prompts_from_the_cache(
    make: Make,
) -> None:
    lab, server = make(Reader(50), None, 1_000_000)
    assert (await lab.say("Read all of it")).reason == "done"
    assert len(lab.store.of(ModelReplied)) == 50
    assert lab.store.of(Compacted) == []
    assert server.read_share >= 0.95
    usage = lab.store.of(ModelReplied)[-1].usage
    assert usage.cache_read_tokens > 0.9 * usage.prompt_tokens
    assert problems(lab) == []


async def test_after_a_compaction_the_run_goes_on_and_its_gates_still_pass(
    make: Make,
) -> None:
    reader = Reader(60)
    lab, server = make(reader, 20_000, 20_000)
    ended = await lab.say("Read all of it, then write a memo")
    assert ended.reason == "done"
    assert server.refused == [], "nothing was ever sent that the window had no room for"
    made = lab.store.of(Compacted)
    assert made
    assert {one.by for one in made} == {"claude-sonnet-5-5"}
    assert all(one.tokens_after < one.tokens_before / 2 for one in made)
    assert all(one.usage.prompt_tokens and one.usage.cost_usd for one in made)
    (verdict,) = lab.store.of(Validated)
    assert verdict.passed
    assert verdict.rules == ("T-TODO",)
    summaries = [one for one in server.served if ASK_FOR_SUMMARY in str(one.body["messages"][-1])]
    assert len(summaries) == len(made)
    assert all(one.read > 0.8 * one.prompt for one in summaries), "they read what was cached"
    told = str(server.served[-1].body["messages"])
    assert "Read all of it, then write a memo" in told
    assert reader.summary in told
    assert problems(lab) == []


async def test_money_spent_on_summaries_is_of_the_run_and_the_thread(
    make: Make,
) -> None:
    lab, _ = make(Reader(60), 20_000, 20_000)
    await lab.say("Read")
    replies = sum(one.usage.cost_usd or 0 for one in lab.store.of(ModelReplied))
    summaries = sum(one.usage.cost_usd or 0 for one in lab.store.of(Compacted))
    from deskmate.agent.state import fold

    state = fold(lab.store.stored)
    assert summaries > 0
    assert state.spent_usd == pytest.approx(replies + summaries)
    assert state.usage.cost_usd == pytest.approx(replies + summaries)


async def test_a_process_that_dies_anywhere_around_a_compaction_is_followed_by_one_that_goes_on(
    make: Make, crash: type[BaseException]
) -> None:
    whole, _ = make(Reader(35), 20_000, 20_000)
    await whole.say("Read")
    first = next(n for n, one in enumerate(whole.store.payloads) if isinstance(one, Compacted))
    for at in range(first - 1, first + 3):
        lab, _ = make(Reader(35), 20_000, 20_000)
        lab.store.die_at = at
        with pytest.raises(crash):
            await lab.say("Read")
        lab.store.die_at = None
        ended = await lab.resume()
        assert ended.reason == "done", at
        assert lab.store.of(Compacted)
        assert lab.store.of(Validated)[-1].passed
        assert problems(lab) == []


async def test_where_the_summary_cannot_be_had_the_rules_make_one(
    make: Make,
) -> None:
    reader = Reader(35, summary="")
    lab, _ = make(reader, 20_000, 20_000)
    assert (await lab.say("Read")).reason == "done"
    made = lab.store.of(Compacted)
    assert {one.by for one in made} == {"rules"}
    assert len(lab.store.of(ModelFailed)) == reader.summaries == len(made)
    assert problems(lab) == []


async def test_a_summary_never_costs_more_than_what_is_left_of_the_budget(
    make: Make,
) -> None:
    reader = Reader(60)
    lab, _ = make(reader, 20_000, 20_000)
    ended = await lab.say("Read", limits=Limits(cost_usd=0.2))
    spent = sum(
        one.usage.cost_usd or 0 for one in (*lab.store.of(ModelReplied), *lab.store.of(Compacted))
    )
    assert lab.store.of(Compacted)
    assert spent <= 0.2
    assert ended.reason in ("done", "over_budget")
    assert problems(lab) == []


async def test_a_window_that_nobody_named_is_met_when_the_server_refuses(
    make: Make,
) -> None:
    lab, server = make(Reader(60), 36_000, None)
    assert (await lab.say("Read")).reason == "done"
    assert server.refused
    assert all(text.startswith("prompt is too long") for text in server.refused)
    assert [one.too_long for one in lab.store.of(ModelFailed)] == [True] * len(server.refused)
    assert {one.by for one in lab.store.of(Compacted)} == {"rules"}
    assert not [one for one in lab.store.of(ModelAsked) if one.purpose]
    assert problems(lab) == []


async def test_what_does_not_fit_even_alone_ends_the_run_with_its_reason(
    make: Make,
) -> None:
    lab, _ = make(Reader(5), 17_000, None)
    ended = await lab.say("word " * 5_000)
    assert ended.reason == "failed"
    assert "does not fit the model's context window" in ended.text
    assert lab.store.of(Compacted) == []


async def test_a_reply_that_the_window_cut_is_asked_for_anew_in_short(make_lab: MakeLab) -> None:
    class Small(ScriptedModel):
        async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
            reply = await super().reply(request, on_text)
            if len(self.requests) == 4:
                cut = (Text(text="Half a"),)
                return replace(reply, content=cut, stop_reason="model_context_window_exceeded")
            return reply

    model = Small([(("lab__part", {"number": n}),) for n in range(3)] + ["End."])
    lab = make_lab(model)
    tools: Any = lab.sandbox.inner._plugins["lab"].tools
    tools["lab__part"] = part_tool()
    assert (await lab.say("Read")).reason == "done"
    (made,) = lab.store.of(Compacted)
    assert made.by == "rules"
    assert "Part 0. " in str(model.requests[3].messages)
    assert "Part 0. " not in str(model.requests[-1].messages)
    assert "toolu_000_00: lab__part" in str(model.requests[-1].messages)
    assert problems(lab) == []


async def test_a_small_window_gets_small_results(
    make: Make,
) -> None:
    lab, _ = make(Reader(3), None, 4_000)
    await lab.say("Read")
    cut = lab.store.of(ToolFinished)[0]
    assert len(cut.text) < 1_500
    assert "thread__read, ref toolu_001" in cut.text
    assert cut.full is not None


async def test_a_window_that_tools_alone_fill_is_not_compacted_turn_after_turn(make: Make) -> None:
    reader = Reader(4)
    lab, _ = make(reader, None, 4_000)
    wide = replace(part_tool()[0], name="lab__wide", description="word " * 3_000)
    lab.extra_tools = (wide,)
    assert (await lab.say("Read")).reason == "done"
    assert reader.summaries == 0
    assert lab.store.of(Compacted) == []
