"""FIN-AUDIT-COMPLETE: the report has every finding that the model gives, with its cells, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.audit import TITLES, Matter, audit
from deskmate_finance.audit_book import FINDINGS, HEAD, LISTED_LIMIT, SCOPE, not_audited
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.statements import original
from deskmate_finance.workbook import cells_of, text_at

FIX = "Run model_audit again; findings are not edited, your judgement of them stands beside."


def audit_complete(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Audit the host's original again and compare every row of the report. Source: house."""
    return errors("FIN-AUDIT-COMPLETE", _compare(deliverable, context), FIX)


def _compare(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    found = audit(original(context, deliverable.sources.get("model", ""), "model"))
    book = Workbook(context.file)
    cells = cells_of(book, FINDINGS)
    listed = found.matters[:LISTED_LIMIT]
    for number, matter in enumerate(listed, 1):
        row = HEAD + number
        shown = tuple(text_at(cells, row, column) for column in range(1, 8))
        if shown != _row(number, matter):
            yield (
                f"{FINDINGS}!A{row}",
                f"{matter.cells}: {matter.message} must stand here as it was found.",
            )
    after = HEAD + len(listed) + 1
    if any(row >= after for row, _ in cells):
        yield f"{FINDINGS}!A{after}", "Findings stand here that the model does not give."
    scope = cells_of(book, SCOPE)
    texts = {value.text for value in scope.values()}
    for line in (*not_audited(found), *(each.sheet for each in found.scope)):
        if line.strip() not in {text.strip() for text in texts}:
            yield SCOPE, f"The scope does not say: {line}."
    for number, each in enumerate(found.scope, HEAD + 1):
        counts = (each.sheet.strip(), each.state, str(each.cells), str(each.formulas))
        if tuple(text_at(scope, number, column) for column in range(1, 5)) != counts:
            yield (
                f"{SCOPE}!A{number}",
                f"The sheet {each.sheet} has {each.cells} cells and {each.formulas} formulas.",
            )


def _row(number: int, matter: Matter) -> tuple[str, ...]:
    return tuple(
        text.strip()
        for text in (
            str(number),
            matter.level,
            TITLES.get(matter.rule, matter.rule),
            matter.cells,
            str(matter.count),
            matter.message[:1000],
            matter.formula,
        )
    )
