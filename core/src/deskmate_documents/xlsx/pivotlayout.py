"""A pivot table computed: which rows and columns it has, and what stands in each of its cells."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.pivotsource import Item, Source

CELLS_LIMIT = 200_000
FUNCTIONS = {
    "sum": "Sum", "count": "Count", "average": "Average", "max": "Max", "min": "Min", "product": "Product",
    "countNums": "Count", "stdDev": "StdDev", "stdDevp": "StdDevp", "var": "Var", "varp": "Varp",
}  # fmt: skip
Combination = tuple[int, ...]
"""Positions of items in the lists of their fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure that a pivot table shows. `function`: as pivot tables name it."""

    field: int
    function: str
    caption: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a pivot table shows. `filters`: (field, position of the chosen item or None for all).

    `items`: field → its items in the order in which they are shown; `hidden`: field → positions that are not shown.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    filters: tuple[tuple[int, int | None], ...]
    measures: tuple[Measure, ...]
    items: Mapping[int, Sequence[Item]]
    hidden: Mapping[int, frozenset[int]] = field(default_factory=dict)
    row_totals: bool = True
    column_totals: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell. `role`: label, caption, total (its label) or figure; `item`, `value`, `text` by role.

    `field`: of a label. `measure`: of a figure.
    """

    role: Literal["label", "caption", "total", "figure"]
    text: str = ""
    item: Item | None = None
    value: float | str | None = None
    field: int = -1
    measure: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A computed pivot table. `rows`, `columns`: combinations, without totals. `cells`: (row, column) from 0.

    `header`: rows above the first figure.
    """

    rows: tuple[Combination, ...]
    columns: tuple[Combination, ...]
    cells: Mapping[tuple[int, int], Cell]
    header: int
    height: int
    width: int


def compute(source: Source, spec: Spec) -> Grid:
    """Compute a pivot table.

    Raises:
        ToolInputError: it would be too large.
    """
    groups = _group(source, spec)
    rows = tuple(sorted({row for row, _ in groups}))
    columns = tuple(sorted({column for _, column in groups}))
    measures = len(spec.measures)
    header = 1 + len(spec.columns) if spec.columns else 1
    header += bool(spec.columns) and measures > 1
    body = len(rows) + spec.column_totals
    shown = [*columns] if spec.columns else [()]
    total_column = bool(spec.columns) and spec.row_totals
    width = len(spec.rows) + (len(shown) + total_column) * measures
    if (header + body) * width > CELLS_LIMIT:
        raise ToolInputError(
            f"The pivot table would have {(header + body) * width} cells, more than {CELLS_LIMIT}."
        )
    cells: dict[tuple[int, int], Cell] = {}
    _paint_header(cells, spec, shown, header, total=total_column)
    _paint_labels(cells, spec, rows, header)
    totals = _totals(groups)
    lines: list[Combination | None] = [*rows, *([None] if spec.column_totals else [])]
    across: list[Combination | None] = [*shown, *([None] if total_column else [])]
    for line, row in enumerate(lines):
        for place, column in enumerate(across):
            values = totals.get((row, column))
            for number, measure in enumerate(spec.measures):
                value = aggregate(measure.function, values[number]) if values else None
                if value is not None:
                    at = (header + line, len(spec.rows) + place * measures + number)
                    cells[at] = Cell("figure", value=value, measure=number)
    return Grid(
        rows=rows,
        columns=columns if spec.columns else (),
        cells=cells,
        header=header,
        height=header + body,
        width=width,
    )


Groups = dict[tuple[Combination, Combination], list[list[Item]]]


def _group(source: Source, spec: Spec) -> Groups:
    position = {
        number: {item.key: at for at, item in enumerate(items)}
        for number, items in spec.items.items()
    }
    groups: Groups = {}
    axes = (*spec.rows, *spec.columns, *(number for number, _ in spec.filters))
    chosen = {number: item for number, item in spec.filters if item is not None}
    for row in source.rows:
        at = {number: position[number][row[number].key] for number in axes}
        if any(at[n] in spec.hidden.get(n, ()) for n in axes):
            continue
        if any(at[n] != item for n, item in chosen.items()):
            continue
        key = (tuple(at[n] for n in spec.rows), tuple(at[n] for n in spec.columns))
        lists = groups.setdefault(key, [[] for _ in spec.measures])
        for values, measure in zip(lists, spec.measures, strict=True):
            values.append(row[measure.field])
    return groups


def _totals(
    groups: Groups,
) -> dict[tuple[Combination | None, Combination | None], list[list[Item]]]:
    """Return the values of each cell, None standing for a total."""
    found: dict[tuple[Combination | None, Combination | None], list[list[Item]]] = {}
    for (row, column), lists in groups.items():
        for key in ((row, column), (row, None), (None, column), (None, None)):
            known = found.setdefault(key, [[] for _ in lists])
            for all_values, values in zip(known, lists, strict=True):
                all_values.extend(values)
    return found


def aggregate(function: str, items: Sequence[Item]) -> float | str | None:
    """Return what a function makes of values; an error among them is the result, None an empty cell."""
    error = next((item.text for item in items if item.kind == "e"), None)
    if function == "count":
        return float(sum(item.kind != "m" for item in items))
    if error is not None and function != "countNums":
        return error
    numbers = [n for item in items if (n := item.number) is not None]
    if function == "countNums":
        return float(len(numbers))
    if function == "sum":
        return math.fsum(numbers)
    if function in ("max", "min", "product") and not numbers:
        return 0.0
    if not numbers or (function in ("stdDev", "var") and len(numbers) < 2):
        return "#DIV/0!"
    return _OF_NUMBERS[function](numbers)


_OF_NUMBERS: dict[str, Callable[[Sequence[float]], float]] = {
    "average": lambda numbers: math.fsum(numbers) / len(numbers),
    "max": max,
    "min": min,
    "product": math.prod,
    "stdDev": statistics.stdev,
    "stdDevp": statistics.pstdev,
    "var": statistics.variance,
    "varp": statistics.pvariance,
}


def _paint_header(
    cells: dict[tuple[int, int], Cell],
    spec: Spec,
    shown: Sequence[Combination],
    header: int,
    *,
    total: bool,
) -> None:
    first, measures = len(spec.rows), len(spec.measures)
    for at, number in enumerate(spec.rows):
        cells[header - 1, at] = Cell("caption", field=number)
    if spec.columns:
        if measures == 1:
            cells[0, 0] = Cell("caption", text=spec.measures[0].caption)
        for at, number in enumerate(spec.columns):
            cells[0, first + at] = Cell("caption", field=number)
    _paint_columns(cells, spec, shown)
    if measures > 1 or not spec.columns:
        for place in range(len(shown)):
            for number, measure in enumerate(spec.measures):
                left = first + place * measures + number
                cells[header - 1, left] = Cell("caption", text=measure.caption)
    if total:
        left = first + len(shown) * measures
        for number, measure in enumerate(spec.measures):
            text = f"Total {measure.caption}" if measures > 1 else "Grand Total"
            cells[1, left + number] = Cell("total", text=text)


def _paint_columns(
    cells: dict[tuple[int, int], Cell], spec: Spec, shown: Sequence[Combination]
) -> None:
    """Paint the labels of the columns, an outer one once for all that stand under it."""
    before: Combination = ()
    for place, column in enumerate(shown):
        left = len(spec.rows) + place * len(spec.measures)
        for level, item in enumerate(column):
            if before[: level + 1] != column[: level + 1]:
                number = spec.columns[level]
                label = spec.items[number][item]
                cells[1 + level, left] = Cell("label", item=label, field=number)
        before = column


def _paint_labels(
    cells: dict[tuple[int, int], Cell], spec: Spec, rows: Sequence[Combination], header: int
) -> None:
    before: Combination = ()
    for line, row in enumerate(rows):
        for level, item in enumerate(row):
            if before[: level + 1] != row[: level + 1]:
                label = spec.items[spec.rows[level]][item]
                cells[header + line, level] = Cell("label", item=label, field=spec.rows[level])
        before = row
    if spec.column_totals:
        cells[header + len(rows), 0] = Cell("total", text="Grand Total")
