"""What rows of a model give away: checks that do not hold, sums that stop short, a sign that differs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from deskmate_documents.numbers import decimal_of
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.refs import Area, Place, name_of, parse_area

Cells = Mapping[Place, Value]
HALF_CENT = Decimal("0.005")
SIGNS_FROM = 4
_CHECK = re.compile(
    r"\bchecks?\b|\bout of balance\b|\bshould be (?:zero|0|nil)\b|\bcontrol total difference\b",
    re.IGNORECASE,
)
_FAILS = re.compile(
    r"^(?:false|error|fail(?:ed|s)?|wrong|no|not ok|does not tie|out)\b", re.IGNORECASE
)
_SUM = re.compile(r"\bSUM\(\s*(\$?[A-Z]{1,3}\$?\d+:\$?[A-Z]{1,3}\$?\d+)\s*\)", re.IGNORECASE)
_MOVES = re.compile(
    r"change|varian|movement|net\b|profit|income|differ|flow|growth|margin|gain|loss|return|delta|adjust|balance|check"
    r"|result|surplus|deficit|other|fx\b|exchange",
    re.IGNORECASE,
)


def _labels(cells: Cells) -> dict[int, str]:
    """Return row → the first text in it."""
    found: dict[int, str] = {}
    for place in sorted(cells):
        value = cells[place]
        if value.kind == "text" and not value.formula:
            found.setdefault(place[0], value.text)
    return found


def _figure(value: Value | None) -> Decimal | None:
    return decimal_of(value.text) if value is not None and value.kind == "number" else None


def broken_ties(cells: Cells) -> Iterator[tuple[Place, str]]:
    """Yield computed cells in rows called a check that are neither zero nor true."""
    labels = _labels(cells)
    for place, value in sorted(cells.items()):
        label = labels.get(place[0], "")
        if not value.formula or not _CHECK.search(label):
            continue
        figure = _figure(value)
        if figure is not None and abs(figure) > HALF_CENT:
            yield place, f"The check “{label[:60]}” shows {figure:f} instead of 0."
        elif value.kind in ("bool", "text") and _FAILS.match(value.text):
            yield place, f"The check “{label[:60]}” shows {value.text[:30]}."


def short_sums(cells: Cells) -> Iterator[tuple[Place, str]]:
    """Yield sums over part of a column or row whose next cell, before the sum, has a figure that is left out."""
    for place, value in sorted(cells.items()):
        if not value.formula:
            continue
        for found in _SUM.finditer(value.formula):
            left = _left_out(cells, place, parse_area(found[1].replace("$", "")))
            if left is not None and not _reads(value.formula, left):
                text = f"={value.formula[:80]} leaves out the figure in {name_of(left)}, next to its range."
                yield place, text


def _left_out(cells: Cells, place: Place, area: Area) -> Place | None:
    row, column = place
    if area.left == area.right == column and row > area.bottom + 1:
        behind: Place = (area.bottom + 1, column)
    elif area.top == area.bottom == row and column > area.right + 1:
        behind = (row, area.right + 1)
    else:
        return None
    figure = _figure(cells.get(behind))
    return behind if figure is not None else None


def _reads(formula: str, place: Place) -> bool:
    return re.search(rf"\b{name_of(place)}\b", formula.replace("$", "")) is not None


def odd_signs(cells: Cells) -> Iterator[tuple[Place, str]]:
    """Yield the one typed figure in a row whose sign differs from all the others."""
    labels = _labels(cells)
    rows: dict[int, list[tuple[Place, Decimal]]] = defaultdict(list)
    for place, value in sorted(cells.items()):
        figure = _figure(value)
        if figure and not value.formula:
            rows[place[0]].append((place, figure))
    for row, figures in rows.items():
        label = labels.get(row, "")
        if len(figures) < SIGNS_FROM or not label or _MOVES.search(label):
            continue
        negative = [place for place, figure in figures if figure < 0]
        positive = [place for place, figure in figures if figure > 0]
        for few, many in ((negative, positive), (positive, negative)):
            if len(few) == 1 and len(many) >= SIGNS_FROM - 1:
                shown = cells[few[0]].text
                yield (
                    few[0],
                    f"{shown} has another sign than the {len(many)} figures beside it in “{label[:60]}”.",
                )
