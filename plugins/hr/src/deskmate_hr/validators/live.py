"""HR-LIVE-FORMULAS: shares, rates and totals of a workbook are formulas that give what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.tables import read_sheets
from deskmate_documents.xlsx.live import live_problems
from deskmate_hr.benchmark_book import MARKET, PEOPLE, RANGE, RATIOS, ROLES, SURVEY
from deskmate_hr.equity_book import GAP_HEADER, GAPS, RATE_HEADER, RATES
from deskmate_hr.funnel_book import HEADER as FUNNEL_HEADER
from deskmate_hr.org_book import HEADER as ORG_HEADER
from deskmate_hr.org_book import LAYERS
from deskmate_hr.org_book import PEOPLE as ORG_PEOPLE
from deskmate_hr.people import HIDDEN
from deskmate_hr.publication import LIVE_SHARE, NOTES, SUMMARY
from deskmate_hr.review_book import RULES_SHEET, TEXTS
from deskmate_hr.survey import PERCENTILES
from deskmate_hr.validators.findings import Problem, findings
from deskmate_hr.walk_book import BRIDGE, WALK
from deskmate_hr.walk_book import UNITS as BY_UNIT

RULE = "HR-LIVE-FORMULAS"


def live_formulas(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Compute every formula anew by an engine of its own and compare; refuse typed figures where formulas belong.

    Source: house (SOURCES.md).
    """
    if not deliverable.path.lower().endswith(".xlsx"):
        return []
    kinds = {
        "comp_benchmark": _benchmark,
        "pay_equity": _equity,
        "headcount_walk": _walk,
        "hiring_funnel": _funnel,
        "org_chart": _org,
        "review_lint": _review,
    }
    problems = kinds.get(deliverable.role, _people)(context.file, deliverable.path)
    return findings(RULE, problems, "Run the tool again; do not type over its formulas.")


def _people(file: Path, name: str) -> Iterator[Problem]:
    columns: dict[str, tuple[str, ...]] = {}
    for title, rows in read_sheets(file, name=name).items():
        if title == SUMMARY:
            columns[title] = ("All people",)
        elif title != NOTES and rows:
            live = (h for h in rows[0] if h == "Attrition" or h.startswith(LIVE_SHARE))
            columns[title] = tuple(live)
    yield from live_problems(file, columns, totals=False, blanks=(HIDDEN,))


def _benchmark(file: Path, name: str) -> Iterator[Problem]:
    columns: dict[str, tuple[str, ...]] = {
        ROLES: (*RANGE, *RATIOS),
        PEOPLE: (*RATIOS[:2], "Place in range"),
    }
    sheets = read_sheets(file, name=name)
    survey, market = sheets.get(SURVEY, []), sheets.get(MARKET, [])
    columns[SURVEY] = tuple(h for h in (survey[0] if survey else ()) if h.endswith(", aged"))
    columns[MARKET] = (
        "n",
        "Midpoint",
        *(h for h in (market[0] if market else ()) if h in PERCENTILES),
    )
    if market and all(row[-1] == "market" for row in market[1:]):
        columns[MARKET] += ("Minimum", "Maximum")
    columns = {sheet: names for sheet, names in columns.items() if len(sheets.get(sheet, ())) > 1}
    yield from live_problems(file, columns, totals=False, blanks=(HIDDEN,))


def _equity(file: Path, name: str) -> Iterator[Problem]:
    rates = {RATES: tuple(RATE_HEADER[3:])} if RATES in read_sheets(file, name=name) else {}
    columns = {GAPS: tuple(GAP_HEADER[2:]), **rates}
    yield from live_problems(file, columns, totals=False, blanks=(HIDDEN,))


def _walk(file: Path, name: str) -> Iterator[Problem]:
    columns = {WALK: ("Closing", "Net change", "Difference"), BRIDGE: ("*",), BY_UNIT: ("*",)}
    yield from live_problems(file, columns)


def _org(file: Path, name: str) -> Iterator[Problem]:
    columns = {ORG_PEOPLE: (ORG_HEADER[6],), LAYERS: ("People", "Managers", "Reports per manager")}
    yield from live_problems(file, columns)


def _review(file: Path, name: str) -> Iterator[Problem]:
    yield from live_problems(file, {RULES_SHEET: ("Findings",), TEXTS: ("Findings",)})


def _funnel(file: Path, name: str) -> Iterator[Problem]:
    shares = (FUNNEL_HEADER[3], FUNNEL_HEADER[4])
    sheets = {
        title: rows
        for title, rows in read_sheets(file, name=name).items()
        if title != NOTES
        and any(c not in ("", HIDDEN) for row in rows[1:] for c in _of(rows[0], row, shares))
    }
    yield from live_problems(file, dict.fromkeys(sheets, shares), totals=False, blanks=(HIDDEN,))


def _of(header: Sequence[str], row: Sequence[str], titles: Sequence[str]) -> list[str]:
    return [cell for title, cell in zip(header, row, strict=False) if title in titles]
