"""Figures in text: what they may mean, and what is no figure."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deskmate_documents.numbers import Values, all_values, figures


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It rose by 12.5 %.", "12.5"),
        ("a loss of $3.2 million", "3200000.0"),
        ("2,845,100 units", "2845100"),
        ("1.234,50 €", "1234.50"),
        ("1 234,5 kg", "1234.5"),
        ("CHF 1'200.05", "1200.05"),
        ("a balance of (12.40)", "-12.40"),
        ("−5 degrees", "-5"),
        ("USD 5bn", "5000000000"),
        ("thirty (45) days", "45"),
        ("We have 2019 customers", "2019"),
        ("25 bps", "25"),
    ],
)
def test_a_figure_is_read_as_it_is_shown(text: str, value: str) -> None:
    (figure,) = figures(text)
    assert figure.value == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-03-02 at 14:30 and on March 3, 2026 or 3 March 2026",
        "Section 4.2(a), clauses 5 and 6.1, page 3, ¶ 12, Table 2, Figure 3, Step 4",
        "invoice INV-1001, part A4-77, commit 3f9a2b7c, version 1.2.3",
        "call +44 20 7946 0000 or 555-123-4567",
        "in 2026, FY 2025, Q3, the 2024 plan",
        "see https://example.com/a/17 and `x = 5`",
        "1. First\n(2) Second\n3.1 Third",
        "the 1st and 22nd of them [3]",
    ],
)
def test_dates_places_names_and_telephones_are_no_figures(text: str) -> None:
    assert [figure.text for figure in figures(text)] == []


@pytest.mark.parametrize(
    ("text", "value", "fits"),
    [
        ("12.5 %", "0.1249", True),
        ("12.5 %", "12.54", True),
        ("12.5 %", "12.56", False),
        ("$3.2 million", "3249999", True),
        ("$3.2 million", "3260000", False),
        ("about 3,000", "3120", True),
        ("3,000", "3120", False),
        ("1,234", "1.2341", True),
        ("(12.40)", "-12.4", True),
        ("(12.40)", "12.4", False),
        ("12.40", "-12.4", True),
        ("25 bps", "0.0025", True),
        ("120", "119.5", True),
        ("120", "119.4", False),
    ],
)
def test_a_figure_fits_what_is_shown_like_it_within_its_rounding(
    text: str, value: str, fits: bool
) -> None:
    (figure,) = figures(text)
    assert figure.fits(Decimal(value)) is fits
    assert Values([Decimal("-99999999"), Decimal(value), Decimal("77777777")]).has(figure) is fits


def test_values_of_a_source_have_all_readings() -> None:
    assert {Decimal(1234), Decimal("1.234")} <= set(all_values("1,234"))
    assert Decimal("0.25") in set(all_values("25 %"))
