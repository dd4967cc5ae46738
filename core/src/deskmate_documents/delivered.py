"""Figures of a workbook that the same run edited: which of them rest on the originals, and not on the agent's word.

A deck may be made of a workbook that was edited a moment before. Its new figures are proven here, in the clean room: a
constant is what the original has at that place, or what the user said; a result is computed once more; a cell of a pivot
table is what its pivot table gives, computed anew; and all that they read is proven in the same way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from deskmate_documents.evidence import Unproven
from deskmate_documents.numbers import decimal_of
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.declared import Step
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.engines import Answer, Formualizer
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.pivots import Pivot, pivots
from deskmate_documents.xlsx.pivotsource import find_area
from deskmate_documents.xlsx.refs import Area, Place, name_of, parse_area, quote_sheet
from deskmate_documents.xlsx.structure import replay

CELLS_LIMIT = 50_000
DEPTH_LIMIT = 200


class DeliveredBook:
    """An edited workbook beside the originals that the host holds."""

    def __init__(
        self,
        file: Path,
        originals: Mapping[Path, Sequence[Step]],
        said: Iterable[Decimal],
        words: str,
    ) -> None:
        """`originals`: workbooks that a cell may be unchanged from, with the rows, columns and sheets that came or went.

        These are made in the original first, as the gate of edited workbooks does, which holds the result to them.
        `said`, `words`: by the user. Raises ToolError if one cannot be read.
        """
        self._book = Workbook(file)
        self._originals = [Workbook(original) for original in originals]
        for book, steps in zip(self._originals, originals.values(), strict=True):
            replay(book, steps)
        self._said = frozenset(said)
        self._words = words.casefold()
        self._graph: Graph | None = None
        self._computed: Mapping[Spot, Answer] | None = None
        self._pivots = tuple(pivots(self._book))
        self._anew: dict[str, Mapping[Place, Value] | None] = {}
        self._proven: set[Spot] = set()
        self._left = CELLS_LIMIT

    def figure(self, sheet: str, cell: str) -> Decimal:
        """Return the proven figure of a cell. Raises Unproven."""
        found = self._book.sheet(sheet)
        area = parse_area(cell)
        values = list(self._book.values(found, area))
        value = decimal_of(values[0].text) if len(values) == 1 else None
        if value is None:
            raise Unproven(f"the delivered workbook has no figure in {sheet}!{cell}")
        self._prove(found.name, values[0], 0)
        return value

    def _prove(self, sheet: str, value: Value, depth: int) -> None:
        spot = (sheet, value.place)
        if spot in self._proven:
            return
        self._left -= 1
        if self._left < 0 or depth > DEPTH_LIMIT:
            raise Unproven(f"{_named(spot)} rests on too many cells to prove")
        pivot = self._pivot_at(spot)
        if value.formula:
            self._prove_result(spot, value, depth)
        elif pivot is not None:
            self._prove_pivot(spot, value, pivot, depth)
        elif not (self._is_original(spot, value) or self._was_said(value)):
            raise Unproven(f"{_named(spot)} was written in this run and stands in no source")
        self._proven.add(spot)

    def _prove_result(self, spot: Spot, value: Value, depth: int) -> None:
        if self._book.is_stale:
            raise Unproven(f"the figure in {_named(spot)} is from before an edit")
        if self._computed is None:
            wanted = [(sheet.name, each.place) for sheet, each in self._book.formulas()]
            self._computed = Formualizer().compute(self._book.package.path, wanted)
        answer = self._computed.get(spot)
        if not self._is_original(spot, value) and not (
            answer is not None and same(Answer(value.kind, value.text), answer)
        ):
            raise Unproven(f"computed once more, {_named(spot)} is not {value.text[:40]}")
        self._graph = self._graph or Graph(self._book)
        for where, area in self._graph.precedents(value.formula, *spot):
            self._prove_area(where, area, depth + 1)

    def _prove_pivot(self, spot: Spot, value: Value, pivot: Pivot, depth: int) -> None:
        anew = self._refreshed(pivot)
        if anew is None:
            if self._is_original(spot, value):
                return
            raise Unproven(f"the pivot table at {_named(spot)} cannot be computed here")
        again = anew.get(spot[1])
        if again is None or not same(
            Answer(value.kind, value.text), Answer(again.kind, again.text)
        ):
            raise Unproven(f"its pivot table does not give {value.text[:40]} in {_named(spot)}")
        where, area = find_area(self._book, pivot.source)[:2]
        self._prove_area(where, area, depth + 1)

    def _prove_area(self, sheet: str, area: Area, depth: int) -> None:
        for value in self._book.values(self._book.sheet(sheet), area):
            if value.kind != "empty" or value.formula:
                self._prove(sheet, value, depth)

    def _pivot_at(self, spot: Spot) -> Pivot | None:
        for pivot in self._pivots:
            if pivot.sheet == spot[0] and pivot.area and spot[1] in parse_area(pivot.area):
                return pivot
        return None

    def _refreshed(self, pivot: Pivot) -> Mapping[Place, Value] | None:
        """Return the cells of a pivot table's sheet with it computed anew; None where it is left to Excel."""
        if pivot.part not in self._anew:
            with tempfile.TemporaryDirectory(prefix="deskmate-pivot-") as folder:
                copy = Path(folder) / self._book.package.path.name
                edit = {"op": "pivot_refresh", "pivot": pivot.name, "sheet": pivot.sheet}
                outcome = edit_workbook(self._book.package.path, copy, [edit])
                is_new = pivot.part in outcome.declared.parts
                self._anew[pivot.part] = _cells(Workbook(copy), pivot.sheet) if is_new else None
        return self._anew[pivot.part]

    def _is_original(self, spot: Spot, value: Value) -> bool:
        for book in self._originals:
            if all(sheet.name != spot[0] for sheet in book.sheets):
                continue
            old = _at(book, spot)
            if old is None or (value.formula and book.is_stale):
                continue
            if (old.kind, old.text, old.formula) == (value.kind, value.text, value.formula):
                return True
        return False

    def _was_said(self, value: Value) -> bool:
        if value.kind == "number":
            return decimal_of(value.text) in self._said
        return value.text.casefold() in self._words


def _at(book: Workbook, spot: Spot) -> Value | None:
    place: Place = spot[1]
    return next(iter(book.values(book.sheet(spot[0]), Area(*place, *place))), None)


def _cells(book: Workbook, sheet: str) -> Mapping[Place, Value]:
    return {value.place: value for value in book.values(book.sheet(sheet))}


def _named(spot: Spot) -> str:
    return f"{quote_sheet(spot[0])}!{name_of(spot[1])}"
