"""Limits: a request is made to fit the money that is left, or is not made."""

from __future__ import annotations

import pytest

from deskmate.agent.limits import exceeded, within_budget
from deskmate.agent.state import State
from deskmate.errors import LimitExceeded
from deskmate.ports import ModelRequest
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import UserSaid
from deskmate.types.ids import RunId
from deskmate.types.limits import Limits, Usage

REQUEST = ModelRequest(model="m", system=(), tools=(), messages=(), max_tokens=16_000)


class Priced(ScriptedModel):
    """Costs a fixed part and a part for each token of output."""

    def __init__(self, fixed: float | None, token: float = 0.0) -> None:
        super().__init__(["x"])
        self.fixed, self.token = fixed, token

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        return None if self.fixed is None else self.fixed + self.token * request.max_tokens


def state(budget: float | None, spent: float | None = None) -> State:
    said = UserSaid(run=RunId("r"), text="", model="m", limits=Limits(cost_usd=budget))
    return State(run=said, usage=Usage(cost_usd=spent))


def test_without_a_budget_the_request_stays_as_it_is() -> None:
    assert within_budget(state(None), Priced(None), REQUEST) is REQUEST


def test_a_request_that_fits_stays_as_it_is() -> None:
    assert within_budget(state(1.0, 0.5), Priced(0.1), REQUEST) is REQUEST


def test_a_request_that_does_not_fit_is_made_shorter_until_it_does() -> None:
    model = Priced(0.01, 0.00001)
    fitted = within_budget(state(0.1, 0.05), model, REQUEST)
    assert 3_990 <= fitted.max_tokens <= 4_000
    assert (model.estimate_cost_usd(fitted) or 0) <= 0.05 + 1e-9


def test_a_request_that_cannot_fit_is_not_made() -> None:
    with pytest.raises(LimitExceeded) as caught:
        within_budget(state(0.1, 0.095), Priced(0.01, 0.00001), REQUEST)
    assert caught.value.limit == "cost_usd"


def test_an_unknown_price_cannot_keep_a_budget() -> None:
    with pytest.raises(LimitExceeded, match="price of scripted is unknown"):
        within_budget(state(5.0), Priced(None), REQUEST)


def test_nothing_is_exceeded_without_limits() -> None:
    assert exceeded(state(None)) is None
