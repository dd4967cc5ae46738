"""The tool that brings several entities into one currency."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolError, ToolInputError
from deskmate_documents.tables import find_files, pick_file
from deskmate_finance.made import book_path, write_made
from deskmate_finance.tools.statements import TABLES, find_chart, text
from deskmate_finance.translation import Group, read_rates, translated
from deskmate_finance.translation_book import ENTITIES, GROUP, HEAD, sheets
from deskmate_finance.workbook import cells_of, equal, figure_at

OUTPUT = "group trial balance.xlsx"


def tb_translate(
    context: ToolContext,
    path: str = "",
    rates: str = "",
    currency: str = "",
    chart: str = "",
    output: str = "",
    sheet: str = "",
    request: str = "",
) -> ToolAnswer:
    """Bring the trial balances of several entities into one currency, as a workbook of live formulas that `statements_build` reads.

    Assets and liabilities at the closing rate, income and expenses at the average rate, equity at historical rates, all stated in
    a file. The difference of translation is a line of its own for each entity, and so is what rounding to cents leaves;
    nothing is spread. Balances between entities are not eliminated unless an entity in the file does it.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the trial balance (CSV or XLSX) with the columns entity, currency, account and debit and credit
            or balance. Empty: the one in the workspace.
        rates: workspace path of the rates: currency, closing, average, historical; a row with an account gives its historical
            rate. One unit of the currency is so much of the group's. Empty: the file whose name says rates.
        currency: the group's currency, such as EUR. Empty: the one that the request names.
        chart: workspace path of the chart of accounts. Empty: as for `statements_build`.
        output: workspace path of the workbook. Empty: group trial balance.xlsx beside the file.
        sheet: of a workbook.
        request: the user's words.

    Returns:
        `path`; `sheet`: to be read by statements_build; `currency`; `entities`: list of {entity, currency, difference, rounding};
        `difference`, `rounding`: of all, decimal strings; `accounts`; `report`.

    Raises:
        ToolInputError: a file, column, rate or line is missing, or an entity does not balance.
    """
    path = path or pick_file(
        context.workspace, TABLES, what="trial balance", hints=("trial", "tb", "balance"), request=request, made=OUTPUT,
    )  # fmt: skip
    rates = rates or _rates_file(context)
    currency = (currency or _currency(request)).strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ToolInputError("Name the group's currency in `currency`, such as EUR.")
    mapping, chart = find_chart(context, chart)
    made = translated(
        context.file(path), path, sheet, read_rates(context.file(rates), rates), currency, mapping
    )
    target = context.target(book_path(output, path, OUTPUT, path, rates, chart))
    write_made(target, sheets(made, path))
    wrong = next(other_figures(target, made), None)
    if wrong:
        target.unlink()
        raise ToolError(f"The workbook does not compute as it must: {wrong[1]}")
    sources = {"trial_balance": path, "rates": rates, "chart": chart}
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Trial balance of the group in {currency}",
        role="group_trial_balance",
        sources={role: name for role, name in sources.items() if name},
        data={"currency": currency, "sheet": sheet},
    )
    return ToolAnswer(result=_report(made, deliverable.path), deliverables=(deliverable,))


def other_figures(file: Path, made: Group) -> Any:
    """Yield (place, message) of each result in a workbook that is not the one computed exactly without it."""
    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415

    book = Workbook(file)
    cells = cells_of(book, GROUP)
    sums = [figure for *_, figure in made.accounts().values()]
    sums += [
        sum((one.difference for one in made.entities), Decimal()),
        sum((one.rounding for one in made.entities), Decimal()),
        Decimal(),
    ]
    for row, figure in enumerate(sums, HEAD + 1):
        found = figure_at(cells, row, 4)
        if not equal(found, figure):
            yield f"{GROUP}!D{row}", f"{found} stands here; the balances and rates give {figure:f}."
    cells = cells_of(book, ENTITIES)
    for row, one in enumerate(made.entities, HEAD + 1):
        for column, figure in ((3, one.local), (5, one.translated), (6, one.difference), (7, one.rounding), (8, Decimal())):  # fmt: skip
            found = figure_at(cells, row, column)
            if not equal(found, figure):
                yield (
                    f"{ENTITIES}!{'ABCDEFGH'[column - 1]}{row}",
                    f"{found} stands here; {one.name} gives {figure:f}.",
                )


def _rates_file(context: ToolContext) -> str:
    named = [
        each
        for each in find_files(context.workspace, TABLES)
        if re.search(
            r"\b(?:fx|exchange|rates?)\b", PurePosixPath(each).stem.lower().replace("_", " ")
        )
    ]
    if len(named) != 1:
        raise ToolInputError(
            "Name the file of rates in `rates` (currency, closing, average, historical)."
        )
    return named[0]


def _currency(request: str) -> str:
    found = re.findall(r"\b(?:in|into|to)\s+([A-Z]{3})\b", request)
    return found[0] if len(set(found)) == 1 else ""


def _report(made: Group, path: str) -> dict[str, Any]:
    entities = [
        {
            "entity": one.name,
            "currency": one.currency,
            "difference": text(one.difference),
            "rounding": text(one.rounding),
        }
        for one in made.entities
    ]
    difference = sum((one.difference for one in made.entities), Decimal())
    rounding = sum((one.rounding for one in made.entities), Decimal())
    lines = [
        f"- {e['entity']} ({e['currency']}): translation difference {e['difference']}, rounding {e['rounding']}"
        for e in entities
    ]
    return {
        "path": path,
        "sheet": GROUP,
        "currency": made.currency,
        "accounts": len(made.accounts()),
        "entities": entities,
        "difference": text(difference),
        "rounding": text(rounding),
        "report": "\n".join(lines),
    }
