"""The gate for redactions."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ValidationContext

REDACTED = "LEGAL-REDACTED"


def check_redaction(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """What was to go is in no part of the file, and nothing else was changed."""
    from deskmate_documents.redacting import check_redacted  # noqa: PLC0415

    return check_redacted(REDACTED, deliverable, context)
