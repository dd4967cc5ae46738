"""The workbook of a journal's analysis: tests and counts, every finding, entries by score, digits with a chart, pairs and users."""

from __future__ import annotations

from typing import Any

from deskmate_finance.analytics import BENFORD_LEAST, GAP_LIMIT, Analysis
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.statements import decimals

SUMMARY, FINDINGS, SCORES, BENFORD, PAIRS, USERS = (
    "Summary", "Findings", "Entries by score", "First digits", "Account pairs", "Users",
)  # fmt: skip
HEAD = 5
LISTED, SCORED, PAIRED = 4_000, 200, 500
INPUTS = {
    FINDINGS: frozenset((3, 4, 5, 7)), SCORES: frozenset((2,)), BENFORD: frozenset((1, 2)), PAIRS: frozenset((3, 4)),
    USERS: frozenset((2, 3, 5)),
}  # fmt: skip
POPULATION_CELLS = frozenset(f"{SUMMARY}!B{row}" for row in range(6, 10))
_FIGURES = frozenset(
    ("Findings", "Amount", "Lines", "First row", "Tests", "Debits", "Count", "Share", "Expected", "Difference", "Without sign",
     "Entries", "On a weekend", "Share of entries", "Figure")
)  # fmt: skip


def sheets(made: Analysis) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    places = decimals(p.debit for p in made.postings.lines)
    common = {"looks": looks(places), "print": "landscape", "header": 0, "freeze": f"A{HEAD + 1}"}
    last = HEAD + max(len(made.hits[:LISTED]), 1)
    return [
        common | {"name": SUMMARY, "rows": _summary(made, last, places), "widths": [30, 18, 18, 62, 44], "freeze": ""},
        common | {"name": FINDINGS, "rows": _findings(made), "widths": [18, 22, 8, 10, 12, 22, 16, 16, 40, 40]},
        common | {"name": SCORES, "rows": _scores(made, last), "widths": [18, 16, 10, 14, 40, 100]},
        common | {"name": BENFORD, "rows": _benford(made), "widths": [24, 12, 12, 12, 12, 14], "charts": [_chart()], "freeze": ""},
        common | {"name": PAIRS, "rows": _pairs(made), "widths": [22, 22, 10, 18]},
        common | {"name": USERS, "rows": _users(made), "widths": [24, 12, 18, 16, 14]},
    ]  # fmt: skip


def _summary(made: Analysis, last: int, places: int) -> Rows:
    postings = made.postings
    rows = top(
        "Journal analysis",
        f"From {postings.name}; a finding is a question to the preparer, not an error.",
    )
    rows.append(heads(("Population", "Figure"), _FIGURES))
    entries = len(postings.entries())
    rows += [
        ["Lines", styled(len(postings.lines), "count")],
        ["Entries", styled(entries, "count")],
        ["Debits", styled(float(postings.debits), "input")],
        ["Credits", styled(float(postings.credits), "input")],
        [words("Debits less credits", "total title"), styled(f"=ROUND(B8-B9,{places})", "total figure")],
        [],
        heads(("Test", "Findings", "Amount", "Looks for", "Not done because"), _FIGURES),
    ]  # fmt: skip

    def area(letter: str) -> str:
        return f"{FINDINGS}!${letter}${HEAD + 1}:${letter}${last}"

    for test in made.tests:
        row = len(rows) + 1
        counts = [
            styled(f"=COUNTIFS({area('B')},$A{row})", "count"),
            styled(f"=SUMIFS({area('G')},{area('B')},$A{row})", "line figure"),
        ]
        rows.append([test.name, *([None, None] if test.left_out else counts), words(test.looks_for), words(test.left_out)])  # fmt: skip
    rows += [[], [words("Numbers that are missing in a series", "section")]]
    rows += [[words(gap)] for gap in made.gaps[:GAP_LIMIT]] or [["none"]]
    if len(made.gaps) > GAP_LIMIT:
        rows.append([f"and {len(made.gaps) - GAP_LIMIT} more"])
    if len(made.hits) > LISTED:
        rows += [[], [words(f"Only the first {LISTED} of {len(made.hits)} findings are listed and counted.", "draft")]]  # fmt: skip
    return rows


def _findings(made: Analysis) -> Rows:
    rows = top(
        "Findings",
        "One row for each entry and test; blue amounts are those of the lines that the test is about.",
    )
    titles = (
        "Entry",
        "Test",
        "Lines",
        "First row",
        "Date",
        "Account",
        "Amount",
        "User",
        "Description",
        "Why",
    )
    rows.append(heads(titles, _FIGURES))
    for hit in made.hits[:LISTED]:
        first = hit.lines[0]
        rows.append(
            [
                words(hit.entry), hit.test, styled(len(hit.lines), "count"), styled(first.number, "count"),
                {"date": first.day.isoformat()}, words(first.account), styled(float(hit.amount), "input"),
                words(first.user), words(first.text), words(hit.why),
            ]
        )  # fmt: skip
    return rows


def _scores(made: Analysis, last: int) -> Rows:
    rows = top(
        "Entries by score", f"How many tests name an entry; the first {SCORED}. Read these first."
    )
    rows.append(heads(("Entry", "Debits", "Tests", "User", "Description", "Which"), _FIGURES))
    entries = made.postings.entries()
    which: dict[str, list[str]] = {}
    for hit in made.hits[:LISTED]:
        which.setdefault(hit.entry, []).append(hit.test)
    area = f"{FINDINGS}!$A${HEAD + 1}:$A${last}"
    for entry, _ in [s for s in made.scores() if s[0] in which][:SCORED]:
        own = entries[entry]
        count = styled(f"=COUNTIFS({area},$A{len(rows) + 1})", "count")
        debits = styled(float(sum(p.debit for p in own)), "input")
        rows.append([words(entry), debits, count, words(own[0].user), words(own[0].text), words(", ".join(which[entry]))])  # fmt: skip
    return rows


def _benford(made: Analysis) -> Rows:
    note = (
        f"First digits of the debits of 10 and more. Under {BENFORD_LEAST} amounts, with set prices or limits, "
        "the law says nothing; a deviation is no proof."
    )
    rows = top("First digits (Benford)", note)
    rows.append(
        heads(("First digit", "Count", "Share", "Expected", "Difference", "Without sign"), _FIGURES)
    )
    first, last = HEAD + 1, HEAD + 9
    for digit, count in enumerate(made.benford.counts, 1):
        row = len(rows) + 1
        share = f"=IF(SUM($B${first}:$B${last})=0,0,B{row}/SUM($B${first}:$B${last}))"
        rows.append(
            [
                digit, styled(count, "count"), styled(share, "percent"),
                styled(f"=LOG10(1+1/A{row})", "percent"), styled(f"=C{row}-D{row}", "percent"), styled(f"=ABS(E{row})", "percent"),
            ]
        )  # fmt: skip
    rows += [
        [words("Amounts", "total title"), styled(f"=SUM(B{first}:B{last})", "total count")],
        ["Mean absolute deviation", styled(f"=AVERAGE(F{first}:F{last})", "ratio")],
        [words(f"Reading: {made.benford.verdict}", "note")],
    ]
    return rows


def _chart() -> dict[str, Any]:
    first, last = HEAD + 1, HEAD + 9
    across = f"A{first}:A{last}"
    return {
        "type": "column", "title": "First digits of debits", "at": "H5", "gap": 60, "size": (640, 340), "y_format": "0%",
        "series": [
            {"name": "Share", "categories": across, "values": f"C{first}:C{last}", "fill": "1F3864"},
            {"name": "Expected", "categories": across, "values": f"D{first}:D{last}", "fill": "B0B7C6"},
        ],
    }  # fmt: skip


def _pairs(made: Analysis) -> Rows:
    rows = top("Account pairs", f"How many entries debit one and credit the other account; the rarest {PAIRED} of {len(made.pairs)}.")  # fmt: skip
    rows.append(heads(("Debit", "Credit", "Entries", "Debits"), _FIGURES))
    for debit, credit, count, amount in made.pairs[:PAIRED]:
        rows.append([words(debit), words(credit), styled(count, "count"), styled(float(amount), "input")])  # fmt: skip
    return rows


def _users(made: Analysis) -> Rows:
    rows = top("Users", "" if made.users else "The file has no column for the user.")
    rows.append(heads(("User", "Entries", "Debits", "Share of entries", "On a weekend"), _FIGURES))
    last = HEAD + len(made.users)
    for user, count, amount, weekend in made.users:
        row = len(rows) + 1
        share = f"=B{row}/SUM($B${HEAD + 1}:$B${last})"
        rows.append(
            [words(user or "no user"), styled(count, "count"), styled(float(amount), "input"),
             styled(share, "percent"), styled(weekend, "count")]
        )  # fmt: skip
    return rows
