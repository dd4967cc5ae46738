"""The tool that builds the three statements from a trial balance."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolError, ToolInputError
from deskmate_documents.tables import find_files
from deskmate_documents.xlsx.build import build_workbook
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.balances import TrialBalance, read_trial_balance
from deskmate_finance.chart_of_accounts import Chart, read_chart
from deskmate_finance.lines import CASH, PROFIT
from deskmate_finance.statements import (
    ASSETS,
    BALANCE,
    BOTH,
    CASHFLOW,
    END,
    INCOME,
    MOVEMENT,
    Books,
    booked,
    derived,
    direct_entries,
)
from deskmate_finance.statements_book import Labels, sheets
from deskmate_finance.workbook import differences

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
OUTPUT = "financial statements.xlsx"
CHARTS = ("chart of accounts", "coa", "account mapping", "mapping")
PRIOR = ("prior", "opening", "previous", "last year", "comparative")
TRIALS = ("trial", "tb", "balances")


def statements_build(
    context: ToolContext,
    trial_balance: str = "",
    prior: str = "",
    chart: str = "",
    output: str = "",
    period: str = "Current period",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Build income statement, balance sheet and cash flow from a trial balance, as a workbook of live formulas that tie.

    The trial balance is the one before profit is closed to retained earnings. Nothing is built from one that does
    not balance, or with an account that has no line. The cash flow statement (indirect method) needs opening balances:
    the prior trial balance, or a column of them.

    Args:
        context: filled in by Deskmate.
        trial_balance: workspace path of the CSV or XLSX file. Empty: the one in the workspace.
        prior: workspace path of the trial balance at the end of the prior period. Empty: one whose name says so.
        chart: workspace path of the chart of accounts (columns account, which may be a range such as 4000-4799, and
            line). Empty: a column `line` of the trial balance, a file named so, the setting, else the standard chart.
        output: workspace path of the new workbook. Empty: financial statements.xlsx beside the trial balance.
        period: how the period is called, such as "Year ended 31 December 2025".
        settings: columns where they cannot be told (account, debit, credit, balance, name, opening, line), `sheet`,
            `entity` where there are several, and `prior_period`: how that period is called.
        request: the user's words; files named there are taken.

    Returns:
        `path`; `profit`, `total_assets`, `liabilities_and_equity`, `cash_at_end`, `change_in_cash`: decimal strings;
        `ties`: bool; `notes`: what the reader must know; `chart`: which mapping was used.

    Raises:
        ToolInputError: a file or column cannot be used, the trial balance does not balance, an account has no line.
    """
    path, prior = _files(context, trial_balance, prior, request)
    given = dict(settings or {})
    prior_period = given.pop("prior_period", "") or "Prior period"
    current = read_trial_balance(context.file(path), path, given)
    before = read_trial_balance(context.file(prior), prior, given) if prior else None
    mapping, chart = pick_chart(context, current, chart)
    books = booked(current, before, mapping)
    output = output or str(PurePosixPath(path).parent / OUTPUT)
    if not output.lower().endswith(".xlsx") or output in (path, prior, chart):
        raise ToolInputError(f"{output} cannot be the workbook; give a new name in .xlsx.")
    said = f"From {path}" + (f" and {prior}" if prior else "")
    said += f"; lines by {mapping.name}" + (f"; {books.currency}" if books.currency else "")
    labels = Labels(
        entity=f"{given['entity']}: " if given.get("entity") else "",
        period=period,
        prior_period=prior_period,
        sources=said,
    )
    target = context.target(output)
    write(target, books, labels)
    sources = {"trial_balance": path, "prior": prior, "chart": chart}
    deliverable = Deliverable(
        path=context.name_of(target),
        title="Income statement, balance sheet and cash flow",
        role="statements",
        sources={role: name for role, name in sources.items() if name},
        data={"settings": given},
    )
    return ToolAnswer(result=_report(books, deliverable.path), deliverables=(deliverable,))


def write(target: Path, books: Books, labels: Labels) -> None:
    """Write the workbook, have its formulas computed, and compare every result with the exact figures.

    Raises:
        ToolError: a formula gives something else; nothing is written then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deskmate-finance-") as folder:
        part = Path(folder) / "made.xlsx"
        build_workbook(part, sheets(books, labels))
        fill_results(part)
        wrong = list(differences(part, derived(books)))
        if wrong:
            raise ToolError(f"The workbook does not compute as it must: {wrong[0][1]}")
        target.write_bytes(part.read_bytes())


def pick_chart(context: ToolContext, current: TrialBalance, path: str) -> tuple[Chart, str]:
    """Return the chart of accounts and its workspace path, "" where it is no file of the workspace."""
    if not path and current.chart is not None:
        return current.chart, ""
    return find_chart(context, path)


def find_chart(context: ToolContext, path: str) -> tuple[Chart, str]:
    """Return the chart of accounts that is named, lies in the workspace, or is the setting; else the standard one."""
    named = [
        each
        for each in find_files(context.workspace, TABLES)
        if any(
            words in Path(each).stem.lower().replace("_", " ").replace("-", " ") for words in CHARTS
        )
    ]
    path = path or str(context.config.get("chart_of_accounts") or "")
    path = path or (named[0] if len(named) == 1 else "")
    if path:
        return read_chart(context.file(path), path), path
    return standard_chart(), ""


def standard_chart() -> Chart:
    """Return the chart of accounts that comes with the plugin."""
    return read_chart(Path(__file__).parents[1] / "charts/default.csv", "the standard chart")


def _files(context: ToolContext, path: str, prior: str, request: str) -> tuple[str, str]:
    known = [
        each
        for each in find_files(context.workspace, TABLES)
        if _named(each, TRIALS) and Path(each).name != OUTPUT and not _named(each, CHARTS)
    ]
    older = [each for each in known if _named(each, PRIOR)]
    newer = [each for each in known if each not in older]
    wanted = [each for each in newer if Path(each).name.lower() in request.lower()] or newer
    if not path:
        if len(wanted) != 1:
            names = f"Several files may be it: {', '.join(wanted[:12])}. " if wanted else ""
            raise ToolInputError(
                f"There is no single trial balance in the workspace. {names}Name it in `trial_balance`."
            )
        path = wanted[0]
    beside = [each for each in older if PurePosixPath(each).parent == PurePosixPath(path).parent]
    if not prior and len(beside) == 1 and beside[0] != path:
        prior = beside[0]
    return path, prior


def _named(path: str, words: tuple[str, ...]) -> bool:
    stem = f" {Path(path).stem.lower().replace('_', ' ').replace('-', ' ')} "
    return any(f" {word} " in stem or (len(word) > 3 and word in stem) for word in words)


def _report(books: Books, path: str) -> dict[str, Any]:
    figures = {name: now for name, (now, _) in derived(books).items()}
    flow = figures.get(CASHFLOW)
    notes = []
    if flow is None:
        notes.append("No cash flow statement: there are no opening balances.")
    elif direct_entries(books.nets(), books.nets(prior=True)):
        gap = direct_entries(books.nets(), books.nets(prior=True))
        notes.append(
            f"Retained earnings were not brought forward as closed: they differ by {gap:f}."
        )
    if not figures[INCOME][PROFIT]:
        notes.append(
            "Profit is nil; a trial balance after closing entries has no income statement."
        )
    cash = flow[END] if flow else figures[BALANCE][CASH]
    return {
        "path": path,
        "accounts": len(books.accounts),
        "currency": books.currency,
        "chart": books.chart,
        "statements": list(figures),
        "profit": text(figures[INCOME][PROFIT]),
        "total_assets": text(figures[BALANCE][ASSETS]),
        "liabilities_and_equity": text(figures[BALANCE][BOTH]),
        "change_in_cash": text(flow[MOVEMENT]) if flow else "not computed",
        "cash_at_end": text(cash),
        "ties": _ties(figures),
        "notes": "\n".join(notes) or "Everything ties.",
    }


def _ties(figures: Mapping[str, Mapping[str, Decimal]]) -> bool:
    balance, flow = figures[BALANCE], figures.get(CASHFLOW)
    return balance[ASSETS] == balance[BOTH] and (flow is None or flow[END] == balance[CASH])


def text(figure: Decimal) -> str:
    """Return a figure with its thousands apart, and no minus before zero."""
    return f"{figure + 0:,f}"
