"""A sheet shows what it should, cell by cell: figures as figures, texts as texts, nothing too much."""

from __future__ import annotations

import pytest

from deskmate_documents.shown import alike, sheet_problems

RIGHT = {"A": [["Unit", "n"], ["x", "1.5"]]}


def test_the_same_sheets_have_no_problem() -> None:
    assert list(sheet_problems({"A": [["Unit", "n"], [" x ", "1.50"]]}, RIGHT)) == []


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        ({}, "The sheet A is missing"),
        ({**RIGHT, "B": []}, "The sheet B does not belong here"),
        ({"A": [["Unit", "n"], ["x", "1.6"]]}, "'1.6'; the source gives '1.5'"),
        ({"A": [["Unit", "n"], ["x", "1.5"], ["y"]]}, "'y'; the source gives ''"),
        ({"A": [["Unit", "n"]]}, "''; the source gives 'x'"),
    ],
)
def test_what_differs_is_named(shown: dict[str, list[list[str]]], says: str) -> None:
    assert any(says in message for message, _ in sheet_problems(shown, RIGHT))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.1", "0.1000000000000000055", True),
        ("1", "1.00001", False),
        ("NaN", "nan", False),
        ("a", "b", False),
        ("", "0", False),
    ],
)
def test_figures_may_differ_by_what_fractions_leave(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same
