"""The bridge's workbook: the source's figures as inputs, every other figure and the waterfall chart as formulas of them."""

from __future__ import annotations

from typing import Any

from deskmate_finance.looks import DRAFT, looks, styled
from deskmate_finance.variance import (
    ENDED,
    LINES,
    MIX,
    NEW,
    OTHERS,
    PRICE,
    VOLUME,
    Bridge,
    Item,
    label,
)

BRIDGE, LIST = "Bridge", "Items"
HEAD = 7
"""The row of the column heads on both sheets."""
LIMIT_CELLS = frozenset({f"{LIST}!C4", f"{LIST}!C5"})
INPUTS = {LIST: frozenset((3, 4, 5, 6))}
CHECK = "Start and drivers less end"
_FILLS = {"Total": "1F3864", "Up": "2E7D32", "Down": "C62828"}


def sheets(bridge: Bridge, sources: str) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks(bridge.places)
    rows, at = _items(bridge, sources)
    front = _bridge(bridge, sources, at)
    first, last = HEAD + 1, HEAD + len(bridge.drivers) + 2
    across = f"A{first}:A{last}"
    series = [
        {"name": "Hidden", "categories": across, "values": f"E{first}:E{last}", "fill": "none"}
    ]
    for column, name in zip("FGHIJK", ("Total", "Up", "Down") * 2, strict=True):
        values = f"{column}{first}:{column}{last}"
        series.append({"name": name, "categories": across, "values": values, "fill": _FILLS[name]})
    chart = {
        "type": "column", "stacked": True, "legend": False, "gap": 40, "series": series, "size": (920, 380),
        "title": f"{bridge.start_name} to {bridge.end_name}", "at": f"A{last + 4}",
    }  # fmt: skip
    return [
        {"name": BRIDGE, "rows": front, "header": 0, "looks": style, "print": "landscape",
         "widths": [34, *[15] * 10], "charts": [chart]},
        {"name": LIST, "rows": rows, "header": 0, "looks": style, "print": "landscape", "freeze": f"B{HEAD + 1}",
         "widths": [30, 10, 15, 15, 12, 12, 12, 15, 15, 15, 10, 15, 15, 10, 40, 40]},
    ]  # fmt: skip


def _text(value: str, look: str = "text") -> dict[str, Any]:
    return styled({"text": value}, look)


def _items(bridge: Bridge, sources: str) -> tuple[list[list[Any]], dict[str, int]]:
    rows: list[list[Any]] = [
        [_text("Items of the bridge", "title")],
        [_text(DRAFT, "draft")],
        [_text(sources, "note")],
        ["A line is material from", None, styled(float(bridge.limits.amount), "input")],
        ["and from this share of its base figure", None, styled(float(bridge.limits.percent) / 100, "percent")],
        [],
        [
            _text("Item", "head"),
            _text("Type", "head"),
            *(
                _text(head, "head figure")
                for head in (
                    bridge.start_name, bridge.end_name, f"{bridge.start_name}, quantity",
                    f"{bridge.end_name}, quantity", "Taken as", "Base in the result", "Actual in the result",
                    "Variance", "%", "Actual quantity at base price", "Price effect", "Material",
                )
            ),
            _text("Source of the base figure", "head"),
            _text("Source of the actual figure", "head"),
        ],
    ]  # fmt: skip
    at: dict[str, int] = {}
    for item in bridge.items:
        at.setdefault(label(item), len(rows) + 1)
        rows.append(_item(item, len(rows) + 1, bridge))
    last = len(rows)
    sums = [
        styled(f"=SUM({c}{HEAD + 1}:{c}{last})" if c in "HIJ" else None, "total figure")
        for c in "CDEFGHIJ"
    ]
    rows.append([styled("Total", "total title"), styled(None, "total title"), *sums])
    return rows, at


def _item(item: Item, row: int, bridge: Bridge) -> list[Any]:
    sign = "-" if item.is_cost else ""
    base, actual = item.base, item.actual
    continuing = item.kind == "continuing"
    over = f"AND(J{row}<>0,ABS(J{row})>=$C$4,ABS(J{row})>=$C$5*ABS(C{row}))"
    return [
        _text(item.name),
        "cost" if item.is_cost else "revenue",
        styled(float(base.amount), "input"),
        styled(float(actual.amount), "input"),
        None if base.quantity is None else styled(float(base.quantity), "count"),
        None if actual.quantity is None else styled(float(actual.quantity), "count"),
        styled(item.kind, "word"),
        styled(f"={sign}C{row}", "line figure"),
        styled(f"={sign}D{row}", "line figure"),
        styled(f"=ROUND(I{row}-H{row},{bridge.places})", "line figure"),
        styled(f'=IF(C{row}=0,"n/a",J{row}/ABS(C{row}))', "percent"),
        styled(f"=ROUND(F{row}*C{row}/E{row},{bridge.places})", "line figure")
        if continuing
        else None,
        styled(f"=ROUND(D{row}-L{row},{bridge.places})", "line figure") if continuing else None,
        styled(f'=IF({over},"material","")', "word"),
        _text("; ".join(map(str, base.places[:4])) or "not there", "note"),
        _text("; ".join(map(str, actual.places[:4])) or "not there", "note"),
    ]


def _bridge(bridge: Bridge, sources: str, at: dict[str, int]) -> list[list[Any]]:
    heads = (
        "Amount",
        "From",
        "To",
        "Hidden",
        "Total",
        "Up",
        "Down",
        "Total <0",
        "Up <0",
        "Down <0",
    )
    rows: list[list[Any]] = [
        [_text(f"{bridge.start_name} to {bridge.end_name}", "title")],
        [_text(DRAFT, "draft")],
        [_text(sources, "note")],
        [_text("Every amount is a formula of the sheet Items, which names the source of each figure.", "note")],
        [_text("Columns C to K draw the chart.", "note")],
        [],
        [_text("Driver", "head"), *(_text(head, "head figure") for head in heads)],
    ]  # fmt: skip
    first, last = HEAD + 1, HEAD + len(bridge.items)
    end = first + len(bridge.drivers) + 1
    total_row = last + 1
    rows.append(_bar(bridge.start_name, f"={LIST}!H{total_row}", first, "grand", None))
    for number, (title, _) in enumerate(bridge.drivers, first + 1):
        formula = f"=ROUND({_driver(title, at, (first, last), bridge, number)},{bridge.places})"
        rows.append(_bar(title, formula, number, "line", number - 1))
    rows.append(_bar(bridge.end_name, f"={LIST}!I{total_row}", end, "grand", None))
    rows.append([])
    check = f"=ROUND(SUM(B{first}:B{end - 1})-B{end},{bridge.places})"
    rows.append([_text(CHECK, "line title"), styled(check, "line figure")])
    return rows


def _driver(title: str, at: dict[str, int], area: tuple[int, int], bridge: Bridge, row: int) -> str:
    """Return the formula of a driver without `=`."""

    def over(column: str, kind: str) -> str:
        def cells(letter: str) -> str:
            return f"{LIST}!${letter}${area[0]}:${letter}${area[1]}"

        return f'SUMIFS({cells(column)},{cells("G")},"{kind}")'

    same = "continuing"
    if bridge.by_quantity:
        change = f"({over('F', same)}-{over('E', same)})/{over('E', same)}"
        return {
            VOLUME: f"{over('H', same)}*{change}",
            MIX: f"{over('L', same)}-{over('H', same)}-B{row - 1}",
            PRICE: over("M", same),
            NEW: over("J", "new"),
            ENDED: over("J", "ended"),
            LINES: over("J", "line"),
        }[title]
    return over("J", "other") if title == OTHERS else f"{LIST}!J{at[title]}"


def _bar(title: str, formula: str, row: int, look: str, before: int | None) -> list[Any]:
    low, high = f"MIN(C{row},D{row})", f"MAX(C{row},D{row})"
    above, below = f"MAX({high},0)-MAX({low},0)", f"MIN({low},0)-MIN({high},0)"
    hidden = f"=IF({low}>=0,{low},IF({high}<=0,{high},0))"
    if before is None:
        parts = [f"={above}", None, None, f"={below}", None, None]
    else:
        up, down = f"=IF(D{row}>=C{row},{{}},0)", f"=IF(D{row}<C{row},{{}},0)"
        parts = [
            None,
            up.format(above),
            down.format(above),
            None,
            up.format(below),
            down.format(below),
        ]
    start = f"=B{row}-B{row}" if before is None else f"=D{before}"
    cells = [formula, start, f"=C{row}+B{row}", hidden, *parts]
    figures = [styled(c, f"{look} figure") if c else styled(None, f"{look} figure") for c in cells]
    return [_text(title, f"{look} title"), *figures]
