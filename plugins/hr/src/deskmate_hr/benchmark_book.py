"""The workbook of a benchmark: market, own roles, survey, terms, all live; what is too thin is named and not shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value, column
from deskmate_hr.benchmark import TEN, Benchmark, Role, standing
from deskmate_hr.offers import words
from deskmate_hr.people import HIDDEN

MARKET, ROLES, PEOPLE, SURVEY, OUT, TERMS = (
    "Market",
    "Roles",
    "People",
    "Survey",
    "Not published",
    "Terms",
)
RANGE = ("Minimum", "Midpoint", "Maximum")
RATIOS = ("Compa-ratio", "Range penetration", "Pay to P50")
MONEY, RATIO = "#,##0.00", "0.00"
NOTES = (
    "Percentiles of several survey lines are weighted by their number of people; single observations are interpolated.",
    "Aged pay = pay × (1 + rate × days to the day above / 365). Midpoint = P50 × market position, unless an own band is set.",
    "Compa-ratio = pay / midpoint. Range penetration = (pay − minimum) / (maximum − minimum).",
    "Roles with fewer people than the smallest sample are not shown, nor own pay of fewer people.",
    "A benchmark is one input to a pay decision that a person takes. It is no appraisal of anybody, no pay equity analysis "
    "and no advice on competition law.",
)
SINGLE = "The sheet People shows single pay by employee id: for readers who may see it, and for nobody else."
Rows = list[list[Value]]


def benchmark_pages(benchmark: Benchmark) -> list[Page]:
    """Return the sheets."""
    pages = [_market(benchmark)]
    if benchmark.people is not None:
        pages.append(_roles(benchmark))
        if benchmark.individuals:
            pages.append(_people(benchmark))
    pages.append(_survey(benchmark))
    if benchmark.thin:
        rows: Rows = [["Role", "Why"]]
        rows += [[label, why] for label, why in benchmark.thin.items()]
        pages.append(Page(name=OUT, rows=rows, widths=(44, 60)))
    return [*pages, _terms(benchmark)]


def _exact(value: Decimal) -> Decimal:
    return value.quantize(TEN)


def market_header(benchmark: Benchmark) -> list[str]:
    """Return the columns of the sheet Market."""
    return ["Role", "Survey lines", "n", "Organisations", *benchmark.percentiles, *RANGE, "Basis"]


def _market(benchmark: Benchmark) -> Page:
    header = market_header(benchmark)
    rows: Rows = [list(header)]
    start, inputs = 2, []
    last = sum(len(role.lines) for role in benchmark.roles) + 1
    for number, role in enumerate(benchmark.roles, start=2):
        row: list[Value] = [role.label, len(role.lines)]
        row.append(
            Computed(f"=SUMIFS(Survey!E$2:E${last},Survey!A$2:A${last},A{number})", role.count)
        )
        row.append("not stated" if role.organisations is None else role.organisations)
        row += _percentiles(benchmark, role, number, (start, start + len(role.lines) - 1), last)
        row += _range(benchmark, role, number, header)
        row.append("own band" if role.is_own else "market")
        if role.is_own:
            low, high = (column(header.index(name) + 1) for name in ("Minimum", "Maximum"))
            inputs += [f"{low}{number}", f"{high}{number}"]
        rows.append(row)
        start += len(role.lines)
    money = len(benchmark.percentiles) + len(RANGE)
    letter = column(len(header))
    return Page(
        name=MARKET,
        rows=rows,
        widths=(40, 14, 9, 15, *(14,) * money, 14),
        formats=("", "0", "#,##0", "0", *(MONEY,) * money),
        charts=[_chart(benchmark, header, len(rows))],
        inputs=inputs,
        edits=({"op": "style", "cells": f"{letter}1:{letter}{len(rows)}", "align": "center"},),
        freeze="B2",
    )


def _percentiles(
    benchmark: Benchmark, role: Role, number: int, lines: tuple[int, int], last: int
) -> list[Value]:
    cells: list[Value] = []
    count = len(benchmark.percentiles)
    for place, name in enumerate(benchmark.percentiles):
        if benchmark.survey.is_observed:
            formula = f"=PERCENTILE(Survey!H{lines[0]}:H{lines[1]},{Decimal(name[1:]) / 100})"
        else:
            letter = column(7 + 2 * count + place)
            formula = f"=SUMIFS(Survey!{letter}$2:{letter}${last},Survey!A$2:A${last},A{number})/C{number}"
        cells.append(Computed(formula, _exact(role.pay[name])))
    return cells


def _range(benchmark: Benchmark, role: Role, number: int, header: Sequence[str]) -> list[Value]:
    low, middle, high, median = (
        f"{column(header.index(name) + 1)}{number}" for name in (*RANGE, "P50")
    )
    if role.is_own:
        return [role.low, Computed(f"=({low}+{high})/2", _exact(role.middle)), role.high]
    return [
        Computed(f"={middle}*2/(2+Terms!$B$5)", _exact(role.low)),
        Computed(f"={median}*Terms!$B$4", _exact(role.middle)),
        Computed(f"={low}*(1+Terms!$B$5)", _exact(role.high)),
    ]


def _chart(benchmark: Benchmark, header: Sequence[str], last: int) -> dict[str, object]:
    series = []
    for name in benchmark.percentiles:
        letter = column(header.index(name) + 1)
        series.append(
            {"name": name, "categories": f"A2:A{last}", "values": f"{letter}2:{letter}{last}"}
        )
    unit = f", {benchmark.currency}" if benchmark.currency else ""
    title = f"Market pay, aged to {benchmark.terms.as_of}{unit}"
    return {
        "type": "column",
        "title": title,
        "at": f"A{last + 3}",
        "size": (900, 340),
        "gap": 80,
        "series": series,
        "y_format": "#,##0",
        "y_min": 0,
    }


def roles_header() -> list[str]:
    """Return the columns of the sheet Roles."""
    return ["Role", "People", "Median pay", *RANGE, *RATIOS, "Below minimum", "Above maximum"]


def _roles(benchmark: Benchmark) -> Page:
    rows: Rows = [list(roles_header())]
    market = market_header(benchmark)
    people = benchmark.people or ()
    there = {words(person.label) for person in people}
    for number, role in enumerate(benchmark.roles, start=2):
        if words(role.label) not in there:
            continue
        at = len(rows) + 1
        own = standing(role, people, benchmark.terms.least)
        refs = [
            Computed(f"=Market!{column(market.index(name) + 1)}{number}", _exact(value))
            for name, value in zip(RANGE, (role.low, role.middle, role.high), strict=True)
        ]
        pay = own["Median pay"]
        ratios: list[Value] = [HIDDEN] * 3
        if pay is not None:
            median = f"Market!{column(market.index('P50') + 1)}{number}"
            ratios = [
                Computed(f"=C{at}/E{at}", _exact(pay / role.middle)),
                Computed(
                    f"=(C{at}-D{at})/(F{at}-D{at})",
                    _exact((pay - role.low) / (role.high - role.low)),
                ),
                Computed(f"=C{at}/{median}", _exact(pay / role.pay["P50"])),
            ]
        counts = [
            HIDDEN if own[name] is None else own[name]
            for name in ("Below minimum", "Above maximum")
        ]
        first = [HIDDEN if own[name] is None else own[name] for name in ("People", "Median pay")]
        rows.append([role.label, *first, *refs, *ratios, *counts])
    return Page(
        name=ROLES,
        rows=rows,
        widths=(40, 9, 14, 14, 14, 14, 14, 19, 13, 16, 16),
        formats=("", "0", MONEY, MONEY, MONEY, MONEY, RATIO, "0%", RATIO, "0", "0"),
        edits=_rules(rows, "G"),
        freeze="B2",
    )


def _rules(rows: Rows, letter: str) -> list[dict[str, object]]:
    """Colour ratios far from 1, and align what is hidden with the figures."""
    if len(rows) < 2:
        return []
    cells = f"{letter}2:{letter}{len(rows)}"
    scale = {"type": "colorScale", "colors": ["F8CBAD", "FFFFFF", "BDD7EE"]}
    body = f"B2:{column(len(rows[0]))}{len(rows)}"
    return [
        {"op": "rule", "cells": cells, "rule": scale},
        {"op": "style", "cells": body, "align": "right"},
    ]


def _people(benchmark: Benchmark) -> Page:
    """Return a line for each person, by id: for readers who may see single pay."""
    rows: Rows = [["Employee id", "Role", "Pay", *RATIOS[:2], "Place in range"]]
    market = market_header(benchmark)
    low, middle, high = (column(market.index(name) + 1) for name in RANGE)
    known = {
        words(role.label): (number, role) for number, role in enumerate(benchmark.roles, start=2)
    }
    for person in benchmark.people or ():
        number, role = known[words(person.label)]
        at = len(rows) + 1
        place = (
            "below" if person.pay < role.low else "above" if person.pay > role.high else "inside"
        )
        ends = f"Market!{low}{number}", f"Market!{high}{number}"
        rows.append(
            [
                person.id,
                role.label,
                person.pay,
                Computed(f"=C{at}/Market!{middle}{number}", _exact(person.pay / role.middle)),
                Computed(
                    f"=(C{at}-{ends[0]})/({ends[1]}-{ends[0]})",
                    _exact((person.pay - role.low) / (role.high - role.low)),
                ),
                Computed(
                    f'=IF(C{at}<{ends[0]},"below",IF(C{at}>{ends[1]},"above","inside"))', place
                ),
            ]
        )
    return Page(
        name=PEOPLE,
        rows=rows,
        widths=(16, 40, 14, 14, 19, 16),
        formats=("", "", MONEY, RATIO, "0%"),
        inputs=(f"C2:C{len(rows)}",),
        edits=({"op": "style", "cells": f"F1:F{len(rows)}", "align": "center"},),
    )


def survey_header(benchmark: Benchmark) -> list[str]:
    """Return the columns of the sheet Survey."""
    head = ["Role", "Source", "Effective", "Organisations", "n"]
    if benchmark.survey.is_observed:
        return [*head, "Place", "Pay", "Pay, aged"]
    names = benchmark.percentiles
    return [
        *head,
        "Place",
        *names,
        *(f"{n}, aged" for n in names),
        *(f"n × {n}, aged" for n in names),
    ]


def _survey(benchmark: Benchmark) -> Page:
    header = survey_header(benchmark)
    names = ("Pay",) if benchmark.survey.is_observed else benchmark.percentiles
    rows: Rows = [list(header)]
    for role in benchmark.roles:
        for line in role.lines:
            at = len(rows) + 1
            factor = benchmark.terms.factor(line.effective)
            known = "not stated" if line.organisations is None else line.organisations
            row: list[Value] = [
                role.label,
                line.source,
                {"date": line.effective.isoformat()},
                known,
                line.count,
                line.place,
            ]
            row += [line.values[name] for name in names]
            for place, name in enumerate(names):
                formula = f"={column(7 + place)}{at}*(1+Terms!$B$2*(Terms!$B$3-C{at})/365)"
                row.append(Computed(formula, _exact(line.values[name] * factor)))
            if not benchmark.survey.is_observed:
                for place, name in enumerate(names):
                    formula = f"=E{at}*{column(7 + len(names) + place)}{at}"
                    row.append(Computed(formula, _exact(line.count * line.values[name] * factor)))
            rows.append(row)
    money = len(header) - 6
    return Page(
        name=SURVEY,
        rows=rows,
        widths=(40, 30, 12, 15, 9, 34, *(17,) * money),
        formats=("", "", "yyyy-mm-dd", "0", "#,##0", "", *(MONEY,) * money),
        inputs=(f"G2:{column(6 + len(names))}{len(rows)}",),
        freeze="B2",
    )


def _terms(benchmark: Benchmark) -> Page:
    terms = benchmark.terms
    rows: Rows = [
        ["Term", "Value"],
        ["Ageing rate a year", terms.ageing],
        ["Aged to", {"date": terms.as_of.isoformat()}],
        ["Market position (midpoint as a share of P50)", terms.position],
        ["Range spread (maximum / minimum − 1)", terms.spread],
        ["Smallest sample and smallest group shown", terms.least],
        ["Currency", benchmark.currency or "not stated"],
    ]
    rows += [[note] for note in NOTES]
    if benchmark.individuals:
        rows.append([SINGLE])
    wrap = {"op": "style", "cells": f"A8:A{len(rows)}", "wrap": True}
    return Page(name=TERMS, rows=rows, widths=(80, 18), inputs=("B2:B5",), edits=(wrap,))
