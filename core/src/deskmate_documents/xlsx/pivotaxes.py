"""The axes of a pivot table: the lines of its rows and columns, with heads and subtotals where its form has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Combination = tuple[int, ...]
"""Positions of items in the lists of their fields, from the outermost field on."""
Form = Literal["tabular", "outline", "compact"]
FORMS: tuple[Form, ...] = ("tabular", "outline", "compact")


@dataclass(frozen=True, slots=True)
class Line:
    """A row or column. `kind`: an item of the innermost field, the head of a group, its subtotal below, or the grand total.

    `items`: as far as they are settled; none for the grand total.
    """

    kind: Literal["item", "head", "subtotal", "grand"]
    items: Combination = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis. `fields`: outermost first. `forms`: of each, tabular where none is named.

    `subtotals`: fields whose groups have one. `bottom`: those that have it below although their form has heads.
    """

    fields: tuple[int, ...]
    forms: Mapping[int, Form]
    subtotals: Collection[int]
    bottom: Collection[int]
    is_rows: bool

    def has_head(self, level: int) -> bool:
        """Say whether the groups of this level begin with a line of their own."""
        return self.is_rows and self.forms.get(self.fields[level], "tabular") != "tabular"

    def head_counts(self, level: int) -> bool:
        """Say whether that line has the figures of the group."""
        field = self.fields[level]
        return field in self.subtotals and field not in self.bottom

    def closes(self, level: int) -> bool:
        """Say whether the groups of this level end with a subtotal."""
        with_head = self.has_head(level) and self.head_counts(level)
        return self.fields[level] in self.subtotals and not with_head

    def place(self, level: int) -> int:
        """Return the column, from 0, of the labels of this level: fields in compact form share one."""
        outer = self.fields[:level]
        return sum(self.forms.get(field, "tabular") != "compact" for field in outer)

    @property
    def width(self) -> int:
        """How many columns the labels take."""
        return self.place(len(self.fields) - 1) + 1 if self.fields else 0

    def lines(self, combinations: Sequence[Combination]) -> Iterator[Line]:
        """Yield the lines of these combinations, which are in order, without the grand total."""
        before: Combination = ()
        inner = len(self.fields) - 1
        for combination in (*combinations, None):
            common = _common(before, combination or ())
            if before:
                for level in range(inner - 1, common - 1, -1):
                    if self.closes(level):
                        yield Line("subtotal", before[: level + 1])
            if combination is None:
                return
            for level in range(common, inner):
                if self.has_head(level):
                    yield Line("head", combination[: level + 1])
            yield Line("item", combination)
            before = combination


def _common(one: Combination, other: Combination) -> int:
    """Return how many items two combinations begin with alike."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
