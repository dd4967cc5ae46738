"""A call that may cost much: told, asked about where the user wants that, and never made on a no."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.ports import Delta, ModelRequest
from deskmate.store.approvals import check_approvals
from deskmate.store.invariants import CHECKERS
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.codec import to_json
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ApprovalUsed, ModelAsked
from deskmate.types.limits import Limits
from deskmate.types.policy import Rules

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio


class Dear(ScriptedModel):
    """Says that each call may cost so much."""

    price = 0.4

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        return self.price


class Person:
    def __init__(self, *answers: bool | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    async def approve(self, tool: Any, arguments: Any, why: str) -> bool | None:
        self.asked.append((tool.name, arguments))
        return self.answers.pop(0) if self.answers else None


def make(make_lab: MakeLab, *answers: bool | None, ask_usd: float | None = 0.1) -> Any:
    lab: Any = make_lab(Dear(["Hello."]), rules=Rules(ask_usd=ask_usd))
    lab.person = Person(*answers)
    return lab


def sound(lab: Any) -> None:
    assert [one for check in CHECKERS.values() for one in check(lab.store.stored)] == []
    records = [
        {"seq": e.seq, "kind": e.kind, "time": e.time, "payload": to_json(e.payload, defaults=True)}
        for e in lab.store.stored
    ]
    assert list(check_approvals(records)) == []


async def test_a_yes_is_for_this_one_call(make_lab: MakeLab) -> None:
    lab = make(make_lab, True)
    assert (await lab.say("Hi")).reason == "done"
    (asked,) = lab.store.of(ApprovalAsked)
    assert asked.shown == {"request": "the next call of scripted", "at most": "0.4000 USD"}
    assert len(lab.store.of(ApprovalUsed)) == len(lab.store.of(ModelAsked)) == 1
    assert "Make it again" not in str(lab.model.requests), "the model need not know"
    sound(lab)


async def test_a_no_ends_the_run_and_nothing_is_sent(make_lab: MakeLab) -> None:
    lab = make(make_lab, False)
    ended = await lab.say("Hi")
    assert ended.reason == "over_budget"
    assert "You did not allow it: the next call of scripted may cost 0.4000 USD." in ended.text
    assert lab.store.of(ModelAsked) == []
    sound(lab)


async def test_nobody_there_parks_the_run_and_an_answer_later_goes_on(make_lab: MakeLab) -> None:
    lab = make(make_lab, None)
    assert (await lab.say("Hi")).reason == "needs_you"
    lab.person = Person(True)
    assert (await lab.resume()).reason == "done"
    assert lab.person.asked[0][0] == "spending"
    assert len(lab.person.asked) == len(lab.store.of(ApprovalAsked)) == 1
    sound(lab)


async def test_a_question_that_is_no_longer_the_question_is_closed(make_lab: MakeLab) -> None:
    lab = make(make_lab, None)
    await lab.say("Hi")
    lab.model.price = 0.05
    assert (await lab.say("Never mind, hello", run="r-2")).reason == "done"
    assert [(one.allow, one.by) for one in lab.store.of(ApprovalGiven)] == [(False, "overtaken")]
    sound(lab)


async def test_what_costs_less_or_has_no_price_is_not_asked_about(make_lab: MakeLab) -> None:
    for price in (0.1, None):
        lab = make(make_lab)
        lab.model.price = price
        assert (await lab.say("Hi")).reason == "done"
        assert lab.store.of(ApprovalAsked) == []


async def test_a_large_part_of_the_budget_is_told_beforehand(make_lab: MakeLab) -> None:
    lab = make(make_lab, ask_usd=None)
    assert (await lab.say("Hi", limits=Limits(cost_usd=1.0))).reason == "done"
    told = [one.text for one in lab.seen if isinstance(one, Delta)]
    assert "this call may cost 0.40 USD at most; 1.00 USD are left" in told
    lab = make(make_lab, ask_usd=None)
    await lab.say("Hi", limits=Limits(cost_usd=100.0))
    assert not [one for one in lab.seen if isinstance(one, Delta) and "may cost" in one.text]
