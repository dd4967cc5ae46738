"""The tool that audits a model."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import pick_file
from deskmate_documents.xlsx.build import build_workbook
from deskmate_documents.xlsx.results import fill_results
from deskmate_finance.audit import Audit, Matter, audit
from deskmate_finance.audit_book import not_audited, sheets

OUTPUT = "model audit.xlsx"
SHOWN = 40


def model_audit(
    context: ToolContext, path: str = "", output: str = "", request: str = ""
) -> ToolAnswer:
    """Audit an Excel model and write the list of findings with cell references; the model is not changed.

    Finds formula errors, dead references, circular references, checks that do not hold, typed totals that do not add
    up, sums that leave cells out, stored results that are not what the formula gives, typed figures in formulas,
    formulas that differ from their neighbours, odd signs, units that do not fit, numbers as text, links to other
    workbooks, hidden sheets, rows and columns.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the workbook (XLSX or XLSM). Empty: the one in the workspace.
        output: workspace path of the report. Empty: model audit.xlsx beside the model.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `errors`, `warnings`, `notes`: counts of findings; `findings`: the first 40, worst first, as {level, kind,
        cells, count, message, formula}; `path` of the report; `not_audited`.

    Raises:
        ToolInputError: it is no workbook, damaged, or has more than 200,000 cells.
    """
    path = path or pick_file(
        context.workspace,
        (".xlsx", ".xlsm"),
        what="model",
        hints=("model", "forecast", "budget", "valuation", "dcf", "plan"),
        request=request,
        made=OUTPUT,
    )
    output = output or str(PurePosixPath(path).parent / OUTPUT)
    if not output.lower().endswith(".xlsx") or output == path:
        raise ToolInputError(f"{output} cannot be the report; give a new name in .xlsx.")
    found = audit(context.file(path))
    target = context.target(output)
    write(target, found, path)
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Audit of {PurePosixPath(path).name}",
        role="model_audit",
        sources={"model": path},
    )
    return ToolAnswer(result=_report(found, path, deliverable.path), deliverables=(deliverable,))


def write(target: Path, found: Audit, model: str) -> None:
    """Write the report with computed results."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deskmate-finance-") as folder:
        part = Path(folder) / "made.xlsx"
        build_workbook(part, sheets(found, model))
        fill_results(part)
        target.write_bytes(part.read_bytes())


def _report(found: Audit, model: str, path: str) -> dict[str, Any]:
    worst = found.matters[:SHOWN]
    return {
        "model": model,
        "path": path,
        "sheets": len(found.scope),
        "formulas": found.formulas,
        "errors": found.count("error"),
        "warnings": found.count("warning"),
        "notes": found.count("note"),
        "findings": [
            {
                "level": m.level,
                "kind": m.rule,
                "cells": m.cells,
                "count": m.count,
                "message": m.message,
                "formula": m.formula,
            }
            for m in worst
        ],
        "first": "\n".join(map(_line, worst)) or "Nothing was found.",
        "not_audited": "; ".join(not_audited(found)),
    }


def _line(matter: Matter) -> str:
    many = f" ({matter.count} cells)" if matter.count > 1 else ""
    return f"{matter.level}, {matter.cells}{many}: {matter.message}"
