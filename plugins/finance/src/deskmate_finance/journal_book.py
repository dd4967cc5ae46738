"""The workbook of journal entries (amounts as formulas of their support), and the file for upload to a ledger."""

from __future__ import annotations

import csv
import io
from typing import Any

from deskmate_finance.journal import WHOLE, Journal, Line
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words

ENTRIES, CHECKS, SUPPORT = "Journal entries", "Checks", "Support"
HEAD = 5
NONE = "—"
INPUTS = {SUPPORT: frozenset((2, 6, 7, 8, 9, 10, 15))}
UPLOAD = (
    "Entry", "Line", "Date", "Entity", "Account", "Debit", "Credit", "Currency", "Description", "Reference", "Reversal of",
)  # fmt: skip
_FIGURES = frozenset(
    ("Row", "Debit", "Credit", "Amount", "Residual", "Parts in all", "Parts to the end of the period",
     "Parts before the period", "For the period", "Debits", "Credits", "Difference", "Lines")
)  # fmt: skip


def sheets(made: Journal, source: str) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    common = {
        "looks": looks(made.places),
        "print": "landscape",
        "header": 0,
        "freeze": f"A{HEAD + 1}",
    }
    return [
        common | {"name": ENTRIES, "rows": _entries(made, source),
                  "widths": [18, 12, 14, 10, 26, 15, 15, 9, 34, 20, 18]},
        common | {"name": CHECKS, "rows": _checks(made, source), "widths": [18, 14, 10, 8, 16, 16, 14, 12, 18, 36]},
        common | {"name": SUPPORT, "rows": _support(made, source),
                  "widths": [18, 8, 14, 34, 20, 15, 13, 10, 14, 12, 15, 10, 14, 14, 12]},
    ]  # fmt: skip


def _support(made: Journal, source: str) -> Rows:
    titles = (
        "Entry", "Row", "Type", "Description", "Reference", "Amount", "Residual", "Parts in all",
        "Parts to the end of the period", "Parts before the period", "For the period", "Parts are",
        "Preparer", "Approver", "Date",
    )  # fmt: skip
    rows = top(
        f"Support of the entries of {made.period}",
        f"From {source}; blue figures stand there or count months and days.",
    )
    rows.append(heads(titles, _FIGURES))
    for row, record in enumerate(made.records, HEAD + 1):
        whole, parts = f"(F{row}-G{row})", record.parts
        share = f"=ROUND({whole}*I{row}/H{row},{made.places})-ROUND({whole}*J{row}/H{row},{made.places})"
        rows.append(
            [
                words(record.entry), styled(record.number, "count"), words(record.kind), words(record.text),
                words(record.reference), styled(float(record.basis), "input"), styled(float(record.residual), "input"),
                *(styled(count, "count") for count in (parts.all, parts.after, parts.before)),
                styled(f"=ROUND({share[1:]},{made.places})", "line figure"), words("" if parts == WHOLE else parts.unit),
                words(record.preparer), words(record.approver), {"date": record.day.isoformat()},
            ]
        )  # fmt: skip
    return rows


def _entries(made: Journal, source: str) -> Rows:
    rows = top(
        f"Journal entries of {made.period}",
        f"From {source}; accounts by {made.rules.chart.name}; nothing is posted.",
    )
    titles = (
        "Entry", "Date", "Account", "Entity", "Line of the statements", "Debit", "Credit", "Currency", "Description",
        "Reference", "Reversal of",
    )  # fmt: skip
    rows.append(heads(titles, _FIGURES))
    for line in made.lines:
        record = made.records[line.record]
        amount = styled(f"={SUPPORT}!$K${HEAD + 1 + line.record}", "line figure")
        day = f"={SUPPORT}!$O${HEAD + 1 + line.record}"
        when = styled(f"=EOMONTH({day[1:]},0)+1" if line.reversal_of else day, "day")
        rows.append(
            [
                words(line.entry), when, words(line.account), words(_group(made, line)[0]), words(made.rules.chart.line_of(line.account)),
                amount if line.debit else None, amount if line.credit else None, words(_group(made, line)[1]),
                words(record.text), words(record.reference), words(line.reversal_of),
            ]
        )  # fmt: skip
    last = HEAD + len(made.lines)
    sums = [styled(f"=SUM({c}{HEAD + 1}:{c}{last})", "total figure") for c in "FG"]
    blank = [styled(None, "total title")] * 4
    rows.append([words("Total", "total title"), *blank, *sums])
    return rows


def _checks(made: Journal, source: str) -> Rows:
    rows = top("Checks", f"From {source}; {_calendar(made)}.")
    titles = ("Entry", "Entity", "Currency", "Lines", "Debits", "Credits", "Difference", "Balances", "Reversed by", "Approval")  # fmt: skip
    rows.append(heads(titles, _FIGURES))
    last = HEAD + len(made.lines)

    def area(letter: str) -> str:
        return f"'{ENTRIES}'!${letter}${HEAD + 1}:${letter}${last}"

    for name, lines in made.entries().items():
        for entity, currency in dict.fromkeys(_group(made, line) for line in lines):
            row = len(rows) + 1
            same = "{c},{a},$A{r},{d},$B{r},{h},$C{r}".format(
                c="{c}", a=area("A"), d=area("D"), h=area("H"), r=row
            )
            sums = [f"=ROUND(SUMIFS({same.format(c=area(c))}),{made.places})" for c in "FG"]
            reversed_by = f"{name}-R" if f"{name}-R" in made.states else ""
            rows.append(
                [
                    words(name), words(entity), words(currency),
                    styled(f"=COUNTIFS({same.format(c='')[1:]})", "count"),
                    *(styled(formula, "line figure") for formula in sums),
                    styled(f"=ROUND(E{row}-F{row},{made.places})", "line figure"),
                    styled(f'=IF(G{row}=0,"yes","no")', "word"), words(reversed_by), words(made.states[name]),
                ]
            )  # fmt: skip
    return rows


def _group(made: Journal, line: Line) -> tuple[str, str]:
    record = made.records[line.record]
    # a criterion of SUMIFS that is empty would mean 0, not "none"
    return record.entity or NONE, record.currency or NONE


def _calendar(made: Journal) -> str:
    months = made.rules.open_months
    if months is None:
        return "no calendar of periods was given, so that the period is not known to be open"
    following = made.period.later(1)
    if any(line.reversal_of for line in made.lines) and not months.get(following, False):
        return f"{made.period} is open; reversals wait until {following} is opened"
    return f"{made.period} is open"


def upload(made: Journal) -> str:
    """Return the lines as CSV for the ledger's import: decimal points, ISO dates, every field as the workbook has it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(UPLOAD)
    for lines in made.entries().values():
        for number, line in enumerate(lines, 1):
            record = made.records[line.record]
            writer.writerow(
                [
                    line.entry, number, line.day.isoformat(), record.entity, line.account, f"{line.debit:f}" if line.debit else "",
                    f"{line.credit:f}" if line.credit else "", record.currency, record.text, record.reference, line.reversal_of,
                ]
            )  # fmt: skip
    return text.getvalue()
