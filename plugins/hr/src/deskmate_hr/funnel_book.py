"""The workbook of a hiring funnel: one sheet a grouping with live conversions, native chart, notes; and the funnel as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from deskmate_documents.scenes import Box, Item, Scene, Text, headings, shortened
from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value
from deskmate_hr.funnels import ALL, Cohort, Funnel, Rung
from deskmate_hr.people import HIDDEN

FUNNEL, NOTES = "Funnel", "Notes"
HEADER = (
    "Stage",
    "Reached",
    "Stopped here",
    "Of the first stage",
    "Went on",
    "Median days",
    "90 % within days",
)
NONE: Value = None


def sheet_name(funnel: Funnel, number: int) -> str:
    """Return the name of a grouping's sheet."""
    if funnel.by == ALL:
        return FUNNEL
    plain = "".join(c for c in funnel.by if c not in "[]:*?/\\'")
    return f"{number} by {plain}"[:31]


def note_lines(cohort: Cohort, least: int, source: str) -> list[str]:
    """Return what the notes say."""
    return [
        f"Source: {source}. Cohort: candidates {cohort.period}.",
        "Reached: came to the stage or beyond it, also where the stage itself was skipped. Went on: reached the next stage.",
        "Days: from entering a stage to entering the next one that was recorded; of those who went on.",
        "Who is still in a stage counts as stopped there; a young cohort looks worse than it will be.",
        f"Counts from 1 to {least - 1} are not published ({HIDDEN}), nor further figures from which they could be worked out, also not by "
        "subtracting one stage from the other.",
        "The figures describe groups. They rank nobody and are no basis for a decision on a candidate.",
    ]


def funnel_pages(funnels: Sequence[Funnel], cohort: Cohort, least: int, source: str) -> list[Page]:
    """Return the sheets."""
    pages = [_page(funnel, number) for number, funnel in enumerate(funnels)]
    notes: list[list[Value]] = [["Notes"]]
    notes += [[line] for line in note_lines(cohort, least, source)]
    wrap = {"op": "style", "cells": f"A2:A{len(notes)}", "wrap": True}
    return [*pages, Page(name=NOTES, rows=notes, widths=(120,), edits=(wrap,))]


def _page(funnel: Funnel, number: int) -> Page:
    grouped = funnel.by != ALL
    rows: list[list[Value]] = [[funnel.by, *HEADER] if grouped else list(HEADER)]
    for label, rungs in funnel.groups.items():
        first = len(rows) + 1
        for place, rung in enumerate(rungs):
            cells = _cells(rungs, place, first, "C" if grouped else "B")
            rows.append([label, rung.stage, *cells] if grouped else [rung.stage, *cells])
    last = len(rows)
    charts = []
    if not grouped:
        series = [
            {
                "name": "Reached",
                "categories": f"A2:A{last}",
                "values": f"B2:B{last}",
                "fill": "1F3864",
            }
        ]
        charts.append(
            {"type": "column", "title": f"Hiring funnel: {ALL.lower()}", "legend": False, "gap": 40, "series": series,
             "at": f"A{last + 3}", "size": (760, 340)}
        )  # fmt: skip
    formats = ("", "#,##0", "#,##0", "0.0%", "0.0%", "0.0", "#,##0")
    letters = "CDEFGH" if grouped else "BCDEFG"
    right = {"op": "style", "cells": f"{letters[0]}2:{letters[-1]}{last}", "align": "right"}
    return Page(
        name=sheet_name(funnel, number),
        rows=rows,
        widths=((26,) if grouped else ()) + (26, 12, 14, 18, 12, 14, 16),
        formats=(("", *formats) if grouped else formats),
        charts=charts,
        edits=(right,),
    )


def _cells(rungs: Sequence[Rung], place: int, first: int, letter: str) -> list[Value]:
    rung, n = rungs[place], first + place
    whole = share(rung.reached, rungs[0].reached)
    following = rungs[place + 1].reached if place + 1 < len(rungs) else None
    on = share(following, rung.reached)
    last = place == len(rungs) - 1
    return [
        HIDDEN if rung.reached is None else rung.reached,
        NONE if last else HIDDEN if rung.stopped is None else rung.stopped,
        HIDDEN if whole is None else Computed(f"={letter}{n}/{letter}${first}", whole),
        NONE if last else HIDDEN if on is None else Computed(f"={letter}{n + 1}/{letter}{n}", on),
        NONE if last else HIDDEN if rung.median is None else rung.median,
        NONE if last else HIDDEN if rung.most is None else rung.most,
    ]


def share(part: int | None, whole: int | None) -> Decimal | None:
    """Return a share; None where either is hidden, or there is no whole."""
    return None if part is None or not whole else Decimal(part) / whole


_TOP, _HIGH, _GAP, _MIDDLE, _WIDEST = 110.0, 46.0, 22.0, 480.0, 480.0


def funnel_scene(funnels: Sequence[Funnel], cohort: Cohort, source: str) -> Scene:
    """Return the funnel of all candidates as a picture: a bar a stage, what is hidden without a length."""
    (rungs,) = funnels[0].groups.values()
    height = _TOP + len(rungs) * (_HIGH + _GAP) + 50
    scene = Scene(width=1000, height=height, title=f"Hiring funnel, {source}")
    scene.items += headings(scene.title, f"Candidates {cohort.period}.")
    for place in range(len(rungs)):
        y = _TOP + place * (_HIGH + _GAP)
        scene.items += [*_bar(rungs, place, y), *_beside(rungs, place, y + _HIGH / 2)]
    foot = f"{HIDDEN} hidden, to keep small groups secret."
    scene.items.append(
        Text(x=40, y=height - 24, text=foot, size=11, anchor="start", color="#6B7280")
    )
    return scene


def _bar(rungs: Sequence[Rung], place: int, y: float) -> Iterator[Item]:
    rung = rungs[place]
    widest = max((one.reached or 0 for one in rungs), default=0) or 1
    long = _WIDEST * (rung.reached or 0) / widest
    shown = HIDDEN if rung.reached is None else str(rung.reached)
    middle = y + _HIGH / 2
    yield Text(x=220, y=middle, text=shortened(rung.stage, 24), size=14, anchor="end", bold=True)
    title = f"{rung.stage}: {shown}"
    if rung.reached is None:
        yield Box(
            x=_MIDDLE - 60,
            y=y,
            width=120,
            height=_HIGH,
            fill="#F3F4F6",
            stroke="#D1D5DB",
            radius=4,
            title=title,
        )
    elif rung.reached:
        left = _MIDDLE - long / 2
        yield Box(
            x=left,
            y=y,
            width=long,
            height=_HIGH,
            fill="#1F3864",
            stroke="#1F3864",
            radius=4,
            title=title,
        )
    inside = rung.reached is None or long > 50
    color = "#FFFFFF" if rung.reached is not None and inside else "#1F2937"
    x, anchor = (_MIDDLE, "middle") if inside else (_MIDDLE + long / 2 + 8, "start")
    yield Text(x=x, y=middle, text=shown, size=15, bold=True, color=color, anchor=anchor)


def _beside(rungs: Sequence[Rung], place: int, middle: float) -> Iterator[Item]:
    """Yield the share of the first stage, and how many went on in which time."""
    rung = rungs[place]
    whole = share(rung.reached, rungs[0].reached) if place else None
    on = share(rungs[place + 1].reached, rung.reached) if place + 1 < len(rungs) else None
    apart = 9 if whole is not None and on is not None else 0
    if whole is not None:
        yield Text(
            x=740, y=middle - apart, text=f"{whole:.1%} of the first", size=12, anchor="start"
        )
    if on is not None:
        days = "" if rung.median is None else f"; {rung.median:f} days (median)"
        text = f"{on:.1%} went on{days}"
        yield Text(x=740, y=middle + apart, text=text, size=12, anchor="start", color="#4B5563")
