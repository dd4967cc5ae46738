"""G-PII: a deliverable shows no personal data outside what its sources and its reader's request allow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import KINDS, SHEETS, TABLES, Line, read_content
from deskmate_documents.personal import Personal, find_personal, roster

RULE = "G-PII"
FINDINGS_LIMIT = 25
NAMELESS_ROLES = frozenset({"people_report", "anonymised", "redacted"})
"""Roles that speak of people without naming any: nothing personal is allowed, whatever the sources hold."""


def check_personal(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report personal data that comes from nowhere, from another source, or that must not be shown at all.

    Allowed is what the user wrote, what the named sources hold (without named ones: any source), and the
    plugin setting `personal_data_allowed`. Of the nameless roles nothing is, and no name of a roster either.
    """
    if context.file.suffix.lower() not in KINDS:
        return
    lines = read_content(context.file).lines
    nameless = deliverable.role in NAMELESS_ROLES
    found = [(line, item) for line in lines for item in find_personal(line.text)]
    allowed = _said(context) | (set() if nameless else _named(deliverable, context))
    left = [(line, item) for line, item in found if item.key not in allowed]
    elsewhere = _elsewhere(deliverable, context) if left and not nameless else {}
    if not nameless and not deliverable.sources:
        left = [(line, item) for line, item in left if item.key not in elsewhere]
    for line, item in left[:FINDINGS_LIMIT]:
        yield _finding(line, item, elsewhere, nameless=nameless)
    if len(left) > FINDINGS_LIMIT:
        message = f"There are {len(left) - FINDINGS_LIMIT} more pieces of personal data."
        yield Finding(rule=RULE, level="error", message=message)
    if nameless:
        yield from _names(deliverable, context, lines)


def _finding(line: Line, item: Personal, elsewhere: dict[str, str], *, nameless: bool) -> Finding:
    masked = item.text[:2] + "…" + item.text[-2:]
    fix = "Take it out."
    if nameless:
        message = f"A {item.kind} in a result that must not show people: {masked}"
    elif item.key in elsewhere:
        message = f"A {item.kind} from {elsewhere[item.key]}, which this result is not made from: {masked}"
    else:
        message = f"A {item.kind} that stands in no source and no request: {masked}"
        fix = "Take it out, or copy it from the source that has it."
    known = nameless or item.strong or item.key in elsewhere
    return Finding(
        rule=RULE,
        level="error" if known else "warning",
        message=message,
        location=line.where,
        fix=fix,
    )


def _said(context: ValidationContext) -> set[str]:
    said = context.facts.get("said", ())
    allowed = context.config.get("personal_data_allowed", ())
    texts = [
        *(said if isinstance(said, list | tuple) else ()),
        *(allowed if isinstance(allowed, list | tuple) else ()),
    ]
    return {item.key for text in texts for item in find_personal(str(text))}


def _named(deliverable: Deliverable, context: ValidationContext) -> set[str]:
    keys: set[str] = set()
    for path in dict.fromkeys((*deliverable.sources.values(), deliverable.path)):
        file = context.sources.file(path)
        if file is not None:
            keys |= _keys(file)
    return keys


def _keys(file: Path) -> set[str]:
    try:
        return {item.key for line in read_content(file).lines for item in find_personal(line.text)}
    except ToolError:
        return set()


def _elsewhere(deliverable: Deliverable, context: ValidationContext) -> dict[str, str]:
    """Return key → the source that has it, of the sources that the deliverable does not name."""
    found: dict[str, str] = {}
    for path in context.sources:
        file = context.sources.file(path)
        if file is not None and path not in deliverable.sources.values():
            found |= dict.fromkeys(_keys(file), path)
    return found


def _names(
    deliverable: Deliverable, context: ValidationContext, lines: Iterable[Line]
) -> Iterator[Finding]:
    names = sorted(_roster(deliverable, context))
    if not names:
        return
    wanted = re.compile(
        "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), re.IGNORECASE
    )
    for line in lines:
        for match in list(wanted.finditer(" ".join(line.text.split())))[:3]:
            yield Finding(
                rule=RULE,
                level="error",
                message=f"A person's name in a result that must not show people: {match.group()[:1]}…",
                location=line.where,
                fix="Take the name out.",
            )


def _roster(deliverable: Deliverable, context: ValidationContext) -> set[str]:
    """Return the people's names in the sources, without what the report was asked to group by."""
    names: set[str] = set()
    groups = deliverable.data.get("group_by", ())
    for path in deliverable.sources.values():
        file = context.sources.file(path)
        if file is None or file.suffix.lower() not in SHEETS | TABLES:
            continue
        try:
            grids = read_content(file).grids
        except ToolError:
            continue
        for grid in grids:
            names |= roster(grid.rows) - _values(grid.rows, groups)
    return names


def _values(rows: tuple[tuple[str, ...], ...], columns: object) -> set[str]:
    wanted = {str(name) for name in columns} if isinstance(columns, list | tuple) else set()
    places = [place for place, cell in enumerate(rows[0]) if cell in wanted] if rows else []
    return {row[place] for row in rows[1:] for place in places if place < len(row)}
