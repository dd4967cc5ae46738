"""How much of a window a request takes: measured where the server counted, above the truth where nobody did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.agent.state import State, fold
from deskmate.agent.window import (
    characters_of,
    output_limit,
    prompt_limit,
    result_limit,
    size_of,
    tokens_of,
    window_of,
)
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.models.offline import OfflineModel
from deskmate.models.record import RecordingModel
from deskmate.ports import ModelRequest
from deskmate.types.events import Compacted, Event, ModelAsked, ModelReplied, UserSaid
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import Message, Opaque, Text, ToolResult, ToolUse
from deskmate.types.registry import ToolSpec

MakeLog = Callable[..., tuple[Event, ...]]
SAID = UserSaid(run=RunId("r-1"), text="Hi", model="m")


def asked(size: int) -> ModelAsked:
    return ModelAsked(turn=1, model="m", request=Digest("0" * 64), size=size)


def replied(stop: str = "end_turn", **usage: int) -> ModelReplied:
    return ModelReplied(turn=1, model="m", content=(), stop_reason=stop, usage=Usage(**usage))


def test_each_model_knows_its_window_or_that_nobody_does() -> None:
    sonnet = AnthropicModel(find_model("sonnet", {}), api_key="none")
    assert window_of(sonnet) == 1_000_000
    assert window_of(OfflineModel()) is None

    assert window_of(RecordingModel(sonnet, Path("x"))) == 1_000_000
    assert window_of(RecordingModel(OfflineModel(), Path("x"))) is None


@pytest.mark.parametrize(
    ("window", "output"), [(None, 16_000), (1_000_000, 16_000), (8_000, 2_000)]
)
def test_a_reply_takes_a_fourth_of_a_small_window(window: int | None, output: int) -> None:
    assert output_limit(window, 16_000) == output


def test_prompt_and_reply_fit_the_window_with_room_to_err() -> None:
    for window in (4_000, 32_000, 200_000, 1_000_000):
        output = output_limit(window, 16_000)
        assert prompt_limit(window, 16_000) + output < window
    assert prompt_limit(1_000_000, 16_000) > 800_000


def test_a_result_takes_an_eighth_of_a_small_window() -> None:
    assert result_limit(None, 40_000) == 40_000
    assert result_limit(1_000_000, 40_000) == 40_000
    assert result_limit(8_000, 40_000) == 2_500
    assert result_limit(100, 40_000) == 1_000


def test_what_the_server_counted_is_known_and_only_the_rest_is_estimated(make_log: MakeLog) -> None:
    state = fold(make_log(SAID, asked(4_000), replied(input_tokens=100, cache_read_tokens=900)))
    assert tokens_of(state, 4_000) == 1_000
    assert tokens_of(state, 4_250) == 1_100
    assert tokens_of(state, 2_000) == 500
    assert characters_of(state, 500) == 2_000


def test_before_the_first_reply_the_estimate_is_above_the_truth() -> None:
    assert tokens_of(State(), 1_000) == 400
    assert characters_of(State(), 400) == 1_000


def test_a_server_that_counts_nothing_measures_nothing(make_log: MakeLog) -> None:
    assert fold(make_log(SAID, asked(4_000), replied())).measured is None
    assert fold(make_log(SAID, asked(0), replied(input_tokens=5))).measured is None


def test_a_summary_counts_as_spent_and_not_as_measured(make_log: MakeLog) -> None:
    made = Compacted(
        turn=1, by="m", kept_run=RunId("r-1"), kept_turn=1, kept_turns=1, retrievable=0,
        usage=Usage(input_tokens=7, cost_usd=0.5),
    )  # fmt: skip
    state = fold(make_log(SAID, asked(10), replied(input_tokens=5), made))
    assert state.measured == (10, 5)
    assert state.usage.input_tokens == 12
    assert state.spent_usd == 0.5
    assert state.squeezed


def test_the_size_of_a_request_is_all_that_is_sent() -> None:
    tool = ToolSpec(plugin="p", name="n", title="", description="dd", input_schema={}, risk="read")
    use = ToolUse(id=ToolUseId("u"), name="abc", input={"a": "é"})
    content = (Text(text="12345"), use, Opaque(data={"x": 1}))
    result = ToolResult(tool_use_id=ToolUseId("u"), text="1234")
    request = ModelRequest(
        model="m",
        system=("123",),
        tools=(tool,),
        messages=(
            Message(role="assistant", content=content),
            Message(role="user", content=(result,)),
        ),
    )
    assert size_of(request) == 3 + (1 + 2 + 2) + 5 + (3 + len('{"a": "é"}')) + len('{"x": 1}') + 4
