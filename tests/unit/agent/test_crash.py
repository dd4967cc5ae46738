"""Kill the process before any append, go on in a new one: nothing is lost and nothing is done twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.changes.review import read_difference
from deskmate.ports import ToolOutcome
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.codec import to_json
from deskmate.types.events import (
    BaseTaken,
    ChangesStaged,
    CheckpointMade,
    ModelAsked,
    Payload,
    RunFinished,
    RunResumed,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
)
from deskmate.types.messages import ToolResult, ToolUse

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

SCRIPT: list[Any] = [
    (
        ("workspace__read", {"path": "docs/a.txt"}),
        ("workspace__write", {"path": "docs/b.txt", "content": "beta"}),
        ("lab__memo", {"text": "TODO"}),
        ("lab__nothing", {}),
    ),
    "Here is the memo.",
    (("lab__send", {"to": "x"}), ("lab__memo", {"text": "Good."})),
    "Repaired.",
]
MAY_DIFFER = (BaseTaken, SandboxOpened, ModelAsked, RunResumed, ToolStarted)
"""Intents and what belongs to one process: they may be there more than once after a crash."""


async def a_whole_run(make_lab: MakeLab, script: list[Any]) -> Lab:
    lab = make_lab(ScriptedModel(script))
    lab.person.answers = [True] * 5
    await lab.say("Write a memo")
    return lab


async def run_until_crash(lab: Lab, crash: type[BaseException]) -> None:
    lab.person.answers = [True] * 5
    with pytest.raises(crash):
        await lab.say("Write a memo")
    lab.store.die_at = None


def lasting(payloads: list[Payload]) -> list[Any]:
    return [
        (type(payload).__name__, to_json(payload))
        for payload in payloads
        if not isinstance(payload, MAY_DIFFER)
    ]


def check_pairs(model: ScriptedModel) -> None:
    """Every tool use in every request has exactly one result, in the very next user message."""
    for request in model.requests:
        messages = request.messages
        roles = [message.role for message in messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        for before, after in itertools.pairwise(messages):
            uses = [block.id for block in before.content if isinstance(block, ToolUse)]
            if before.role == "assistant":
                results = [b.tool_use_id for b in after.content if isinstance(b, ToolResult)]
                assert results == uses


async def test_a_crash_before_any_append_changes_nothing_that_lasts(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    whole = await a_whole_run(make_lab, SCRIPT)
    assert whole.store.of(RunFinished)[0].reason == "done"
    first = 3  # thread, grants and the request itself are there: the user was told so
    assert len(whole.store.stored) > 25
    for boundary in range(first, len(whole.store.stored)):
        lab = make_lab(ScriptedModel(SCRIPT))
        lab.store.die_at = boundary
        await run_until_crash(lab, crash)
        assert len(lab.store.stored) <= boundary + 3  # a checkpoint, two texts and the change set
        ended = await lab.resume()
        assert ended.reason == "done", boundary
        assert lasting(lab.store.payloads) == lasting(whole.store.payloads), boundary
        assert isinstance(lab.model, ScriptedModel)
        check_pairs(lab.model)


async def test_two_crashes_in_one_run_change_nothing_that_lasts(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    whole = await a_whole_run(make_lab, SCRIPT)
    for boundary in range(3, len(whole.store.stored), 3):
        lab = make_lab(ScriptedModel(SCRIPT))
        lab.store.die_at = boundary
        await run_until_crash(lab, crash)
        lab.store.die_at = len(lab.store.stored) + 5
        try:
            await lab.resume()
        except crash:
            lab.store.die_at = None
            await lab.resume()
        assert lasting(lab.store.payloads) == lasting(whole.store.payloads), boundary


async def test_cutting_the_log_at_any_event_and_going_on_ends_the_same(make_lab: MakeLab) -> None:
    whole = await a_whole_run(make_lab, SCRIPT)
    for length in range(3, len(whole.store.stored)):
        if isinstance(whole.store.stored[length].payload, CheckpointMade):
            continue  # stored in one transaction with the result before it
        lab = make_lab(ScriptedModel(SCRIPT), blobs=whole.blobs)
        lab.store.stored = list(whole.store.stored[:length])
        lab.person.answers = [True] * 5
        await lab.resume()
        assert lasting(lab.store.payloads) == lasting(whole.store.payloads), length


async def test_what_a_finished_tool_wrote_survives_every_crash(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    script: list[Any] = [
        (("workspace__write", {"path": "docs/n.txt", "content": "1"}),),
        (("lab__count", {}),),
        (("lab__count", {}),),
        "Counted.",
    ]
    for boundary in range(3, 20):
        lab = make_lab(ScriptedModel(script))
        lab.sandbox.inner._plugins["lab"].tools["lab__count"] = counter()  # type: ignore[index]
        lab.store.die_at = boundary
        try:
            await lab.say("Count")
        except crash:
            lab.store.die_at = None
            await lab.resume()
        staged = lab.store.of(ChangesStaged)[-1]
        difference = read_difference(staged.difference, lab.blobs)
        after = next(c.after for c in difference.changes if c.path == "docs/n.txt")
        assert after is not None
        assert after.sha256 is not None
        assert lab.blobs.read(after.sha256) == b"3", boundary
        texts = [done.text for done in lab.store.of(ToolFinished)]
        assert texts[-2:] == ["2", "3"]


def counter() -> tuple[Any, Any]:
    from deskmate.types.registry import ToolSpec

    def count(tree: Any, arguments: Mapping[str, Any]) -> ToolOutcome:
        number = int(tree.read("docs/n.txt")) + 1
        tree.write("docs/n.txt", str(number).encode())
        return ToolOutcome(text=str(number))

    spec = ToolSpec(
        plugin="lab",
        name="lab__count",
        title="Count",
        description="Adds one.",
        input_schema={"type": "object"},
        risk="write",
    )
    return spec, count


async def test_a_connectors_lost_answer_is_unknown_and_never_repeated(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    class Mail:
        calls = 0

        async def tools(self) -> tuple[Any, ...]:
            return ()

        async def call(self, tool: str, arguments: Mapping[str, Any], **_: object) -> ToolOutcome:
            Mail.calls += 1
            raise crash

    from deskmate.types.registry import ToolSpec

    send = ToolSpec(
        plugin="mail",
        name="mail__send",
        title="Send",
        description="Sends.",
        input_schema={"type": "object"},
        risk="send",
    )
    lab = make_lab(
        ScriptedModel([(("mail__send", {}),), "Sent?"]),
        connectors={"mail": Mail()},
        extra_tools=(send,),
    )
    lab.person.answers = [True]
    with pytest.raises(crash):
        await lab.say("Send it")
    ended = await lab.resume()
    assert ended.reason == "done"
    assert Mail.calls == 1
    (finished,) = lab.store.of(ToolFinished)
    assert (finished.outcome, finished.synthetic) == ("unknown", True)
