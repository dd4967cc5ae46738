"""A server's form and the user's words: what fills it, what is asked for again, and what nobody is asked."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.connectors.asking import asked_again, content_of, read_question
from deskmate.errors import ToolInputError
from deskmate.types.connectors import Question

TWO = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Full name", "minLength": 2},
        "age": {"type": "integer", "description": "in years"},
        "news": {"type": "boolean", "default": False},
        "colours": {"type": "array", "items": {"enum": ["red", "blue"]}},
    },
    "required": ["name"],
}


def form(fields: Any = None, **more: Any) -> Question:
    schema = {"type": "object", "properties": fields or {}, **more}
    found = read_question("crm", "Please say.", schema)
    assert isinstance(found, Question), found
    return found


def test_a_form_is_shown_with_all_that_an_answer_needs() -> None:
    found = read_question("crm", "Who\x1b[2J?", TWO)
    assert isinstance(found, Question)
    assert "crm asks: Who\\x1b[2J?" in found.text
    assert "- name (string): Full name" in found.text
    assert "- news (yes or no, may be left out, else False)" in found.text
    assert "- colours (some of red, blue, may be left out)" in found.text
    assert "'decline' says no" in found.text


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("name: Ada\nage: 36", {"name": "Ada", "age": 36, "news": False}),
        ("Full name: Ada\nNews: yes", {"name": "Ada", "news": True}),
        ('{"name": "Ada", "age": 3}', {"name": "Ada", "age": 3, "news": False}),
        (
            "name: Ada\ncolours: Red, blue",
            {"name": "Ada", "colours": ["red", "blue"], "news": False},
        ),
        (" Decline ", None),
    ],
)
def test_words_fill_a_form(said: str, content: Any) -> None:
    assert content_of(form(**{**TWO, "fields": TWO["properties"]}), said) == content


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Ada", "one line for each field"),
        ("name: A", "name: 'A' is too short"),
        ("age: 3", "'name' is a required property"),
        ("name: Ada\nage: old", "age wants a number"),
        ("name: Ada\nnews: perhaps", "news wants yes or no"),
        ("name: Ada\ncolours: green", "'green' is not one of"),
        ("{", "no JSON object"),
        ('{"other": 1}', "no field 'other'"),
    ],
)
def test_what_does_not_fit_is_said_and_asked_for_again(said: str, why: str) -> None:
    question = form(**{**TWO, "fields": TWO["properties"]})
    with pytest.raises(ToolInputError, match=why) as caught:
        content_of(question, said)
    again = asked_again(question, caught.value.message)
    assert again == question
    assert again.text.startswith(caught.value.message[:20])


def test_one_field_takes_the_words_as_they_are_and_choices_go_by_their_names() -> None:
    one = {"size": {"type": "string", "oneOf": [{"const": "s", "title": "Small one"}]}}
    assert content_of(form(one), "small one") == {"size": "s"}
    assert content_of(form({"note": {"type": "string"}}), "a: b\nc") == {"note": "a: b\nc"}


def test_a_question_without_fields_is_a_yes_or_a_no() -> None:
    assert content_of(form(), "ok") == {}
    assert content_of(form(), "no") is None
    with pytest.raises(ToolInputError, match="Say yes"):
        content_of(form(), "perhaps")


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("Your password?", {}),
        ("Say it.", {"apiKey": {"type": "string"}}),
        ("Say it.", {"x": {"type": "string", "description": "the access token"}}),
        ("Say it.", {"x": {"type": "string", "format": "password"}}),
        ("Say it.", {"x": {"type": "object"}}),
        ("Say it.", {f"f{number}": {"type": "string"} for number in range(13)}),
        ("Say it.", {"x": {"type": "string", "description": "x" * 9_000}}),
    ],
)
def test_secrets_and_what_is_no_short_form_are_not_asked_for(message: str, fields: Any) -> None:
    assert isinstance(read_question("crm", message, {"properties": fields}), str)


def test_a_pattern_of_the_server_keeps_nobody_busy() -> None:
    evil = {"x": {"type": "string", "pattern": "(a+)+$"}}
    assert content_of(form(evil), "a" * 40 + "!") == {"x": "a" * 40 + "!"}


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "minLength": "x"},
        {"type": "string", "$ref": "#/$defs/none"},
        {"type": "string", "$ref": "http://127.0.0.1:9/schema.json"},
        {"type": "string", "$ref": "#/properties/name"},
        {"type": "string", "allOf": 3},
        {"type": "number", "multipleOf": 0},
    ],
)
def test_a_form_that_cannot_be_filled_is_said_to_be_one_and_nothing_is_fetched_for_it(
    field: dict[str, Any],
) -> None:
    asked = Question(
        connector="crm", message="?", schema={"type": "object", "properties": {"name": field}}
    )
    with pytest.raises(ToolInputError):
        content_of(asked, "7")
