"""I11 over a log: each way of misusing an approval is found, and honest use is not."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.agent.manifests import digest_of
from deskmate.store.approvals import check_approvals

INPUT = {"to": "a@example.test", "text": "Grüße"}
DIGEST = str(digest_of(INPUT))
SHOWN = {"request": "POST x", "body": "b"}
REQUEST = str(digest_of(SHOWN))
REPLY = (
    "ModelReplied",
    {"content": [{"type": "tool_use", "id": "u1", "name": "t", "input": INPUT}]},
)
START = ("ToolStarted", {"tool_use_id": "u1", "tool": "t", "key": "k"})
LATE = "2026-11-23T09:00:00.000000Z"


def asked(use: str = "u1", digest: str = DIGEST, **more: Any) -> tuple[str, dict[str, Any]]:
    return (
        "ApprovalAsked",
        {"tool_use_id": use, "tool": "t", "arguments": digest, "why": "", **more},
    )


def given(
    use: str = "u1", digest: str = DIGEST, *, allow: bool = True, expires: str = ""
) -> tuple[str, dict[str, Any]]:
    payload = {"tool_use_id": use, "arguments": digest, "allow": allow, "expires": expires}
    return ("ApprovalGiven", payload)


ACCEPTED = "d" * 64
AT_CONNECTOR = str(digest_of({"tool": "t", "definition": ACCEPTED, "arguments": INPUT}))
ASKED = asked("", REQUEST, shown=SHOWN)
USED = ("ApprovalUsed", {"arguments": REQUEST})


def problems(*facts: tuple[str, dict[str, Any]]) -> list[str]:
    records = [
        {"seq": seq, "time": f"2026-11-23T09:00:{seq:02}.000000Z", "kind": kind, "payload": payload}
        for seq, (kind, payload) in enumerate(facts, 1)
    ]
    return list(check_approvals(records))


@pytest.mark.parametrize(
    "facts",
    [
        (REPLY, START),
        (REPLY, asked(), given(), START),
        (REPLY, asked("u1", AT_CONNECTOR, definition=ACCEPTED), given("u1", AT_CONNECTOR), START),
        (REPLY, asked(), given(allow=False)),
        (REPLY, asked(), given(expires=LATE.replace("09", "10", 1)), START),
        (ASKED, given("", REQUEST), USED),
        (ASKED, given("", REQUEST), USED, ASKED, given("", REQUEST), USED),
    ],
)
def test_honest_use_is_sound(facts: Any) -> None:
    assert problems(*facts) == []


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ((REPLY, asked(), START), "without an approval"),
        ((REPLY, asked("u1", AT_CONNECTOR, definition="e" * 64)), "shows something else"),
        ((REPLY, asked("u1", AT_CONNECTOR)), "shows something else"),
        ((REPLY, asked("u1", DIGEST, definition=ACCEPTED)), "shows something else"),
        ((REPLY, asked(), given(allow=False), START), "without an approval"),
        ((REPLY, asked(), given(expires=LATE), START), "expired"),
        ((REPLY, given()), "nobody asked"),
        ((REPLY, asked(), given("u2")), "nobody asked"),
        ((REPLY, asked(digest="0" * 64)), "something else"),
        ((USED,), "without an approval"),
        ((ASKED, given("", REQUEST), USED, USED), "used before"),
        ((ASKED, given("", REQUEST, expires=LATE), USED), "expired"),
        ((asked("", REQUEST, shown={"body": "other"}),), "something else"),
        ((ASKED, given("", "0" * 64)), "nobody asked"),
    ],
)
def test_misuse_is_found(facts: Any, problem: str) -> None:
    found = problems(*facts)
    assert len(found) == 1
    assert problem in found[0]
