"""G-DIFF: an edited file differs from its original only where its edits say so, each kind of file in its way."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.office.redline_gate import check_redline


def check_difference(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report tracked changes that hide others, and what an edited workbook lost or changed beyond its edits."""
    yield from check_redline(deliverable, context)
    from deskmate_documents.office.workbook_gate import check_workbook  # noqa: PLC0415

    yield from check_workbook(deliverable, context)
