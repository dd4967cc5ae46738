"""The workbook of checked changes: verdicts, open points, schedule with freezes, terms; and the schedule as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from deskmate_documents.scenes import (
    Box,
    Item,
    Line,
    Scene,
    Text,
    headings,
    legend,
    shortened,
)
from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value
from deskmate_ops.changes import (
    APPROVERS,
    NOT_READY,
    READY,
    Change,
    Freeze,
    Point,
    Rules,
    clash,
    points_of,
)

CHANGES, POINTS, SCHEDULE, TERMS = "Changes", "Open points", "Schedule", "Terms"
HEADER = (
    "ID",
    "Change",
    "Risk class",
    "Starts",
    "Ends",
    "Systems",
    "Requester",
    "Approvers",
    "Open points",
    "Verdict",
    "Source row",
)
POINT_HEADER = ("ID", "Check", "What is open")
SCHEDULE_HEADER = ("Kind", "ID", "What", "Starts", "Ends", "Hours", "Source row")
CHECKS = ("complete", "risk", "approval", "roll-back", "window")
UNRATED, NOT_NAMED = "not rated", "not named"
COLOURS = {READY: "70AD47", NOT_READY: "E06666"}
MOMENT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All that was checked."""

    changes: Sequence[Change]
    freezes: Sequence[Freeze]
    rules: Rules
    today: datetime

    @property
    def points(self) -> list[Point]:
        """What is open."""
        return points_of(self.changes, self.freezes, self.rules, self.today)

    def verdict(self, change: Change) -> str:
        """Return whether a change is ready."""
        return NOT_READY if any(point.id == change.id for point in self.points) else READY


def moment(when: datetime | None) -> str:
    """Return a time as the sheets write it."""
    return when.strftime(MOMENT) if when is not None else NOT_NAMED


def change_pages(checked: Checked, sources: Sequence[str]) -> list[Page]:
    """Return the sheets."""
    points = checked.points
    counts = Counter(point.id for point in points)
    rows: list[list[Value]] = [list(HEADER)]
    last = max(len(points), 1) + 1
    for n, change in enumerate(checked.changes, start=2):
        count = counts[change.id]
        rows.append(
            [
                change.id,
                change.title,
                change.risk or UNRATED,
                moment(change.start),
                moment(change.end),
                change.texts.get("systems", "") or NOT_NAMED,
                change.texts.get("requester", "") or NOT_NAMED,
                ", ".join(change.approvers) or NOT_NAMED,
                Computed(f"=COUNTIF('{POINTS}'!$A$2:$A${last},A{n})", count),
                Computed(f'=IF(I{n}=0,"{READY}","{NOT_READY}")', NOT_READY if count else READY),
                change.row,
            ]
        )
    end = len(rows)
    rules = [_rule(f"J2:J{end}", name, colour) for name, colour in COLOURS.items()]
    rules += [
        _rule(f"C2:C{end}", name, colour)
        for name, colour in (("high", "E06666"), ("medium", "FFD966"), ("low", "C6E0B4"))
    ]
    looks: list[dict[str, Any]] = [
        {"op": "style", "cells": f"{c}1:{c}{end}", "align": "center"} for c in "CJ"
    ]
    looks.append({"op": "style", "cells": f"B2:B{end}", "wrap": True})
    first = Page(
        name=CHANGES,
        rows=rows,
        widths=(11, 44, 12, 17, 17, 24, 18, 26, 12, 13, 11),
        formats=(*("",) * 8, "0", "", "0"),
        freeze="C2",
        edits=(*looks, *rules),
    )
    return [first, _points(points), _schedule(checked), _terms(checked, sources)]


def _rule(cells: str, word: str, colour: str) -> dict[str, Any]:
    rule = {
        "type": "cellIs",
        "operator": "equal",
        "formulas": [f'"{word}"'],
        "format": {"fill": colour},
    }
    return {"op": "rule", "cells": cells, "rule": rule}


def _points(points: Sequence[Point]) -> Page:
    rows: list[list[Value]] = [list(POINT_HEADER)]
    rows += [[p.id, p.check, p.text] for p in points]
    if len(rows) == 1:
        rows.append(["none", "", "Nothing is open."])
    summary: list[list[Value]] = []
    last = len(rows)
    counts = Counter(point.check for point in points)
    for check in CHECKS:
        summary.append(
            [f"{check} in all", None, Computed(f'=COUNTIF(B$2:B${last},"{check}")', counts[check])]
        )
    wrap = {"op": "style", "cells": f"C2:C{last + 6}", "wrap": True, "align": "left"}
    return Page(name=POINTS, rows=[*rows, [], *summary], widths=(18, 14, 90), edits=(wrap,))


def _schedule(checked: Checked) -> Page:
    rows: list[list[Value]] = [list(SCHEDULE_HEADER)]
    planned = [change for change in checked.changes if change.start is not None]
    for change in sorted(planned, key=lambda change: (moment(change.start), change.row)):
        rows.append(
            [
                "change",
                change.id,
                change.title,
                moment(change.start),
                moment(change.end),
                _hours(change.start, change.end),
                change.row,
            ]
        )
    for freeze in checked.freezes:
        rows.append(
            [
                "freeze",
                "",
                freeze.name,
                moment(freeze.start),
                moment(freeze.end),
                _hours(freeze.start, freeze.end),
                freeze.row,
            ]
        )
    return Page(
        name=SCHEDULE,
        rows=rows,
        widths=(10, 12, 52, 17, 17, 9, 11),
        formats=(*("",) * 5, "0.##", "0"),
    )


def _hours(start: datetime | None, end: datetime | None) -> Value:
    return (
        None if start is None or end is None else Decimal(int((end - start).total_seconds())) / 3600
    )


def term_lines(checked: Checked, sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the words mean."""
    wanted = ", ".join(f"{level}: {checked.rules.approvers[level]}" for level in APPROVERS)
    return [
        ("As of", checked.today.strftime("%Y-%m-%d")),
        ("Sources", ", ".join(dict.fromkeys(sources))),
        (
            "Risk class",
            "by impact and likelihood: high if both are high, or one is high and the other medium; low if both are low, or one is low and the other medium; else medium",
        ),
        ("Approvers besides the requester", wanted),
        ("Fields that are needed", ", ".join(checked.rules.needed)),
        ("Longest window in hours", str(checked.rules.hours or "any")),
        (
            "Overlap",
            "two changes on the same system at the same time; times are the calendar's own, without zones",
        ),
        (READY, "no check found anything open; whoever approves decides"),
    ]


def _terms(checked: Checked, sources: Sequence[str]) -> Page:
    lines = term_lines(checked, sources)
    wrap = {"op": "style", "cells": f"B2:B{len(lines) + 1}", "wrap": True}
    return Page(
        name=TERMS,
        rows=[["Term", "Value"], *([a, b] for a, b in lines)],
        widths=(32, 100),
        edits=(wrap,),
    )


_LEFT, _RIGHT, _TOP, _HIGH = 300.0, 1140.0, 130.0, 34.0


def change_scene(checked: Checked, source: str) -> Scene:
    """Return the schedule as a picture: a bar a change, freezes as grey bands, what is not ready in red."""
    found = [
        (c.start, c.end, c) for c in checked.changes if c.start is not None and c.end is not None
    ]
    planned = [(start, end, c) for start, end, c in found if start < end]
    planned.sort(key=lambda one: (one[0], one[2].row))
    height = _TOP + _HIGH * max(len(planned), 1) + 110
    scene = Scene(width=1180, height=height, title=f"Planned changes, {source}")
    ready = sum(checked.verdict(c) == READY for c in checked.changes)
    rest = len(checked.changes) - len(planned)
    under = (
        f"{ready} of {len(checked.changes)} changes are ready; without a window that can be drawn: {rest}. "
        f"As of {checked.today:%Y-%m-%d}."
    )
    scene.items += headings(scene.title, under)
    if not planned:
        return scene
    begin = min(start for start, _, _ in planned) - timedelta(hours=6)
    finish = max(end for _, end, _ in planned) + timedelta(hours=6)

    def at(when: datetime) -> float:
        share = (min(max(when, begin), finish) - begin) / (finish - begin)
        return _LEFT + (_RIGHT - _LEFT) * share

    bottom = _TOP + _HIGH * len(planned)
    for freeze in checked.freezes:
        if freeze.start < finish and begin < freeze.end:
            scene.items += _band(freeze, (at(freeze.start), at(freeze.end)), bottom)
    _days(scene, (begin, finish), at, (_TOP, bottom))
    for row, (start, end, change) in enumerate(planned):
        scene.items += _bar(checked, change, (at(start), at(end)), _TOP + row * _HIGH)
    scene.items += legend([*COLOURS.items(), ("freeze", "E5E7EB")], height - 34, 130)
    return scene


def _band(freeze: Freeze, span: tuple[float, float], bottom: float) -> Iterator[Item]:
    x, wide = span[0], max(span[1] - span[0], 2)
    grey = "#E5E7EB"
    yield Box(
        x=x,
        y=_TOP - 8,
        width=wide,
        height=bottom - _TOP + 16,
        fill=grey,
        stroke=grey,
        title=freeze.name,
    )
    text = shortened(f"Freeze: {freeze.name}", 60)
    yield Text(x=x + wide, y=bottom + 26, text=text, size=11, anchor="end", color="#6B7280")


def _bar(checked: Checked, change: Change, span: tuple[float, float], y: float) -> Iterator[Item]:
    verdict, middle = checked.verdict(change), y + _HIGH / 2
    fill = f"#{COLOURS[verdict]}"
    title = f"{change.id}: {verdict}, {moment(change.start)} to {moment(change.end)}"
    yield Text(x=40, y=middle, text=shortened(change.id, 10), size=12, anchor="start", bold=True)
    yield Text(x=124, y=middle, text=shortened(change.title, 25), size=12, anchor="start")
    wide = max(span[1] - span[0], 5)
    yield Box(
        x=span[0],
        y=y + 6,
        width=wide,
        height=_HIGH - 12,
        fill=fill,
        stroke=fill,
        radius=3,
        title=title,
    )
    hits = [other.id for other in checked.changes if other is not change and clash(change, other)]
    note = f"overlaps {', '.join(hits)}" if hits else "ready" if verdict == READY else "open points"
    x, anchor = (span[1] + 8, "start") if span[1] + 8 < _RIGHT - 110 else (span[0] - 8, "end")
    yield Text(x=x, y=middle, text=shortened(note, 22), size=11, anchor=anchor)


def _days(
    scene: Scene, span: tuple[datetime, datetime], at: Any, edges: tuple[float, float]
) -> None:
    """Draw the days; so many that their names do not touch."""
    begin, finish = span
    day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    count = max((finish - day).days + 1, 1)
    step = -(-count // 12)
    for number in range(0, count + 1, step):
        when = day + timedelta(days=number)
        if begin <= when <= finish:
            x = at(when)
            scene.items.append(
                Line(
                    points=((x, edges[0] - 8), (x, edges[1] + 8)),
                    stroke="#D1D5DB",
                    width=1,
                    arrow=False,
                )
            )
            scene.items.append(Text(x=x, y=edges[0] - 22, text=when.strftime("%d %b"), size=11))
