"""Reads the figures of vendors from a table of criteria, or measures suppliers from an order database in SQLite."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import find_column, parse_amounts, read_table

DATABASES = (".sqlite", ".sqlite3", ".db")
VENDORS = ("vendor", "supplier", "vendor name", "supplier name", "company", "name")
LIMIT_BYTES = 512 * 1024 * 1024
ROWS_LIMIT = 2_000_000

Figures = dict[str, dict[str, Decimal]]


def read_figures(file: Path, name: str) -> Figures:
    """Return vendor → criterion → figure from a CSV or XLSX table, or from a database of orders.

    Raises:
        ToolInputError: it is neither, or a figure is missing.
    """
    if file.suffix.lower() in DATABASES:
        return _from_database(file, name)
    table = read_table(file, name=name)
    vendor = find_column(table, VENDORS)
    if vendor is None:
        raise ToolInputError(f"{name} has no vendor column; it has {', '.join(table.columns)}.")
    figures: Figures = {text: {} for _, text in table.values(vendor) if text}
    if len(figures) != len(table.rows):
        raise ToolInputError(f"{name}: each row needs a vendor of its own.")
    for column in table.columns:
        values = table.values(column)
        if column == vendor or not any(
            re.fullmatch(r"[-+(]?[\d.,]+\)?", text) for _, text in values
        ):
            continue
        amounts = parse_amounts(values, f"{name}, {column}")
        for (row, who), amount in zip(table.values(vendor), amounts, strict=True):
            if amount is None:
                raise ToolInputError(f"{name}, row {row}: {column} of {who} is missing.")
            figures[who][column] = amount
    if not any(figures.values()):
        raise ToolInputError(f"{name} has no column of figures.")
    return figures


def _from_database(file: Path, name: str) -> Figures:
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than 512 MiB.")
    try:
        with closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            return _suppliers(_Tables(database, name))
    except sqlite3.Error as problem:
        raise ToolInputError(f"{name} is not a readable SQLite database: {problem}.") from problem


class _Tables:
    """Finds tables and columns by meaning: `Order Details`, `order_details` and `OrderDetails` are one."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self.database, self.name = database, name
        found = database.execute(
            "select name from sqlite_master where type = 'table' order by name"
        )
        self.tables = [str(row[0]) for row in found]

    def rows(self, known: Sequence[str], columns: Sequence[Sequence[str]]) -> list[tuple[Any, ...]]:
        """Return the rows of the table that is meant, with the columns that are meant.

        Raises:
            ToolInputError: there is no such table or column, or it has over two million rows.
        """
        table = next((t for word in known for t in self.tables if _plain(t) == word), None)
        if table is None:
            raise ToolInputError(
                f"{self.name} has no table of {known[0]}; it has {', '.join(self.tables)}."
            )
        there = [
            str(row[1]) for row in self.database.execute(f"pragma table_info({_quoted(table)})")
        ]
        chosen = []
        for names in columns:
            column = next((c for word in names for c in there if _plain(c) == word), None)
            if column is None:
                raise ToolInputError(
                    f"{self.name}, {table}: no column for {names[0]}; it has {', '.join(there)}."
                )
            chosen.append(_quoted(column))
        query = f"select {', '.join(chosen)} from {_quoted(table)} limit {ROWS_LIMIT + 1}"  # noqa: S608 - quoted names
        rows = self.database.execute(query).fetchall()
        if len(rows) > ROWS_LIMIT:
            raise ToolInputError(f"{self.name}, {table} has more than {ROWS_LIMIT} rows.")
        return rows


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _suppliers(tables: _Tables) -> Figures:
    suppliers = tables.rows(
        ("suppliers", "supplier", "vendors", "vendor"),
        (("supplierid", "vendorid", "id"), ("companyname", "name", "suppliername", "vendorname")),
    )
    products = tables.rows(
        ("products", "product"),
        (
            ("productid", "id"),
            ("supplierid", "vendorid"),
            ("unitprice", "price"),
            ("unitsinstock", "stock"),
            ("reorderlevel",),
            ("discontinued",),
        ),
    )
    lines = tables.rows(
        ("orderdetails", "orderdetail", "orderlines"),
        (("productid",), ("unitprice", "price"), ("quantity",), ("discount",)),
    )
    labels = _labels(suppliers)
    figures = {label: dict.fromkeys(DATABASE_CRITERIA, Decimal()) for label in labels.values()}
    owner: dict[Any, str] = {}
    for product, supplier, price, stock, level, discontinued in products:
        if supplier not in labels:
            continue
        owner[product] = labels[supplier]
        own = figures[labels[supplier]]
        own["Products"] += 1
        own["Discontinued"] += str(discontinued) not in ("0", "", "None")
        own["Stock value"] += _decimal(price) * _decimal(stock)
        own["Below reorder level"] += _decimal(stock) < _decimal(level)
    for product, price, quantity, discount in lines:
        if product in owner:
            own = figures[owner[product]]
            own["Units sold"] += _decimal(quantity)
            own["Sales"] += _decimal(price) * _decimal(quantity) * (1 - _decimal(discount))
    for own in figures.values():
        own["Sales"] = own["Sales"].quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        own["Stock value"] = own["Stock value"].quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return figures


DATABASE_CRITERIA = (
    "Products",
    "Discontinued",
    "Stock value",
    "Below reorder level",
    "Units sold",
    "Sales",
)


def _labels(suppliers: Sequence[tuple[Any, ...]]) -> dict[Any, str]:
    names = [str(name) for _, name in suppliers]
    return {
        key: str(name) if names.count(str(name)) == 1 else f"{name} ({key})"
        for key, name in suppliers
    }


def _decimal(value: Any) -> Decimal:
    # SQLite gives floats for decimals: their shortest text is the figure that was entered.
    return Decimal(str(value)) if value not in (None, "") else Decimal()


def read_sources(file: Path, name: str) -> dict[str, str]:
    """Return vendor → where its figures stand."""
    if file.suffix.lower() in DATABASES:
        where = f"{name}, tables of suppliers, products and order lines"
        return dict.fromkeys(_from_database(file, name), where)
    table = read_table(file, name=name)
    vendor = find_column(table, VENDORS) or table.columns[0]
    return {text: f"{name}, row {number}" for number, text in table.values(vendor)}


def weights_of(figures: Figures, given: Mapping[str, str]) -> dict[str, Decimal]:
    """Return criterion → weight; none given means equal weights of all criteria.

    Raises:
        ToolInputError: an unknown criterion, no figure, or the weights do not add up to 1.
    """
    known = list(next(iter(figures.values())))
    if not given:
        return dict.fromkeys(known, Decimal(1) / len(known))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ToolInputError(f"There is no criterion {unknown[0]!r}; there are {', '.join(known)}.")
    parsed = parse_amounts(list(enumerate(given.values(), start=1)), "weights")
    weights = {name: weight or Decimal() for name, weight in zip(given, parsed, strict=True)}
    if sum(weights.values()) != 1 or min(weights.values()) < 0:
        raise ToolInputError(
            f"The weights add up to {sum(weights.values()):f}; they must add up to 1 and none be negative."
        )
    return weights
