"""The parameters of our own methods: exactly those, of the right kinds."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.types import wire
from deskmate_guest.requests import Refused, Request, check_params


def test_exactly_the_parameters_it_takes_are_accepted_with_or_without_meta() -> None:
    check_params(Request(1, wire.PING, {}))
    check_params(Request(1, wire.CLOCK, {"time_ns": 1, "_meta": {}}))


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        (wire.PING, {"x": 1}, "missing or unknown parameters: x"),
        (wire.CLOCK, {}, "missing or unknown parameters: time_ns"),
        (wire.CLOCK, {"time": 1}, "missing or unknown parameters: time, time_ns"),
        (wire.CLOCK, {"time_ns": 1, "x": 2, "_meta": {}}, "missing or unknown parameters: x"),
        (wire.CLOCK, {"time_ns": "1"}, "time_ns is not of type int"),
        (wire.CLOCK, {"time_ns": True}, "time_ns is not of type int"),
    ],
)
def test_others_are_refused_by_name(method: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        check_params(Request(1, method, given))
