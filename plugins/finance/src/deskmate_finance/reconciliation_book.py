"""The reconciliation's workbook: rows of the sources as inputs; totals, ages and the difference as formulas of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deskmate_documents.xlsx.build import build_workbook
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.looks import looks, styled
from deskmate_finance.matching import Group
from deskmate_finance.reconciliation import (
    AGEING,
    MATCHED,
    OPEN,
    SUMMARY,
    OpenItem,
    Reconciliation,
    ageing,
)
from deskmate_finance.sides import Entry
from deskmate_finance.statements import decimals

GROUPS = "Groups"
INPUTS = {MATCHED: frozenset((1, 3, 4, 5)), OPEN: frozenset((2, 3, 4)), GROUPS: frozenset((1,))}
TYPED = frozenset({f"{SUMMARY}!B4", f"{SUMMARY}!C4", f"{SUMMARY}!B5", f"{SUMMARY}!C5"})
"""The day and the balances; they come from the files, or from the user."""
BEFORE, CARRIED = "Balance before the first row", "Difference carried in from before"
WITHIN, UNEXPLAINED = "Differences within matched groups", "Unexplained"


def write(target: Path, rec: Reconciliation) -> None:
    """Write the workbook with computed results."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="deskmate-finance-") as folder:
        part = Path(folder) / "made.xlsx"
        build_workbook(part, sheets(rec))
        fill_results(part)
        target.write_bytes(part.read_bytes())


def sheets(rec: Reconciliation) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    places = decimals(e.amount for side in (rec.bank, rec.ledger) for e in side.entries)
    items = rec.open_items()
    matched: list[list[Any]] = [_heads("Group", "Side", "Row", "Date", "Amount", "Text", "How")]
    for number, group in enumerate(rec.matching.groups, start=1):
        matched += [[number, *_cells(s, e), _text(group.how)] for s, e in _rows(rec, group)]
    listed: list[list[Any]] = [
        _heads("Side", "Row", "Date", "Amount", "Text", "Age in days", "Class", "Note")
    ]
    for row, item in enumerate(items, 2):
        age = f"=MAX(0,{SUMMARY}!$B$4-C{row})"
        listed.append([*_cells(item.side, item.entry), age, _text(item.bucket), _text(item.note)])
    ends = (max(len(matched), 2), max(len(listed), 2))
    common = {"looks": looks(places), "print": "landscape", "freeze": "A2"}
    return [
        common | {"name": SUMMARY, "rows": _summary(rec, ends, places), "header": 1, "widths": [38, 26, 26]},
        common | {"name": MATCHED, "rows": matched, "widths": [8, 9, 8, 12, 16, 50, 34]},
        common | {"name": GROUPS, "rows": _groups(rec, ends[0], places), "widths": [8, 16, 16, 14, 34]},
        common | {"name": OPEN, "rows": listed, "widths": [9, 8, 12, 16, 50, 12, 10, 30]},
        common | {"name": AGEING, "rows": _ageing(items, ends[1], places), "widths": [9, 10, 9, 16]},
    ]  # fmt: skip


_NUMBERS = frozenset(
    ("Row", "Date", "Amount", "Bank", "Ledger", "Difference", "Age in days", "Count", "Sum")
)


def _heads(*titles: str) -> list[Any]:
    return [styled(title, "head figure" if title in _NUMBERS else "head") for title in titles]


def _text(value: str) -> dict[str, Any]:
    return styled({"text": value[:1000]}, "text")


def _cells(side: str, entry: Entry) -> list[Any]:
    return [
        side,
        entry.number,
        {"date": entry.day.isoformat()},
        styled(float(entry.amount), "input"),
        _text(entry.text),
    ]


def _rows(rec: Reconciliation, group: Group) -> list[tuple[str, Entry]]:
    bank = {e.number: e for e in rec.bank.entries}
    ledger = {e.number: e for e in rec.ledger.entries}
    return [
        *(("bank", bank[n]) for n in group.bank),
        *(("ledger", ledger[n]) for n in group.ledger),
    ]


def _over(sheet: str, letter: str, last: int) -> str:
    name = f"'{sheet}'" if " " in sheet else sheet
    return f"{name}!${letter}$2:${letter}${last}"


def _summary(rec: Reconciliation, ends: tuple[int, int], places: int) -> list[list[Any]]:
    def both(formula: str, look: str = "line figure") -> list[Any]:
        made = ((c, side) for c, side in (("B", "bank"), ("C", "ledger")))
        return [
            styled(f"=ROUND({formula.format(c=c, side=side)},{places})", look) for c, side in made
        ]

    def count(letter: str, sheet: str, last: int) -> str:
        return f'COUNTIFS({_over(sheet, letter, last)},"{{side}}")'

    open_sum = f'SUMIFS({_over(OPEN, "D", ends[1])},{_over(OPEN, "A", ends[1])},"{{side}}")'
    paired = f'SUMIFS({_over(MATCHED, "E", ends[0])},{_over(MATCHED, "B", ends[0])},"{{side}}")'
    within = paired.format(side="bank") + "-" + paired.format(side="ledger")
    matched_rows, open_rows = count("B", MATCHED, ends[0]), count("A", OPEN, ends[1])
    day = {"date": rec.as_of.isoformat()}
    rows_ = [
        styled(f"={matched_rows}+{open_rows}".format(side=s), "count") for s in ("bank", "ledger")
    ]
    return [
        _heads("Line", "Bank", "Ledger"),
        ["Source", _text(rec.bank.name), _text(rec.ledger.name)],
        ["Basis of the balances", _text(rec.basis), _text(rec.basis)],
        ["As of", day, day],
        ["Balance", *(styled(float(b), "input") for b in rec.balances)],
        ["Open items", *both(open_sum)],
        [styled("Balance less open items", "total title"), *both("{c}5-{c}6", "total figure")],
        [styled("Difference", "grand title"), *both("$B$7-$C$7", "grand figure")],
        ["Rows", *rows_],
        ["Rows matched", *(styled(f"={matched_rows}".format(side=s), "count") for s in ("bank", "ledger"))],
        [BEFORE, *both(f"{{c}}5-{paired}-{{c}}6")],
        [CARRIED, *both("$B$11-$C$11")],
        [WITHIN, *both(within)],
        [styled(UNEXPLAINED, "grand title"), *both("{c}8-{c}12-{c}13", "grand figure")],
    ]  # fmt: skip


def _groups(rec: Reconciliation, last: int, places: int) -> list[list[Any]]:
    rows: list[list[Any]] = [_heads("Group", "Bank", "Ledger", "Difference", "How")]
    area, number, side = (_over(MATCHED, letter, last) for letter in "EAB")
    for row, group in enumerate(rec.matching.groups, 2):
        sums = [
            styled(
                f'=ROUND(SUMIFS({area},{number},$A{row},{side},"{name}"),{places})', "line figure"
            )
            for name in ("bank", "ledger")
        ]
        gap = styled(f"=ROUND(B{row}-C{row},{places})", "line figure")
        rows.append([row - 1, *sums, gap, _text(group.how)])
    return rows


def _ageing(items: list[OpenItem], last: int, places: int) -> list[list[Any]]:
    rows: list[list[Any]] = [_heads("Side", "Class", "Count", "Sum")]
    sides, classes, amounts = (_over(OPEN, letter, last) for letter in "AGD")
    for row, (side, name, _, _) in enumerate(ageing(items), 2):
        found = f"{sides},$A{row},{classes},$B{row}"
        amount = f"=ROUND(SUMIFS({amounts},{found}),{places})"
        rows.append([side, {"text": name}, f"=COUNTIFS({found})", styled(amount, "line figure")])
    return rows
