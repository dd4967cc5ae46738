"""The workbook of a headcount walk: the walk by unit, bridges with native charts, and what the figures mean; and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deskmate_documents.scenes import Box, Scene, Text
from deskmate_documents.scenes import Line as Stroke
from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value, total_of
from deskmate_hr.grouping import TOTAL
from deskmate_hr.walks import Line, Roll

WALK, BRIDGE, UNITS, NOTES = "Walk", "Bridge", "Bridge by unit", "Notes"
HEADER = (
    "Opening",
    "Hires",
    "Moves in",
    "Leavers",
    "Moves out",
    "Closing",
    "Net change",
    "Closing counted",
    "Difference",
)
BRIDGE_HEADER = ("Step", "Headcount", "From", "To", "Hidden", "Total", "Up", "Down")
FILLS = {"Total": "1F3864", "Up": "2E7D32", "Down": "C62828"}
CONFIDENTIAL = "Confidential: for workforce planning. Flows are shown as they are, so single moves of colleagues can be seen."
METHOD = (
    "Closing = opening + hires + moves in − leavers − moves out. Closing counted is the headcount of the source at the end; the "
    "difference is 0.",
    "A move between two units counts once out and once in; over all units moves add up to nothing.",
    "Who came and left within the period counts as both. The day of leaving is still counted; who leaves on the last day is a leaver.",
)
Rows = list[list[Value]]
Bars = Sequence[tuple[str, int, int, str]]


def walk_pages(
    roll: Roll, lines: Sequence[Line], merged: Sequence[str], sources: Sequence[str]
) -> list[Page]:
    """Return the sheets."""
    return [
        _walk(roll, lines),
        _bridge(BRIDGE, total_bars(lines), _total_formulas(len(lines) + 2), roll.period),
        _bridge(UNITS, unit_bars(lines), _unit_formulas(lines), f"{roll.period}, by unit"),
        Page(
            name=NOTES,
            rows=[["Notes"], *([line] for line in note_lines(roll, merged, sources))],
            widths=(120,),
            edits=({"op": "style", "cells": "A2:A20", "wrap": True},),
        ),
    ]


def note_lines(roll: Roll, merged: Sequence[str], sources: Sequence[str]) -> list[str]:
    """Return what the notes say."""
    lines = [CONFIDENTIAL, f"Period: {roll.period}. Source: {', '.join(sources)}.", *METHOD]
    if merged:
        lines.append(
            f"Units of few people stand together as Other units; how many there are: {len(merged)}."
        )
    return lines


def _walk(roll: Roll, lines: Sequence[Line]) -> Page:
    rows: Rows = []
    for number, line in enumerate(lines, start=2):
        rows.append(
            [
                line.unit,
                line.opening,
                line.hires,
                line.moves_in,
                line.leavers,
                line.moves_out,
                Computed(f"=B{number}+C{number}+D{number}-E{number}-F{number}", line.follows),
                Computed(f"=G{number}-B{number}", line.follows - line.opening),
                line.closing,
                Computed(f"=G{number}-I{number}", line.follows - line.closing),
            ]
        )
    total: list[Value] = [TOTAL, *(total_of(rows, place) for place in range(1, 10))]
    last = len(rows) + 1
    wrong = {
        "type": "cellIs",
        "operator": "notEqual",
        "formulas": ["0"],
        "format": {"fill": "E06666"},
    }
    return Page(
        name=WALK,
        rows=[[roll.by, *HEADER], *rows, total],
        widths=(32, *(12,) * 7, 17, 12),
        formats=("", *("#,##0",) * 6, "+#,##0;-#,##0;0", "#,##0", "#,##0"),
        totals=(last + 1,),
        freeze="B2",
        inputs=(f"B2:F{last}", f"I2:I{last}"),
        edits=({"op": "rule", "cells": f"J2:J{last + 1}", "rule": wrong},),
    )


def total_bars(lines: Sequence[Line]) -> Bars:
    """Return (title, from, to, kind) of the bars of the whole walk."""
    opening, hires = sum(line.opening for line in lines), sum(line.hires for line in lines)
    closing = sum(line.closing for line in lines)
    return [
        ("Opening", 0, opening, "Total"),
        ("Hires", opening, opening + hires, "Up"),
        ("Leavers", opening + hires, closing, "Down"),
        ("Closing", 0, closing, "Total"),
    ]


def unit_bars(lines: Sequence[Line]) -> Bars:
    """Return (title, from, to, kind) of the bars from opening to closing, a unit each, the largest gain first."""
    at = sum(line.opening for line in lines)
    bars = [("Opening", 0, at, "Total")]
    for line in _by_change(lines):
        change = line.follows - line.opening
        bars.append((line.unit, at, at + change, "Up" if change >= 0 else "Down"))
        at += change
    return [*bars, ("Closing", 0, at, "Total")]


def _by_change(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.opening - line.follows)


def _total_formulas(total: int) -> list[str]:
    return [f"=Walk!B{total}", f"=Walk!C{total}", f"=-Walk!E{total}", f"=Walk!G{total}"]


def _unit_formulas(lines: Sequence[Line]) -> list[str]:
    total, known = len(lines) + 2, list(lines)
    changes = [f"=Walk!H{known.index(line) + 2}" for line in _by_change(lines)]
    return [f"=Walk!B{total}", *changes, f"=Walk!G{total}"]


def _bridge(name: str, bars: Bars, formulas: Sequence[str], title: str) -> Page:
    """Return a sheet whose stacked columns, the lowest unseen, make a waterfall."""
    rows: Rows = [list(BRIDGE_HEADER)]
    for number, ((step, start, end, kind), formula) in enumerate(
        zip(bars, formulas, strict=True), start=2
    ):
        whole = kind == "Total"
        n = number
        rows.append(
            [
                step,
                Computed(formula, end - start),
                Computed(f"=B{n}-B{n}" if whole else f"=D{n - 1}", 0 if whole else start),
                Computed(f"=C{n}+B{n}", end),
                Computed(f"=MIN(C{n},D{n})", min(start, end)),
                Computed(f"=B{n}", end) if whole else None,
                None if whole else Computed(f"=MAX(D{n}-C{n},0)", max(end - start, 0)),
                None if whole else Computed(f"=MAX(C{n}-D{n},0)", max(start - end, 0)),
            ]
        )
    last = len(rows)
    across = f"A2:A{last}"
    series: list[dict[str, Any]] = [
        {"name": "Hidden", "categories": across, "values": f"E2:E{last}", "fill": "none"}
    ]
    for letter, kind in zip("FGH", FILLS, strict=True):
        values = f"{letter}2:{letter}{last}"
        series.append({"name": kind, "categories": across, "values": values, "fill": FILLS[kind]})
    chart = {
        "type": "column", "stacked": True, "legend": False, "gap": 40, "series": series, "size": (900, 380),
        "title": f"Headcount, {title}", "at": f"A{last + 3}",
    }  # fmt: skip
    if floor := floor_of(bars):
        chart |= {"y_min": floor, "y_title": f"The axis begins at {floor}"}
    whole_look = {"op": "style", "number_format": "#,##0"}
    return Page(
        name=name,
        rows=rows,
        widths=(32, 12, 10, 10, 10, 10, 10, 10),
        formats=("", "+#,##0;-#,##0;0", *("#,##0",) * 6),
        charts=(chart,),
        edits=[{**whole_look, "cells": f"B{row}"} for row in (2, last)],
    )


def floor_of(bars: Bars) -> int:
    """Return where the axis begins: above 0 only where changes are so small beside the whole that nobody would see them."""
    ends = [
        n for _, start, end, kind in bars for n in ((end,) if kind == "Total" else (start, end))
    ]
    low, high = min(ends), max(ends)
    return 0 if high - low > 0.35 * high else max(0, low - round(0.6 * (high - low)) - 1)


def walk_scene(roll: Roll, lines: Sequence[Line]) -> Scene:
    """Return both bridges as one picture."""
    opening, closing = total_bars(lines)[0][2], total_bars(lines)[-1][2]
    bars = unit_bars(lines)
    width = max(900.0, 130.0 + 92.0 * len(bars))
    scene = Scene(width=width, height=890, title=f"Headcount walk by {roll.by}")
    under = f"{roll.period}: {opening} to {closing}, {closing - opening:+d}. {CONFIDENTIAL.partition('.')[0]}."
    scene.items += [
        Text(x=40, y=32, text=scene.title, size=20, anchor="start", bold=True),
        Text(x=40, y=58, text=under, size=12, anchor="start"),
    ]
    _waterfall(scene, (40.0, 110.0), (min(width - 80, 640.0), 250.0), total_bars(lines))
    scene.items.append(
        Text(x=40, y=470, text="The same by unit, net of moves", size=15, anchor="start", bold=True)
    )
    _waterfall(scene, (40.0, 520.0), (width - 80, 270.0), bars)
    return scene


def _waterfall(
    scene: Scene, corner: tuple[float, float], size: tuple[float, float], bars: Bars
) -> None:
    """Draw bars from a common floor; where changes are small beside the whole, the floor is not 0 and is said so."""
    (x0, y0), (width, height) = corner, size
    high = max(max(start, end) for _, start, end, _ in bars)
    floor = floor_of(bars)
    span = max(high - floor, 1)
    step = width / len(bars)

    def level(figure: int) -> float:
        return y0 + (high - figure) * height / span

    bottom = y0 + height
    scene.items.append(
        Stroke(points=((x0, bottom), (x0 + width, bottom)), stroke="#9CA3AF", arrow=False)
    )
    if floor:
        text = f"The axis begins at {floor}."
        scene.items.append(
            Text(x=x0 + width, y=y0 - 34, text=text, size=11, anchor="end", color="#6B7280")
        )
    for number, (title, start, end, kind) in enumerate(bars):
        x, wide = x0 + number * step + step * 0.14, step * 0.72
        start = floor if kind == "Total" else start
        top, low_edge = level(max(start, end)), level(min(start, end))
        shown = f"{end}" if kind == "Total" else f"{end - start:+d}"
        fill = f"#{FILLS[kind]}"
        scene.items.append(
            Box(
                x=x,
                y=top,
                width=wide,
                height=max(low_edge - top, 1.5),
                fill=fill,
                stroke=fill,
                title=f"{title}: {shown}",
            )
        )
        scene.items.append(Text(x=x + wide / 2, y=top - 12, text=shown, size=13, bold=True))
        if number + 1 < len(bars):
            points = ((x + wide, level(end)), (x + step, level(end)))
            scene.items.append(Stroke(points=points, stroke="#9CA3AF", width=1, arrow=False))
        for place, line in enumerate(wrapped(title, max(6, int(step / 7.2)))[:3]):
            scene.items.append(Text(x=x + wide / 2, y=bottom + 18 + 15 * place, text=line, size=12))


def wrapped(text: str, characters: int) -> list[str]:
    """Return a text in lines of so many characters, longer words cut."""
    lines = [""]
    for word in text.split():
        short = word if len(word) <= characters else f"{word[: characters - 1]}…"
        longer = f"{lines[-1]} {short}".strip()
        if lines[-1] and len(longer) > characters:
            lines.append(short)
        else:
            lines[-1] = longer
    return lines
