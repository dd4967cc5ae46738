"""The statements' workbook: the trial balance as input, everything else as formulas that lead back to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from deskmate_finance.looks import DRAFT, looks, styled
from deskmate_finance.statements import (
    ASSETS,
    BALANCE,
    BEGIN,
    BOTH,
    CASHFLOW,
    CHECKS,
    DIRECT,
    END,
    FINANCED,
    FIXED_MOVE,
    INCOME,
    INVESTED,
    LIABILITIES,
    MOVEMENT,
    OPERATING,
    TRIAL,
    Books,
    decimals,
)

HEAD = 5
"""The row of the column heads on every sheet; rows above say what the sheet is."""
Rows = list[list[Any]]


@dataclass(slots=True, kw_only=True)
class _Page:
    """A sheet of titled rows while it is written. `at`: title → row."""

    name: str
    rows: Rows
    at: dict[str, int] = field(default_factory=dict)
    columns: str = "B"

    def head(self, text: str) -> None:
        self.rows.append([styled(text, "section")])

    def line(self, title: str, formula: str, look: str = "line") -> int:
        """Add a row; `{c}` in the formula stands for the column. Return its number."""
        cells = [styled(formula.replace("{c}", c), f"{look} figure") for c in self.columns]
        self.rows.append([styled(title, f"{look} title"), *cells])
        self.at[title] = len(self.rows)
        return len(self.rows)

    def total(self, title: str, formula: str, look: str = "total") -> None:
        self.line(title, formula, look)

    def blank(self) -> None:
        self.rows.append([])

    def ref(self, title: str, column: str = "{c}") -> str:
        return f"'{self.name}'!{column}{self.at[title]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What the sheets say of themselves."""

    entity: str
    period: str
    prior_period: str
    sources: str


def sheets(books: Books, labels: Labels) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    places = decimals(figure for a in books.accounts for figure in (a.debit, a.credit, a.prior))
    trial, last = _trial(books, labels)
    income = _income(books, labels, last, places)
    balance = _balance(books, labels, last, places, income)
    pages = [income, balance]
    flow = _cash_flow(labels, income, balance) if books.prior_from else None
    if flow:
        pages.append(flow)
    checks = _checks(books, labels, places, last, pages)
    style = looks(places)
    made = [
        {
            "name": page.name,
            "rows": page.rows,
            "header": 0,
            "looks": style,
            "widths": [48, 18, 18],
            "freeze": f"B{HEAD + 1}",
            "print": "portrait",
        }
        for page in pages
    ]
    widths = [14, 34, 34, 16, 16, 16, 16, 10, 10]
    made.append(
        {"name": TRIAL, "rows": trial, "header": 0, "looks": style, "widths": widths,
         "freeze": f"A{HEAD + 1}", "print": "landscape"}
    )  # fmt: skip
    made.append(
        {"name": CHECKS, "rows": checks, "header": 0, "looks": style, "widths": [62, 18, 18, 16, 14], "print": "landscape"}
    )  # fmt: skip
    return made


def _top(labels: Labels, title: str, columns: Sequence[str], texts: int = 1) -> Rows:
    heads = [
        styled({"text": text}, "head" if number < texts else "head figure")
        for number, text in enumerate(columns[1:], 1)
    ]
    return [
        [styled({"text": f"{labels.entity}{title}"}, "title")],
        [styled(DRAFT, "draft")],
        [styled({"text": labels.sources}, "note")],
        [],
        [styled(columns[0], "head"), *heads],
    ]


def _trial(books: Books, labels: Labels) -> tuple[Rows, int]:
    columns = ("Account", "Name", "Line", "Debit", "Credit", "Net", "Prior net", "Row", "Prior row")
    rows = _top(labels, TRIAL, columns, texts=3)
    for number, account in enumerate(books.accounts, HEAD + 1):
        rows.append(
            [
                {"text": account.code},
                {"text": account.name},
                account.line,
                styled(float(account.debit) or None, "input"),
                styled(float(account.credit) or None, "input"),
                styled(f"=D{number}-E{number}", "line figure"),
                styled(float(account.prior), "input") if books.prior_from else None,
                account.row or None,
                account.prior_row or None,
            ]
        )
    last = len(rows)
    letters = "DEFG" if books.prior_from else "DEF"
    sums = [styled(f"=SUM({c}{HEAD + 1}:{c}{last})", "total figure") for c in letters]
    rows.append(
        [
            styled("Total", "total title"),
            styled(None, "total title"),
            styled(None, "total title"),
            *sums,
        ]
    )
    return rows, last


def _page(name: str, books: Books, labels: Labels) -> _Page:
    columns = [labels.period, *([labels.prior_period] if books.prior_from else [])]
    return _Page(
        name=name,
        rows=_top(labels, name, ("", *columns)),
        columns="BC" if books.prior_from else "B",
    )


def _by_line(page: _Page, title: str, last: int, places: int) -> int:
    """Add the sum of a line's accounts; the prior period's stands in another column of the trial balance."""
    sign = "-" if BY_TITLE[title].sign < 0 else ""
    row = len(page.rows) + 1
    area = f"'{TRIAL}'!${{0}}${HEAD + 1}:${{0}}${last}"
    cells = []
    for column in page.columns:
        source = area.format("F" if column == "B" else "G")
        formula = f"=ROUND({sign}SUMIFS({source},{area.format('C')},$A{row}),{places})"
        cells.append(styled(formula, "line figure"))
    page.rows.append([styled(title, "line title"), *cells])
    page.at[title] = row
    return row


def _income(books: Books, labels: Labels, last: int, places: int) -> _Page:
    page = _page(INCOME, books, labels)
    before = ""
    for block, lines in of_statement("income"):
        rows = [_by_line(page, line.title, last, places) for line in lines]
        start = f"{{c}}{page.at[before]}+" if before else ""
        look = "grand" if block == PROFIT else "total"
        page.total(block, f"={start}SUM({{c}}{rows[0]}:{{c}}{rows[-1]})", look)
        before = block
    return page


def _balance(books: Books, labels: Labels, last: int, places: int, income: _Page) -> _Page:
    page = _page(BALANCE, books, labels)
    sections = {
        "Total current assets": "Assets",
        "Total current liabilities": "Liabilities",
        "Total equity": "Equity",
    }
    for block, lines in of_statement("balance"):
        if block in sections:
            page.head(sections[block])
        rows = [_by_line(page, line.title, last, places) for line in lines]
        if block == "Total equity":
            rows.append(page.line(PROFIT, f"={income.ref(PROFIT)}"))
        page.total(block, f"=SUM({{c}}{rows[0]}:{{c}}{rows[-1]})")
        at = page.at
        if block == "Total non-current assets":
            page.total(ASSETS, f"={{c}}{at['Total current assets']}+{{c}}{at[block]}", "grand")
            page.blank()
        elif block == "Total non-current liabilities":
            page.total(LIABILITIES, f"={{c}}{at['Total current liabilities']}+{{c}}{at[block]}")
            page.blank()
    page.total(BOTH, f"={{c}}{page.at[LIABILITIES]}+{{c}}{page.at['Total equity']}", "grand")
    return page


def _cash_flow(labels: Labels, income: _Page, balance: _Page) -> _Page:
    page = _Page(name=CASHFLOW, rows=_top(labels, CASHFLOW, ("", labels.period)))

    def flow(title: str) -> str:
        now, before = balance.ref(title, "B"), balance.ref(title, "C")
        return f"{before}-{now}" if BY_TITLE[title].sign > 0 else f"{now}-{before}"

    page.head("Operating activities")
    first = page.line(PROFIT, f"={income.ref(PROFIT, 'B')}")
    page.line(DEPRECIATION, f"=-{income.ref(DEPRECIATION, 'B')}")
    page.line(DISPOSALS, f"=-{income.ref(DISPOSALS, 'B')}")
    for title in WORKING:
        page.line(title, f"={flow(title)}")
    page.total(OPERATING, f"=SUM(B{first}:B{len(page.rows)})")
    page.head("Investing activities")
    fixed = "+".join(f"({flow(title)})" for title in FIXED)
    noncash = f"{income.ref(DEPRECIATION, 'B')}+{income.ref(DISPOSALS, 'B')}"
    first = page.line(FIXED_MOVE, f"={fixed}+{noncash}")
    for title in INVESTING:
        page.line(title, f"={flow(title)}")
    page.total(INVESTED, f"=SUM(B{first}:B{len(page.rows)})")
    page.head("Financing activities")
    first = len(page.rows) + 1
    for title in FINANCING:
        page.line(title, f"={flow(title)}")
    page.line(DIVIDENDS, f"={balance.ref(DIVIDENDS, 'B')}")
    left = "+".join(balance.ref(title, "C") for title in (RETAINED, PROFIT, DIVIDENDS))
    page.line(DIRECT, f"={balance.ref(RETAINED, 'B')}-({left})")
    page.total(FINANCED, f"=SUM(B{first}:B{len(page.rows)})")
    page.blank()
    page.total(MOVEMENT, "=" + "+".join(f"B{page.at[t]}" for t in (OPERATING, INVESTED, FINANCED)))
    page.line(BEGIN, f"={balance.ref(CASH, 'C')}")
    page.total(END, f"=B{page.at[BEGIN]}+B{page.at[MOVEMENT]}", "grand")
    return page


def _checks(books: Books, labels: Labels, places: int, last: int, pages: Sequence[_Page]) -> Rows:
    rows = _top(labels, CHECKS, ("Check", "One side", "Other side", "Difference", "Result"))
    found = {page.name: page for page in pages}
    for title, one, other in _pairs(books, last, found):
        row = len(rows) + 1
        rows.append(
            [
                styled(title, "line title"),
                styled(f"={one}", "line figure"),
                styled(f"={other}", "line figure"),
                styled(f"=ROUND(B{row}-C{row},{places})", "line figure"),
                styled(f'=IF(D{row}=0,"ties","DOES NOT TIE")', "result"),
            ]
        )
    return rows


def _pairs(books: Books, last: int, pages: Mapping[str, _Page]) -> Iterator[tuple[str, str, str]]:
    balance, income = pages[BALANCE], pages[INCOME]
    yield "Trial balance: debits = credits", f"'{TRIAL}'!D{last + 1}", f"'{TRIAL}'!E{last + 1}"
    both = (("", "B"), (", prior period", "C")) if books.prior_from else (("", "B"),)
    for words, column in both:
        yield (
            f"Balance sheet{words}: assets = liabilities + equity",
            balance.ref(ASSETS, column),
            balance.ref(BOTH, column),
        )
        yield (
            f"Profit{words}: balance sheet = income statement",
            balance.ref(PROFIT, column),
            income.ref(PROFIT, column),
        )
    if CASHFLOW in pages:
        flow = pages[CASHFLOW]
        left = "+".join(balance.ref(title, "C") for title in (RETAINED, PROFIT, DIVIDENDS))
        yield (
            "Cash at the end = cash on the balance sheet",
            flow.ref(END, "B"),
            balance.ref(CASH, "B"),
        )
        yield (
            "Retained earnings brought forward = what the prior period left",
            balance.ref(RETAINED, "B"),
            left,
        )
