"""G-REVIEW: regulated results say that they are drafts for professional review until a named person has signed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import PROSE, SHEETS, read_content

RULE = "G-REVIEW"
STATUS = "draft for professional review"
REGULATED = frozenset(
    {"memo", "legal_memo", "opinion", "offer_letter", "statements", "tax_return", "audit_report", "filing"}
)  # fmt: skip
"""Roles that a professional answers for; `regulated: true` in a deliverable's data makes it one too."""
_CLAIMS = re.compile(
    r"^\W*(?:document\s+)?status\W{1,3}(?:final|approved|signed|released|reviewed|issued|certified)\b"
    r"|\b(?:this|the present)\s+(?:memo(?:randum)?|document|report|opinion|review|letter|analysis|draft)\s+(?:has\s+been|was|is)\s+"
    r"(?:fully\s+|duly\s+)?(?:reviewed|approved|certified|signed(?:\s+off)?|verified|attested)\b"
    r"|\b(?:reviewed|approved|certified|signed\s+off|verified)\s+by\s+(?:(?:our|the|a|an|outside|external|qualified)\s+)*"
    r"(?:counsel|attorney|lawyer|legal(?:\s+department)?|auditor|accountant|cpa|solicitor|partner)\b"
    r"|^\W*(?:attorney|counsel|cpa|lawyer)[- ](?:reviewed|approved|certified)\b",
    re.IGNORECASE,
)


def check_review(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report a regulated result without its status, and words that claim a review which nobody made.

    A signature is the host's fact, bound to the digest of the signed file; words in the file are none.
    """
    regulated = deliverable.role in REGULATED or deliverable.data.get("regulated") is True
    if not regulated or _signer(deliverable, context):
        return
    if context.file.suffix.lower() not in PROSE | SHEETS:
        yield _finding("A result that a professional answers for is no document that can say so.")
        return
    content = read_content(context.file)
    if STATUS not in " ".join(content.text.lower().split()):
        yield _finding("The result does not say that it is a draft for professional review.")
    for line in content.lines:
        match = _CLAIMS.search(line.text)
        if match and STATUS not in line.text.lower():
            said = match.group().strip()[:100]
            yield _finding(f"Nobody has signed this file, and it says “{said}”", line.where)


def _finding(message: str, where: str = "") -> Finding:
    return Finding(
        rule=RULE,
        level="error",
        message=message,
        location=where,
        fix="Put the line “Draft for professional review” into the file; a person signs it, not the text.",
    )


def _signer(deliverable: Deliverable, context: ValidationContext) -> str:
    """Return who signed these very bytes, as the host says."""
    signatures = context.facts.get("signatures")
    entry = signatures.get(deliverable.path) if isinstance(signatures, Mapping) else None
    if not isinstance(entry, Mapping):
        return ""
    digest = hashlib.sha256(context.file.read_bytes()).hexdigest()
    return str(entry.get("name", "")).strip() if entry.get("sha256") == digest else ""
