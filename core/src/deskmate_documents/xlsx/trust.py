"""Formulas for which two engines that agree are still no proof, because both are known to differ from Excel.

Measured on workbooks that Excel computed: formualizer and LibreOffice share readings that Excel does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.engines import Answer
from deskmate_documents.xlsx.formula import functions, tokens
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.refs import Area, words

UNFAITHFUL = words("ACCRINT")
"""Both engines multiply by the part of a year; Excel counts periods of coupons."""
STRICT = words("""ACCRINTM AMORDEGRC AMORLINC COUPDAYBS COUPDAYS COUPDAYSNC COUPNCD COUPNUM COUPPCD CUMIPMT CUMPRINC DISC
    DOLLARDE DOLLARFR DURATION EDATE EFFECT EOMONTH FACTDOUBLE FVSCHEDULE GCD INTRATE IRR LCM MDURATION MIRR MROUND
    MULTINOMIAL NETWORKDAYS NOMINAL NPV ODDFPRICE ODDFYIELD ODDLPRICE ODDLYIELD PRICE PRICEDISC PRICEMAT QUOTIENT
    RANDBETWEEN RECEIVED SERIESSUM SQRTPI TBILLEQ TBILLPRICE TBILLYIELD WEEKNUM WORKDAY XIRR XNPV YEARFRAC YIELD
    YIELDDISC YIELDMAT""")
"""Functions that refuse or pass over text and truth values where the engines take them for numbers."""
ROOTS = words("IRR XIRR")
"""Functions that search a rate; cash flows that turn more than once have several."""
CELLS_LIMIT = 10_000


class Trust:
    """Says which formulas two engines that agree prove."""

    def __init__(self, book: Workbook, graph: Graph, computed: Mapping[Spot, Answer]) -> None:
        """`computed`: results of formulas; the values of other cells are read from the book."""
        self._book = book
        self._graph = graph
        self._computed = computed

    def doubts(self, cells: Mapping[Spot, Value]) -> set[Spot]:
        """Return the cells whose formula both engines may read otherwise than Excel."""
        return {spot for spot, value in cells.items() if value.formula and self._doubt(spot, value)}

    def _doubt(self, spot: Spot, value: Value) -> bool:
        called = functions(value.formula)
        if called & UNFAITHFUL:
            return True
        if not called & STRICT:
            return False
        if any(t.text.upper() in ("TRUE", "FALSE") for t in tokens(value.formula)):
            return True
        read = self._graph.precedents(value.formula, spot[0], spot[1])
        kinds: list[Answer] = []
        for sheet, area in read:
            inside = self._values(sheet, area)
            if inside is None:
                return True
            kinds.extend(inside)
        return any(a.kind not in ("number", "error") for a in kinds) or (
            bool(called & ROOTS) and self._turns_often(value.formula, spot)
        )

    def _values(self, sheet: str, area: Area) -> list[Answer] | None:
        """Return what an area holds, without empty cells; None if it is too large to look through."""
        found: list[Answer] = []
        for value in self._book.values(self._book.sheet(sheet), area):
            answer = self._computed.get((sheet, value.place))
            if answer is None and value.kind == "empty":
                continue
            found.append(answer if answer is not None else Answer(value.kind, value.text))
            if len(found) > CELLS_LIMIT:
                return None
        return found

    def _turns_often(self, formula: str, spot: Spot) -> bool:
        """Say whether the cash flows of a rate change their sign more than once, or cannot be seen."""
        for call in re.finditer(r"(?i)\bX?IRR\(([^(),]+)[,)]", formula):
            areas = self._graph.precedents(call[1], spot[0], spot[1])
            if len(areas) != 1:
                return True
            flows = self._values(*areas[0])
            if flows is None or _turns(flows) > 1:
                return True
        return len(re.findall(r"(?i)\bX?IRR\(", formula)) != len(
            re.findall(r"(?i)\bX?IRR\([^(),]+[,)]", formula)
        )


def _turns(flows: Iterable[Answer]) -> int:
    signs = [float(a.text) > 0 for a in flows if a.kind == "number" and float(a.text) != 0]
    return sum(one != other for one, other in pairwise(signs))
