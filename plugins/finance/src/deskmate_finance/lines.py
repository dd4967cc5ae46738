"""The lines of the three statements: where each stands, its side, and how it moves cash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Statement = Literal["income", "balance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line. `block`: the subtotal it belongs to. `sign`: 1 where a debit is shown positive, else -1."""

    title: str
    statement: Statement
    block: str
    sign: int
    also: tuple[str, ...] = ()


def _lines(statement: Statement, block: str, sign: int, *titles: tuple[str, ...]) -> Iterator[Line]:
    for title, *also in titles:
        yield Line(title=title, statement=statement, block=block, sign=sign, also=tuple(also))


CASH = "Cash and cash equivalents"
RETAINED, PROFIT, DIVIDENDS = (
    "Retained earnings brought forward",
    "Profit for the period",
    "Dividends",
)
DEPRECIATION, DISPOSALS = "Depreciation and amortisation", "Gain or loss on disposals"

LINES: tuple[Line, ...] = (
    *_lines("income", "Gross profit", -1,
        ("Revenue", "sales", "turnover", "net sales"),
        ("Cost of sales", "cogs", "cost of goods sold", "cost of revenue")),
    *_lines("income", "Operating profit", -1,
        ("Operating expenses", "opex", "administrative expenses", "selling expenses"),
        (DEPRECIATION, "depreciation", "amortisation", "amortization", "depreciation and amortization"),
        ("Other operating income", "other income"),
        (DISPOSALS, "gain on disposal", "loss on disposal")),
    *_lines("income", "Profit before tax", -1,
        ("Interest income", "finance income"),
        ("Interest expense", "finance costs")),
    *_lines("income", PROFIT, -1, ("Income tax", "tax expense", "income taxes")),
    *_lines("balance", "Total current assets", 1,
        (CASH, "cash", "bank"),
        ("Trade receivables", "receivables", "accounts receivable"),
        ("Inventories", "inventory", "stock"),
        ("Other current assets", "prepaid expenses", "prepayments")),
    *_lines("balance", "Total non-current assets", 1,
        ("Property, plant and equipment", "fixed assets", "ppe", "tangible assets"),
        ("Accumulated depreciation", "accumulated depreciation and amortisation"),
        ("Intangible assets", "goodwill", "intangibles"),
        ("Other non-current assets", "long-term investments")),
    *_lines("balance", "Total current liabilities", -1,
        ("Trade payables", "payables", "accounts payable"),
        ("Accrued liabilities", "accruals", "accrued expenses"),
        ("Tax payable", "income tax payable", "taxes payable"),
        ("Short-term borrowings", "short-term debt", "overdraft"),
        ("Other current liabilities", "deferred revenue")),
    *_lines("balance", "Total non-current liabilities", -1,
        ("Long-term borrowings", "long-term debt", "loans"),
        ("Other non-current liabilities", "provisions")),
    *_lines("balance", "Total equity", -1,
        ("Share capital", "common stock", "capital"),
        ("Other reserves", "reserves", "additional paid-in capital"),
        (RETAINED, "retained earnings", "accumulated profit"),
        (DIVIDENDS, "drawings", "distributions")),
)  # fmt: skip

WORKING = (
    "Trade receivables", "Inventories", "Other current assets", "Trade payables", "Accrued liabilities", "Tax payable",
    "Other current liabilities", "Other non-current liabilities",
)  # fmt: skip
"""Lines whose movements are operating cash flow."""
FIXED = ("Property, plant and equipment", "Accumulated depreciation", "Intangible assets")
INVESTING = ("Other non-current assets",)
FINANCING = ("Short-term borrowings", "Long-term borrowings", "Share capital", "Other reserves")

BY_TITLE = {line.title: line for line in LINES}


def of_statement(statement: Statement) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """Yield (block, its lines) of one statement in order."""
    for block in dict.fromkeys(line.block for line in LINES if line.statement == statement):
        yield block, tuple(line for line in LINES if line.block == block)


def find_line(text: str) -> Line | None:
    """Return the line that a title or one of its other names means."""
    return _NAMES.get(_plain(text))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


_NAMES = {_plain(name): line for line in LINES for name in (line.title, *line.also)}
