"""The report of a model audit as a workbook: summary by kind, every finding with its cells, and what was looked at."""

from __future__ import annotations

from typing import Any

from deskmate_finance.audit import LEVELS, TITLES, Audit
from deskmate_finance.looks import DRAFT, looks, styled

SUMMARY, FINDINGS, SCOPE = "Summary", "Findings", "Scope"
HEAD = 5
LISTED_LIMIT = 3_000
INPUTS = {FINDINGS: frozenset((1, 5)), SCOPE: frozenset((3, 4))}


def _text(value: str, look: str = "text") -> dict[str, Any]:
    return styled({"text": value}, look)


def _top(title: str, model: str, heads: tuple[str, ...]) -> list[list[Any]]:
    numbers = {
        "Errors",
        "Warnings",
        "Notes",
        "All cells",
        "Formulas",
        *({"Cells"} if "State" in heads else ()),
    }
    return [
        [_text(title, "title")],
        [_text(DRAFT, "draft")],
        [_text(f"Model: {model}", "note")],
        [],
        [_text(head, "head figure" if head in numbers else "head") for head in heads],
    ]


def sheets(found: Audit, model: str) -> list[dict[str, Any]]:
    """Return the workbook's sheets, as `build_workbook` takes them."""
    style = looks()
    rows = _top(
        "Findings", model, ("No.", "Level", "Kind", "Cells", "Count", "What was found", "Formula")
    )
    for number, matter in enumerate(found.matters[:LISTED_LIMIT], 1):
        rows.append(
            [
                styled(number, "word"), _text(matter.level), _text(TITLES.get(matter.rule, matter.rule)), _text(matter.cells),
                styled(matter.count, "word"), _text(matter.message[:1000]), _text(matter.formula),
            ]
        )  # fmt: skip
    return [
        {"name": SUMMARY, "rows": _summary(found, model, len(rows)), "header": 0, "looks": style,
         "widths": [46, 14, 14, 14, 14], "print": "portrait"},
        {"name": FINDINGS, "rows": rows, "header": 0, "looks": style, "freeze": f"A{HEAD + 1}",
         "widths": [7, 11, 48, 28, 8, 74, 44], "print": "landscape"},
        {"name": SCOPE, "rows": scope_rows(found, model), "header": 0, "looks": style,
         "widths": [46, 14, 14, 14], "print": "portrait"},
    ]  # fmt: skip


def _summary(found: Audit, model: str, last: int) -> list[list[Any]]:
    rows = _top("Model audit", model, ("Kind", "Errors", "Warnings", "Notes", "All cells"))
    end = max(last, HEAD + 1)

    def area(letter: str) -> str:
        return f"{FINDINGS}!${letter}${HEAD + 1}:${letter}${end}"

    for title in TITLES.values():
        row = len(rows) + 1
        counts = [f'=COUNTIFS({area("C")},$A{row},{area("B")},"{level}")' for level in LEVELS]
        rows.append([title, *counts, f"=SUMIFS({area('E')},{area('C')},$A{row})"])
    sums = [styled(f"=SUM({c}{HEAD + 1}:{c}{len(rows)})", "total count") for c in "BCDE"]
    rows.append([_text("Total", "total title"), *sums])
    return rows


def scope_rows(found: Audit, model: str) -> list[list[Any]]:
    """Return the sheet that says what was looked at, and what not."""
    rows = _top("Scope", model, ("Sheet", "State", "Cells", "Formulas"))
    rows += [[_text(s.sheet), s.state, s.cells, s.formulas] for s in found.scope]
    rows += [[], [_text("Not looked at", "section")]]
    rows += [[_text(line)] for line in not_audited(found)]
    return rows


def not_audited(found: Audit) -> list[str]:
    """Return what the audit does not cover."""
    lines = [
        *found.left_out,
        "macros, queries and what other workbooks hold",
        "whether the assumptions are right",
    ]
    if len(found.matters) > LISTED_LIMIT:
        lines.insert(0, f"{len(found.matters) - LISTED_LIMIT} more findings are not listed")
    return lines
