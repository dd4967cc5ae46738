"""The workbook of a capacity plan: utilisation, capacity, demand and gap by team and period, what-ifs, sources; and its heat map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from deskmate_documents.scenes import Box, Item, Scene, Text, headings, legend, shortened
from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value, column
from deskmate_ops.capacity import TOTAL, Entry, Limits, Load, Scenario, bottleneck

SUMMARY, USE, WHAT_IF, TERMS = "Summary", "Utilisation", "What-if", "Terms"
CAPACITY, DEMAND, GAP = "Capacity", "Demand", "Gap"
SOURCES = {CAPACITY: "Capacity source", DEMAND: "Demand source"}
SUMMARY_HEADER = (
    "Team",
    "Capacity",
    "Demand",
    "Utilisation",
    "Highest",
    "Periods over",
    "Lacking",
    "State",
)
SOURCE_HEADER = ("Team", "What", "Period", "Amount", "Source row")
NONE = "no capacity"
STATES = ("overloaded", "tight", "has slack")
COLOURS = {
    "overloaded": "E06666",
    "tight": "FFD966",
    "has slack": "C6E0B4",
    NONE: "A64D79",
    "": "F3F4F6",
}
SHARE, FIGURE = "0%", "#,##0.##"
Rows = list[list[Value]]


def state_of(share: Decimal | None, demand: Decimal, limits: Limits) -> str:
    """Return in a word how a team stands."""
    if share is None:
        return NONE if demand else ""
    return STATES[0] if share > limits.full else STATES[1] if share >= limits.tight else STATES[2]


def capacity_pages(
    load: Load, scenarios: Sequence[Scenario], limits: Limits, sources: Sequence[str]
) -> list[Page]:
    """Return the sheets."""
    return [
        _summary(load, limits),
        _matrix(USE, load, _use_cell(load), limits, SHARE),
        _what_if(load, scenarios, limits),
        _matrix(CAPACITY, load, _sum_cell(load, CAPACITY), limits, FIGURE),
        _matrix(DEMAND, load, _sum_cell(load, DEMAND), limits, FIGURE),
        _matrix(GAP, load, _gap_cell(load), limits, FIGURE),
        _source(SOURCES[CAPACITY], load.capacity),
        _source(SOURCES[DEMAND], load.demand),
        _terms(load, limits, sources),
    ]


Cell = Callable[[int, int], Computed]
"""(row, column) of a cell, from 1 → its formula and result. The last row is the total, the last column all periods."""


def _names(load: Load, row: int, place: int) -> tuple[str, str]:
    """Return team and period of a cell, empty for all."""
    team = load.teams[row - 2] if row - 2 < len(load.teams) else ""
    period = load.periods[place - 2] if place - 2 < len(load.periods) else ""
    return team, period


def _sum_cell(load: Load, name: str) -> Cell:
    source, kind = SOURCES[name], name.lower()
    last = len(load.capacity if name == CAPACITY else load.demand) + 1
    end = column(len(load.periods) + 1)

    def cell(row: int, place: int) -> Computed:
        team, period = _names(load, row, place)
        result = load.sum(kind, team, period)
        letter = column(place)
        if not team:
            return Computed(f"=SUM({letter}2:{letter}{row - 1})", result)
        if not period:
            return Computed(f"=SUM(B{row}:{end}{row})", result)
        area = f"'{source}'!${{0}}$2:${{0}}${last}"
        return Computed(
            f"=SUMIFS({area.format('D')},{area.format('A')},$A{row},{area.format('C')},{letter}$1)",
            result,
        )

    return cell


def _use_cell(load: Load) -> Cell:
    def cell(row: int, place: int) -> Computed:
        team, period = _names(load, row, place)
        at = f"{column(place)}{row}"
        formula = (
            f'=IF({CAPACITY}!{at}=0,IF({DEMAND}!{at}=0,"","{NONE}"),{DEMAND}!{at}/{CAPACITY}!{at})'
        )
        return Computed(formula, shown_share(load, team, period))

    return cell


def shown_share(
    load: Load, team: str, period: str, change: Scenario | None = None
) -> Decimal | str:
    """Return utilisation as a cell shows it."""
    share = load.utilisation(team, period, change)
    return share if share is not None else NONE if load.sum("demand", team, period) else ""


def _gap_cell(load: Load) -> Cell:
    def cell(row: int, place: int) -> Computed:
        team, period = _names(load, row, place)
        at = f"{column(place)}{row}"
        result = load.sum("capacity", team, period) - load.sum("demand", team, period)
        return Computed(f"={CAPACITY}!{at}-{DEMAND}!{at}", result)

    return cell


def _matrix(name: str, load: Load, cell: Cell, limits: Limits, code: str) -> Page:
    width, height = len(load.periods) + 2, len(load.teams) + 2
    rows: Rows = [["Team", *load.periods, "All periods"]]
    for row in range(2, height + 1):
        title = load.teams[row - 2] if row < height else TOTAL
        rows.append([title, *(cell(row, place) for place in range(2, width + 1))])
    area = f"B2:{column(width)}{height}"
    edits: list[dict[str, Any]] = [{"op": "style", "cells": area, "align": "right"}]
    if name == USE:
        edits += state_rules(area, "B2", limits)
    elif name == GAP:
        red = {
            "type": "cellIs",
            "operator": "lessThan",
            "formulas": ["0"],
            "format": {"fill": COLOURS["overloaded"]},
        }
        edits.append({"op": "rule", "cells": area, "rule": red})
    charts: list[dict[str, Any]] = []
    if name == DEMAND:
        across = f"'{DEMAND}'!B1:{column(width - 1)}1"
        series = [
            {
                "name": kind,
                "categories": across,
                "values": f"'{kind}'!B{height}:{column(width - 1)}{height}",
            }
            for kind in (CAPACITY, DEMAND)
        ]
        title = f"Capacity and demand in {load.unit}, all teams"
        charts.append(
            {
                "type": "line",
                "title": title,
                "y_min": 0,
                "series": series,
                "at": f"A{height + 3}",
                "size": (900, 320),
            }
        )
    return Page(
        name=name,
        rows=rows,
        widths=(26, *(12,) * (width - 1)),
        formats=("", *(code,) * (width - 1)),
        totals=(height,),
        freeze="B2",
        charts=charts,
        edits=edits,
    )


def state_rules(area: str, first: str, limits: Limits) -> list[dict[str, Any]]:
    """Return native conditional formats that colour shares by state."""
    tests = {
        "overloaded": f"AND(ISNUMBER({first}),{first}>{limits.full})",
        "tight": f"AND(ISNUMBER({first}),{first}>={limits.tight},{first}<={limits.full})",
        "has slack": f"AND(ISNUMBER({first}),{first}<{limits.tight})",
        NONE: f'{first}="{NONE}"',
    }
    return [
        {
            "op": "rule",
            "cells": area,
            "rule": {"type": "expression", "formulas": [test], "format": {"fill": COLOURS[name]}},
        }
        for name, test in tests.items()
    ]


def _summary(load: Load, limits: Limits) -> Page:
    width = len(load.periods) + 2
    inner, all_ = column(width - 1), column(width)
    rows: Rows = [list(SUMMARY_HEADER)]
    for n, team in enumerate([*load.teams, ""], start=2):
        row = summary_row(load, team, limits)
        use = f"{USE}!B{n}:{inner}{n}"
        rows.append(
            [
                team or TOTAL,
                Computed(f"={CAPACITY}!{all_}{n}", row[0]),
                Computed(f"={DEMAND}!{all_}{n}", row[1]),
                Computed(f'=IF(B{n}=0,IF(C{n}=0,"","{NONE}"),C{n}/B{n})', row[2]),
                Computed(f'=IF(COUNT({use})=0,"",MAX({use}))', row[3]),
                Computed(f'=COUNTIF({use},">{limits.full}")+COUNTIF({use},"{NONE}")', row[4]),
                Computed(f"=MAX(0,-MIN({GAP}!B{n}:{inner}{n}))", row[5]),
                Computed(
                    f'=IF(ISNUMBER(D{n}),IF(D{n}>{limits.full},"{STATES[0]}",IF(D{n}>={limits.tight},"{STATES[1]}","{STATES[2]}")),D{n})',
                    row[6],
                ),
            ]
        )
    last = len(rows)
    series = [
        {
            "name": "Utilisation",
            "categories": f"A2:A{last - 1}",
            "values": f"D2:D{last - 1}",
            "fill": "1F3864",
        }
    ]
    chart = {
        "type": "column", "title": "Utilisation over all periods", "y_format": "0%", "y_min": 0, "legend": False,
        "gap": 60, "series": series, "at": f"A{last + 3}", "size": (760, 320),
    }  # fmt: skip
    return Page(
        name=SUMMARY,
        rows=rows,
        widths=(26, 13, 13, 13, 11, 13, 12, 14),
        formats=("", FIGURE, FIGURE, SHARE, SHARE, "0", FIGURE, ""),
        totals=(last,),
        charts=(chart,),
        edits=[
            {"op": "style", "cells": f"H1:H{last}", "align": "center"},
            {"op": "style", "cells": f"D2:E{last}", "align": "right"},
            *state_rules(f"D2:E{last}", "D2", limits),
        ],
    )


def summary_row(load: Load, team: str, limits: Limits) -> list[Any]:
    """Return capacity, demand, utilisation, its highest, periods over the limit, what lacks most, state."""
    shares = [load.utilisation(team, period) for period in load.periods]
    figures = [share for share in shares if share is not None]
    over = sum(share > limits.full for share in figures)
    over += sum(
        share is None and load.sum("demand", team, period) > 0
        for share, period in zip(shares, load.periods, strict=True)
    )
    gaps = [load.sum("demand", team, p) - load.sum("capacity", team, p) for p in load.periods]
    demand = load.sum("demand", team)
    return [
        load.sum("capacity", team),
        demand,
        shown_share(load, team, ""),
        max(figures, default=""),
        over,
        max(Decimal(), *gaps),
        state_of(load.utilisation(team), demand, limits),
    ]


def _what_if(load: Load, scenarios: Sequence[Scenario], limits: Limits) -> Page:
    """Return each scenario a team and period: demand times its factor by capacity plus what is added, all of it live."""
    first, width = 5, len(load.periods)
    end = column(first + width - 1)
    rows: Rows = [
        [
            "Scenario",
            "Team",
            "Demand ×",
            "Capacity + a period",
            *load.periods,
            "Highest",
            "Periods over",
        ]
    ]
    for change in scenarios:
        for number, team in enumerate(load.teams, start=2):
            n = len(rows) + 1
            holds = change.holds(team)
            cells = []
            for place, period in enumerate(load.periods):
                at = f"{column(place + 2)}{number}"
                demand, capacity = f"{DEMAND}!{at}*$C{n}", f"MAX(0,{CAPACITY}!{at}+$D{n})"
                formula = f'=IF({capacity}=0,IF({demand}=0,"","{NONE}"),{demand}/{capacity})'
                cells.append(Computed(formula, scenario_share(load, team, period, change)))
            area = f"{column(first)}{n}:{end}{n}"
            shares = [cell.result for cell in cells if isinstance(cell.result, Decimal)]
            over = sum(share > limits.full for share in shares) + sum(
                c.result == NONE for c in cells
            )
            rows.append(
                [
                    change.name,
                    team,
                    change.factor if holds else 1,
                    change.added if holds else 0,
                    *cells,
                    Computed(f'=IF(COUNT({area})=0,"",MAX({area}))', max(shares, default="")),
                    Computed(f'=COUNTIF({area},">{limits.full}")+COUNTIF({area},"{NONE}")', over),
                ]
            )
    last = len(rows)
    area = f"{column(first)}2:{column(first + width)}{last}"
    return Page(
        name=WHAT_IF,
        rows=rows,
        widths=(28, 22, 10, 13, *(11,) * width, 11, 13),
        formats=("", "", "0.##", FIGURE, *(SHARE,) * (width + 1), "0"),
        freeze="C2",
        inputs=(f"C2:D{last}",),
        edits=[
            {"op": "style", "cells": area, "align": "right"},
            *state_rules(area, f"{column(first)}2", limits),
        ],
    )


def scenario_share(load: Load, team: str, period: str, change: Scenario) -> Decimal | str:
    """Return utilisation under a scenario as a cell shows it."""
    share = load.utilisation(team, period, change)
    demand = load.sum("demand", team, period) * (change.factor if change.holds(team) else 1)
    return share if share is not None else NONE if demand else ""


def _source(name: str, entries: Sequence[Entry]) -> Page:
    rows: Rows = [list(SOURCE_HEADER)]
    rows += [[e.team, e.what, e.period, e.amount, e.row] for e in entries]
    return Page(
        name=name,
        rows=rows,
        widths=(24, 34, 16, 12, 12),
        formats=("", "", "", FIGURE, "0"),
        inputs=(f"D2:D{len(rows)}",),
    )


def term_lines(load: Load, limits: Limits, sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the words and figures mean."""
    return [
        ("Sources", ", ".join(dict.fromkeys(sources))),
        ("Unit", load.unit),
        ("Utilisation", "demand / capacity"),
        ("Overloaded above", f"{limits.full:f}"),
        ("Tight from", f"{limits.tight:f}"),
        ("Bottleneck", bottleneck(load)),
        ("Lacking", "demand less capacity in the worst period"),
        ("What-if", "only the blue cells differ between scenarios; change them to try others"),
    ]


def _terms(load: Load, limits: Limits, sources: Sequence[str]) -> Page:
    rows: Rows = [["Term", "Value"]]
    rows += [[name, text] for name, text in term_lines(load, limits, sources)]
    return Page(name=TERMS, rows=rows, widths=(24, 80))


_LEFT, _TOP, _SIDE, _HIGH, _APART = 220.0, 132.0, 74.0, 40.0, 10.0


def capacity_scene(load: Load, limits: Limits, source: str) -> Scene:
    """Return the heat map of utilisation, team by period, as a picture."""
    width = max(_LEFT + _SIDE * (len(load.periods) + 1) + 60, 820)
    height = _TOP + _HIGH * (len(load.teams) + 1) + 80
    scene = Scene(width=width, height=height, title=f"Utilisation by team, {source}")
    tightest = bottleneck(load)
    words = _words(shown_share(load, tightest, "")) or "no demand"
    under = f"Demand / capacity in {load.unit}. Bottleneck: {tightest}, {words}."
    scene.items += headings(scene.title, under)
    for place, name in enumerate([*load.periods, "All"]):
        x = _LEFT + (place + 0.5) * _SIDE + (_APART if place == len(load.periods) else 0)
        scene.items.append(Text(x=x, y=_TOP - 18, text=shortened(name, 10), size=12, bold=True))
    for row, team in enumerate([*load.teams, ""]):
        y = _TOP + row * _HIGH + (0 if team else _APART)
        name = shortened(team or "All teams", 26)
        scene.items.append(
            Text(x=_LEFT - 14, y=y + _HIGH / 2, text=name, anchor="end", bold=not team)
        )
        scene.items += _heat_row(load, limits, team, y)
    names = (
        (f"overloaded: above {limits.full:.0%}", STATES[0]),
        (f"tight: from {limits.tight:.0%}", STATES[1]),
        ("has slack: below", STATES[2]),
        ("demand without capacity", NONE),
    )
    scene.items += legend([(text, COLOURS[state]) for text, state in names], height - 34, 200)
    return scene


def _words(share: Decimal | str) -> str:
    return f"{share:.0%}" if isinstance(share, Decimal) else share


def _heat_row(load: Load, limits: Limits, team: str, y: float) -> Iterator[Item]:
    for place, period in enumerate([*load.periods, ""]):
        share, demand = load.utilisation(team, period), load.sum("demand", team, period)
        state = state_of(share, demand, limits)
        text = "none" if state == NONE else _words(share) if share is not None else ""
        x = _LEFT + place * _SIDE + (0 if period else _APART)
        note = f"{team or 'All teams'}, {period or 'all periods'}: {text or 'nothing'}"
        yield Box(
            x=x,
            y=y,
            width=_SIDE,
            height=_HIGH,
            fill=f"#{COLOURS[state]}",
            stroke="#FFFFFF",
            title=note,
        )
        ink = "#FFFFFF" if state == NONE else "#1F2937"
        bold = state == STATES[0]
        yield Text(x=x + _SIDE / 2, y=y + _HIGH / 2, text=text, color=ink, bold=bold)
