"""Lays out a graph in layers (after Sugiyama): cycles turned, long edges through the gaps, crossings made fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Node = Any
"""Whatever can be a key."""
Edge = tuple[Node, Node]
SWEEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where nodes and edges lie. `places`: middle of a node, (along its layer, layer). `routes`: bends of an edge, in its direction.

    `across`: the extent along layers. Distances along a layer are in the units of the sizes given; layers count from 0.
    """

    places: Mapping[Node, tuple[float, int]]
    routes: Mapping[Edge, tuple[tuple[float, int], ...]]
    across: float
    layers: int


def lay_out(
    sizes: Mapping[Node, float], edges: Sequence[Edge], first: Node, *, gap: float, thin: float
) -> Layout:
    """Return the layout of a graph.

    Args:
        sizes: node → how much room it takes along its layer.
        edges: without edges from a node to itself.
        first: the node of the first layer, from which all others are reached.
        gap: room between neighbours of a layer.
        thin: room that a passing edge takes.
    """
    turned = _backward(list(sizes), edges, first)
    forward = [(b, a) if (a, b) in turned else (a, b) for a, b in edges]
    ranks = _ranks(list(sizes), forward)
    rows: list[list[Node]] = [[] for _ in range(max(ranks.values()) + 1)]
    for node in sizes:
        rows[ranks[node]].append(node)
    width = dict(sizes)
    links: list[Edge] = []
    chains: dict[Edge, list[Node]] = {}
    for number, (edge, (a, b)) in enumerate(zip(edges, forward, strict=True)):
        chain: list[Node] = [a]
        for rank in range(ranks[a] + 1, ranks[b]):
            bend = ("bend", number, rank)
            rows[rank].append(bend)
            width[bend] = thin
            chain.append(bend)
        chain.append(b)
        links += list(pairwise(chain))
        chains[edge] = chain[::-1] if edge in turned else chain
    _untangle(rows, links)
    across = _spread(rows, links, width, gap)
    level = {node: rank for rank, row in enumerate(rows) for node in row}
    return Layout(
        places={node: (across[node], level[node]) for node in sizes},
        routes={e: tuple((across[n], level[n]) for n in c[1:-1]) for e, c in chains.items()},
        across=max(across[node] + width[node] / 2 for node in width),
        layers=len(rows),
    )


def _backward(nodes: Sequence[Node], edges: Sequence[Edge], first: Node) -> set[Edge]:
    """Return the edges that close a cycle, found depth first, in the order of the edges."""
    targets: dict[Node, list[Node]] = {node: [] for node in nodes}
    for a, b in edges:
        targets[a].append(b)
    state: dict[Node, int] = {}
    found: set[Edge] = set()
    for root in (first, *nodes):
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(targets[root]))]
        while stack:
            node, rest = stack[-1]
            other = next(rest, None)
            if other is None:
                state[node] = 2
                stack.pop()
            elif state.get(other) == 1:
                found.add((node, other))
            elif other not in state:
                state[other] = 1
                stack.append((other, iter(targets[other])))
    return found


def _ranks(nodes: Sequence[Node], forward: Sequence[Edge]) -> dict[Node, int]:
    """Return each node's layer: one below the lowest of those that lead to it."""
    entering = dict.fromkeys(nodes, 0)
    targets: dict[Node, list[Node]] = {node: [] for node in nodes}
    for a, b in forward:
        entering[b] += 1
        targets[a].append(b)
    ranks = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not entering[node]]
    while ready:
        node = ready.pop()
        for other in targets[node]:
            ranks[other] = max(ranks[other], ranks[node] + 1)
            entering[other] -= 1
            if not entering[other]:
                ready.append(other)
    return ranks


def _neighbours(links: Sequence[Edge]) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    above: dict[Node, list[Node]] = {}
    below: dict[Node, list[Node]] = {}
    for a, b in links:
        below.setdefault(a, []).append(b)
        above.setdefault(b, []).append(a)
    return above, below


def _untangle(rows: list[list[Node]], links: Sequence[Edge]) -> None:
    """Order each layer by the middle of its neighbours, downwards and upwards in turn."""
    above, below = _neighbours(links)
    for sweep in range(SWEEPS):
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        known = above if sweep % 2 == 0 else below
        for rank in order:
            other = rows[rank - 1] if sweep % 2 == 0 else rows[rank + 1]
            place = {node: index for index, node in enumerate(other)}
            own = {node: index for index, node in enumerate(rows[rank])}

            def middle(
                node: Node, place: dict[Node, int] = place, own: dict[Node, int] = own
            ) -> float:
                found = [place[n] for n in known.get(node, ()) if n in place]  # noqa: B023 - used at once
                return sum(found) / len(found) if found else own[node]

            rows[rank].sort(key=middle)


def _spread(
    rows: Sequence[Sequence[Node]], links: Sequence[Edge], width: Mapping[Node, float], gap: float
) -> dict[Node, float]:
    """Return where each node lies along its layer: near its neighbours, in order, without overlap."""
    above, below = _neighbours(links)
    across: dict[Node, float] = {}
    for row in rows:
        at = 0.0
        for node in row:
            across[node] = at + width[node] / 2
            at += width[node] + gap
    for sweep in range(2 * SWEEPS):
        ordered = rows if sweep % 2 == 0 else rows[::-1]
        for row in ordered:
            for node in row:
                near = [across[n] for n in (*above.get(node, ()), *below.get(node, ()))]
                across[node] = sum(near) / len(near) if near else across[node]
            _part(row, across, width, gap)
    left = min(across[node] - width[node] / 2 for node in across)
    return {node: at - left for node, at in across.items()}


def _part(
    row: Sequence[Node], across: dict[Node, float], width: Mapping[Node, float], gap: float
) -> None:
    """Push the nodes of a layer apart where they overlap, as many to one side as to the other."""
    wanted = [across[node] for node in row]
    for one, other in pairwise(row):
        least = across[one] + (width[one] + width[other]) / 2 + gap
        across[other] = max(across[other], least)
    shift = sum(across[node] - want for node, want in zip(row, wanted, strict=True)) / len(row)
    for node in row:
        across[node] -= shift
