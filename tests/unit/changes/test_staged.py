from __future__ import annotations

import pytest

from deskmate.changes.staged import find_staged
from deskmate.errors import UserError
from deskmate.types.events import ChangesStaged, Event, Payload, Validated
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId

RUN = RunId("r-one")
STAGED = ChangesStaged(run=RUN, difference=Digest("d" * 64), created=1, modified=0, deleted=0)
WRONG = Finding(rule="G-QUOTE", level="error", message="It is nowhere.")
HINT = Finding(rule="G-QUOTE", level="note", message="Well.")


def log(*payloads: Payload) -> list[Event]:
    return [
        Event(seq=seq, time="", payload=payload, prev_hash="", hash="")
        for seq, payload in enumerate(payloads, 1)
    ]


def verdict(*findings: Finding) -> Validated:
    return Validated(run=RUN, inputs=Digest("i" * 64), rules=("G-QUOTE",), findings=findings)


def test_errors_of_the_output_checks_belong_to_the_change_set() -> None:
    assert find_staged(log(STAGED, verdict(WRONG, HINT))).errors == 1


def test_a_later_change_set_starts_without_errors() -> None:
    assert find_staged(log(STAGED, verdict(WRONG), STAGED, verdict())).errors == 0
    assert find_staged(log(STAGED, verdict(WRONG), STAGED)).errors == 0


def test_a_thread_without_a_change_set_says_so() -> None:
    with pytest.raises(UserError, match="no change set"):
        find_staged(log(verdict(WRONG)))
