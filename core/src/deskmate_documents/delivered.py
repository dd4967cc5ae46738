"""Figures of a workbook that the same run edited: which of them rest on the originals, and not on the agent's word.

A deck may be made of a workbook that was edited a moment before. Its new figures are proven here, in the clean room: a
constant is what the original has at that place, or what the user said; a result is computed once more, by a formula that
holds no figure of the agent's own; a cell of a pivot table is what its pivot table gives, computed anew; and all that they
read is proven in the same way.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from deskmate_documents.evidence import FACTORS, Unproven
from deskmate_documents.numbers import decimal_of
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.calculate import same
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.declared import Step
from deskmate_documents.xlsx.edit import edit_workbook
from deskmate_documents.xlsx.engines import Answer, Formualizer
from deskmate_documents.xlsx.formula import VOLATILE, Token, bare, tokens
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.pivots import Pivot, pivots
from deskmate_documents.xlsx.pivotsource import find_area
from deskmate_documents.xlsx.refs import Area, Place, name_of, parse_area, quote_sheet, words
from deskmate_documents.xlsx.shiftcells import POSITIONS, name_token
from deskmate_documents.xlsx.structure import replay

CELLS_LIMIT = 50_000
DEPTH_LIMIT = 200
UNTRACED = (POSITIONS | words("LEN CODE UNICODE ARABIC SEARCH FIND")) - words("SUBTOTAL AGGREGATE")
"""Functions that give figures which no cell holds; formulas of the originals may call them."""
COUNTING = words("ROUND ROUNDUP ROUNDDOWN VLOOKUP HLOOKUP INDEX MATCH LARGE SMALL")
"""Functions whose later arguments may be any figure: digits, columns, places."""
KINDS_OF_TOTAL = words("SUBTOTAL AGGREGATE")
_LAST_KIND = 111
NAMES_DEPTH = 20
_DIGIT = re.compile(r"\d")


class DeliveredBook:
    """An edited workbook beside the originals that the host holds."""

    def __init__(
        self,
        file: Path,
        originals: Mapping[Path, Sequence[Step]],
        said: Iterable[Decimal],
        written: str,
    ) -> None:
        """`originals`: workbooks that a cell may be unchanged from, with the rows, columns and sheets that came or went.

        These are made in the original first, as the gate of edited workbooks does, which holds the result to them.
        `said`, `written`: by the user. Raises ToolError if one cannot be read.
        """
        self._book = Workbook(file)
        self._originals = [Workbook(original) for original in originals]
        for book, steps in zip(self._originals, originals.values(), strict=True):
            replay(book, steps)
        self._said = frozenset(said)
        self._words = written.casefold()
        self._graph: Graph | None = None
        self._computed: Mapping[Spot, Answer] | None = None
        self._pivots = tuple(pivots(self._book))
        self._anew: dict[str, Mapping[Place, Value] | None] = {}
        self._proven: set[Spot] = set()
        self._left = CELLS_LIMIT
        self._names: dict[str, list[str]] = {}
        for name in self._book.names:
            self._names.setdefault(name.name.lower(), []).append(name.refers_to)
        self._skeletons: frozenset[str] | None = None

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
        self._graph = self._graph or Graph(self._book)
        read = self._graph.precedents(value.formula, *spot)
        if not self._is_original(spot, value):
            if answer is None or not same(Answer(value.kind, value.text), answer):
                raise Unproven(f"computed once more, {_named(spot)} is not {value.text[:40]}")
            if problem := self._own_figures(value.formula):
                raise Unproven(f"the formula of {_named(spot)} {problem}")
            if not read:
                raise Unproven(f"the formula of {_named(spot)} reads no cell")
        for where, area in read:
            self._prove_area(where, area, depth + 1)

    def _own_figures(self, formula: str, depth: int = 0) -> str:
        """Return what of a formula that was written in this run rests on no cell; "" if all does."""
        parts = [token for token in tokens(formula) if token.kind != "space"]
        called = {bare(token.text) for token in parts if token.kind == "function"}
        is_known = skeleton(formula) in self._of_originals()
        if untraced := sorted(called & (VOLATILE if is_known else VOLATILE | UNTRACED)):
            return f"calls {untraced[0]}, whose result rests on more than the cells it names"
        if depth > NAMES_DEPTH or any(token.text == ":" for token in parts):
            return "reads cells that cannot be told from its text"
        for number, token in enumerate(parts):
            if not is_known and self._is_own(parts, number):
                return f"holds {token.text[:40]}, which stands in no source"
            texts = self._names.get(name_token(token), ()) if token.kind == "name" else ()
            for problem in (self._own_figures(text, depth + 1) for text in texts):
                if problem:
                    return f"uses the name {token.text[:40]}, which {problem}"
        return ""

    def _of_originals(self) -> frozenset[str]:
        """Return what formulas and names of the originals are without their references."""
        if self._skeletons is None:
            self._skeletons = frozenset(
                skeleton(text)
                for book in self._originals
                for text in (
                    *(value.formula for _, value in book.formulas()),
                    *(name.refers_to for name in book.names),
                )
            )
        return self._skeletons

    def _is_own(self, parts: Sequence[Token], number: int) -> bool:
        """Say whether a token is a figure of the agent's own.

        None is a unit of time or scale, what the user wrote, and what only counts digits or columns.
        """
        token = parts[number]
        if token.kind == "string":
            return bool(_DIGIT.search(token.text)) and (
                token.text.strip('"').casefold() not in self._words
            )
        value = decimal_of(token.text) if token.kind == "number" else None
        if value is None or value in FACTORS or value == 0 or value in self._said:
            return False
        called = _callee(parts, number)
        if called in KINDS_OF_TOTAL:
            return value > _LAST_KIND
        return not (called in COUNTING and parts[number - 1].text == ",")

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


def skeleton(formula: str) -> str:
    """Return a formula without its references: what stays of it when rows and columns come or go."""
    return "".join("_" if t.kind == "ref" else t.text for t in tokens(formula) if t.kind != "space")


def _callee(parts: Sequence[Token], number: int) -> str:
    """Return the function of which a token is an argument."""
    depth = 0
    for place in range(number - 1, -1, -1):
        depth += (parts[place].text == ")") - (parts[place].text == "(")
        if depth < 0:
            return (
                bare(parts[place - 1].text) if place and parts[place - 1].kind == "function" else ""
            )
    return ""


def _at(book: Workbook, spot: Spot) -> Value | None:
    place: Place = spot[1]
    return next(iter(book.values(book.sheet(spot[0]), Area(*place, *place))), None)


def _cells(book: Workbook, sheet: str) -> Mapping[Place, Value]:
    return {value.place: value for value in book.values(book.sheet(sheet))}


def _named(spot: Spot) -> str:
    return f"{quote_sheet(spot[0])}!{name_of(spot[1])}"
