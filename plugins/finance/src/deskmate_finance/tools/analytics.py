"""The tool that looks for unusual entries in a journal."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext
from deskmate_documents.tables import pick_file
from deskmate_finance.analytics import Analysis, analyse, limits_of
from deskmate_finance.analytics_book import sheets
from deskmate_finance.made import book_path, write_made
from deskmate_finance.postings import read_postings
from deskmate_finance.tools.statements import TABLES

OUTPUT = "journal analysis.xlsx"
SHOWN = 25


def je_analytics(
    context: ToolContext,
    path: str = "",
    output: str = "",
    settings: dict[str, str] | None = None,
    columns: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Look for unusual entries in a journal or general ledger, and write a workbook with every finding and its threshold.

    Tests: round amounts, weekends, holidays, odd hours, entered late, no description, not balancing, duplicates,
    unusual account pairs, seldom users, just below a limit, a number used twice, gaps in numbers, first digits
    (Benford). A test that the file does not allow is named with the reason. A finding is a question, not an error.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the journal (CSV or XLSX, one line a row). Empty: the one in the workspace.
        output: workspace path of the workbook. Empty: journal analysis.xlsx beside the journal.
        settings: thresholds: round_unit (1000), round_from (10000), holidays ("2025-01-01, 2025-12-25"), hours
            ("7-20"), duplicate_days (7), rare_pairs (1), rare_users (4), late_days (10), limit (0: no limit of
            approval), near_limit (5, percent).
        columns: names where they cannot be told: entry, date, account, debit, credit, balance (signed amount), user,
            text, reference, created, sheet; order of dates (dmy or mdy).
        request: the user's words; a file named there is taken.

    Returns:
        `path`; `lines`, `entries`, `debits`, `credits`; `tests`: list of {test, looks_for, findings, left_out};
        `first`: the entries that most tests name; `gaps`; `benford`.

    Raises:
        ToolInputError: a file, column, row or setting cannot be used.
    """
    path = path or pick_file(
        context.workspace,
        TABLES,
        what="journal",
        hints=("journal", "ledger", "gl", "postings", "entries"),
        request=request,
        made=OUTPUT,
    )
    given, thresholds = dict(columns or {}), dict(settings or {})
    made = analyse(read_postings(context.file(path), path, given), limits_of(thresholds))
    target = context.target(book_path(output, path, OUTPUT, path))
    write_made(target, sheets(made))
    deliverable = Deliverable(
        path=context.name_of(target),
        title=f"Analysis of {path}",
        role="journal_analysis",
        sources={"journal": path},
        data={"columns": given, "settings": thresholds},
    )
    return ToolAnswer(result=_report(made, deliverable.path), deliverables=(deliverable,))


def _report(made: Analysis, path: str) -> dict[str, Any]:
    entries = made.postings.entries()
    counts = {t.name: sum(hit.test == t.name for hit in made.hits) for t in made.tests}
    first = []
    for entry, score in made.scores()[:SHOWN]:
        own = entries[entry]
        names = ", ".join(hit.test.lower() for hit in made.hits if hit.entry == entry)
        debits = sum(p.debit for p in own)
        first.append(
            f"{entry}, {own[0].day}, {debits:,f}, {own[0].text[:80] or 'no text'}: {score} ({names})"
        )
    gaps = ", ".join(made.gaps[:SHOWN])
    return {
        "path": path,
        "journal": made.postings.name,
        "lines": len(made.postings.lines),
        "entries": len(entries),
        "debits": f"{made.postings.debits:,f}",
        "credits": f"{made.postings.credits:,f}",
        "tests": [
            {"test": t.name, "looks_for": t.looks_for, "findings": counts[t.name], "left_out": t.left_out}
            for t in made.tests
        ],
        "test_list": "\n".join(
            f"{t.name} ({t.looks_for}): {f'not done, {t.left_out}' if t.left_out else counts[t.name]}"
            for t in made.tests
        ),
        "findings": len(made.hits),
        "first": "\n".join(first) or "No test names an entry.",
        "gap_count": len(made.gaps),
        "gaps": gaps or "none",
        "benford": made.benford.verdict,
    }  # fmt: skip
