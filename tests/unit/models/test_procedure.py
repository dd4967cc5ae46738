"""Procedures: references and text forms."""

from __future__ import annotations

from typing import Any

import pytest

from deskmate.models.procedure import MISSING, fill, fill_text, look_up, text_form

VALUES: dict[str, Any] = {
    "request": "do it",
    "a": {"b": [{"c": 1}, {"c-d": None}], "n": 0},
    "words": "x",
}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("$request", "do it"),
        ("$a.b.0.c", 1),
        ("$a.b.1.c-d", None),
        ("$a.n", 0),
        ("$a.b.2", MISSING),
        ("$a.b.x", MISSING),
        ("$a.z.y", MISSING),
        ("$words.0", MISSING),
        ("$nothing", MISSING),
    ],
)
def test_a_reference_leads_to_a_value_or_nowhere(reference: str, expected: Any) -> None:
    assert look_up(reference, VALUES) is expected or look_up(reference, VALUES) == expected


def test_only_strings_that_are_exactly_one_reference_are_replaced() -> None:
    arguments = {
        "whole": "$a.b",
        "part": "see $request",
        "price": "$5",
        "list": ["$a.n", "$gone", "plain"],
        "deep": {"x": "$request", "y": "$gone"},
        "number": 3,
        "gone": "$gone",
    }
    assert fill(arguments, VALUES) == {
        "whole": VALUES["a"]["b"],
        "part": "see $request",
        "price": "$5",
        "list": [0, "plain"],
        "deep": {"x": "do it"},
        "number": 3,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MISSING, "none"),
        (None, "none"),
        ([], "none"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (1.5, "1.5"),
        ("x", "x"),
        (["a", 2], "a\n2"),
        ([{"a": 1, "b": "x\ny"}, {"a": 2}], "a: 1; b: x y\na: 2"),
        (
            {"ä": 1, "of": ["x", True], "to": {"k": None}, "no": []},
            "ä: 1\nof: x, yes\nto: k: none\nno: none",
        ),
        ({}, "none"),
    ],
)
def test_values_have_a_text_form(value: Any, expected: str) -> None:
    assert text_form(value) == expected


def test_the_closing_text_takes_references_with_and_without_a_dollar() -> None:
    assert fill_text("{{a.n}} {{ $request }} {{gone}} {x}", VALUES) == "0 do it none {x}"


def test_a_name_on_a_list_is_collected_from_each_entry_that_has_it() -> None:
    values = {"review": [{"path": "a", "n": 1}, {"n": 2}, {"path": "b", "n": 3}]}
    assert look_up("$review.path", values) == ["a", "b"]
    assert look_up("$review.0.path", values) == "a"
    assert fill_text("{{review.path}}", values) == "a\nb"
