"""Sorts the people of a table into groups: by a column, by columns crossed, or by bands of a figure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts

NOT_STATED = "(not stated)"
TOTAL = "Total"
GROUPS_LIMIT = 60
CROSSED_LIMIT = 120
_CROSS = re.compile(r"\s+[x×]\s+|\s*×\s*")
PROTECTED = (
    "gender", "sex", "age", "birth", "race", "ethnic", "origin", "nationality", "religion", "disab", "marital", "pregnan",
    "orientation", "veteran", "union",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One way to sort people. `by`: its name. `labels`: group of each row. `order`: the groups as they are listed."""

    by: str
    labels: tuple[str, ...]
    order: tuple[str, ...]

    @property
    def is_protected(self) -> bool:
        """Say whether it sorts by what the law protects in many places."""
        words = self.by.lower()
        return any(re.search(rf"\b{word}", words) for word in PROTECTED)


def groupings(table: Table, group_by: Sequence[str], bands: str) -> list[Grouping]:
    """Return the groupings that are asked for.

    Args:
        table: the employees.
        group_by: columns; `Department × Gender` crosses two.
        bands: limits of figures, such as `Age: 30, 40, 50; Tenure: 2, 5`.

    Raises:
        ToolInputError: an unknown column, limits that are none, too many groups.
    """
    limits = _bands(table, bands)
    found: list[Grouping] = []
    for wanted in group_by:
        parts = [_column(table, part) for part in _parts(table, wanted)]
        sorted_by = [_sorted(table, part, limits.get(part)) for part in parts]
        grouping = sorted_by[0] if len(sorted_by) == 1 else _crossed(sorted_by)
        limit = GROUPS_LIMIT if len(sorted_by) == 1 else CROSSED_LIMIT
        if len(grouping.order) > limit:
            raise ToolInputError(
                f"{grouping.by} has {len(grouping.order)} different values, more than {limit}; group by something coarser, "
                "or give bands."
            )
        if any(grouping.by == other.by for other in found):
            raise ToolInputError(f"{grouping.by} is asked for twice.")
        found.append(grouping)
    return found


def _parts(table: Table, wanted: str) -> list[str]:
    return [wanted] if wanted in table.columns else _CROSS.split(wanted.strip())


def _column(table: Table, name: str) -> str:
    found = find_column(table, (), name)
    if found is None:
        raise ToolInputError(f"A group has no column; name one of {', '.join(table.columns)}.")
    return found


def _sorted(table: Table, column: str, limits: Sequence[Decimal] | None) -> Grouping:
    values = table.values(column)
    if limits is None:
        labels = tuple(_label(text) for _, text in values)
        return Grouping(by=column, labels=labels, order=tuple(sorted(set(labels), key=_natural)))
    amounts = parse_amounts(values, f"{table.name}, {column}")
    names = _band_names(limits)
    labels = tuple(
        NOT_STATED if amount is None else names[sum(amount >= limit for limit in limits)]
        for amount in amounts
    )
    there = set(labels)
    order = tuple(name for name in (*names, NOT_STATED) if name in there)
    return Grouping(by=column, labels=labels, order=order)


def _label(text: str) -> str:
    """Return a group's name; one that is called as the row of totals is must not be taken for it."""
    plain = " ".join(text.split()) or NOT_STATED
    return f"{plain} (group)" if plain.lower() == TOTAL.lower() else plain


def _natural(text: str) -> tuple[bool, Decimal, str]:
    plain = re.fullmatch(r"-?\d+(?:\.\d+)?", text)
    return (plain is None, Decimal(text) if plain else Decimal(), text)


def _band_names(limits: Sequence[Decimal]) -> list[str]:
    inner = [f"{low:f} to under {high:f}" for low, high in pairwise(limits)]
    return [f"under {limits[0]:f}", *inner, f"{limits[-1]:f} and over"]


def _crossed(parts: Sequence[Grouping]) -> Grouping:
    labels = tuple(" · ".join(each) for each in zip(*(part.labels for part in parts), strict=True))
    there = set(labels)
    order = [""]
    for part in parts:
        order = [f"{head} · {tail}" if head else tail for head in order for tail in part.order]
    return Grouping(
        by=" × ".join(part.by for part in parts),
        labels=labels,
        order=tuple(label for label in order if label in there),
    )


def _bands(table: Table, text: str) -> Mapping[str, tuple[Decimal, ...]]:
    found: dict[str, tuple[Decimal, ...]] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        name, _, limits = entry.partition(":")
        figures = [part.strip() for part in limits.split(",")]
        amounts = parse_amounts(list(enumerate(figures, 1)), "bands")
        limits_given = tuple(amount for amount in amounts if amount is not None)
        if not limits_given or list(limits_given) != sorted(set(limits_given)):
            raise ToolInputError(
                f"The bands {entry!r} are none; write them rising, as Age: 30, 40, 50."
            )
        found[_column(table, name.strip())] = limits_given
    return found
