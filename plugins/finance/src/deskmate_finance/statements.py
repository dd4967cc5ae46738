"""The figures of the three statements, derived exactly from balances by line. The workbook's formulas must give the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from deskmate.plugin import ToolInputError
from deskmate_finance.balances import Account, TrialBalance
from deskmate_finance.chart_of_accounts import Chart
from deskmate_finance.lines import (
    BY_TITLE,
    CASH,
    DEPRECIATION,
    DISPOSALS,
    DIVIDENDS,
    FINANCING,
    FIXED,
    INVESTING,
    PROFIT,
    RETAINED,
    WORKING,
    of_statement,
)
from deskmate_finance.translation import DIFFERENCE

TRIAL, INCOME, BALANCE, CASHFLOW, CHECKS = (
    "Trial balance", "Income statement", "Balance sheet", "Cash flow", "Checks",
)  # fmt: skip
ASSETS, LIABILITIES = "Total assets", "Total liabilities"
BOTH = "Total liabilities and equity"
FIXED_MOVE = "Fixed and intangible assets, net of disposals"
DIRECT = "Entries made directly to retained earnings"
OPERATING, INVESTED, FINANCED = (
    "Net cash from operating activities", "Net cash from investing activities", "Net cash from financing activities",
)  # fmt: skip
MOVEMENT, BEGIN, END = "Net change in cash", "Cash at the beginning", "Cash at the end"
Figures = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """An account with its line in both periods. `row`, `prior_row`: in the files, 0 where it is not there."""

    key: str
    code: str
    name: str
    line: str
    debit: Decimal
    credit: Decimal
    prior: Decimal
    row: int
    prior_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All accounts. `prior_from`: `file`, `column`, or "" where there are no opening balances."""

    accounts: tuple[Booked, ...]
    currency: str
    prior_from: str
    chart: str

    def nets(self, *, prior: bool = False) -> dict[str, Decimal]:
        """Return line title → debits less credits."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for account in self.accounts:
            found[account.line] += account.prior if prior else account.debit - account.credit
        return found


def booked(current: TrialBalance, prior: TrialBalance | None, chart: Chart) -> Books:
    """Return both trial balances by account, each with its one line.

    Raises:
        ToolInputError: one does not balance, currencies differ, or an account has no line.
    """
    for each in filter(None, (current, prior)):
        if each.difference:
            raise ToolInputError(
                f"{each.name} does not balance: debits less credits are {each.difference:f}. "
                "Nothing was built; find the difference with trial_balance_check first."
            )
    if prior and prior.currency and current.currency and prior.currency != current.currency:
        raise ToolInputError(
            f"{current.name} is in {current.currency}, {prior.name} in {prior.currency}."
        )
    if prior and any(account.code == DIFFERENCE for account in current.accounts):
        raise ToolInputError(
            f"{current.name} was translated: there is no cash flow statement of translated balances. Build it without a prior trial balance."
        )
    openings = [a.opening or Decimal() for a in current.accounts]
    if prior is None and current.has_opening and sum(openings, Decimal()):
        raise ToolInputError(
            f"The opening balances of {current.name} do not balance: they sum to {sum(openings):f}."
        )
    before = {account.key: account for account in prior.accounts} if prior else {}
    rows = [_booked(account, before.pop(account.key, None), chart) for account in current.accounts]
    rows += [_booked(None, account, chart) for account in before.values()]
    missing = [row.code for row in rows if not row.line]
    if missing:
        raise ToolInputError(
            f"{len(missing)} accounts have no line in {chart.name}: {', '.join(missing[:12])}. "
            "Give a chart of accounts (columns account and line)."
        )
    source = "file" if prior else "column" if current.has_opening else ""
    return Books(
        accounts=tuple(rows),
        currency=current.currency or (prior.currency if prior else ""),
        prior_from=source,
        chart=chart.name,
    )


def _booked(now: Account | None, before: Account | None, chart: Chart) -> Booked:
    either = now or before
    assert either is not None
    opening = (now.opening or Decimal()) if now else Decimal()
    return Booked(
        key=either.key,
        code=either.code,
        name=either.name,
        line=chart.line_of(either.code),
        debit=now.debit if now else Decimal(),
        credit=now.credit if now else Decimal(),
        prior=before.net if before else opening,
        row=now.number if now else 0,
        prior_row=before.number if before else 0,
    )


def income(nets: Figures) -> dict[str, Decimal]:
    """Return the income statement: title → figure, costs negative."""
    found: dict[str, Decimal] = {}
    running = Decimal()
    for block, lines in of_statement("income"):
        for line in lines:
            found[line.title] = line.sign * nets.get(line.title, Decimal())
            running += found[line.title]
        found[block] = running
    return found


def balance(nets: Figures) -> dict[str, Decimal]:
    """Return the balance sheet: title → figure; assets, and liabilities and equity, positive."""
    found: dict[str, Decimal] = {PROFIT: income(nets)[PROFIT]}
    for block, lines in of_statement("balance"):
        for line in lines:
            found[line.title] = line.sign * nets.get(line.title, Decimal())
        found[block] = sum((found[line.title] for line in lines), Decimal())
    found["Total equity"] += found[PROFIT]
    found[ASSETS] = found["Total current assets"] + found["Total non-current assets"]
    found[LIABILITIES] = found["Total current liabilities"] + found["Total non-current liabilities"]
    found[BOTH] = found[LIABILITIES] + found["Total equity"]
    return found


def cash_flow(nets: Figures, prior: Figures) -> dict[str, Decimal]:
    """Return the cash flow statement by the indirect method: title → figure, outflows negative."""
    now, before, result = balance(nets), balance(prior), income(nets)

    def flow(title: str) -> Decimal:
        return (before[title] - now[title]) * BY_TITLE[title].sign

    found = {
        PROFIT: result[PROFIT],
        DEPRECIATION: -result[DEPRECIATION],
        DISPOSALS: -result[DISPOSALS],
        **{title: flow(title) for title in WORKING},
    }
    found[OPERATING] = sum(found.values(), Decimal())
    fixed = sum((flow(title) for title in FIXED), Decimal())
    invested = {
        FIXED_MOVE: fixed + result[DEPRECIATION] + result[DISPOSALS],
        **{title: flow(title) for title in INVESTING},
    }
    financed = {
        **{title: flow(title) for title in FINANCING},
        DIVIDENDS: now[DIVIDENDS],
        DIRECT: direct_entries(nets, prior),
    }
    found |= invested | {INVESTED: sum(invested.values(), Decimal())}
    found |= financed | {FINANCED: sum(financed.values(), Decimal())}
    found[MOVEMENT] = found[OPERATING] + found[INVESTED] + found[FINANCED]
    found[BEGIN] = before[CASH]
    found[END] = found[BEGIN] + found[MOVEMENT]
    return found


def direct_entries(nets: Figures, prior: Figures) -> Decimal:
    """Return by how much retained earnings were not brought forward as the prior period left them."""
    before = balance(prior)
    return balance(nets)[RETAINED] - (before[RETAINED] + before[PROFIT] + before[DIVIDENDS])


def decimals(figures: Iterable[Decimal]) -> int:
    """Return the decimals that the figures have, at least two."""
    places = [figure.as_tuple().exponent for figure in figures]
    return max([2, *(-place for place in places if isinstance(place, int))])


def derived(books: Books) -> dict[str, tuple[dict[str, Decimal], dict[str, Decimal] | None]]:
    """Return sheet → (current figures, prior figures) of each statement that can be made."""
    nets = books.nets()
    prior = books.nets(prior=True) if books.prior_from else None
    found: dict[str, tuple[dict[str, Decimal], dict[str, Decimal] | None]] = {
        INCOME: (income(nets), income(prior) if prior is not None else None),
        BALANCE: (balance(nets), balance(prior) if prior is not None else None),
    }
    if prior is not None:
        found[CASHFLOW] = (cash_flow(nets, prior), None)
    return found
