"""Draws the flow of a process from top to bottom: activities with counts, moves with times and median hours."""

from __future__ import annotations

import math

from deskmate_documents.scenes import Box, Line, Point, Scene, Text
from deskmate_ops.clock import Clock
from deskmate_ops.events import Log
from deskmate_ops.flows import END, START, Flow, Move, Node
from deskmate_ops.layers import Layout, lay_out
from deskmate_ops.metrics import hours, measure, median, shown

BOX, HEIGHT, STEP, MARGIN, HEAD = 210.0, 48.0, 118.0, 40.0, 84.0
LABEL = 78.0
NAMES = {START: "begin", END: "end"}
_SHADES = ("#9CA3AF", "#F4B183", "#E0762F", "#B42318")


def draw_map(flow: Flow, log: Log, clock: Clock, title: str) -> Scene:
    """Return the picture of a flow."""
    found = measure(log, clock)
    spans: dict[Move, tuple[int, ...]] = {(i.source, i.target): i.spans for i in found.handovers}
    moves = [move for move in flow.moves if move[0] != move[1]]
    sizes: dict[Node, float] = {START: 70.0, **dict.fromkeys(flow.activities, BOX), END: 70.0}
    layout = lay_out(sizes, moves, START, gap=34.0, thin=LABEL)
    scene = Scene(
        width=max(layout.across + 2 * MARGIN, 640.0),
        height=HEAD + (layout.layers - 1) * STEP + HEIGHT + 2 * MARGIN,
        title=title,
    )
    hidden = "" if flow.share == 100 else f"; {flow.share:f} % of all moves are shown"
    under = f"{found.events} events in {len(found.cases)} cases{hidden}. Hours: {clock.name}."
    colours = "Lines: times, median hours. The darker, the more hours in all cases."
    scene.items += [
        Text(x=MARGIN, y=30, text=title, size=18, anchor="start", bold=True),
        Text(x=MARGIN, y=54, text=under, size=12, anchor="start"),
        Text(x=MARGIN, y=72, text=colours, size=12, anchor="start"),
    ]
    heavy = max((sum(own) for move, own in spans.items() if move[0] != move[1]), default=0)
    labels: list[Text] = []
    for move in moves:
        timed = spans.get(move, ())
        middle = hours(median(timed)) if timed else None
        line = _route(move, layout)
        labels.append(
            _label(line, flow.moves[move], f"{shown(middle)} h" if middle is not None else "")
        )
        scene.items.append(
            Line(
                points=line,
                width=1.2 + 0.7 * math.log2(flow.moves[move] + 1),
                stroke=_shade(sum(timed), heavy),
                title=move_title(move, flow.moves[move]),
            )
        )
    for node, (across, layer) in layout.places.items():
        scene.items += _node(node, across + MARGIN, _level(layer), flow)
    for label in labels:
        wide = 6.8 * len(label.text) + 6
        back = Box(x=label.x - wide / 2, y=label.y - 8, width=wide, height=16, stroke="#FFFFFF")
        scene.items += [back, label]
    return scene


def move_title(move: Move, times: int) -> str:
    """Return what a line of the map says: from, to, times."""
    one, other = (NAMES[node] if isinstance(node, int) else node for node in move)
    return f"{one} → {other}: {times}"


def node_title(name: str, events: int) -> str:
    """Return what a box of the map says."""
    return f"{name}: {events}"


def _level(layer: int) -> float:
    return HEAD + MARGIN + layer * STEP + HEIGHT / 2


def _shade(spent: int, heavy: int) -> str:
    if heavy <= 0 or spent <= 0:
        return _SHADES[0]
    return _SHADES[min(3, int(4 * spent / heavy))]


def _route(move: Move, layout: Layout) -> tuple[Point, ...]:
    """Return the points of a line: from edge to edge, through the gaps; upwards at the side."""
    (x1, l1), (x2, l2) = layout.places[move[0]], layout.places[move[1]]
    down = l1 < l2
    shift = 0.0 if down else BOX / 4
    begin = (x1 + MARGIN + shift, _level(l1) + (HEIGHT / 2 if down else -HEIGHT / 2))
    end = (x2 + MARGIN + shift, _level(l2) - (HEIGHT / 2 if down else -HEIGHT / 2))
    bends: list[Point] = []
    for across, layer in layout.routes[move]:
        half = HEIGHT / 2 if down else -HEIGHT / 2
        bends += [(across + MARGIN, _level(layer) - half), (across + MARGIN, _level(layer) + half)]
    return (begin, *bends, end)


def _label(points: tuple[Point, ...], times: int, spent: str) -> Text:
    """Return the label of a line, in the middle of its first part that runs between layers."""
    (x1, y1), (x2, y2) = points[0], points[1]
    part = 0.42 if y1 < y2 else 0.36
    words = f"{times}, {spent}" if spent else f"{times}"
    return Text(x=x1 + (x2 - x1) * part, y=y1 + (y2 - y1) * part, text=words, size=11, bold=True)


def _node(node: Node, x: float, y: float, flow: Flow) -> list[Box | Text | Line]:
    if isinstance(node, int):
        fill = "#DCFCE7" if node == START else "#FEE2E2"
        box = Box(x=x - 35, y=y - HEIGHT / 2, width=70, height=HEIGHT, radius=HEIGHT / 2, fill=fill)
        return [box, Text(x=x, y=y, text=NAMES[node], size=12)]
    loops = flow.moves.get((node, node), 0)
    more = f", {loops} at once again" if loops else ""
    name = node if len(node) <= 28 else node[:27] + "…"
    return [
        Box(
            x=x - BOX / 2,
            y=y - HEIGHT / 2,
            width=BOX,
            height=HEIGHT,
            radius=7,
            fill="#EAF1FB",
            stroke="#1F3864",
            title=node_title(node, flow.activities[node]),
        ),
        Text(x=x, y=y - 9, text=name, size=13, bold=True),
        Text(x=x, y=y + 11, text=f"{flow.activities[node]} events{more}", size=11),
    ]
