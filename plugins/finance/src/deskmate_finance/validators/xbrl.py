"""FIN-XBRL-FACTS: every fact is the filing's, with its context, unit, sign and scale, and every sum is added again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.made import other_cells
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original
from deskmate_finance.workbook import cells_of, text_at
from deskmate_finance.xbrl import read_filing
from deskmate_finance.xbrl_book import CHECKS, CHECKS_LIMIT, HEAD, sheets
from deskmate_finance.xbrl_checks import checks, read_calculations

FIX = "Run xbrl_facts again; facts are not edited."


def facts_tie(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Read the host's filing again and compare every fact, context and check.

    Source: XBRL 2.1, Inline XBRL 1.1, and Calculations 1.1 for rounding (SOURCES.md).
    """
    return errors("FIN-XBRL-FACTS", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path, linkbase = (deliverable.sources.get(role, "") for role in ("filing", "calculation"))
    filing = read_filing(original(context, path, "filing"), path)
    sums = (
        read_calculations(original(context, linkbase, "calculation linkbase"), linkbase)
        if linkbase
        else {}
    )
    found = checks(filing, sums)
    yield from other_cells(context.file, sheets(filing, found))
    cells = cells_of(Workbook(context.file), CHECKS)
    order = sorted(found, key=lambda check: check.holds)[:CHECKS_LIMIT]
    for row, check in enumerate(order, HEAD + 1):
        if text_at(cells, row, 7) != ("yes" if check.holds else "no"):
            yield f"{CHECKS}!G{row}", f"Whether {check.total.concept} adds up is shown wrongly."
