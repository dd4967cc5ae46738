"""What a measured process must keep: its figures are those of the log, counted again, and its map shows no other moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from deskmate_ops.clock import Clock
from deskmate_ops.events import Log
from deskmate_ops.metrics import shown, stamp
from deskmate_ops.metrics_book import ARROW, CASES_LIMIT, VARIANTS_LIMIT
from deskmate_ops.recount import Recount, middle, nine_of_ten, recount

Problem = tuple[str, str]
Sheets = Mapping[str, Sequence[Sequence[str]]]
Expected = dict[str, float | str | None]
CLOSE = 2e-6
"""Hours are written to six decimals."""
SHEETS = ("Summary", "Variants", "Activities", "Handovers", "Weeks", "Cases")


def log_problems(sheets: Sheets, log: Log, clock: Clock) -> Iterator[Problem]:
    """Yield (message, where) of each figure of the workbook that the log does not give."""
    if tuple(sheets) != SHEETS:
        yield (
            f"The workbook has the sheets {', '.join(sheets)}; it should have {', '.join(SHEETS)}.",
            "",
        )
        return
    found = recount(log, clock)
    yield from _lines(sheets["Summary"], _summary(found, log, clock), "sheet Summary")
    yield from _table(
        sheets["Variants"], _variants(found), ("Activities in order",), "sheet Variants"
    )
    yield from _table(
        sheets["Activities"], _activities(found, log), ("Activity",), "sheet Activities"
    )
    yield from _table(
        sheets["Handovers"], _handovers(found, log), ("From", "To"), "sheet Handovers"
    )
    yield from _table(sheets["Weeks"], _weeks(found), ("Week from",), "sheet Weeks")
    yield from _table(sheets["Cases"], _cases(found), ("Case",), "sheet Cases", total=False)


def _summary(found: Recount, log: Log, clock: Clock) -> Expected:
    spans = list(found.spans.values())
    rework = sum(case.repeats > 0 for case in found.cases.values())
    moves = sum(sum(hours) for hours in found.moves.values())
    left_out = ", ".join(f"{name}: {n}" for name, n in log.left_out.items()) or "0"
    return {
        "Events": found.events,
        "Cases": len(found.cases),
        "Variants": len(found.variants),
        "Cases with a repeated activity": rework,
        "Share of cases with a repeated activity in %": 100 * rework / len(found.cases),
        "Repeats in all cases": sum(case.repeats for case in found.cases.values()),
        "First event": stamp(min(case.begin for case in found.cases.values())),
        "Last event": stamp(max(case.at for case in found.cases.values())),
        "Median hours per case": middle(spans),
        "Mean hours per case": sum(spans) / len(spans),
        "90 % of cases took at most hours": nine_of_ten(spans),
        "Longest hours of a case": max(spans),
        "Hours of all cases": sum(spans),
        "of which between completions": moves,
        "of which before the first completion": sum(spans) - moves,
        "Hours counted": clock.name,
        "Started, not completed": sum(event.open for event in log.events),
        "Rows left out": left_out,
    }


def _variants(found: Recount) -> list[Expected]:
    ranked = sorted(found.variants.items(), key=lambda item: (-len(item[1]), item[0]))
    rows: list[Expected] = []
    covered, whole = 0, len(found.cases)
    for number, (path, spans) in enumerate(ranked[:VARIANTS_LIMIT], start=1):
        covered += len(spans)
        rows.append(
            {
                "Variant": number,
                "Cases": len(spans),
                "Share in %": 100 * len(spans) / whole,
                "Cumulative share in %": 100 * covered / whole,
                "Median hours": middle(spans),
                "Mean hours": sum(spans) / len(spans),
                "Activities in order": ARROW.join(path),
            }
        )
    rest = [span for _, spans in ranked[VARIANTS_LIMIT:] for span in spans]
    if rest:
        name = f"{len(ranked) - VARIANTS_LIMIT} further variants"
        rows.append({"Cases": len(rest), "Median hours": middle(rest), "Activities in order": name})
    return rows


def _activities(found: Recount, log: Log) -> list[Expected]:
    rows: list[Expected] = []
    for name, (events, cases, first, last) in found.activities.items():
        row: Expected = {
            "Activity": name,
            "Events": events,
            "Cases": cases,
            "Repeats": events - cases,
            "Begins a case": first,
            "Ends a case": last,
        }
        works = found.works.get(name, [])
        if log.has_starts:
            row |= {"Events with a start": len(works), "Working hours": sum(works)}
            row["Median working hours"] = middle(works) if works else None
        rows.append(row)
    return rows


def _handovers(found: Recount, log: Log) -> list[Expected]:
    whole = sum(sum(hours) for hours in found.moves.values())
    rows: list[Expected] = []
    for (source, target), hours in found.moves.items():
        row: Expected = {
            "From": source,
            "To": target,
            "Times": len(hours),
            "Median hours": middle(hours),
            "Total hours": sum(hours),
            "Share in %": 100 * sum(hours) / whole if whole else 0,
            "90 % took at most hours": nine_of_ten(hours),
        }
        waits = found.waits.get((source, target), [])
        if log.has_starts:
            row |= {"Times with a start": len(waits), "Waiting hours": sum(waits)}
            row["Median waiting hours"] = middle(waits) if waits else None
        rows.append(row)
    return rows


def _weeks(found: Recount) -> list[Expected]:
    cases = found.cases.values()
    monday = min(case.begin for case in cases).date()
    monday -= timedelta(days=monday.weekday())
    last = max(case.at for case in cases).date()
    rows: list[Expected] = []
    while monday <= last:
        after = monday + timedelta(days=7)
        begun = [case for case in cases if case.begin.date() < after]
        ended = [case for case in cases if case.at.date() < after]
        rows.append(
            {
                "Week from": monday.isoformat(),
                "Cases begun": sum(case.begin.date() >= monday for case in begun),
                "Cases ended": sum(case.at.date() >= monday for case in ended),
                "Open at its end": len(begun) - len(ended),
            }
        )
        monday = after
    return rows


def _cases(found: Recount) -> list[Expected]:
    ranked = sorted(found.variants.items(), key=lambda item: (-len(item[1]), item[0]))
    numbers = {path: number for number, (path, _) in enumerate(ranked, start=1)}
    rows: list[Expected] = [
        {
            "Case": name,
            "Events": len(case.path),
            "Begin": stamp(case.begin),
            "End": stamp(case.at),
            "Hours": found.spans[name],
            "Repeats": case.repeats,
            "Variant": numbers[tuple(case.path)],
        }
        for name, case in found.cases.items()
    ]
    if len(rows) > CASES_LIMIT:
        rows.sort(key=lambda row: (-float(row["Hours"] or 0), str(row["Case"])))
        more = f"{len(rows) - CASES_LIMIT} shorter cases are not listed"
        rows = [*rows[:CASES_LIMIT], {"Case": more}]
    return rows


def _lines(
    shown_rows: Sequence[Sequence[str]], expected: Expected, where: str
) -> Iterator[Problem]:
    there = {row[0]: row[1] if len(row) > 1 else "" for row in shown_rows[1:] if row}
    if list(there) != list(expected):
        lost = [name for name in expected if name not in there]
        yield (
            f"Its lines are not those of a measured process; missing: {', '.join(lost) or 'none'}.",
            where,
        )
        return
    for name, value in expected.items():
        if not same(there[name], value, percent="in %" in name):
            yield f"{name} is {there[name]!r}; the log gives {text_of(value)!r}.", where


def _table(
    rows: Sequence[Sequence[str]],
    expected: Sequence[Expected],
    keys: Sequence[str],
    where: str,
    total: bool = True,
) -> Iterator[Problem]:
    header = list(rows[0]) if rows else []
    wanted = set().union(*expected) if expected else set()
    if not wanted <= set(header):
        yield f"It lacks the columns {', '.join(sorted(wanted - set(header)))}.", where
        return
    body = [dict(zip(header, row, strict=False)) for row in rows[1 : -1 if total else None]]
    truth = {tuple(str(row[key]) for key in keys): row for row in expected}
    there: dict[tuple[str, ...], dict[str, str]] = {}
    for number, row in enumerate(body, start=2):
        key = tuple(row.get(name, "") for name in keys)
        if key in there or key not in truth:
            yield (
                f"{' → '.join(key)[:120]!r} is in the workbook and not in the log.",
                f"{where}, row {number}",
            )
            continue
        there[key] = row
        for name, value in truth[key].items():
            if not same(row.get(name, ""), value, percent="in %" in name):
                message = f"{row.get(name, '')!r} should be {text_of(value)!r} ({name})."
                yield message, f"{where}, row {number}"
    for key in truth:
        if key not in there:
            yield f"{' → '.join(key)[:120]!r} of the log is missing.", where
    if total:
        yield from _totals(header, rows[1:-1], rows[-1], where)


def _totals(
    header: Sequence[str], body: Sequence[Sequence[str]], last: Sequence[str], where: str
) -> Iterator[Problem]:
    if not last or last[0] != "Total":
        yield "Its last row is not the total.", where
        return
    for place, name in enumerate(header[1:], start=1):
        there = last[place] if place < len(last) else ""
        if not there:
            continue
        summed = sum(float(row[place] or 0) for row in body if place < len(row))
        if not same(there, summed):
            yield f"The total of {name} is {there}; its rows add up to {text_of(summed)}.", where


def same(cell: str, value: float | str | None, *, percent: bool = False) -> bool:
    """Say whether a cell shows a value; hours within their last decimal, shares within theirs."""
    if value is None or isinstance(value, str):
        return cell == (value or "")
    try:
        gap = abs(float(cell) - value)
    except ValueError:
        return False
    return gap <= (0.0051 if percent else CLOSE + 1e-9 * abs(value))


def text_of(value: float | str | None) -> str:
    """Return a value for a message."""
    if isinstance(value, float):
        return shown(Decimal(repr(value)))
    return "" if value is None else str(value)
