"""The workpaper of a sample: plan with digest and seed, the items, the sheet of attributes to fill in, and the result as formulas."""

from __future__ import annotations

from typing import Any

from deskmate_documents.xlsx.refs import column_name
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.sampling import ANSWERS, Item, Sample
from deskmate_finance.statements import decimals

PLAN, ITEMS, TESTS = "Plan", "Sample", "Attributes"
HEAD = 5
INPUTS = {ITEMS: frozenset((1, 2, 4)), TESTS: frozenset(range(1, 40))}
PLAN_CELLS = frozenset(f"{PLAN}!B{row}" for row in (11, 12))
_FIGURES = frozenset(("No.", "Row", "Amount"))


def sheets(made: Sample) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    places = decimals(item.amount for item in made.population.items if item.amount is not None)  # fmt: skip
    common = {"looks": looks(places), "print": "landscape", "header": 0}
    count = len(made.attributes)
    return [
        common | {"name": PLAN, "rows": _plan(made), "widths": [34, 90], "print": "portrait"},
        common | {"name": ITEMS, "rows": _items(made), "freeze": f"A{HEAD + 1}",
                  "widths": [6, 8, 20, 16, *[22] * len(made.population.columns)]},
        common | {"name": TESTS, "rows": _tests(made), "freeze": f"C{HEAD + 1}",
                  "widths": [6, 20, *[16] * count, 16, 12, 30, 14]},
    ]  # fmt: skip


def _conclusions(made: Sample) -> str:
    letter = column_name(3 + len(made.attributes) + 3)
    return f"{TESTS}!${letter}${HEAD + 1}:${letter}${HEAD + len(made.items)}"


def _plan(made: Sample) -> Rows:
    population, area = made.population, _conclusions(made)
    total = styled(float(population.total), "input") if population.amount else words("no amounts")
    rows = top("Sample for a test of a control", f"From {population.name}.")
    rows += [
        [words("Plan", "section")],
        ["Control", words(made.control or "not named")],
        ["Size", words(made.rule)],
        ["Seed", words(made.seed)],
        ["Selection", words("lowest SHA-256 of: seed | SHA-256 of the file | row number, in the file's order")],
        ["SHA-256 of the population", words(population.digest)],
        ["Items in the population", styled(len(population.items), "count")],
        [f"Total of {population.amount or 'amounts'}"[:100], total],
        ["Items in the sample", styled(f"=COUNT({ITEMS}!$A${HEAD + 1}:$A${HEAD + len(made.items)})", "count")],
        [],
        [words("Result", "section")],
        ["Tested", styled(f'=COUNTIFS({area},"pass")+B17', "count")],
        ["With an exception", styled(f'=COUNTIFS({area},"exception")', "count")],
        ["Open", styled(f'=COUNTIFS({area},"open")', "count")],
        ["Rate of exceptions", styled('=IF(B16=0,"n/a",B17/B16)', "percent")],
        [words("State", "total title"),
         styled('=IF(B18>0,"testing is not complete",IF(B17=0,"no exception","exceptions: to be evaluated"))', "total title")],
    ]  # fmt: skip
    return rows


def _items(made: Sample) -> Rows:
    rows = top("Sample", "Rows as they stand in the population.")
    rows.append(heads(("No.", "Row", "Item", "Amount", *made.population.columns), _FIGURES))
    for number, item in enumerate(made.items, 1):
        amount = None if item.amount is None else styled(float(item.amount), "input")
        fields = [words(text) for text in item.fields]
        rows.append([number, styled(item.number, "count"), words(item.name), amount, *fields])
    return rows


def _tests(made: Sample) -> Rows:
    rows = top("Attributes", f"Each attribute is {', '.join(ANSWERS[:-1])} or {ANSWERS[-1]}; every test has its tester, day and evidence.")  # fmt: skip
    rows.append(heads(("No.", "Item", *made.attributes, "Tester", "Date", "Evidence", "Conclusion"), _FIGURES))  # fmt: skip
    rows += [_test(made, number, item) for number, item in enumerate(made.items, 1)]
    return rows


def _test(made: Sample, number: int, item: Item) -> list[Any]:
    row, last = HEAD + number, column_name(2 + len(made.attributes))
    answers = f"C{row}:{last}{row}"
    answered = "+".join(f'COUNTIF({answers},"{answer}")' for answer in ("yes", "n/a"))
    conclusion = f'=IF(COUNTIF({answers},"no")>0,"exception",IF({answered}=COLUMNS({answers}),"pass","open"))'
    outcome = made.outcomes.get(item.name)
    found: list[Any] = [None] * (len(made.attributes) + 3)
    if outcome:
        found = [
            *(styled({"text": answer}, "word") for answer in outcome.answers), words(outcome.tester),
            styled({"date": outcome.day.isoformat()}, "day"), words(outcome.evidence),
        ]  # fmt: skip
    return [number, words(item.name), *found, styled(conclusion, "word")]


def validations(made: Sample) -> list[dict[str, Any]]:
    """Return the edits that let an attribute be filled in from a list."""
    last = column_name(2 + len(made.attributes))
    area = f"{TESTS}!C{HEAD + 1}:{last}{HEAD + len(made.items)}"
    rule = {"type": "list", "formulas": [f'"{",".join(ANSWERS)}"']}
    return [{"op": "validation", "cells": area, "validation": rule}]
