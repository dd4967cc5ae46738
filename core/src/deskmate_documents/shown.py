"""Whether the sheets of a workbook show what they should, cell by cell: for gates that computed it a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from deskmate_documents.xlsx.pages import column

Rows = Sequence[Sequence[str]]
_NEAR = Decimal("1e-9")


def sheet_problems(
    shown: Mapping[str, Rows], expected: Mapping[str, Rows]
) -> Iterator[tuple[str, str]]:
    """Yield (message, place) of each cell that shows something else than it should, and of sheets missing or too many.

    Args:
        shown: sheet → rows of texts, as `tables.read_sheets` gives them.
        expected: the same, computed by other means. Figures may differ by what binary fractions leave.
    """
    for name in shown:
        if name not in expected:
            yield f"The sheet {name} does not belong here.", f"sheet {name}"
    for name, rows in expected.items():
        if name not in shown:
            yield f"The sheet {name} is missing.", f"sheet {name}"
            continue
        yield from _rows(name, shown[name], rows)


def _rows(name: str, shown: Rows, rows: Rows) -> Iterator[tuple[str, str]]:
    for number in range(max(len(shown), len(rows))):
        one = list(shown[number]) if number < len(shown) else []
        other = list(rows[number]) if number < len(rows) else []
        for place in range(max(len(one), len(other))):
            found = one[place] if place < len(one) else ""
            right = other[place] if place < len(other) else ""
            if not alike(found, right):
                title = (other or one)[0]
                what = f"It shows {found[:60]!r}; the source gives {right[:60]!r} ({title[:40]})."
                yield what, f"{name}!{column(place + 1)}{number + 1}"


def alike(one: str, other: str) -> bool:
    """Say whether two cells show the same text or the same figure."""
    if " ".join(one.split()) == " ".join(other.split()):
        return True
    try:
        a, b = Decimal(one), Decimal(other)
    except InvalidOperation:
        return False
    if not (a.is_finite() and b.is_finite()):
        return False
    return abs(a - b) <= _NEAR * max(Decimal(1), abs(b))
