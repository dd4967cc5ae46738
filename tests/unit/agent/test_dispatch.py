"""Dispatch: what does not fit never reaches a machine, and the model is told what to change."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.agent.dispatch import Call, Dispatcher, bound, check_arguments, finished
from deskmate.agent.manifests import digest_of
from deskmate.agent.uses import Use
from deskmate.errors import ToolInputError
from deskmate.ports import ToolOutcome
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ToolFinished
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.types.policy import Rules
from deskmate.types.registry import Registry, ToolSpec

NOW = "2026-11-23T09:00:00.000000Z"
SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "rows": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}


def tool(schema: Any = None, risk: Any = "read", name: str = "p__t") -> ToolSpec:
    return ToolSpec(
        plugin="p",
        name=name,
        title="",
        description="",
        input_schema=SCHEMA if schema is None else schema,
        risk=risk,
    )


def use(name: str = "p__t", decision: ApprovalGiven | None = None, **arguments: Any) -> Use:
    one = ToolUse(id=ToolUseId("u1"), name=name, input=arguments)
    return Use(use=one, decision=decision)


def dispatcher(*tools: ToolSpec, **fields: Any) -> Dispatcher:
    registry = Registry(lock=Digest("0" * 64), tools=tools)
    return Dispatcher(registry=registry, rules=Rules(), now=NOW, **fields)


def test_fitting_arguments_of_a_known_tool_make_a_call() -> None:
    call = dispatcher(tool()).prepare(use(path="a", rows=[1]))
    assert isinstance(call, Call)
    assert not call.outside


def test_an_unknown_tool_is_an_error_result() -> None:
    result = dispatcher(tool()).prepare(use("p__x"))
    assert isinstance(result, ToolFinished)
    assert (result.outcome, result.synthetic) == ("error", True)
    assert "no tool 'p__x'" in result.text


def test_every_misfit_is_listed_with_its_place_up_to_five() -> None:
    with pytest.raises(ToolInputError) as caught:
        check_arguments(tool(), {"rows": [1, "x"], "other": 1})
    assert "rows.1: 'x' is not of type 'integer'" in caught.value.message
    assert "'path' is a required property" in caught.value.message
    with pytest.raises(ToolInputError, match="and 15 more"):
        check_arguments(tool(), {"path": "a", "rows": ["x"] * 20})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.invalid/schema.json"},
        {"type": "no such type"},
        {"properties": {"path": {"pattern": "("}}},
        {"$ref": "#/nowhere"},
    ],
)
def test_a_broken_or_remote_schema_is_an_error_and_fetches_nothing(schema: Any) -> None:
    with pytest.raises(ToolInputError, match="schema of p__t cannot be used"):
        check_arguments(tool(schema), {"path": "a"})


def test_sending_needs_an_approval_for_exactly_these_arguments() -> None:
    dispatch = dispatcher(tool(risk="send"))
    asked = dispatch.prepare(use(path="a"))
    assert isinstance(asked, ApprovalAsked)
    assert asked.arguments == digest_of({"path": "a"})

    def given(allow: bool) -> ApprovalGiven:
        return ApprovalGiven(tool_use_id=ToolUseId("u1"), arguments=asked.arguments, allow=allow)

    assert isinstance(dispatch.prepare(use(path="a", decision=given(True))), Call)
    assert isinstance(dispatch.prepare(use(path="b", decision=given(True))), ApprovalAsked)
    denied = dispatch.prepare(use(path="a", decision=given(False)))
    assert isinstance(denied, ToolFinished)
    assert denied.outcome == "denied"


def test_tools_that_are_off_are_never_called_but_connectors_are() -> None:
    off = dispatcher(tool(), tools_off="No QEMU.")
    result = off.prepare(use(path="a"))
    assert isinstance(result, ToolFinished)
    assert "Tools are off: No QEMU." in result.text
    outside = dispatcher(tool(), tools_off="No QEMU.", connectors=frozenset({"p"}))
    assert isinstance(outside.prepare(use(path="a")), Call)


def test_a_short_result_stays_whole() -> None:
    assert bound("é", 2, MemoryBlobs(), ref="toolu_1") == ("é", None)


def test_a_long_result_is_cut_between_characters_and_kept() -> None:
    blobs = MemoryBlobs()
    text, full = bound("éé", 3, blobs, ref="toolu_1")
    assert text.startswith("é\n[cut: the first 1 of 2 characters")
    assert text.endswith("read on with thread__read, ref toolu_1, start 1]")
    assert full is not None
    assert blobs.read(full) == "éé".encode()


@pytest.mark.parametrize(
    ("outcome", "as_json", "text"),
    [
        (ToolOutcome(text="words", structured={"a": 1}), False, "words"),
        (ToolOutcome(text="words", structured={"a": 1}), True, '{"a": 1}'),
        (ToolOutcome(text="", structured=[1]), False, "[1]"),
        (ToolOutcome(text="words"), True, "words"),
    ],
)
def test_a_result_is_words_for_models_and_json_for_rules(
    outcome: ToolOutcome, as_json: bool, text: str
) -> None:
    result = finished(use(), outcome, MemoryBlobs(), 1000, as_json=as_json)
    assert result.text == text
