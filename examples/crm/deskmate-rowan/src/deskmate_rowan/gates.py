"""The plugin's gates: they read the brief itself and the originals that the host holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_rowan.tools import one_line

SUMS, QUOTES = "ROWAN-SUMS", "ROWAN-QUOTES"
_ROW = re.compile(
    r"^\| (?P<number>[^|]*)\| [^|]* \| [^|]*\| (?P<euros>-?\d+\.\d\d) \|$", re.MULTILINE
)
_POINT = re.compile(r"^- “(?P<words>.*)” \((?P<source>.*)\)$", re.MULTILINE)
_RAISED = "## To raise"


def sums_hold(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Refuse a brief whose total is not the sum of its rows."""
    rows = list(_ROW.finditer(context.file.read_text("utf-8", "replace")))
    totals = [Decimal(row["euros"]) for row in rows if not row["number"].strip()]
    amounts = [Decimal(row["euros"]) for row in rows if row["number"].strip()]
    if len(totals) != 1:
        yield _error(SUMS, f"it has {len(totals)} totals, and needs one")
    elif totals[0] != sum(amounts):
        yield _error(SUMS, f"it says {totals[0]} in total, its rows are {sum(amounts, Decimal(0))}")


def quotes_stand(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Refuse a point that is not word for word in the notes as they were granted."""
    notes = context.sources.file(deliverable.sources.get("notes", ""))
    if notes is None:
        yield _error(QUOTES, "its notes are not among the originals")
        return
    text = one_line(notes.read_text("utf-8", "replace"))
    _, _, raised = context.file.read_text("utf-8", "replace").partition(_RAISED)
    for line in filter(None, map(str.strip, raised.splitlines())):
        point = _POINT.match(line)
        if point is None:
            yield _error(QUOTES, f"this names no place in the notes: {line[:80]}")
        elif point["words"] not in text:
            yield _error(QUOTES, f"the notes do not say: {point['words'][:80]}")


def _error(rule: str, message: str) -> Finding:
    return Finding(rule=rule, level="error", message=message, fix="Call visit_brief again.")
