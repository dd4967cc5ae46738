"""A pivot table computed: which rows and columns it has, and what stands in each of its cells."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.pivotaxes import Axis, Combination, Form, Line
from deskmate_documents.xlsx.pivotsource import Item, Source

CELLS_LIMIT = 200_000
FUNCTIONS = {
    "sum": "Sum", "count": "Count", "average": "Average", "max": "Max", "min": "Min", "product": "Product",
    "countNums": "Count", "stdDev": "StdDev", "stdDevp": "StdDevp", "var": "Var", "varp": "Varp",
}  # fmt: skip


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
    `forms`, `subtotals`, `bottom`: as of an axis. `captions`: of rows and columns in compact form. `grand`: the grand
    total's name.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    filters: tuple[tuple[int, int | None], ...]
    measures: tuple[Measure, ...]
    items: Mapping[int, Sequence[Item]]
    hidden: Mapping[int, frozenset[int]] = field(default_factory=dict)
    row_totals: bool = True
    column_totals: bool = True
    forms: Mapping[int, Form] = field(default_factory=dict)
    subtotals: frozenset[int] = frozenset()
    bottom: frozenset[int] = frozenset()
    captions: tuple[str, str] = ("Row Labels", "Column Labels")
    grand: str = "Grand Total"

    def axis(self, *, rows: bool) -> Axis:
        """Return one axis."""
        return Axis(
            fields=self.rows if rows else self.columns,
            forms=self.forms,
            subtotals=self.subtotals,
            bottom=self.bottom,
            is_rows=rows,
        )

    def is_compact(self, number: int) -> bool:
        """Say whether a field is in compact form."""
        return self.forms.get(number) == "compact"


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
    """A computed pivot table. `rows`, `columns`: lines, without grand totals. `cells`: (row, column) from 0.

    `header`: rows above the first figure; `labels`: columns before it.
    """

    rows: tuple[Line, ...]
    columns: tuple[Line, ...]
    cells: Mapping[tuple[int, int], Cell]
    header: int
    labels: int
    height: int
    width: int


def compute(source: Source, spec: Spec) -> Grid:
    """Compute a pivot table.

    Raises:
        ToolInputError: it would be too large.
    """
    groups = _group(source, spec)
    down, right = spec.axis(rows=True), spec.axis(rows=False)
    rows = tuple(down.lines(sorted({row for row, _ in groups})))
    columns = tuple(right.lines(sorted({column for _, column in groups}))) if spec.columns else ()
    measures = len(spec.measures)
    header = 1 + len(spec.columns) if spec.columns else 1
    header += bool(spec.columns) and measures > 1
    shown = columns or (Line("item"),)
    across = [*shown, *([Line("grand")] if spec.columns and spec.row_totals else [])]
    lines = [*rows, *([Line("grand")] if spec.column_totals else [])]
    width = down.width + len(across) * measures
    if (header + len(lines)) * width > CELLS_LIMIT:
        raise ToolInputError(
            f"The pivot table would have {(header + len(lines)) * width} cells, more than {CELLS_LIMIT}."
        )
    cells: dict[tuple[int, int], Cell] = {}
    _paint_header(cells, spec, across, header)
    _paint_labels(cells, spec, lines, header)
    totals = _totals(groups)
    for line, row in enumerate(lines):
        if row.kind == "head" and not down.head_counts(len(row.items) - 1):
            continue
        for place, column in enumerate(across):
            values = totals.get((row.items, column.items))
            for number, measure in enumerate(spec.measures):
                value = aggregate(measure.function, values[number]) if values else None
                if value is not None:
                    at = (header + line, down.width + place * measures + number)
                    cells[at] = Cell("figure", value=value, measure=number)
    return Grid(
        rows=rows,
        columns=columns,
        cells=cells,
        header=header,
        labels=down.width,
        height=header + len(lines),
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


def _totals(groups: Groups) -> Groups:
    """Return the values of each cell: of combinations, of groups of them, and of all, which `()` stands for."""
    found: Groups = {}
    for (row, column), lists in groups.items():
        for key in product(_beginnings(row), _beginnings(column)):
            known = found.setdefault(key, [[] for _ in lists])
            for all_values, values in zip(known, lists, strict=True):
                all_values.extend(values)
    return found


def _beginnings(combination: Combination) -> list[Combination]:
    return [combination[:level] for level in range(len(combination) + 1)]


def aggregate(function: str, items: Sequence[Item]) -> float | str | None:
    """Return what a function makes of values; an error among them is the result, None an empty cell."""
    error = next((item.text for item in items if item.kind == "e"), None)
    if function == "count":
        # Excel leaves the cell empty where there is nothing to count.
        return float(sum(item.kind != "m" for item in items)) or None
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


Cells = dict[tuple[int, int], Cell]


def _paint_header(cells: Cells, spec: Spec, across: Sequence[Line], header: int) -> None:
    down, measures = spec.axis(rows=True), len(spec.measures)
    for level in range(len(spec.rows) - 1, -1, -1):
        cells[header - 1, down.place(level)] = _caption(spec, spec.rows[level], spec.captions[0])
    if spec.columns:
        if measures == 1:
            cells[0, 0] = Cell("caption", text=spec.measures[0].caption)
        shared = spec.is_compact(spec.columns[0])
        for at, number in enumerate(spec.columns[:1] if shared else spec.columns):
            cells[0, down.width + at] = _caption(spec, number, spec.captions[1])
    for place, line in enumerate(across):
        left = down.width + place * measures
        for number, measure in enumerate(spec.measures):
            if line.kind == "item" and (measures > 1 or not spec.columns):
                cells[header - 1, left + number] = Cell("caption", text=measure.caption)
    _paint_columns(cells, spec, across)


def _caption(spec: Spec, number: int, compact: str) -> Cell:
    """Return what stands above a field's labels: its name, or in compact form one word for all that share the column."""
    return (
        Cell("caption", text=compact) if spec.is_compact(number) else Cell("caption", field=number)
    )


def _paint_columns(cells: Cells, spec: Spec, across: Sequence[Line]) -> None:
    """Paint the labels of the columns, an outer one once for all that stand under it."""
    first, measures = spec.axis(rows=True).width, len(spec.measures)
    before: Combination = ()
    for place, line in enumerate(across):
        left = first + place * measures
        if line.kind in ("grand", "subtotal"):
            level = max(len(line.items) - 1, 0)
            for number, measure in enumerate(spec.measures):
                text = _total(spec, spec.columns, line, measure if measures > 1 else None)
                cells[1 + level, left + number] = Cell("total", text=text)
        else:
            for level, item in enumerate(line.items):
                if before[: level + 1] != line.items[: level + 1]:
                    number = spec.columns[level]
                    label = spec.items[number][item]
                    cells[1 + level, left] = Cell("label", item=label, field=number)
        before = line.items


def _total(spec: Spec, fields: Sequence[int], line: Line, measure: Measure | None) -> str:
    """Return what a total is called; `measure`: where there are several."""
    if line.kind == "grand":
        return f"Total {measure.caption}" if measure else spec.grand
    item = spec.items[fields[len(line.items) - 1]][line.items[-1]]
    name = "(blank)" if item.kind == "m" else item.text
    return f"{name} {measure.caption}" if measure else f"{name} Total"


def _paint_labels(cells: Cells, spec: Spec, lines: Sequence[Line], header: int) -> None:
    axis = spec.axis(rows=True)
    before: Combination = ()
    for number, line in enumerate(lines):
        if line.kind in ("grand", "subtotal"):
            at = header + number, axis.place(max(len(line.items) - 1, 0))
            cells[at] = Cell("total", text=_total(spec, spec.rows, line, None))
        else:
            for level, item in enumerate(line.items):
                if before[: level + 1] != line.items[: level + 1]:
                    label = spec.items[spec.rows[level]][item]
                    at = header + number, axis.place(level)
                    cells[at] = Cell("label", item=label, field=spec.rows[level])
        before = line.items
