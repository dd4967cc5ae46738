"""The catalogue: every price has a source, and can be overridden."""

from __future__ import annotations

import pytest

from deskmate.models.catalogue import MODELS, cost_usd, find_model
from deskmate.types.limits import Usage

KEY = {"ANTHROPIC_API_KEY": "sk-x"}
SERVER = {"DESKMATE_MODEL_URL": "http://127.0.0.1:8080"}


@pytest.mark.parametrize("alias", sorted(MODELS))
def test_every_price_says_where_it_stands_and_since_when(alias: str) -> None:
    price = MODELS[alias].price
    assert price is not None
    assert price.source
    assert price.read


def test_a_price_can_be_overridden_and_an_unknown_one_stays_unknown() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_tokens=1_000_000)
    own = find_model("sonnet", {"sonnet": {"input_usd": 1, "output_usd": 2, "cache_read_usd": 0.5}})
    assert cost_usd(own, usage) == pytest.approx(3.5)
    assert own.price is not None
    assert own.price.source == "your configuration"
    assert cost_usd(find_model("unknown-model", {}), usage) is None
    assert find_model("claude-opus-5-5", {}).alias == "opus"


def test_long_prompts_have_their_own_price() -> None:
    haiku = MODELS["haiku"]
    short = cost_usd(haiku, Usage(input_tokens=100_000))
    long = cost_usd(haiku, Usage(input_tokens=100_001))
    assert short == pytest.approx(0.01)
    assert long == pytest.approx(0.0500005)
