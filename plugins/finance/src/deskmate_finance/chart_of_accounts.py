"""The chart of accounts: which line of the statements each account belongs to. Exactly one, or nothing is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import find_column, read_table
from deskmate_finance.lines import find_line

_RANGE = re.compile(r"(\d+)\s*(?:-|–|\.\.|to)\s*(\d+)")
_CODE = re.compile(r"\s*(\d[\d.\-/]*\d|\d)\b")


def account_code(text: str) -> str:
    """Return the number that an account's cell begins with, without separators; "" if there is none."""
    found = _CODE.match(text)
    return re.sub(r"\D", "", found[1]) if found else ""


def account_key(text: str) -> str:
    """Return what an account is known by: its number, else its name."""
    return account_code(text) or " ".join(text.lower().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A mapping. `single`: account → line title; `ranges`: (first, last, line title)."""

    name: str
    single: Mapping[str, str]
    ranges: tuple[tuple[str, str, str], ...]

    def line_of(self, account: str) -> str:
        """Return the line's title; "" if there is none. A single account comes before a range.

        Raises:
            ToolInputError: ranges give it several lines.
        """
        key = account_key(account)
        if key in self.single:
            return self.single[key]
        found = {
            line
            for first, last, line in self.ranges
            if key.isdigit() and len(key) == len(first) and first <= key <= last
        }
        if len(found) > 1:
            raise ToolInputError(
                f"{self.name} gives account {account} several lines: {', '.join(sorted(found))}."
            )
        return next(iter(found), "")


def read_chart(file: Path, name: str) -> Chart:
    """Return the chart of a CSV or XLSX file with the columns account (number, name or range) and line.

    Raises:
        ToolInputError: a column is missing, a line is none of the statements', or an account stands twice.
    """
    table = read_table(file, name=name)
    account = find_column(table, ("account", "account number", "code", "konto", "range"))
    line = find_column(table, ("line", "statement line", "fs line", "caption", "mapping"))
    if account is None or line is None or account == line:
        raise ToolInputError(
            f"{name} needs the columns account and line; it has {', '.join(table.columns)}."
        )
    single: dict[str, str] = {}
    ranges: list[tuple[str, str, str]] = []
    for (number, text), (_, title) in zip(table.values(account), table.values(line), strict=True):
        if not text and not title:
            continue
        found = find_line(title)
        if found is None:
            raise ToolInputError(f"{name}, row {number}: {title!r} is no line of the statements.")
        span = _RANGE.fullmatch(text.strip())
        if span:
            ranges.append((span[1], span[2], found.title))
            continue
        key = account_key(text)
        if not key or single.setdefault(key, found.title) != found.title:
            raise ToolInputError(f"{name}, row {number}: account {text!r} has no or several lines.")
    return Chart(name=name, single=single, ranges=tuple(ranges))


def of_column(pairs: Iterable[tuple[str, str]], name: str) -> Chart | None:
    """Return the chart that a column of the trial balance itself gives; None if a cell is no line."""
    single: dict[str, str] = {}
    for account, title in pairs:
        found = find_line(title)
        if found is None:
            return None
        if single.setdefault(account_key(account), found.title) != found.title:
            raise ToolInputError(f"{name} gives account {account} several lines.")
    return Chart(name=f"{name}, its own column", single=single, ranges=())
