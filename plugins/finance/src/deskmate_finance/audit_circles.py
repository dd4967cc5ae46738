"""Circular references: cells that read each other, over all sheets, found without computing anything."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator

from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.graph import Graph, Spot
from deskmate_documents.xlsx.refs import Area

EDGES_LIMIT = 2_000_000
Edges = dict[Spot, list[Spot]]


def circles(book: Workbook) -> Iterator[tuple[Spot, ...]]:
    """Yield each set of cells that read each other, from its first cell on; a cell that reads itself is one."""
    edges = _edges(book)
    for group in _components(edges):
        if len(group) > 1 or group[0] in edges.get(group[0], ()):
            yield tuple(sorted(group))


def _edges(book: Workbook) -> Edges:
    """Return cell → the cells with formulas that it reads."""
    graph = Graph(book, empty=True)
    formulas = [(sheet.name, value) for sheet, value in book.formulas()]
    columns: dict[tuple[str, int], list[int]] = defaultdict(list)
    for sheet, value in formulas:
        columns[sheet, value.place[1]].append(value.place[0])
    for rows in columns.values():
        rows.sort()
    widest: dict[str, int] = {}
    for sheet, column in columns:
        widest[sheet] = max(widest.get(sheet, 0), column)
    edges: Edges = {}
    count = 0
    for sheet, value in formulas:
        read: list[Spot] = []
        for where, area in graph.precedents(value.formula, sheet, value.place):
            read += _within(where, area, columns, widest.get(where, 0))
            if count + len(read) > EDGES_LIMIT:
                return edges
        count += len(read)
        edges[sheet, value.place] = read
    return edges


def _within(
    sheet: str, area: Area, columns: dict[tuple[str, int], list[int]], last: int
) -> Iterator[Spot]:
    for column in range(area.left, min(area.right, last) + 1):
        rows = columns.get((sheet, column), ())
        for row in rows[bisect_left(rows, area.top) : bisect_right(rows, area.bottom)]:
            yield sheet, (row, column)


def _components(edges: Edges) -> Iterator[list[Spot]]:
    """Yield the strongly connected components (Tarjan's algorithm, without recursion)."""
    index: dict[Spot, int] = {}
    low: dict[Spot, int] = {}
    stack: list[Spot] = []
    on_stack: set[Spot] = set()
    for start in edges:
        if start in index:
            continue
        work: list[tuple[Spot, Iterator[Spot]]] = [(start, iter(edges[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            spot, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(edges.get(other, ()))))
                    break
                if other in on_stack:
                    low[spot] = min(low[spot], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[spot])
                if low[spot] == index[spot]:
                    yield _popped(stack, on_stack, spot)


def _popped(stack: list[Spot], on_stack: set[Spot], last: Spot) -> list[Spot]:
    group: list[Spot] = []
    while True:
        spot = stack.pop()
        on_stack.discard(spot)
        group.append(spot)
        if spot == last:
            return group
