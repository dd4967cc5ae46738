"""The tool that analyses pay equity between groups."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.tables import pick_file, read_table
from deskmate_documents.xlsx.pages import write_book
from deskmate_hr.equity import Design, Fit, fit, read_design
from deskmate_hr.equity_book import equity_pages
from deskmate_hr.tools.report import least_of

BOOK = "pay-equity.xlsx"
TITLE = "Pay equity analysis"


def pay_equity(
    context: ToolContext,
    path: str = "",
    group: str = "",
    controls: list[str] | None = None,
    output: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Compare pay between groups: raw gap, gap adjusted for named controls with its interval, four-fifths rule; for counsel.

    A least squares model of the logarithm of pay, printed in full. Groups of fewer than five people are left out. A gap
    is no finding of discrimination; the workbook is a privileged draft.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the employee table (CSV, XLSX). Empty: the one there.
        group: column whose groups are compared, such as gender. Empty: the first column that the request names.
        controls: columns that explain pay for other reasons, such as level, role, tenure. Empty: those that the request
            names after "controlling for" or "adjusted for"; none: no adjustment.
        output: workspace path of the workbook. Empty: pay-equity.xlsx beside the table.
        settings: `pay` (column), `outcome` (a yes/no column, such as promoted, for the four-fifths rule).
        request: the user's words.

    Returns:
        `gaps`: group → raw and adjusted gap with interval; `model`: what is in it; `left_out`.

    Raises:
        ToolInputError: unknown columns, missing pay, too few people for the model, controls that say the same.
    """
    path = path or pick_file(
        context.workspace,
        (".csv", ".tsv", ".xlsx", ".xlsm"),
        what="employee table",
        made=BOOK,
        hints=("emp", "people", "staff", "hris", "roster", "pay"),
        request=request,
    )
    name = context.name_of(context.file(path))
    asked, besides = _asked(read_table(context.file(path), name=path).columns, request)
    group = group or asked
    if not group:
        raise ToolInputError(
            "Say which groups are compared: give `group`, a column such as gender."
        )
    names, options = list(controls if controls is not None else besides), dict(settings or {})
    least = least_of(context.config)
    design = read_design(context.file(path), path, group, names, options, least)
    fitted = fit(design)
    wanted = output or str(PurePosixPath(name).parent / BOOK)
    target = context.target(wanted)
    if target.suffix.lower() != ".xlsx" or target == context.file(path).resolve():
        raise ToolInputError(f"{wanted} cannot be the result; give a new name that ends in .xlsx.")
    write_book(target, equity_pages(design, fitted, least))
    deliverable = Deliverable(
        path=context.name_of(target),
        title=TITLE,
        role="pay_equity",
        sources={"employees": name},
        data={"group": group, "controls": names, "settings": options, "regulated": True},
    )
    result = {"output": deliverable.path, "source": name, **_told(design, fitted)}
    return ToolAnswer(result=result, deliverables=(deliverable,))


def _told(design: Design, fitted: Fit) -> dict[str, Any]:
    lines = []
    for number, (label, raw) in enumerate(fitted.raw.items(), start=1):
        b, se = fitted.estimates[number], fitted.errors[number]
        ends = [100 * (math.exp(b + side * 1.96 * se) - 1) for side in (-1, 1)]
        lines.append(
            f"{label} against {next(iter(design.groups))}: raw {100 * (math.exp(raw) - 1):+.1f} %, adjusted "
            f"{100 * (math.exp(b) - 1):+.1f} % (95 % interval {ends[0]:+.1f} to {ends[1]:+.1f} %)"
        )
    controls = ", ".join(design.controls) or "no others"
    return {
        "gaps": lines,
        "model": f"ln(pay) by {design.by}; controls: {controls}; {len(design.pay)} people",
        "left_out": list(design.left_out),
    }


def _asked(columns: tuple[str, ...], request: str) -> tuple[str, list[str]]:
    """Return the group and the controls that a request names."""
    said = " ".join(request.lower().replace("_", " ").split())
    head, _, tail = (
        said.partition(" controlling for ")
        if " controlling for " in said
        else said.partition(" adjusted for ")
    )

    def named(text: str) -> list[str]:
        found = []
        for column in columns:
            spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.replace("_", " ")).lower()
            names = "|".join(re.escape(name) for name in (spaced, spaced.replace(" ", "")))
            at = re.search(rf"(?<!\w)(?:{names})(?!\w)", text)
            if at:
                found.append((at.start(), column))
        return [column for _, column in sorted(found)]

    groups = named(head.partition(" by ")[2] or head)
    return (groups[0] if groups else ""), named(tail)
