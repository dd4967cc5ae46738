"""Pages of workbooks that tools make: rows with live formulas and their results, one look for all, native charts and rules."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate_documents.xlsx.build import Computed, build_workbook
from deskmate_documents.xlsx.refs import parse_area

Value = str | int | Decimal | Computed | dict[str, str] | None
HEAD = {"bold": True, "fill": "1F3864", "color": "FFFFFF", "wrap": True}
TOTAL = {"bold": True, "fill": "D9E2F3"}
INPUT = {"color": "0000FF"}
"""Figures that a reader may change: the usual colour of inputs in models."""
_LINE_POINTS = 15
_LETTERS = 1.1
"""Letters of usual text that take the width of a digit."""
_LINES_LIMIT = 27
"""A row is 409 points high at most."""
_BESIDE_FIGURES = "General;-General;General;_-_-@"
"""For texts to the right of a column of figures, which end where the texts would begin."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f￾￿]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One sheet. `rows`: header first. `totals`: numbers of rows that are totals. `edits`: rules and looks of its cells."""

    name: str
    rows: Sequence[Sequence[Value]]
    widths: Sequence[int]
    formats: Sequence[str] = ()
    totals: Sequence[int] = ()
    charts: Sequence[Mapping[str, Any]] = ()
    edits: Sequence[Mapping[str, Any]] = ()
    freeze: str = "A2"
    inputs: Sequence[str] = field(default=())

    def described(self) -> dict[str, Any]:
        """Return it as the builder of workbooks takes it."""
        return {
            "name": self.name,
            "rows": [[_plain(value) for value in row] for row in self.rows],
            "widths": list(self.widths),
            "formats": self._formats(),
            "heights": self._heights(),
            "freeze": self.freeze,
            "charts": list(self.charts),
            "print": "landscape",
        }

    def _formats(self) -> list[str]:
        """Return a format for each column: texts keep their distance from figures on their left."""
        given = [*self.formats, *([""] * (len(self.widths) - len(self.formats)))]
        return [
            _BESIDE_FIGURES if not code and place and given[place - 1] else code
            for place, code in enumerate(given)
        ]

    def _heights(self) -> dict[int, int]:
        """Return row → points, for rows in which a text needs more than a line: not every reader works it out."""
        lines = {1: max(self._lines(place, value) for place, value in enumerate(self.rows[0]))}
        for edit in self.edits:
            if not edit.get("wrap"):
                continue
            area = parse_area(str(edit["cells"]))
            for number in range(area.top, min(area.bottom, len(self.rows)) + 1):
                cells = list(enumerate(self.rows[number - 1]))[area.left - 1 : area.right]
                needed = [self._lines(place, value) for place, value in cells]
                lines[number] = max([lines.get(number, 1), *needed])
        return {
            number: _LINE_POINTS * min(count, _LINES_LIMIT)
            for number, count in lines.items()
            if count > 1
        }

    def _lines(self, place: int, value: Value) -> int:
        """Return the lines that a wrapped cell takes: a column is as wide as so many digits, about so many letters."""
        text = value if isinstance(value, str) else ""
        width = self.widths[place] if place < len(self.widths) else 8
        return sum(math.ceil(len(part) / (_LETTERS * width)) or 1 for part in text.split("\n"))

    def looks(self) -> list[dict[str, Any]]:
        """Return the edits that give it its look."""
        last = column(max(len(row) for row in self.rows))
        edits = [{"op": "style", "cells": self.at(f"A1:{column(len(self.rows[0]))}1"), **HEAD}]
        edits += [
            {"op": "style", "cells": self.at(f"{column(place)}1"), "align": "right"}
            for place, code in enumerate(self.formats[: len(self.rows[0])], 1)
            if code
        ]
        edits += [
            {"op": "style", "cells": self.at(f"{column(place)}1"), "number_format": code}
            for place, code in enumerate(self._formats()[: len(self.rows[0])], 1)
            if code == _BESIDE_FIGURES
        ]
        edits += [
            {"op": "style", "cells": self.at(f"A{row}:{last}{row}"), **TOTAL} for row in self.totals
        ]
        edits += [{"op": "style", "cells": self.at(cells), **INPUT} for cells in self.inputs]
        return edits + [{**edit, "cells": self.at(str(edit["cells"]))} for edit in self.edits]

    def at(self, cells: str) -> str:
        """Return cells of this sheet as formulas name them."""
        return f"'{self.name}'!{cells}"


def write_book(target: Path, pages: Sequence[Page]) -> None:
    """Write a new workbook, or replace an earlier one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    edits = [edit for page in pages for edit in page.looks()]
    build_workbook(target, [page.described() for page in pages], edits)


def _plain(value: Value) -> Value:
    """Return a value with texts as texts: what a source says never becomes a formula."""
    if isinstance(value, str):
        return {"text": _CONTROL.sub("", value)[:32_000]}
    return value


def column(number: int) -> str:
    """Return the letters of a column, from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def total_of(rows: Sequence[Sequence[Value]], place: int) -> Computed:
    """Return the live sum of a column (from 0) of rows that stand below a header."""
    letter = column(place + 1)
    figures = [figure(row[place]) for row in rows]
    return Computed(f"=SUM({letter}2:{letter}{len(rows) + 1})", sum(figures, Decimal()))


def figure(value: Value) -> Decimal:
    """Return the figure of a cell, nothing being 0."""
    if isinstance(value, Computed):
        return figure(value.result)
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal()
