"""HR-REVIEW-QUOTED: each finding of a review lint quotes its text, names its rule and source, and none is missing or made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.shown import sheet_problems
from deskmate_documents.tables import read_sheets
from deskmate_hr.review_book import (
    ALL_RULES,
    FINDINGS,
    HEADER,
    NONE,
    NOTE_LINES,
    NOTES,
    RULE_HEADER,
    RULES_SHEET,
    TEXT_HEADER,
    TEXTS,
)
from deskmate_hr.reviews import lint, read_reviews
from deskmate_hr.validators.findings import Problem, findings, unheld

RULE = "HR-REVIEW-QUOTED"


def review_quoted(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Look for each quote in the original at its place, read all texts again, and compare findings, rules and counts.

    Source: house (SOURCES.md).
    """
    return findings(
        RULE, _wrong(deliverable, context), "Run review_lint again; do not edit its sheets."
    )


def _wrong(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, *(deliverable.sources or ("reviews",)))
    if missing:
        yield from missing
        return
    files = {
        path: file for path in deliverable.sources.values() if (file := context.sources.file(path))
    }
    passages = read_reviews(files)
    shown = read_sheets(context.file, name=deliverable.path)
    texts = {(p.path, p.place): " ".join(p.text.split()) for p in passages}
    rows = [row for row in shown.get(FINDINGS, ())[1:] if row and row[0] != NONE]
    for number, row in enumerate(rows, start=2):
        name, place, _, _, quote = (*row, *[""] * 5)[:5]
        if " ".join(quote.split()) not in texts.get((name, place), "\0"):
            yield f"{name}, {place} does not say {quote[:80]!r}.", f"{FINDINGS}!row {number}"
    hits = lint(passages)
    right = [
        [h.passage.path, h.passage.place, h.rule.id, h.rule.kind, h.quote, h.rule.why] for h in hits
    ]
    counts, by_file = Counter(row[2] for row in rows), Counter(row[0] for row in rows)
    sizes = Counter(passage.path for passage in passages)
    yield from sheet_problems(
        shown,
        {
            FINDINGS: [list(HEADER), *(right or [[NONE, "", "", "", "", "Nothing was found."]])],
            RULES_SHEET: [
                list(RULE_HEADER),
                *(
                    [rule.id, rule.kind, rule.why, rule.source, str(counts[rule.id])]
                    for rule in ALL_RULES
                ),
            ],
            TEXTS: [
                list(TEXT_HEADER),
                *([path, str(size), str(by_file[path])] for path, size in sizes.items()),
            ],
            NOTES: [["Notes"], *([line] for line in NOTE_LINES)],
        },
    )
