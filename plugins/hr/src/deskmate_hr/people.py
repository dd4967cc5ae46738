"""Reports people by group from an employee table: headcount, leavers, shares, tenure and pay, small groups hidden."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table
from deskmate_hr.grouping import TOTAL, Grouping, groupings
from deskmate_hr.linked import SMALLEST, Figures, Mask, protect
from deskmate_hr.measures import Amounts, Measure, amounts_of, measure_of

HIDDEN = "–"
TABLES_LIMIT = 8
SETTINGS = ("left", "hired", "from", "to", "tenure", "pay", "measures", "bands")
Kind = str
"""What a column holds: `label`, `count`, `ratio`, `money` or `years`."""
Cell = str | int | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTable:
    """One table as published. `rows`: totals last; None is hidden. `header`, `kinds`: of each column."""

    by: str
    header: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_protected: bool = False

    @property
    def hidden(self) -> int:
        """How many cells are hidden."""
        return sum(cell is None for row in self.rows for cell in row)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The header and all rows as a reader sees them."""
        shown = (
            tuple(text_of(cell, kind) for cell, kind in zip(row, self.kinds, strict=True))
            for row in self.rows
        )
        return (self.header, *shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All tables, the notes on definitions, and what the measure is called."""

    tables: tuple[PeopleTable, ...]
    notes: tuple[str, ...]
    measure: Measure


def text_of(cell: Cell, kind: Kind) -> str:
    """Return a cell as a reader sees it; figures half to even."""
    if cell is None:
        return HIDDEN
    if kind == "ratio":
        return f"{(Decimal(cell) * 100).quantize(Decimal('0.1'), ROUND_HALF_EVEN)} %"
    if kind == "money":
        return f"{Decimal(cell).quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
    if kind == "years":
        return str(Decimal(cell).quantize(Decimal("0.1"), ROUND_HALF_EVEN))
    return str(cell)


def people_tables(
    table: Table, group_by: Sequence[str], settings: Mapping[str, str], least: int = SMALLEST
) -> Report:
    """Return the report.

    Args:
        table: the employees, one per row.
        group_by: column names; `A × B` crosses two columns.
        settings: `left`, `hired`, `tenure`, `pay` (column names), `from`, `to` (ISO dates of the period), `measures`
            (`tenure`, `pay`), `bands` (see grouping).
        least: the smallest count that is shown.

    Raises:
        ToolInputError: unknown columns or settings, too many groups, values that cannot be read, no protection.
    """
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")
    if not table.rows:
        raise ToolInputError(f"{table.name} has no employees.")
    if not 1 <= len(group_by) <= TABLES_LIMIT:
        raise ToolInputError(f"A report has 1 to {TABLES_LIMIT} tables, not {len(group_by)}.")
    measure = measure_of(table, settings)
    sorted_by = groupings(table, group_by, settings.get("bands", ""))
    hidden = _hidden(sorted_by, measure, least)
    values = amounts_of(table, settings, measure)
    unsafe = {one.name: _hidden_values(sorted_by, measure, one, hidden, least) for one in values}
    tables = tuple(
        _published(
            grouping,
            measure,
            hidden[place],
            values,
            {name: each[place] for name, each in unsafe.items()},
        )
        for place, grouping in enumerate(sorted_by)
    )
    return Report(tables=tables, notes=tuple(_notes(measure, values, least)), measure=measure)


def _notes(measure: Measure, values: Sequence[Amounts], least: int) -> list[str]:
    return [
        measure.note,
        *(one.note for one in values),
        f"Counts from 1 to {least - 1} are not published ({HIDDEN}), nor further figures from which they could be worked "
        "out, within a table or across the tables of this report.",
        "The figures describe groups. They are no basis for a decision on a person, and no finding of discrimination: "
        "groups may differ in role, level, hours and tenure.",
    ]


def _members(sorted_by: Sequence[Grouping]) -> list[dict[str, list[int]]]:
    found = []
    for grouping in sorted_by:
        groups: dict[str, list[int]] = {label: [] for label in grouping.order}
        for index, label in enumerate(grouping.labels):
            groups[label].append(index)
        groups[TOTAL] = list(range(len(grouping.labels)))
        found.append(groups)
    return found


def _atoms(sorted_by: Sequence[Grouping], kinds: Sequence[tuple[int, ...] | None]) -> list[int]:
    """Return the atom of each row: all alike in every grouping and count are one; −1 for who does not count."""
    known: dict[tuple[object, ...], int] = {}
    found = []
    for index, kind in enumerate(kinds):
        key = (kind, *(grouping.labels[index] for grouping in sorted_by))
        found.append(-1 if kind is None else known.setdefault(key, len(known)))
    return found


def figures_of(
    sorted_by: Sequence[Grouping], kinds: Sequence[tuple[int, ...] | None], least: int
) -> tuple[Figures, list[dict[str, tuple[Mask, ...]]]]:
    """Return what may be published, and grouping by grouping the masks of each group's counts, totals last.

    Args:
        sorted_by: the groupings.
        kinds: of each row its zeros and ones in the columns of counts; None: it does not count at all.
        least: the smallest count that may be shown.
    """
    atoms = _atoms(sorted_by, kinds)
    sizes = [0] * (max(atoms, default=-1) + 1)
    for atom in atoms:
        if atom >= 0:
            sizes[atom] += 1
    masks: list[dict[str, tuple[Mask, ...]]] = []
    families: list[tuple[Mask, ...]] = []
    totals: set[Mask] = set()
    width = next((len(kind) for kind in kinds if kind is not None), 0)
    for groups in _members(sorted_by):
        own = {
            label: tuple(
                sum(1 << atom for atom in {atoms[i] for i in rows if _counts(kinds[i], column)})
                for column in range(width)
            )
            for label, rows in groups.items()
        }
        masks.append(own)
        totals.update(own[TOTAL])
        inner = [marks for label, marks in own.items() if label != TOTAL]
        families += [tuple(marks[column] for marks in inner) for column in range(width)]
    cells = frozenset(mask for own in masks for marks in own.values() for mask in marks)
    found = Figures(
        sizes=tuple(sizes),
        cells=cells,
        families=tuple(families),
        totals=frozenset(totals),
        least=least,
    )
    return found, masks


def _counts(kind: tuple[int, ...] | None, column: int) -> bool:
    return kind is not None and bool(kind[column])


Hidden = list[dict[str, tuple[bool, ...]]]


def _hidden(sorted_by: Sequence[Grouping], measure: Measure, least: int) -> Hidden:
    kinds = [measure.counts(index) for index in range(len(sorted_by[0].labels))]
    figures, masks = figures_of(sorted_by, kinds, least)
    secret = protect(figures)
    return [
        {label: tuple(mask in secret for mask in marks) for label, marks in own.items()}
        for own in masks
    ]


def _hidden_values(
    sorted_by: Sequence[Grouping], measure: Measure, values: Amounts, hidden: Hidden, least: int
) -> list[dict[str, bool]]:
    """Return for each group whether its mean and median are hidden; a mean gives away a sum, so sums are protected."""
    kinds = [
        (1,) if values.each[i] is not None and measure.counts(i)[measure.base] else None
        for i in range(len(values.each))
    ]
    figures, masks = figures_of(sorted_by, kinds, least)
    also = {
        marks[0]
        for own, seen in zip(masks, hidden, strict=True)
        for label, marks in own.items()
        if marks and seen[label][measure.base]
    }
    secret = protect(figures, also)
    return [
        {label: not marks or not marks[0] or marks[0] in secret for label, marks in own.items()}
        for own in masks
    ]


def _published(
    grouping: Grouping,
    measure: Measure,
    seen: Mapping[str, tuple[bool, ...]],
    values: Sequence[Amounts],
    unsafe: Mapping[str, Mapping[str, bool]],
) -> PeopleTable:
    (groups,) = _members([grouping])
    base = measure.base
    header = [grouping.by, *measure.names, f"Share of {measure.names[base].lower()}"]
    kinds = ["label", *("count" for _ in measure.names), "ratio"]
    if measure.rate:
        header.append("Attrition")
        kinds.append("ratio")
    for one in values:
        header += [f"Mean {one.name}", f"Median {one.name}"]
        kinds += [one.kind, one.kind]
    whole = sum(measure.counts(i)[base] for i in groups[TOTAL])
    rows = []
    for label, members in groups.items():
        counts = _shown(members, measure, seen[label])
        total = None if seen[TOTAL][base] else whole
        row: list[Cell] = [label, *counts, ratio(counts[base], total)]
        if measure.rate:
            row.append(measure.rate(counts))
        for one in values:
            own = [one.each[i] for i in members if measure.counts(i)[base]]
            row += _middle(own, closed=unsafe[one.name][label])
        rows.append(tuple(row))
    return PeopleTable(
        by=grouping.by,
        header=tuple(header),
        kinds=tuple(kinds),
        rows=tuple(rows),
        is_protected=grouping.is_protected,
    )


def _shown(members: Sequence[int], measure: Measure, closed: Sequence[bool]) -> list[int | None]:
    columns = list(zip(*(measure.counts(i) for i in members), strict=True))
    return [None if shut else sum(column) for shut, column in zip(closed, columns, strict=True)]


def ratio(part: int | None, whole: int | None) -> Decimal | None:
    """Return a share; None where a part is hidden or there is nothing to divide by."""
    return None if part is None or not whole else Decimal(part) / whole


def _middle(values: Sequence[Decimal | None], *, closed: bool) -> list[Cell]:
    known = [value for value in values if value is not None]
    if closed or not known:
        return [None, None]
    return [sum(known, Decimal()) / len(known), statistics.median(known)]
