"""The gate for redacted files: what was to go is gone from every part, and nothing else was changed."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import read_content
from deskmate_documents.personal import roster
from deskmate_documents.redacting import check_redacted
from deskmate_documents.withheld import pattern_of, strings_of

RULE = "HR-REDACTED"


def redacted(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Search the result again for the words, for personal data, and for each name of the roster."""
    yield from check_redacted(RULE, deliverable, context)
    path = deliverable.sources.get("roster", "")
    if not path:
        return
    file = context.sources.file(path)
    if file is None:
        yield Finding(rule=RULE, level="error", message=f"UNVERIFIED: the host never held {path}.")
        return
    names = {name for grid in read_content(file).grids for name in roster(grid.rows)}
    pattern = pattern_of(sorted(names))
    for item in strings_of(context.file):
        if pattern.search(item.text):
            message = "A name of the roster is still in the file."
            yield Finding(rule=RULE, level="error", message=message, location=item.where)
            return
