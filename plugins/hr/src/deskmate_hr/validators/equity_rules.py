"""HR-EQUITY-TIES: the model fitted once more, by exact elimination, from the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import read_sheets
from deskmate_hr.equity import Design, read_design
from deskmate_hr.equity_book import (
    GAP_HEADER,
    GAPS,
    MODEL,
    MODEL_HEADER,
    NOTES,
    RATE_HEADER,
    RATES,
    note_lines,
)
from deskmate_hr.people import HIDDEN
from deskmate_hr.tools.report import least_of
from deskmate_hr.validators.findings import Problem, findings, unheld

RULE = "HR-EQUITY-TIES"
DIGITS = 50


def equity_ties(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Fit the model again by the normal equations in fifty digits, and compare every figure, count and note.

    Source: house (SOURCES.md).
    """
    fix = "Run pay_equity again; do not edit its figures."
    return findings(RULE, _untied(deliverable, context), fix)


def _untied(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "employees")
    if missing:
        yield from missing
        return
    path = deliverable.sources["employees"]
    file = context.sources.file(path)
    assert file is not None
    data = deliverable.data
    group, controls, settings = data.get("group"), data.get("controls"), data.get("settings")
    if (
        not isinstance(group, str)
        or not isinstance(controls, Sequence)
        or not isinstance(settings, Mapping)
    ):
        raise ToolInputError(
            "The analysis does not say how it was computed (group, controls, settings)."
        )
    least = least_of(context.config)
    design = read_design(
        file,
        path,
        group,
        [str(c) for c in controls],
        {str(k): str(v) for k, v in settings.items()},
        least,
    )
    shown = read_sheets(context.file, name=deliverable.path)
    wanted = {GAPS: GAP_HEADER, MODEL: MODEL_HEADER, NOTES: ["Notes"]}
    wanted |= {RATES: RATE_HEADER} if design.chosen else {}
    if {name: rows[0] for name, rows in shown.items() if rows} != wanted:
        yield "Its sheets and columns are not those of a pay equity analysis.", ""
        return
    with localcontext() as digits:
        digits.prec = DIGITS
        estimates, errors, raw = solve(design)
        yield from _model(shown[MODEL], design, (estimates, errors, raw))
        yield from _gaps(shown[GAPS], design, (estimates, errors, raw))
    if design.chosen:
        yield from _rates(shown[RATES], design, least)
    lines = [row[0] for row in shown[NOTES][1:]]
    if lines != note_lines(design):
        yield "The notes are not those of this analysis.", f"sheet {NOTES}"


Solved = tuple[list[Decimal], list[Decimal], list[Decimal]]


def solve(design: Design) -> Solved:
    """Return estimates, standard errors and raw differences, by elimination of the normal equations.

    Raises:
        ToolInputError: they have no single solution.
    """
    size = len(design.terms)
    logs = [pay.ln() for pay in design.pay]
    system = [[Decimal()] * (2 * size + 1) for _ in range(size)]
    for row, log in zip(design.rows, logs, strict=True):
        filled = [(place, value) for place, value in enumerate(row) if value]
        for i, one in filled:
            for j, other in filled:
                system[i][j] += one * other
            system[i][size] += one * log
    for place in range(size):
        system[place][size + 1 + place] = Decimal(1)
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(system[i][column]))
        if abs(system[pivot][column]) < Decimal("1e-30"):
            raise ToolInputError(f"{design.terms[column]} says the same as other terms.")
        system[column], system[pivot] = system[pivot], system[column]
        lead = system[column][column]
        system[column] = [value / lead for value in system[column]]
        for i in range(size):
            factor = system[i][column]
            if i != column and factor:
                system[i] = [a - factor * b for a, b in zip(system[i], system[column], strict=True)]
    estimates = [line[size] for line in system]
    rest = sum(
        (log - sum((e * v for e, v in zip(estimates, row, strict=True) if v), Decimal())) ** 2
        for row, log in zip(design.rows, logs, strict=True)
    )
    spread = Decimal(rest) / (len(logs) - size)
    errors = [(spread * system[i][size + 1 + i]).sqrt() for i in range(size)]
    means = [
        sum((log for log, label in zip(logs, design.labels, strict=True) if label == g), Decimal())
        / count
        for g, count in design.groups.items()
    ]
    return estimates, errors, [mean - means[0] for mean in means[1:]]


def _near(cell: str, value: Decimal) -> bool:
    try:
        return abs(Decimal(cell) - value) <= Decimal("1e-8") + Decimal("1e-7") * abs(value)
    except ArithmeticError:
        return False


def _model(rows: Sequence[Sequence[str]], design: Design, solved: Solved) -> Iterator[Problem]:
    if [row[0] for row in rows[1:]] != list(design.terms):
        yield "Its terms are not those of the model.", f"sheet {MODEL}"
        return
    estimates, errors, raw = solved
    for place, row in enumerate(rows[1:]):
        right = [estimates[place], errors[place]]
        right += [raw[place - 1]] if 0 < place <= len(raw) else []
        if not all(_near(cell, value) for cell, value in zip(row[1:], right, strict=False)) or any(
            row[1 + len(right) :]
        ):
            shown = ", ".join(f"{value:.6g}" for value in right)
            yield (
                f"{row[0]} says {', '.join(row[1:])}; the source gives {shown}.",
                f"sheet {MODEL}, row {place + 2}",
            )


def _gaps(rows: Sequence[Sequence[str]], design: Design, solved: Solved) -> Iterator[Problem]:
    first, *others = design.groups
    labels = [f"{first} (reference)", *others]
    if [row[0] for row in rows[1:]] != labels or [row[1] for row in rows[1:]] != [
        str(n) for n in design.groups.values()
    ]:
        yield "Its groups and their numbers are not those of the source.", f"sheet {GAPS}"
        return
    z = Decimal("1.96")
    for number, row in enumerate(rows[2:]):
        b, se = solved[0][number + 1], solved[1][number + 1]
        right = [part.exp() - 1 for part in (solved[2][number], b, b - z * se, b + z * se)]
        apart = "yes" if right[2] * right[3] > 0 else "no"
        if (
            not all(_near(cell, value) for cell, value in zip(row[2:6], right, strict=True))
            or row[6] != apart
        ):
            yield (
                f"The gap of {row[0]} is not what the model gives.",
                f"sheet {GAPS}, row {number + 3}",
            )


def _rates(rows: Sequence[Sequence[str]], design: Design, least: int) -> Iterator[Problem]:
    if [row[0] for row in rows[1:]] != list(design.groups):
        yield "Its groups are not those of the source.", f"sheet {RATES}"
        return
    parts = {
        g: [c for c, label in zip(design.chosen, design.labels, strict=True) if label == g]
        for g in design.groups
    }
    dark = {
        g for g, own in parts.items() if 0 < sum(own) < least or 0 < len(own) - sum(own) < least
    }
    rates = {g: Decimal(sum(own)) / len(own) for g, own in parts.items() if g not in dark}
    best = max(rates.values(), default=Decimal())
    for number, row in enumerate(rows[1:], start=2):
        where = f"sheet {RATES}, row {number}"
        if row[1] != str(len(parts[row[0]])):
            yield f"{row[0]} has {len(parts[row[0]])} people, not {row[1]}.", where
        if row[0] in dark or not best:
            if set(row[2:]) != {HIDDEN}:
                yield f"The selections of {row[0]} are few and shown.", where
            continue
        ratio = rates[row[0]] / best
        right = [Decimal(sum(parts[row[0]])), rates[row[0]], ratio]
        flag = "yes" if ratio < Decimal("0.8") else "no"
        if (
            not all(_near(cell, value) for cell, value in zip(row[2:5], right, strict=True))
            or row[5] != flag
        ):
            yield f"The rate of {row[0]} is not what the source gives.", where
