"""The workbook of a scorecard: scores, points, figures, weights, costs and what would change the order, all live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from deskmate.plugin import ToolInputError
from deskmate_documents.xlsx.build import Computed
from deskmate_ops.books import Page, Value, column, total_of
from deskmate_ops.costs import TCO, Costs, present_value
from deskmate_ops.vendors import Figures

SIX = Decimal("0.000001")
CRITERIA_LIMIT, VENDORS_LIMIT = 40, 200
GIVEN, EQUAL = "given for this scorecard", "equal, because none were given"
Rows = list[list[Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a scorecard rests on. `sources`: vendor → place. `scale`: lowest and highest figure of every criterion, or None."""

    figures: Figures
    sources: Mapping[str, str]
    weights: Mapping[str, Decimal]
    lower: frozenset[str]
    scale: tuple[Decimal, Decimal] | None
    costs: Costs | None
    rate: Decimal
    step: Decimal
    equal: bool

    def points(self) -> dict[str, dict[str, Decimal]]:
        """Return vendor → criterion → points from 0 to 100."""
        found: dict[str, dict[str, Decimal]] = {vendor: {} for vendor in self.figures}
        for name in self.weights:
            own = {vendor: figures[name] for vendor, figures in self.figures.items()}
            low, high = (
                self.scale if self.scale and name != TCO else (min(own.values()), max(own.values()))
            )
            for vendor, value in own.items():
                part = Decimal(1) if low == high else (value - low) / (high - low)
                turned = 1 - part if name in self.lower and low != high else part
                found[vendor][name] = 100 * turned
        return found

    def scores(self) -> list[tuple[str, Decimal]]:
        """Return (vendor, score), the best first."""
        points = self.points()
        found = [(vendor, weighted(points[vendor], self.weights)) for vendor in self.figures]
        return sorted(found, key=lambda item: (-item[1], item[0]))


def weighted(points: Mapping[str, Decimal], weights: Mapping[str, Decimal]) -> Decimal:
    """Return a score, six decimals."""
    total = sum((points[name] * weight for name, weight in weights.items()), Decimal())
    return total.quantize(SIX, ROUND_HALF_UP)


def check_card(card: Card) -> None:
    """Refuse what cannot be scored.

    Raises:
        ToolInputError: too many vendors or criteria, an unknown criterion, a figure off the scale.
    """
    if len(card.weights) > CRITERIA_LIMIT or len(card.figures) > VENDORS_LIMIT:
        raise ToolInputError(
            f"A scorecard has at most {CRITERIA_LIMIT} criteria and {VENDORS_LIMIT} vendors."
        )
    known = list(next(iter(card.figures.values())))
    for name in card.lower:
        if name not in known:
            raise ToolInputError(f"There is no criterion {name!r}; there are {', '.join(known)}.")
    if card.scale is None:
        return
    low, high = card.scale
    for vendor, figures in card.figures.items():
        for name, value in figures.items():
            if name in card.weights and name != TCO and not low <= value <= high:
                raise ToolInputError(
                    f"{card.sources[vendor]}: {name} of {vendor} is {value}, off the scale {low} to {high}."
                )


def card_pages(card: Card) -> list[Page]:
    """Return the sheets of a scorecard; vendors in the order of their scores in all of them."""
    order = [vendor for vendor, _ in card.scores()]
    pages = [_scores(card, order), _points(card, order), _figures(card, order), _weights(card)]
    pages.append(_sensitivity(card, order))
    if card.costs is not None:
        pages += [_tco(card, card.costs, order), _costs(card.costs)]
    return [*pages, _terms(card)]


def _scores(card: Card, order: Sequence[str]) -> Page:
    points, last = card.points(), len(order) + 1
    scores = dict(card.scores())
    rows: Rows = [["Rank", "Vendor", "Score"]]
    for number, vendor in enumerate(order, start=2):
        parts = [
            f"Points!{column(c + 2)}{number}*Weights!$B${c + 2}" for c in range(len(card.weights))
        ]
        rank = 1 + sum(score > scores[vendor] for score in scores.values())
        rows.append(
            [
                Computed(f"=RANK(C{number},C$2:C${last})", rank),
                vendor,
                Computed(f"=ROUND({'+'.join(parts)},6)", weighted(points[vendor], card.weights)),
            ]
        )
    series = {"name": "Score", "categories": f"B2:B{last}", "values": f"C2:C{last}"}
    chart = {"type": "column", "title": "Weighted score, 0 to 100", "at": "E2", "series": [series]}
    bars = {"type": "dataBar", "colors": ["9DC3E6"]}
    return Page(
        name="Scores",
        rows=rows,
        widths=(8, 40, 14),
        formats=("0", "", "0.00"),
        charts=(chart,),
        edits=({"op": "rule", "cells": f"C2:C{last}", "rule": bars},),
    )


def _points(card: Card, order: Sequence[str]) -> Page:
    points, last, names = card.points(), len(order) + 1, list(next(iter(card.figures.values())))
    rows: Rows = [["Vendor", *card.weights]]
    for number, vendor in enumerate(order, start=2):
        row: list[Value] = [vendor]
        for place, name in enumerate(card.weights):
            letter = column(names.index(name) + 2)
            area = f"Figures!{letter}$2:{letter}${last}"
            low, high = f"MIN({area})", f"MAX({area})"
            if card.scale and name != TCO:
                low, high = "Terms!$B$2", "Terms!$B$3"
            own, better = f"Figures!{letter}{number}", f"Weights!$C${place + 2}"
            formula = f'=IF({high}={low},100,IF({better}="lower",{high}-{own},{own}-{low})/({high}-{low})*100)'
            row.append(Computed(formula, points[vendor][name]))
        rows.append(row)
    area = f"B2:{column(len(card.weights) + 1)}{last}"
    rule = {"type": "colorScale", "colors": ["F8696B", "FFEB84", "63BE7B"]}
    return Page(
        name="Points",
        rows=rows,
        widths=(40, *(16,) * len(card.weights)),
        formats=("", *("0.0",) * len(card.weights)),
        edits=({"op": "rule", "cells": area, "rule": rule},),
        freeze="B2",
    )


def _figures(card: Card, order: Sequence[str]) -> Page:
    names = list(next(iter(card.figures.values())))
    rows: Rows = [["Vendor", *names, "Source"]]
    for number, vendor in enumerate(order, start=2):
        row: list[Value] = [vendor]
        for name in names:
            value: Value = card.figures[vendor][name]
            if name == TCO and card.costs is not None:
                place = column(len(card.costs.years) + 3)
                value = Computed(f"=TCO!{place}{number + 1}", card.figures[vendor][name])
            row.append(value)
        rows.append([*row, card.sources[vendor]])
    last = column(len([name for name in names if name != TCO]) + 1)
    return Page(
        name="Figures",
        rows=rows,
        widths=(40, *(16,) * len(names), 48),
        formats=("", *("#,##0.00",) * len(names)),
        inputs=(f"B2:{last}{len(rows)}",) if last != "A" else (),
        freeze="B2",
    )


def _weights(card: Card) -> Page:
    given = EQUAL if card.equal else GIVEN
    rows: Rows = [
        [name, weight, "lower" if name in card.lower else "higher", given]
        for name, weight in card.weights.items()
    ]
    total: list[Value] = ["Total", total_of(rows, 1), None, None]
    last = len(rows) + 1
    better = {"type": "list", "formulas": ['"higher,lower"']}
    return Page(
        name="Weights",
        rows=[["Criterion", "Weight", "Better", "Origin"], *rows, total],
        widths=(32, 12, 12, 34),
        formats=("", "0.00%"),
        totals=(last + 1,),
        inputs=(f"B2:C{last}",),
        edits=({"op": "validation", "cells": f"C2:C{last}", "validation": better},),
    )


def _sensitivity(card: Card, order: Sequence[str]) -> Page:
    """Return the scores with each weight a step lower and higher, the others in proportion."""
    points, last = card.points(), column(len(order) + 2)
    rows: Rows = [["Criterion whose weight changes", "By", *order, "First"]]
    for place, (name, weight) in enumerate(card.weights.items(), start=2):
        for sign in (-1, 1):
            number = len(rows) + 1
            new = min(Decimal(1), weight * (1 + sign * card.step))
            row: list[Value] = [name, Computed(f"={sign}*Terms!$B$5", sign * card.step)]
            scores = []
            for at, vendor in enumerate(order, start=2):
                own = points[vendor][name]
                score = weighted(points[vendor], card.weights)
                rest = (
                    Decimal() if weight == 1 else (score - own * weight) * (1 - new) / (1 - weight)
                )
                scores.append(
                    (own * new + rest if weight != 1 else score).quantize(SIX, ROUND_HALF_UP)
                )
                p, w, s = f"Points!{column(place)}{at}", f"Weights!$B${place}", f"Scores!C{at}"
                raised = f"MIN(1,{w}*(1+$B{number}))"
                row.append(
                    Computed(
                        f"=ROUND(IF({w}=1,{s},{p}*{raised}+({s}-{p}*{w})*(1-{raised})/(1-{w})),6)",
                        scores[-1],
                    )
                )
            first = order[scores.index(max(scores))]
            area = f"C{number}:{last}{number}"
            row.append(Computed(f"=INDEX(C$1:{last}$1,MATCH(MAX({area}),{area},0))", first))
            rows.append(row)
    return Page(
        name="Sensitivity",
        rows=rows,
        widths=(34, 10, *(18,) * len(order), 30),
        formats=("", "+0%;-0%", *("0.00",) * len(order)),
        freeze="C2",
    )


def _tco(card: Card, costs: Costs, order: Sequence[str]) -> Page:
    last = column(len(costs.years) + 1)
    end = len(costs.lines) + 1
    factors: list[Value] = [
        Computed(
            f"=1/(1+Terms!$B$4)^{column(y + 2)}$1",
            (1 / (1 + card.rate) ** y).quantize(Decimal("1e-15")),
        )
        for y in costs.years
    ]
    rows: Rows = [["Vendor", *costs.years, "Total", "Present value"], ["Discount factor", *factors]]
    for number, vendor in enumerate(order, start=3):
        amounts = costs.by_year(vendor)
        row: list[Value] = [vendor]
        for year, amount in enumerate(amounts):
            where = f"Costs!$A$2:$A${end},$A{number},Costs!$C$2:$C${end},{column(year + 2)}$1"
            row.append(Computed(f"=SUMIFS(Costs!$D$2:$D${end},{where})", amount))
        row.append(Computed(f"=SUM(B{number}:{last}{number})", sum(amounts, Decimal())))
        pv = present_value(amounts, card.rate).quantize(SIX, ROUND_HALF_UP)
        row.append(Computed(f"=ROUND(SUMPRODUCT(B{number}:{last}{number},B$2:{last}$2),6)", pv))
        rows.append(row)
    place = column(len(costs.years) + 3)
    series = {
        "name": "Present value",
        "categories": f"A3:A{len(rows)}",
        "values": f"{place}3:{place}{len(rows)}",
    }
    chart = {
        "type": "column",
        "title": "Present value of all costs",
        "at": f"A{len(rows) + 3}",
        "series": [series],
    }
    factor = {"op": "style", "cells": f"B2:{last}2", "number_format": "0.0000"}
    return Page(
        name=TCO,
        rows=rows,
        widths=(36, *(14,) * len(costs.years), 16, 16),
        formats=("", *("#,##0.00",) * (len(costs.years) + 2)),
        charts=(chart,),
        edits=(factor,),
        freeze="B3",
    )


def _costs(costs: Costs) -> Page:
    rows: Rows = [
        [line.vendor, line.item, line.year, line.amount, line.source] for line in costs.lines
    ]
    total: list[Value] = ["Total", None, None, total_of(rows, 3), None]
    return Page(
        name="Costs",
        rows=[["Vendor", "Item", "Year", "Amount", "Source"], *rows, total],
        widths=(36, 36, 8, 16, 48),
        formats=("", "", "0", "#,##0.00"),
        totals=(len(rows) + 2,),
        inputs=(f"D2:D{len(rows) + 1}",),
    )


def _terms(card: Card) -> Page:
    low, high = card.scale or (None, None)
    first = card.costs.first if card.costs else 0
    currency = (card.costs.currency if card.costs else "") or "not named"
    rows: Rows = [
        ["Term", "Value"],
        ["Lowest figure of the scale (empty: the vendors' own)", low],
        ["Highest figure of the scale (empty: the vendors' own)", high],
        ["Discount rate", card.rate],
        ["Change of a weight in the sensitivity", card.step],
        ["Year 0", first or "the first year of the costs"],
        ["Currency", currency],
        ["Score", "sum of weight × points; points: 0 for the worst, 100 for the best figure"],
    ]
    return Page(name="Terms", rows=rows, widths=(52, 60), inputs=("B4:B5",))
