"""The workbook of a filing's facts: every fact with context, unit and place; checks as formulas of the facts."""

from __future__ import annotations

from typing import Any

from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.xbrl import Fact, Filing
from deskmate_finance.xbrl_checks import Check, doubled

FACTS, CHECKS, TWICE, CONTEXTS = "Facts", "Checks", "Reported twice", "Contexts"
HEAD = 5
INPUTS = {FACTS: frozenset((5, 9)), CHECKS: frozenset((5,))}
CHECKS_LIMIT = 1_000
_FIGURES = frozenset(("Value", "Scale", "Reported", "Sum of the parts", "Difference", "Allowed by rounding"))  # fmt: skip


def sheets(made: Filing, found: list[Check]) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks() | {"fact": {"number_format": "#,##0.######;-#,##0.######;0", "color": "0000FF"}, "sum": {"number_format": "#,##0.######;-#,##0.######;0"}}  # fmt: skip
    common = {"looks": style, "print": "landscape", "header": 0, "freeze": f"A{HEAD + 1}"}
    row_of = {fact.place: HEAD + 1 + n for n, fact in enumerate(made.facts)}
    return [
        common | {"name": FACTS, "rows": _facts(made), "widths": [46, 26, 44, 22, 22, 30, 10, 8, 8, 24, 24]},
        common | {"name": CHECKS, "rows": _checks(made, found, row_of), "widths": [46, 26, 20, 20, 18, 14, 10, 22, 60]},
        common | {"name": TWICE, "rows": _twice(made), "widths": [46, 26, 24, 24, 24, 24]},
        common | {"name": CONTEXTS, "rows": _contexts(made), "widths": [40, 18, 14, 14, 70]},
    ]  # fmt: skip


def _facts(made: Filing) -> Rows:
    rows = top("Facts", f"From {made.name} ({made.kind}); sign and scale are applied; no taxonomy was read.")  # fmt: skip
    titles = ("Concept", "Period", "Dimensions", "Unit", "Value", "Text", "Decimals", "Sign", "Scale", "Context", "Id")  # fmt: skip
    rows.append(heads(titles, _FIGURES))
    for fact in made.facts:
        context = made.contexts[fact.context]
        dimensions = "; ".join(f"{axis} = {member}" for axis, member in context.dimensions)
        rows.append(
            [
                words(fact.concept), words(context.period), words(dimensions), words(made.units.get(fact.unit, "")),
                styled(float(fact.value), "fact") if fact.value is not None else None, words(_said(fact)),
                words(fact.decimals), words(fact.sign), fact.scale if fact.scale else None, words(fact.context), words(fact.place),
            ]
        )  # fmt: skip
    return rows


def _said(fact: Fact) -> str:
    return "nil" if fact.nil else "" if fact.value is not None else fact.text


def _checks(made: Filing, found: list[Check], row_of: dict[str, int]) -> Rows:
    note = f"{len(found)} sums that the facts allow, {sum(not check.holds for check in found)} do not hold."  # fmt: skip
    rows = top("Checks", note)
    titles = ("Total", "Period", "Reported", "Sum of the parts", "Allowed by rounding", "Difference", "Holds", "By", "Parts")  # fmt: skip
    rows.append(heads(titles, _FIGURES))
    order = sorted(found, key=lambda check: check.holds)
    for check in order[:CHECKS_LIMIT]:
        row = len(rows) + 1
        terms = [
            f"{'-' if weight < 0 else '+'}{FACTS}!$E${row_of[fact.place]}"
            for fact, weight in check.parts
        ]
        rows.append(
            [
                words(check.total.concept), words(check.period), styled(f"={FACTS}!$E${row_of[check.total.place]}", "sum"),
                styled(f"={''.join(terms).removeprefix('+')}", "sum"), styled(float(check.allowed), "fact"),
                styled(f"=ROUND(C{row}-D{row},6)", "sum"), styled(f'=IF(ABS(F{row})<=E{row},"yes","no")', "word"), words(check.kind),
                words(", ".join(f"{'-' if w < 0 else ''}{f.concept}" for f, w in check.parts)),
            ]
        )  # fmt: skip
    if len(order) > CHECKS_LIMIT:
        rows += [[], [words(f"{len(order) - CHECKS_LIMIT} more checks, which hold, are not listed.")]]  # fmt: skip
    return rows


def _twice(made: Filing) -> Rows:
    rows = top("Reported twice", "One concept, context and unit with figures that differ by more than their rounding.")  # fmt: skip
    rows.append(
        heads(("Concept", "Period", "First", "Second", "Id of the first", "Id of the second"))
    )
    pairs = list(doubled(made))[:CHECKS_LIMIT]
    for one, other in pairs:
        period = made.contexts[one.context].period
        rows.append([words(t) for t in (one.concept, period, f"{one.value:f}", f"{other.value:f}", one.place, other.place)])  # fmt: skip
    return rows if pairs else [*rows, [words("none")]]


def _contexts(made: Filing) -> Rows:
    rows = top("Contexts", f"{len(made.contexts)} contexts.")
    rows.append(heads(("Context", "Entity", "Start", "End or instant", "Dimensions")))
    for context in made.contexts.values():
        dimensions = "; ".join(f"{axis} = {member}" for axis, member in context.dimensions)
        rows.append([words(t) for t in (context.id, context.entity, context.start, context.end, dimensions)])  # fmt: skip
    return rows
