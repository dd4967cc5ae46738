"""Pay gaps between groups: raw, and adjusted by a linear model of the logarithm of pay with the controls that are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, read_table
from deskmate_hr.measures import NO, PAY, YES
from deskmate_hr.survey import one_currency

SETTINGS = ("pay", "outcome")
PEOPLE_LEAST, PER_TERM = 30, 10
CONTROLS_LIMIT, TERMS_LIMIT, NUMERIC_FROM = 8, 60, 8
OTHER = "(other)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What the model is made of. `terms`: columns, the intercept first, then the groups, then controls.

    `rows`: a row of factors for each person; `logs`: nothing but pay, its logarithm is taken by who computes. `groups`:
    group → number of people, the reference first. `left_out`: group → number of people, too few to show.
    """

    by: str
    terms: tuple[str, ...]
    rows: tuple[tuple[Decimal, ...], ...]
    pay: tuple[Decimal, ...]
    labels: tuple[str, ...]
    groups: Mapping[str, int]
    left_out: tuple[str, ...]
    controls: tuple[str, ...]
    currency: str
    chosen: tuple[bool, ...]


def read_design(
    file: Path,
    name: str,
    group: str,
    controls: Sequence[str],
    settings: Mapping[str, str],
    least: int,
) -> Design:
    """Return the design of the model.

    Args:
        file: the employees, one a row.
        name: what to call it.
        group: the column whose groups are compared; the largest group is the reference.
        controls: columns that explain pay for other reasons, such as level or tenure.
        settings: `pay` (column), `outcome` (a column with yes or no, such as promoted).
        least: the smallest group that is compared.

    Raises:
        ToolInputError: unknown columns, too few people, pay that is missing.
    """
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")
    table = read_table(file, name=name)
    by = find_column(table, (), group) or group
    pay = find_column(table, PAY, settings.get("pay", ""))
    if pay is None:
        raise ToolInputError(f"{name} has no column for pay; it has {', '.join(table.columns)}.")
    names = [find_column(table, (), control) or control for control in controls]
    if len(names) > CONTROLS_LIMIT or len({by, pay, *names}) < len(names) + 2:
        raise ToolInputError(
            f"Give up to {CONTROLS_LIMIT} controls, each once, and neither the group nor pay."
        )
    texts = [text or "(not stated)" for _, text in table.values(by)]
    sizes = {label: texts.count(label) for label in sorted(set(texts))}
    kept = sorted((g for g in sizes if sizes[g] >= least), key=lambda g: (-sizes[g], g))
    if len(kept) < 2:
        raise ToolInputError(
            f"{by} has not two groups of {least} people; there is nothing to compare."
        )
    places = [place for place, text in enumerate(texts) if text in kept]
    amounts = _pay(table, pay, places)
    columns: list[tuple[str, list[Decimal]]] = [("Intercept", [Decimal(1)] * len(places))]
    columns += [(f"{by}: {g}", [Decimal(texts[p] == g) for p in places]) for g in kept[1:]]
    for control in names:
        columns += _control(table, control, places, least)
    terms = tuple(term for term, _ in columns)
    needed = max(PEOPLE_LEAST, PER_TERM * len(terms))
    if len(places) < needed or len(terms) > TERMS_LIMIT:
        raise ToolInputError(
            f"{len(places)} people are too few for a model of {len(terms)} terms; {needed} are needed. Take fewer or coarser controls."
        )
    return Design(
        by=by,
        terms=terms,
        rows=tuple(zip(*(values for _, values in columns), strict=True)),
        pay=tuple(amounts),
        labels=tuple(texts[p] for p in places),
        groups={g: sizes[g] for g in kept},
        left_out=tuple(g for g in sizes if g not in kept),
        controls=tuple(names),
        currency=one_currency(table, name),
        chosen=_chosen(table, settings.get("outcome", ""), places),
    )


def _pay(table: Table, column: str, places: Sequence[int]) -> list[Decimal]:
    every = parse_amounts(table.values(column), f"{table.name}, {column}")
    found = []
    for place in places:
        amount = every[place]
        if amount is None or amount <= 0:
            raise ToolInputError(
                f"{table.name}, row {table.rows[place].number}: {column} is missing or not above 0."
            )
        found.append(amount)
    return found


def _control(
    table: Table, column: str, places: Sequence[int], least: int
) -> list[tuple[str, list[Decimal]]]:
    """Return a control's terms: the figure itself, or a term for each value but the commonest; rare values are one."""
    every = table.values(column)
    texts = [every[place][1] or "(not stated)" for place in places]
    distinct = set(texts)
    try:
        figures = parse_amounts([every[place] for place in places], f"{table.name}, {column}")
    except ToolInputError:
        figures = [None]
    if len(distinct) >= NUMERIC_FROM and None not in figures:
        return [(column, [figure or Decimal() for figure in figures])]
    rare = {text for text in distinct if texts.count(text) < least}
    shown = [OTHER if text in rare else text for text in texts]
    order = sorted(set(shown), key=lambda text: (-shown.count(text), text))
    if len(order) < 2:
        raise ToolInputError(
            f"{column} is the same for all; it explains nothing and is no control."
        )
    return [
        (f"{column}: {level}", [Decimal(text == level) for text in shown]) for level in order[1:]
    ]


def _chosen(table: Table, column: str, places: Sequence[int]) -> tuple[bool, ...]:
    if not column:
        return ()
    name = find_column(table, (), column) or column
    values = [table.values(name)[place][1].lower() for place in places]
    if not all(value in YES | NO for value in values):
        raise ToolInputError(f"{name} is no plain yes or no.")
    return tuple(value in YES for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model. `estimates`, `errors`: of each term. `raw`: group → difference of mean logarithms from the reference."""

    estimates: tuple[float, ...]
    errors: tuple[float, ...]
    raw: Mapping[str, float]
    freedom: int
    explained: float


def fit(design: Design) -> Fit:
    """Return the least squares fit.

    Raises:
        ToolInputError: a control says the same as others, so that nothing can be told apart.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    factors = np.array(design.rows, dtype=float)
    logs = np.log(np.array(design.pay, dtype=float))
    for count in range(2, factors.shape[1] + 1):
        if np.linalg.matrix_rank(factors[:, :count]) < count:
            raise ToolInputError(
                f"{design.terms[count - 1]} says the same as what stands before it; leave that control out."
            )
    q, r = np.linalg.qr(factors)
    estimates = np.linalg.solve(r, q.T @ logs)
    rest = logs - factors @ estimates
    freedom = len(logs) - len(design.terms)
    spread = float(rest @ rest) / freedom
    inverse = np.linalg.inv(r)
    errors = np.sqrt(spread * (inverse**2).sum(axis=1))
    labels = np.array(design.labels)
    means = {g: float(logs[labels == g].mean()) for g in design.groups}
    first = next(iter(design.groups))
    total = float(((logs - logs.mean()) ** 2).sum())
    return Fit(
        estimates=tuple(map(float, estimates)),
        errors=tuple(map(float, errors)),
        raw={g: means[g] - means[first] for g in list(design.groups)[1:]},
        freedom=freedom,
        explained=1 - float(rest @ rest) / total if total else 0.0,
    )
