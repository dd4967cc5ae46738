"""The workbook of a group's trial balance: rates as inputs, each account translated by formula, differences by entity in sight."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from deskmate_finance.chart_of_accounts import account_key
from deskmate_finance.looks import looks, styled
from deskmate_finance.made import Rows, heads, top, words
from deskmate_finance.translation import (
    AVERAGE,
    CLOSING,
    DIFFERENCE,
    HISTORICAL,
    OWN,
    RESERVES,
    ROUNDING,
    Group,
)

GROUP, TRANSLATED, ENTITIES, RATES = "Group", "Translated", "Entities", "Rates"
HEAD = 6
INPUTS = {TRANSLATED: frozenset((6, 10)), RATES: frozenset((3, 4, 5))}
_FIGURES = frozenset(
    ("Balance", "Local", "Rate", "Translated", "Own currency", "Translated, not rounded", "Translated, to the cent", DIFFERENCE, ROUNDING,
     "Left", "Closing", "Average", "Historical", "Row")
)  # fmt: skip
_COLUMN = {CLOSING: "C", AVERAGE: "D", HISTORICAL: "E"}


def sheets(group: Group, source: str) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks() | {"rate": {"number_format": "0.000000", "color": "0000FF"}, "drawn": {"number_format": "0.000000"}, "exact": {"number_format": "#,##0.0000;(#,##0.0000);0.0000"}}  # fmt: skip
    common = {"looks": style, "print": "landscape", "header": 0, "freeze": f"A{HEAD + 1}"}
    rates, at = _rates(group)
    return [
        common | {"name": GROUP, "rows": _group(group, source), "widths": [30, 38, 34, 18, 12]},
        common | {"name": ENTITIES, "rows": _entities(group), "widths": [28, 12, 18, 22, 22, 22, 24, 14]},
        common | {"name": TRANSLATED, "rows": _translated(group, at), "widths": [24, 10, 12, 32, 32, 18, 12, 18, 20, 8]},
        common | {"name": RATES, "rows": rates, "widths": [12, 14, 14, 14, 14]},
    ]  # fmt: skip


def _spans(group: Group) -> dict[str, tuple[int, int]]:
    """Return entity → its first and last row in the sheet Translated, where entities stand one below the other."""
    found: dict[str, tuple[int, int]] = {}
    for row, one in enumerate(group.postings, HEAD + 1):
        found[one.entity] = (found.get(one.entity, (row, row))[0], row)
    return found


def _group(group: Group, source: str) -> Rows:
    rows = top(
        f"Trial balance of the group in {group.currency}",
        f"From {source}, rates from {group.rates.name}, lines by {group.chart}. Debits positive. Balances between entities are not eliminated: give them as an entity.",
    )
    rows.append([])
    rows.append(heads(("Account", "Name", "Line", "Balance", "Currency"), _FIGURES))
    parts: dict[str, list[str]] = {}
    for row, one in enumerate(group.postings, HEAD + 1):
        parts.setdefault(account_key(one.code), []).append(f"{TRANSLATED}!$H${row}")
    for key, (code, name, line, _) in group.accounts().items():
        formula = f"=ROUND({'+'.join(parts[key])},2)"
        rows.append([words(code), words(name), words(line), styled(formula, "line figure"), words(group.currency)])  # fmt: skip
    end = HEAD + len(group.entities)
    for title, letter in ((DIFFERENCE, "F"), (ROUNDING, "G")):
        formula = f"=SUM({ENTITIES}!${letter}${HEAD + 1}:${letter}${end})"
        rows.append([words(title), words(title), words(RESERVES), styled(formula, "line figure"), words(group.currency)])  # fmt: skip
    total = f"=ROUND(SUM(D{HEAD + 1}:D{len(rows)}),2)"
    blank = [styled(None, "total title")] * 2
    rows.append([words("Total", "total title"), *blank, styled(total, "total figure"), styled(None, "total title")])  # fmt: skip
    return rows


def _entities(group: Group) -> Rows:
    rows = top(
        "Entities",
        "Each balances in its own currency. What translation at several rates leaves is equity of its own; what rounding to cents leaves stands beside it.",
    )
    rows.append([])
    rows.append(
        heads(
            ("Entity", "Currency", "Own currency", "Translated, not rounded", "Translated, to the cent", DIFFERENCE, ROUNDING, "Left"),
            _FIGURES,
        )
    )  # fmt: skip
    spans = _spans(group)
    for one in group.entities:
        row = len(rows) + 1
        first, last = spans[one.name]
        rows.append(
            [
                words(one.name),
                words(one.currency),
                styled(f"=ROUND(SUM({TRANSLATED}!F{first}:F{last}),6)", "line figure"),
                styled(f"=SUM({TRANSLATED}!I{first}:I{last})", "exact"),
                styled(f"=ROUND(SUM({TRANSLATED}!H{first}:H{last}),2)", "line figure"),
                styled(f"=ROUND(-D{row},2)", "line figure"),
                styled(f"=ROUND(-E{row}-F{row},2)", "line figure"),
                styled(f"=ROUND(E{row}+F{row}+G{row},2)", "line figure"),
            ]
        )
    return rows


def _translated(group: Group, at: dict[tuple[str, str, str], int]) -> Rows:
    rows = top("Translated", "Each account of each entity; blue figures are the file's, rates come from the sheet Rates.")  # fmt: skip
    rows.append([])
    rows.append(
        heads(
            ("Entity", "Currency", "Account", "Name", "Line", "Local", "Rate", "Translated", "Not rounded", "Row"),
            _FIGURES | {"Not rounded"},
        )
    )  # fmt: skip
    for one in group.postings:
        row = len(rows) + 1
        rows.append(
            [
                words(one.entity), words(one.currency), words(one.code), words(one.name), words(one.line),
                styled(float(one.local), "input"), _rate(group, one.currency, one.code, one.kind, at),
                styled(f"=ROUND(F{row}*G{row},2)", "line figure"), styled(f"=F{row}*G{row}", "exact"), styled(one.row, "count"),
            ]
        )  # fmt: skip
    return rows


def _rate(
    group: Group, money: str, code: str, kind: str, at: dict[tuple[str, str, str], int]
) -> Any:
    if kind == OWN:
        return styled(f"={RATES}!$C${at[money, '', OWN]}", "drawn")
    key = (money, account_key(code), HISTORICAL)
    row = at[key] if kind == HISTORICAL and key in at else at[money, "", kind]
    return styled(f"={RATES}!${_COLUMN[kind]}${row}", "drawn")


def _rates(group: Group) -> tuple[Rows, dict[tuple[str, str, str], int]]:
    """Return the sheet of rates, and (currency, account, kind) → row."""
    rows = top("Rates", f"One unit is so much {group.currency}. From {group.rates.name}.")
    rows.append([])
    rows.append(heads(("Currency", "Account", "Closing", "Average", "Historical"), _FIGURES))
    at: dict[tuple[str, str, str], int] = {}
    rows.append([words(group.currency), words(""), *[styled(1, "rate")] * 3])
    at[group.currency, "", OWN] = len(rows)
    used = {one.currency for one in group.postings} - {group.currency}
    for money in sorted(used):
        figures = [
            group.rates.general.get((money, kind)) for kind in (CLOSING, AVERAGE, HISTORICAL)
        ]
        rows.append([words(money), words(""), *(_figure(one) for one in figures)])
        at |= {(money, "", kind): len(rows) for kind in (CLOSING, AVERAGE, HISTORICAL)}
        for (currency, account), rate in sorted(group.rates.single.items()):
            if currency == money:
                rows.append([words(money), words(account), None, None, _figure(rate)])
                at[money, account, HISTORICAL] = len(rows)
    return rows, at


def _figure(rate: Decimal | None) -> Any:
    return styled(float(rate), "rate") if rate is not None else None
