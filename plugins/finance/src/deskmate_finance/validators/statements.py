"""The gates of financial statements: they start again from the host's trial balances and believe no figure of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.balances import read_trial_balance
from deskmate_finance.chart_of_accounts import read_chart
from deskmate_finance.lines import CASH
from deskmate_finance.statements import (
    ASSETS,
    BALANCE,
    BEGIN,
    BOTH,
    CASHFLOW,
    END,
    FINANCED,
    INVESTED,
    MOVEMENT,
    OPERATING,
    TRIAL,
    Booked,
    Books,
    booked,
    derived,
    direct_entries,
)
from deskmate_finance.statements_book import HEAD
from deskmate_finance.tools.statements import standard_chart
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.workbook import (
    Cells,
    cells_of,
    differences,
    equal,
    figure_at,
    text_at,
    titled,
)

FIX = "Run statements_build again; do not edit its figures."


def books_of(deliverable: Deliverable, context: ValidationContext) -> Books:
    """Return the books from the host's originals.

    Raises:
        ToolInputError: an original is missing, or cannot be what it is said to be.
    """
    settings = deliverable.data.get("settings")
    given = {str(k): str(v) for k, v in settings.items()} if isinstance(settings, dict) else {}
    path = deliverable.sources.get("trial_balance", "")
    current = read_trial_balance(original(context, path, "trial balance"), path, given)
    prior = deliverable.sources.get("prior", "")
    before = (
        read_trial_balance(original(context, prior, "prior trial balance"), prior, given)
        if prior
        else None
    )
    chart = deliverable.sources.get("chart", "")
    if chart:
        mapping = read_chart(original(context, chart, "chart of accounts"), chart)
    else:
        mapping = current.chart or standard_chart()
    return booked(current, before, mapping)


def original(context: ValidationContext, path: str, what: str) -> Path:
    """Return the host's file. Raises ToolInputError if it never held it."""
    file = context.sources.file(path) if path else None
    if file is None:
        raise ToolInputError(f"the {what} {path or '(none named)'} is not among the originals")
    return file


def trial_balances(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Debits equal credits, and the workbook has every account of the sources once, with its figures and one line.

    Source: double-entry bookkeeping; one line an account: house (SOURCES.md).
    """
    return errors("FIN-TB-BALANCES", _trial(deliverable, context), FIX)


def _trial(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    books = books_of(deliverable, context)  # refuses what does not balance
    cells = cells_of(Workbook(context.file), TRIAL)
    expected = {account.code: account for account in books.accounts}
    row = HEAD + 1
    while (code := text_at(cells, row, 1)) and code != "Total":
        account = expected.pop(code, None)
        place = f"{TRIAL}!A{row}"
        if account is None:
            yield place, f"The account {code} is in no trial balance, or stands here twice."
        else:
            yield from ((place, message) for message in _account(cells, row, account))
        row += 1
    for code in expected:
        yield TRIAL, f"The account {code} is missing."
    sums = [figure_at(cells, row, column) for column in (4, 5)]
    if text_at(cells, row, 1) != "Total" or not equal(sums[0], sums[1]):
        yield f"{TRIAL}!A{row}", "The total row is missing, or its debits are not its credits."


def _account(cells: Cells, row: int, account: Booked) -> Iterator[str]:
    if text_at(cells, row, 3) != account.line:
        yield f"Account {account.code} belongs to {account.line}, not {text_at(cells, row, 3)}."
    wanted = ((4, account.debit), (5, account.credit), (7, account.prior))
    for column, figure in wanted:
        found = figure_at(cells, row, column)
        if not equal(found or Decimal(), figure):
            yield f"Account {account.code} has {figure:f} in the source, not {found}."


def balance_balances(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Assets equal liabilities and equity to the cent, in every period, in the file's own results.

    Source: the accounting equation (SOURCES.md).
    """
    return errors("FIN-BS-BALANCES", _balance(context), FIX)


def _balance(context: ValidationContext) -> Iterator[Problem]:
    cells = cells_of(Workbook(context.file), BALANCE)
    rows = titled(cells)
    periods = [c for c in (2, 3) if text_at(cells, HEAD, c)]
    if not periods or ASSETS not in rows or BOTH not in rows:
        yield BALANCE, f"There is no {ASSETS} or no {BOTH}."
        return
    for column in periods:
        one, other = (figure_at(cells, rows[title], column) for title in (ASSETS, BOTH))
        if one is None or not equal(one, other):
            yield BALANCE, f"{text_at(cells, HEAD, column)}: {ASSETS} {one}, {BOTH} {other}."


def cash_ties(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Operating, investing and financing flows are the change in cash, and both ends are the balance sheets' cash.

    Source: IAS 7.45 and ASC 230-10-45-4 (SOURCES.md). Entries made directly to retained earnings are a warning.
    """
    rule = "FIN-CASH-TIES"
    yield from errors(rule, _cash(deliverable, context), FIX)
    try:
        books = books_of(deliverable, context)
    except ToolInputError:
        return  # said above
    gap = direct_entries(books.nets(), books.nets(prior=True)) if books.prior_from else Decimal()
    if gap:
        message = f"Retained earnings brought forward differ by {gap:f} from what the prior period left; explain it."
        yield Finding(rule=rule, level="warning", message=message, location=f"sheet {CASHFLOW}")


def _cash(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    books = books_of(deliverable, context)
    book = Workbook(context.file)
    if not books.prior_from:
        if CASHFLOW in [sheet.name for sheet in book.sheets]:
            yield CASHFLOW, "There is a cash flow statement without opening balances."
        return
    flow, balance = cells_of(book, CASHFLOW), cells_of(book, BALANCE)
    rows, held = titled(flow), titled(balance).get(CASH, 0)

    def at(title: str) -> Decimal:
        return figure_at(flow, rows.get(title, 0), 2) or Decimal()

    parts = at(OPERATING) + at(INVESTED) + at(FINANCED)
    if not equal(parts, at(MOVEMENT)):
        yield CASHFLOW, f"The three flows are {parts:f}, {MOVEMENT} {at(MOVEMENT):f}."
    for title, column in ((END, 2), (BEGIN, 3)):
        cash = figure_at(balance, held, column)
        if cash is None or title not in rows or not equal(cash, at(title)):
            yield CASHFLOW, f"{title} is {at(title):f}, the balance sheet's cash {cash}."
    if not equal(at(BEGIN) + at(MOVEMENT), at(END)):
        yield CASHFLOW, f"{BEGIN} and {MOVEMENT} are not {END}."


def statements_tie(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every figure of the statements is what the sources give, computed again without the workbook. Source: house."""

    def problems() -> Iterator[Problem]:
        yield from differences(context.file, derived(books_of(deliverable, context)))

    return errors("FIN-STATEMENTS-TIE", problems(), FIX)
