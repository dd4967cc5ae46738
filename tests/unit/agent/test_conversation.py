"""The conversation as the model sees it: pairs always match, and nothing earlier changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deskmate.agent.conversation import findings_text, messages_of
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    ChangesDiscarded,
    Event,
    ModelReplied,
    SandboxOpened,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import NOTE, Message, Opaque, Text, ToolResult, ToolUse
from deskmate.types.registry import PromptSpec, Registry, SkillSpec, ToolSpec

MakeLog = Callable[..., tuple[Event, ...]]

NONE = Digest("0" * 64)
RUN = RunId("r-1")
OPENED = SandboxOpened(machine="m", template=NONE, isolation="none")


def tool(name: str) -> ToolSpec:
    return ToolSpec(plugin="p", name=name, title="", description="", input_schema={}, risk="read")


def registry(*, turned: bool = False) -> Registry:
    prompts = (
        PromptSpec(plugin="b", name="role", text="B.", order=10),
        PromptSpec(plugin="a", name="role", text="A.", order=10),
        PromptSpec(plugin="z", name="role", text="Z.", order=1),
    )
    tools = (tool("b__x"), tool("a__y"))
    skills = (
        SkillSpec(plugin="a", name="two", description="Second.", body="2"),
        SkillSpec(plugin="a", name="one", description="First.", body="1"),
    )
    if turned:
        prompts, tools, skills = prompts[::-1], tools[::-1], skills[::-1]
    return Registry(lock=NONE, prompts=prompts, tools=tools, skills=skills)


def said(text: str) -> UserSaid:
    return UserSaid(run=RUN, text=text, model="m")


def replied(*content: Any, stop: str = "end_turn") -> ModelReplied:
    return ModelReplied(turn=1, model="m", content=content, stop_reason=stop)


def done(id_: str, text: str = "ok") -> ToolFinished:
    return ToolFinished(tool_use_id=ToolUseId(id_), tool="p__t", outcome="ok", text=text)


def use(id_: str, name: str = "p__t") -> ToolUse:
    return ToolUse(id=ToolUseId(id_), name=name, input={})


def texts(message: Message) -> list[str]:
    return [block.text for block in message.content if isinstance(block, Text)]


def test_earlier_messages_never_change_as_a_thread_grows(make_log: MakeLog) -> None:
    payloads = (
        said("A"),
        replied(Text(text="Look"), use("u1"), use("u2"), stop="tool_use"),
        OPENED,
        done("u2"),
        done("u1"),
        replied(Text(text="Ok")),
        said("B"),
        replied(use("u3"), stop="tool_use"),
        OPENED,
        done("u3"),
    )
    before: tuple[Message, ...] = ()
    for n, payload in enumerate(payloads, 1):
        now = messages_of(make_log(*payloads[:n]))
        if isinstance(payload, ModelReplied):
            before = messages_of(make_log(*payloads[: n - 1]))
            assert now[: len(before)] == before


def test_results_come_first_in_the_order_of_their_uses(make_log: MakeLog) -> None:
    events = make_log(
        said("A"),
        replied(use("u1"), use("u2"), stop="tool_use"),
        OPENED,
        OPENED,
        done("u2"),
        done("u1"),
    )
    last = messages_of(events)[-1]
    first, second, note = last.content
    assert isinstance(first, ToolResult)
    assert isinstance(second, ToolResult)
    assert (first.tool_use_id, second.tool_use_id) == ("u1", "u2")
    assert isinstance(note, Text)
    assert "restored" in note.text


def test_empty_replies_are_left_out_and_users_words_are_joined(make_log: MakeLog) -> None:
    messages = messages_of(make_log(said("A"), replied(stop="refusal"), said("B")))
    assert len(messages) == 1
    assert [text for text in texts(messages[0]) if not text.startswith(NOTE)] == ["A", "B"]


def test_a_paused_reply_and_its_sequel_are_one_message(make_log: MakeLog) -> None:
    block = Opaque(data={"type": "server_tool_use"})
    events = (said("A"), replied(block, stop="pause_turn"))
    assert messages_of(make_log(*events))[-1].role == "assistant"
    both = messages_of(make_log(*events, replied(Text(text="Found."))))
    assert both[1].content == (block, Text(text="Found."))


def test_a_conversation_never_ends_with_the_assistant(make_log: MakeLog) -> None:
    messages = messages_of(make_log(said("A"), replied(Text(text="x"), stop="refusal")))
    assert texts(messages[-1]) == [f"{NOTE}Go on."]


def test_what_the_user_did_with_the_changes_is_told(make_log: MakeLog) -> None:
    undo = ApplyStarted(plan=NONE, undo_of=NONE)
    applied = ApplyFinished(plan=NONE, applied=True)
    events = make_log(
        said("A"),
        replied(Text(text="x")),
        ApplyStarted(plan=NONE),
        applied,
        undo,
        applied,
        ApplyStarted(plan=NONE),
        ApplyFinished(plan=NONE, applied=False),
        ChangesDiscarded(difference=NONE),
        said("B"),
    )
    told = texts(messages_of(events)[-1])
    assert [("user applied" in t, "undid" in t, "discarded" in t) for t in told[:3]] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert told[-1] == "B"
    assert len(told) == 5


def test_findings_are_told_errors_first_and_a_pass_is_not(make_log: MakeLog) -> None:
    findings = (
        Finding(rule="N", level="note", message="n"),
        Finding(rule="E", level="error", message="e", location="page 2", fix="f", path="docs/x"),
    )
    text = findings_text(findings)
    assert text.index("error E in docs/x, page 2: e Fix: f") < text.index("note N: n")
    passed = Validated(run=RUN, inputs=NONE, rules=(), findings=findings, passed=True)
    assert len(messages_of(make_log(said("A"), replied(Text(text="x")), passed))) == 3
