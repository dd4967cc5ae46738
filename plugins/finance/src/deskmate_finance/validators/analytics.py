"""FIN-JET-REPRODUCES: the tests give the same once more, and the population is the whole file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.analytics import analyse, limits_of
from deskmate_finance.analytics_book import SUMMARY, sheets
from deskmate_finance.made import other_cells
from deskmate_finance.postings import read_postings
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.journal import texts
from deskmate_finance.validators.statements import original
from deskmate_finance.workbook import cells_of, equal, figure_at

FIX = "Run je_analytics again; findings are not edited, your judgement of them stands beside."


def analysis_reproduces(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every finding, threshold, count and digit is what the journal gives; lines and sums are the whole file's.

    Source: house; AU-C 240.32 and ISA 240.33 want the testing of journal entries to be complete (SOURCES.md).
    """
    return errors("FIN-JET-REPRODUCES", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path = deliverable.sources.get("journal", "")
    columns = texts(deliverable.data.get("columns"))
    postings = read_postings(original(context, path, "journal"), path, columns)
    front = cells_of(Workbook(context.file), SUMMARY)
    whole = (Decimal(len(postings.lines)), Decimal(len(postings.entries())), postings.debits, postings.credits)  # fmt: skip
    for row, figure in enumerate(whole, 6):
        if not equal(figure_at(front, row, 2), figure):
            yield f"{SUMMARY}!B{row}", f"The file gives {figure:f}: the population is not complete."
    made = analyse(postings, limits_of(texts(deliverable.data.get("settings"))))
    yield from other_cells(context.file, sheets(made))
