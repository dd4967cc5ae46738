"""A server's question comes to the page as a form, bounded and in the server's own words."""

from __future__ import annotations

from typing import Any

from deskmate.connectors.asking import asked_again, content_of, read_question
from deskmate.types.connectors import ConnectorAsked, Question
from deskmate.types.ids import ToolUseId
from deskmate.web.contract_log import Noted, Wanted
from deskmate.web.forms import wanted

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "string", "title": "Size", "enum": ["s", "l"], "enumNames": ["Small", "Large"]},
        "count": {"type": "integer", "description": "How many", "default": 2},
        "gift": {"type": "boolean", "default": False},
        "extras": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b"}]}},
        "note": {"type": "string"},
    },
    "required": ["size"],
}  # fmt: skip


def asked(schema: dict[str, Any] = SCHEMA) -> Question:
    question = read_question("shop", "Which one?", schema)
    assert isinstance(question, Question)
    return question


def form(question: Question) -> Wanted:
    found = wanted(ConnectorAsked(tool_use_id=ToolUseId("u"), question=question))
    assert isinstance(found, Wanted)
    return found


def test_every_field_has_its_kind() -> None:
    found = form(asked())
    assert (found.connector, found.message, found.problem) == ("shop", "Which one?", "")
    assert [(b.name, b.title, b.kind, b.required, b.default) for b in found.blanks] == [
        ("size", "Size", "choice", True, ""),
        ("count", "count", "number", False, "2"),
        ("gift", "gift", "yes_no", False, "no"),
        ("extras", "extras", "choices", False, ""),
        ("note", "note", "text", False, ""),
    ]
    assert [(c.value, c.label) for c in found.blanks[0].choices] == [("s", "Small"), ("l", "Large")]


def test_what_the_form_sends_is_what_the_server_gets() -> None:
    lines = "size: l\ncount: 3\ngift: yes\nextras: a, b\nnote: at: noon"
    assert content_of(asked(), lines) == {
        "size": "l",
        "count": 3,
        "gift": True,
        "extras": ["a", "b"],
        "note": "at: noon",
    }


def test_an_answer_that_did_not_fit_is_said_with_the_form_again() -> None:
    assert form(asked_again(asked(), "count wants a number.")).problem == "count wants a number."


def test_a_question_without_fields_and_one_that_cannot_be_read() -> None:
    assert form(asked({"type": "object", "properties": {}})).blanks == ()
    found = wanted(ConnectorAsked(tool_use_id=ToolUseId("u"), question=Question(text="odd")))
    assert found == Noted(text="odd", level="attention")
