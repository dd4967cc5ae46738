"""The workbook of a pay equity analysis: gaps, the model that they follow from, selection rates, and what it is not."""

from __future__ import annotations

import math
from decimal import Decimal

from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value
from deskmate_hr.equity import Design, Fit
from deskmate_hr.people import HIDDEN

GAPS, MODEL, RATES, NOTES = "Gaps", "Model", "Selection rates", "Notes"
GAP_HEADER = ["Group", "People", "Raw gap", "Adjusted gap", "Lower", "Upper", "Apart from 0"]
MODEL_HEADER = ["Term", "Estimate", "Standard error", "Raw difference"]
RATE_HEADER = ["Group", "People", "Selected", "Rate", "Ratio to highest", "Under four fifths"]
Z = "1.96"
LABEL = "Draft for professional review. Privileged and confidential: for counsel, who decides who may see it."
METHOD = (
    "Adjusted gap = exp(estimate) − 1 of a least squares model of the natural logarithm of pay; the interval takes 1.96 standard errors.",
    "Raw gap = exp(difference of mean logarithms of pay) − 1. The reference is the largest group.",
    "Values of a control that few people have are one term; groups of few people are left out, and named.",
    "Four fifths: a selection rate under 80 % of the highest one asks for a closer look; it proves nothing by itself.",
    "A gap is no proof of discrimination, and none is no proof of its absence: controls may themselves be unequal, and what "
    "is not in the table is not in the model. No pay of anybody is to be set by these figures.",
)
Rows = list[list[Value]]


def equity_pages(design: Design, fit: Fit, least: int) -> list[Page]:
    """Return the sheets."""
    pages = [_gaps(design, fit), _model(design, fit)]
    if design.chosen:
        pages.append(_rates(design, least))
    return [*pages, _notes(design)]


def _gaps(design: Design, fit: Fit) -> Page:
    first, *others = design.groups
    rows: Rows = [list(GAP_HEADER), [f"{first} (reference)", design.groups[first]]]
    for number, group in enumerate(others, start=1):
        at, place = number + 2, number + 2
        b, se = fit.estimates[number], fit.errors[number]
        low, high = math.exp(b - 1.96 * se) - 1, math.exp(b + 1.96 * se) - 1
        rows.append(
            [
                group,
                design.groups[group],
                Computed(f"=EXP(Model!D{place})-1", _exact(math.exp(fit.raw[group]) - 1)),
                Computed(f"=EXP(Model!B{place})-1", _exact(math.exp(b) - 1)),
                Computed(f"=EXP(Model!B{place}-{Z}*Model!C{place})-1", _exact(low)),
                Computed(f"=EXP(Model!B{place}+{Z}*Model!C{place})-1", _exact(high)),
                Computed(f'=IF(E{at}*F{at}>0,"yes","no")', "yes" if low * high > 0 else "no"),
            ]
        )
    return Page(
        name=GAPS,
        rows=rows,
        widths=(36, 10, 12, 14, 12, 12, 14),
        formats=("", "#,##0", *("0.0%",) * 4),
        edits=({"op": "style", "cells": f"G1:G{len(rows)}", "align": "center"},),
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))


def _model(design: Design, fit: Fit) -> Page:
    rows: Rows = [list(MODEL_HEADER)]
    groups = list(design.groups)[1:]
    for place, term in enumerate(design.terms):
        raw = _exact(fit.raw[groups[place - 1]]) if 0 < place <= len(groups) else None
        rows.append([term, _exact(fit.estimates[place]), _exact(fit.errors[place]), raw])
    return Page(name=MODEL, rows=rows, widths=(44, 14, 16, 16), formats=("", *("0.0000",) * 3))


def _rates(design: Design, least: int) -> Page:
    rows: Rows = [list(RATE_HEADER)]
    last = len(design.groups) + 1
    counts = {
        g: sum(c for c, label in zip(design.chosen, design.labels, strict=True) if label == g)
        for g in design.groups
    }
    shown = {
        g: not 0 < counts[g] < least and not 0 < design.groups[g] - counts[g] < least
        for g in design.groups
    }
    best = max(
        (Decimal(counts[g]) / design.groups[g] for g in design.groups if shown[g]),
        default=Decimal(),
    )
    for number, (group, size) in enumerate(design.groups.items(), start=2):
        if not shown[group] or not best:
            rows.append([group, size, *[HIDDEN] * 4])
            continue
        rate = Decimal(counts[group]) / size
        rows.append(
            [
                group,
                size,
                counts[group],
                Computed(f"=C{number}/B{number}", rate),
                Computed(f"=D{number}/MAX(D$2:D${last})", rate / best),
                Computed(
                    f'=IF(E{number}<0.8,"yes","no")',
                    "yes" if rate / best < Decimal("0.8") else "no",
                ),
            ]
        )
    return Page(
        name=RATES,
        rows=rows,
        widths=(36, 10, 10, 10, 18, 18),
        formats=("", "#,##0", "#,##0", "0.0%", "0.00"),
        edits=({"op": "style", "cells": f"B2:F{last}", "align": "right"},),
    )


def note_lines(design: Design) -> list[str]:
    """Return what the notes say of this analysis."""
    controls = ", ".join(design.controls) or "none"
    unit = design.currency or "as in the source"
    lines = [
        LABEL,
        f"Model: ln(pay) by {design.by}; controls: {controls}. People: {len(design.pay)}. Currency: {unit}.",
    ]
    if design.left_out:
        lines.append(f"Left out, because they are few: {', '.join(design.left_out)}.")
    return [*lines, *METHOD]


def _notes(design: Design) -> Page:
    rows: Rows = [["Notes"]]
    rows += [[line] for line in note_lines(design)]
    wrap = {"op": "style", "cells": f"A2:A{len(rows)}", "wrap": True}
    return Page(name=NOTES, rows=rows, widths=(110,), edits=(wrap,))
