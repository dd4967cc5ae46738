"""The tool that values a company by discounted cash flows."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolError
from deskmate_documents.tables import pick_file
from deskmate_finance.dcf import GROWTH, WIDE, Inputs, Valuation, read_inputs, value
from deskmate_finance.dcf_book import other_values, sheets
from deskmate_finance.made import book_path, write_made
from deskmate_finance.tools.statements import TABLES

OUTPUT = "valuation.xlsx"


def dcf_build(
    context: ToolContext, path: str = "", output: str = "", sheet: str = "", request: str = ""
) -> ToolAnswer:
    """Value a company by discounted cash flows: a workbook of live formulas with a sensitivity table and checks.

    Free cash flow = EBIT after tax + depreciation - capital expenditure - increase in working capital; terminal value
    by constant growth. Every result is computed twice, by the workbook and without it.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the inputs (CSV or XLSX): an item a row, a column Value, a column a year. Items: Base
            revenue, Net debt, Terminal growth, WACC (or Risk-free rate, Beta, Equity risk premium, Cost of debt, Share
            of debt); Revenue growth, EBIT margin, Tax rate, Depreciation, Capital expenditure, Working capital as
            shares of revenue, one for all years or one each; if wanted Base working capital, Other claims, Shares,
            Mid-year shift (0.5), Step of WACC, Step of terminal growth. Empty: the one in the workspace.
        output: workspace path of the workbook. Empty: valuation.xlsx beside the inputs.
        sheet: of a workbook; empty takes its first.
        request: the user's words.

    Returns:
        `path`; `enterprise_value`, `equity_value`, `value_a_share`, `terminal_share`: strings; `low`, `high`: of the
        sensitivity table; `wacc`, `growth`; `notes`: what to look at.

    Raises:
        ToolInputError: an input is unknown, missing or no figure, or WACC is not above terminal growth.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="inputs of the valuation",
        hints=("dcf", "valuation", "inputs", "assumptions"),
        request=request,
        made=OUTPUT,
    )
    inputs = read_inputs(context.file(path), path, sheet)
    found = value(inputs)
    target = context.target(book_path(output, path, OUTPUT, path))
    write_made(target, sheets(inputs, found))
    wrong = next(other_values(target, inputs, found), None)
    if wrong:
        target.unlink()
        raise ToolError(f"The workbook does not compute as it must: {wrong[0]}, {wrong[1]}")
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Valuation from {path}",
        role="valuation",
        sources={"inputs": path},
        data={"sheet": sheet, "regulated": True},
    )
    return ToolAnswer(result=_report(inputs, found, deliverable.path), deliverables=(deliverable,))


def _report(inputs: Inputs, found: Valuation, path: str) -> dict[str, Any]:
    near = [found.grid[w, g] for w in (-1, 0, 1) for g in (-1, 0, 1)]
    known = sorted(figure for figure in near if figure is not None)
    result = found.a_share if found.a_share is not None else found.equity
    share = found.terminal / found.enterprise if found.enterprise else 0
    return {
        "path": path,
        "inputs": inputs.name,
        "years": f"{inputs.years[0]} to {inputs.years[-1]}",
        "wacc": f"{found.wacc:.2%}",
        "growth": f"{inputs.scalar[GROWTH].value:.2%}",
        "enterprise_value": f"{found.enterprise:,.2f}",
        "equity_value": f"{found.equity:,.2f}",
        "value_a_share": "no shares given" if found.a_share is None else f"{found.a_share:,.2f}",
        "terminal_share": f"{share:.1%}",
        "basis": "equity value" if found.a_share is None else "value a share",
        "result": f"{result:,.2f}",
        "low": f"{known[0]:,.2f}",
        "high": f"{known[-1]:,.2f}",
        "steps": WIDE,
        "notes": "\n".join(found.notes) or "Nothing.",
    }
