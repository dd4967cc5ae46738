"""What a variance is made of: the rows of two periods by item, and the drivers that lead from one total to the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Literal

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column, parse_amounts, read_table

BASE_WORDS = frozenset(
    [
        "budget",
        "plan",
        "planned",
        "target",
        "forecast",
        "prior",
        "previous",
        "last",
        "py",
        "base",
        "standard",
    ]
)
NEW_WORDS = frozenset(["actual", "actuals", "current", "this", "cy", "new", "result"])
QUANTITY_WORDS = frozenset(["quantity", "qty", "units", "volume", "hours", "pieces", "tonnes"])
ITEMS = (
    "item",
    "product",
    "line",
    "account name",
    "account",
    "name",
    "description",
    "category",
    "sku",
)
SCENARIOS = ("scenario", "version", "period", "year")
AMOUNTS = ("amount", "revenue", "sales", "value", "cost", "total", "net")
COLUMNS = frozenset(
    ("item", "type", "base", "actual", "base_quantity", "actual_quantity", "scenario", "amount", "quantity", "sheet")
)  # fmt: skip
COSTS = frozenset(["cost", "costs", "expense", "expenses", "cogs"])
SHOWN_LIMIT = 10
Class = Literal["continuing", "new", "ended", "line", "shown", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a figure stands: file, sheet (of a workbook), row and column's title and letter number, from 1."""

    path: str
    sheet: str
    row: int
    column: str
    number: int

    def __str__(self) -> str:
        """For people."""
        where = f" {self.sheet}" if self.sheet else ""
        return f"{self.path}{where} row {self.row}, {self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """An item's figures in one period. `quantity`: None where none is given."""

    amount: Decimal = Decimal()
    quantity: Decimal | None = None
    places: tuple[Place, ...] = ()

    def plus(self, other: Side) -> Side:
        """Return the sum of both."""
        known = [q for q in (self.quantity, other.quantity) if q is not None]
        return Side(
            amount=self.amount + other.amount,
            quantity=sum(known, Decimal()) if known else None,
            places=(*self.places, *other.places),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item in both periods. `is_cost`: it lowers the result. `kind`: how the bridge takes it in."""

    name: str
    is_cost: bool
    base: Side
    actual: Side
    kind: Class = "other"

    @property
    def effect(self) -> Decimal:
        """By how much it changes the result."""
        gap = self.actual.amount - self.base.amount
        return -gap if self.is_cost else gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A line is material if its variance is at least `amount` and at least `percent` of its base figure."""

    amount: Decimal
    percent: Decimal

    def holds(self, item: Item) -> bool:
        """Say whether an item is over both."""
        share = self.percent * abs(item.base.amount)
        return (
            bool(item.effect)
            and abs(item.effect) >= self.amount
            and 100 * abs(item.effect) >= share
        )

    def __str__(self) -> str:
        """For people."""
        return f"at least {self.amount:,f} and {self.percent:f} % of the line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Start, drivers in order and end: start plus drivers is end, exactly."""

    start_name: str
    end_name: str
    items: tuple[Item, ...]
    drivers: tuple[tuple[str, Decimal], ...]
    limits: Limits
    places: int
    by_quantity: bool

    @property
    def start(self) -> Decimal:
        """The base period's result."""
        return total(self.items, "base")

    @property
    def end(self) -> Decimal:
        """The other period's result."""
        return total(self.items, "actual")


def total(items: Iterable[Item], side: Literal["base", "actual"]) -> Decimal:
    """Return the result of one side: costs are taken off."""
    return sum(
        ((-1 if i.is_cost else 1) * (i.base if side == "base" else i.actual).amount for i in items),
        Decimal(),
    )


def read_items(
    file: Path, name: str, columns: Mapping[str, str], base_file: tuple[Path, str] | None = None
) -> tuple[tuple[Item, ...], tuple[str, str]]:
    """Return the items of both periods and the periods' names.

    Args:
        file: CSV or XLSX: two columns of figures, or one with a column that names the scenario.
        name: its workspace path.
        columns: names where they cannot be told.
        base_file: the base period's own file and path; then each file has one column of figures.

    Raises:
        ToolInputError: columns cannot be told, or figures not be read.
    """
    unknown = sorted(set(columns) - COLUMNS)
    if unknown:
        raise ToolInputError(f"Column {unknown[0]!r} is unknown; use {', '.join(sorted(COLUMNS))}.")
    table = read_table(file, name=name, sheet=columns.get("sheet", ""))
    if base_file is not None:
        before = read_table(base_file[0], name=base_file[1], sheet=columns.get("sheet", ""))
        names = (Path(base_file[1]).stem, Path(name).stem)
        sides = [_one_sided(before, columns, 0), _one_sided(table, columns, 1)]
        return _joined([row for side in sides for row in side]), names
    scenario = find_column(table, SCENARIOS, columns.get("scenario", ""))
    if scenario and not columns.get("base") and len(_scenarios(table, scenario)) == 2:
        both = _ordered(_scenarios(table, scenario), name)
        return _joined(_one_sided(table, columns, None, scenario, both)), both
    return _two_columns(table, columns)


Row = tuple[str, bool, int, Side]
"""(item, is a cost, 0 for the base or 1, its figures)."""


def _joined(rows: Sequence[Row]) -> tuple[Item, ...]:
    found: dict[tuple[str, bool], list[Side]] = {}
    for name, is_cost, place, side in rows:
        sides = found.setdefault((name, is_cost), [Side(), Side()])
        sides[place] = sides[place].plus(side)
    if not found:
        raise ToolInputError("There are no rows with an item and a figure.")
    return tuple(
        Item(name=name, is_cost=is_cost, base=base, actual=actual)
        for (name, is_cost), (base, actual) in found.items()
    )


def _scenarios(table: Table, column: str) -> list[str]:
    return list(dict.fromkeys(text for _, text in table.values(column) if text))


def _ordered(names: Sequence[str], file: str) -> tuple[str, str]:
    one, other = names
    for first, second in ((one, other), (other, one)):
        if _words(first) & BASE_WORDS or _words(second) & NEW_WORDS:
            return first, second
    if (one.isdigit() and other.isdigit()) or (_year(one) and _year(other)):
        return (one, other) if _year(one) < _year(other) else (other, one)
    raise ToolInputError(f"{file}: say which of {one} and {other} is the base; use `columns`.")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower().replace("_", " ")))


def _year(text: str) -> str:
    found = re.search(r"(?:19|20)\d{2}", text)
    return found[0] if found else ""


def _one_sided(
    table: Table,
    columns: Mapping[str, str],
    side: int | None,
    scenario: str = "",
    both: tuple[str, str] = ("", ""),
) -> list[Row]:
    item = _item(table, columns)
    amount = find_column(table, AMOUNTS, columns.get("amount", ""))
    if amount is None or amount == item:
        raise ToolInputError(
            f"{table.name} has no column of amounts; it has {', '.join(table.columns)}."
        )
    quantity = find_column(table, tuple(sorted(QUANTITY_WORDS)), columns.get("quantity", ""))
    names = table.values(scenario) if scenario else [(0, "")] * len(table.rows)
    rows: list[Row] = []
    for index, (name, is_cost) in enumerate(_named(table, item, columns)):
        found = _side(table, index, amount, quantity)
        if name and found and (not scenario or names[index][1]):
            place = side if side is not None else both.index(names[index][1])
            rows.append((name, is_cost, place, found))
    return rows


def _two_columns(
    table: Table, columns: Mapping[str, str]
) -> tuple[tuple[Item, ...], tuple[str, str]]:
    item = _item(table, columns)
    base, actual = _pair(table, columns, item)
    quantities = _quantities(table, columns)
    rows: list[Row] = []
    for index, (name, is_cost) in enumerate(_named(table, item, columns)):
        for place, (amount, quantity) in enumerate(zip((base, actual), quantities, strict=True)):
            found = _side(table, index, amount, quantity)
            if name and found:
                rows.append((name, is_cost, place, found))
    return _joined(rows), (base, actual)


def _item(table: Table, columns: Mapping[str, str]) -> str:
    item = find_column(table, ITEMS, columns.get("item", ""))
    if item is None:
        raise ToolInputError(
            f"{table.name} has no column of items; it has {', '.join(table.columns)}."
        )
    return item


def _pair(table: Table, columns: Mapping[str, str], item: str) -> tuple[str, str]:
    """Return the titles of the two columns of figures."""
    given = [find_column(table, (), columns[k]) for k in ("base", "actual") if columns.get(k)]
    if len(given) == 2 and given[0] and given[1]:
        return given[0], given[1]
    rest = [
        c
        for c in table.columns
        if c != item and not _words(c) & (QUANTITY_WORDS | {"price", "variance", "change", "var"})
    ]
    old = [c for c in rest if _words(c) & BASE_WORDS]
    new = [c for c in rest if _words(c) & NEW_WORDS]
    if len(old) == 1 and len(new) == 1:
        return old[0], new[0]
    years = sorted((c for c in rest if _year(c)), key=_year)
    if len(years) == 2:
        return years[0], years[1]
    raise ToolInputError(
        f"{table.name}: which columns are the two figures? It has {', '.join(table.columns)}; "
        "give `columns` base and actual."
    )


def _quantities(table: Table, columns: Mapping[str, str]) -> tuple[str | None, str | None]:
    given = [
        find_column(table, (), columns[k]) if columns.get(k) else None
        for k in ("base_quantity", "actual_quantity")
    ]
    if any(given):
        return given[0], given[1]
    known = [c for c in table.columns if _words(c) & QUANTITY_WORDS]
    old = [c for c in known if _words(c) & BASE_WORDS]
    new = [c for c in known if _words(c) & NEW_WORDS]
    if len(old) == 1 and len(new) == 1:
        return old[0], new[0]
    years = sorted((c for c in known if _year(c)), key=_year)
    return (years[0], years[1]) if len(years) == 2 else (None, None)


def _named(table: Table, item: str, columns: Mapping[str, str]) -> list[tuple[str, bool]]:
    kind = find_column(table, ("type", "kind", "class"), columns.get("type", ""))
    found = []
    for row in table.rows:
        name = row.cells[table.columns.index(item)]
        words = _words(row.cells[table.columns.index(kind)]) if kind else frozenset()
        is_total = name.lower().startswith(("total", "subtotal", "sum", "grand total", "summe"))
        found.append(("" if is_total else name, bool(words & COSTS)))
    return found


def _side(table: Table, index: int, amount: str, quantity: str | None) -> Side | None:
    """Return the figures of one row; None if it has none."""
    row = table.rows[index]

    def figure(column: str) -> Decimal | None:
        return _figures(table, column)[index]

    money = figure(amount)
    count = figure(quantity) if quantity else None
    if money is None and count is None:
        return None
    number = table.columns.index(amount) + 1
    place = Place(path=table.name, sheet=table.sheet, row=row.number, column=amount, number=number)
    return Side(amount=money or Decimal(), quantity=count, places=(place,))


def _figures(table: Table, column: str) -> list[Decimal | None]:
    key = (id(table), column)
    if key not in _CACHE or _CACHE[key][0] is not table:
        _CACHE.clear()
        _CACHE[key] = (table, parse_amounts(table.values(column), f"{table.name}, {column}"))
    return _CACHE[key][1]


_CACHE: dict[tuple[int, str], tuple[Table, list[Decimal | None]]] = {}


def bridge(items: Sequence[Item], names: tuple[str, str], limits: Limits) -> Bridge:
    """Return the bridge: by volume, mix and price where quantities allow, else by line.

    Volume is the change of the whole quantity at the base period's average price; mix is what another
    composition of that quantity changes at base prices; price is what other prices change at actual quantities.
    """
    places = max(2, *(_decimals(f) for i in items for f in (i.base.amount, i.actual.amount)))
    kinds = [_kind(item) for item in items]
    by_quantity = "continuing" in kinds
    if by_quantity:
        known = tuple(replace(i, kind=k) for i, k in zip(items, kinds, strict=True))
        drivers = _by_quantity(known, places)
    else:
        known, drivers = _by_line(items, limits)
    return Bridge(
        start_name=names[0],
        end_name=names[1],
        items=known,
        drivers=tuple(drivers),
        limits=limits,
        places=places,
        by_quantity=by_quantity,
    )


def _decimals(figure: Decimal) -> int:
    exponent = figure.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _kind(item: Item) -> Class:
    one, other = item.base, item.actual
    if item.is_cost:
        return "line"
    if (one.quantity or 0) > 0 and (other.quantity or 0) > 0:
        return "continuing"
    if not one.amount and not one.quantity and other.quantity:
        return "new"
    if not other.amount and not other.quantity and one.quantity:
        return "ended"
    return "line"


def flexed(item: Item, places: int) -> Decimal:
    """Return the actual quantity at the base period's price."""
    one, other = item.base.quantity, item.actual.quantity
    assert one
    assert other
    exact = other * item.base.amount / one
    return _rounded(exact, places)


def _rounded(figure: Decimal, places: int) -> Decimal:
    return figure.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


VOLUME, MIX, PRICE = "Volume", "Mix", "Price"
NEW, ENDED, LINES = "New items", "Ended items", "Lines without quantities"
OTHERS = "All other lines"


def _by_quantity(items: Sequence[Item], places: int) -> list[tuple[str, Decimal]]:
    same = [item for item in items if item.kind == "continuing"]
    before = sum((i.base.amount for i in same), Decimal())
    old = sum((i.base.quantity or Decimal() for i in same), Decimal())
    new = sum((i.actual.quantity or Decimal() for i in same), Decimal())
    at_base = sum((flexed(item, places) for item in same), Decimal())
    volume = _rounded(before * (new - old) / old, places)
    drivers = [
        (VOLUME, volume),
        (MIX, at_base - before - volume),
        (PRICE, sum((i.actual.amount for i in same), Decimal()) - at_base),
    ]
    for title, kind in ((NEW, "new"), (ENDED, "ended"), (LINES, "line")):
        rest = [item.effect for item in items if item.kind == kind]
        if rest:
            drivers.append((title, sum(rest, Decimal())))
    return drivers


def _by_line(
    items: Sequence[Item], limits: Limits
) -> tuple[tuple[Item, ...], list[tuple[str, Decimal]]]:
    ranked = sorted(items, key=lambda item: -abs(item.effect))
    material = [i for i in ranked if limits.holds(i)] or [i for i in ranked if i.effect][:5]
    shown = [(item.name, item.is_cost) for item in material[:SHOWN_LIMIT]]
    known = tuple(
        replace(i, kind="shown" if (i.name, i.is_cost) in shown else "other") for i in items
    )
    drivers = [(label(i), i.effect) for i in material[:SHOWN_LIMIT]]
    rest = [item.effect for item in known if item.kind == "other"]
    if rest:
        drivers.append((OTHERS, sum(rest, Decimal())))
    return known, drivers


def label(item: Item) -> str:
    """Return what a line's bar is called."""
    taken = item.name in (VOLUME, MIX, PRICE, NEW, ENDED, LINES, OTHERS)
    return f"{item.name} (line)" if taken else item.name
