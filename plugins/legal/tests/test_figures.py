from decimal import Decimal
from typing import Any

import pytest

from deskmate_legal.figures import (
    amounts,
    durations,
    from_words,
    percents,
    rewrite_duration,
    rewrite_percent,
    to_words,
)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("for five (5) years after", 5, "year"),
        ("a thirty-day period", 30, "day"),
        ("within 24 months", 24, "month"),
        ("thirty (30) days’ notice", 30, "day"),
        ("sixty (60) business days", 60, "day"),
        ("one hundred eighty (180) days", 180, "day"),
        ("a twenty four months (24) period", 24, "month"),
        ("2 (two) years", 2, "year"),
    ],
)
def test_a_period_is_read_as_contracts_write_it(text: Any, value: Any, unit: Any) -> None:
    (figure,) = durations(text)
    assert (figure.value, figure.unit, figure.conflict) == (Decimal(value), unit, False)


def test_words_and_digits_that_differ_are_a_conflict() -> None:
    assert durations("thirty (45) days")[0].conflict
    assert not durations("forty-five (45) days")[0].conflict


def test_numbers_in_words_are_read_and_written_alike() -> None:
    for number in (0, 7, 13, 20, 45, 100, 365, 999, 1000, 12345):
        assert from_words(to_words(number)) == number
    assert from_words("two hundred and five") == 205
    assert from_words("several") is None


@pytest.mark.parametrize(
    ("original", "value", "unit", "expected"),
    [
        ("five (5) years", 36, "month", "three (3) years"),
        ("five (5) years", 18, "month", "eighteen (18) months"),
        ("five-year", 36, "month", "three-year"),
        ("ten (10) days", 1, "day", "one (1) day"),
        ("one (1) year", 36, "month", "three (3) years"),
        ("Ninety (90) days", 30, "day", "Thirty (30) days"),
        ("TWO (2) YEARS", 36, "month", "THREE (3) YEARS"),
        ("60 calendar days", 30, "day", "30 calendar days"),
        ("twelve (12) month", 24, "month", "twenty-four (24) month"),
        ("twenty four months (24)", 12, "month", "twelve months (12)"),
    ],
)
def test_a_new_period_is_written_in_the_manner_of_the_old(
    original: Any, value: Any, unit: Any, expected: Any
) -> None:
    assert rewrite_duration(original, Decimal(value), unit) == expected


def test_percentages_and_money_are_read() -> None:
    assert [f.value for f in percents("one and one-half percent (1.5%) or 2% per month")] == [
        Decimal("1.5"),
        Decimal(2),
    ]
    assert amounts("up to $1.5 million")[0].value == Decimal(1_500_000)


def test_a_new_percentage_is_written_in_the_manner_of_the_old() -> None:
    assert rewrite_percent("two percent (2%)", Decimal(1)) == "one percent (1%)"
    assert rewrite_percent("1.5%", Decimal(1)) == "1%"
    assert rewrite_percent("2 percent", Decimal("1.5")) == "1.5 percent"
