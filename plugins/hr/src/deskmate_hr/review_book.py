"""The workbook of a review lint: findings with quotes, rules with sources, texts, and what it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deskmate_documents.xlsx.build import Computed
from deskmate_documents.xlsx.pages import Page, Value
from deskmate_hr.reviews import REASONS, RULES, Hit, Passage

FINDINGS, RULES_SHEET, TEXTS, NOTES = "Findings", "Rules", "Texts", "Notes"
HEADER = ("File", "Place", "Rule", "Kind", "Quote", "Why")
RULE_HEADER = ("Rule", "Kind", "Why", "Source", "Findings")
TEXT_HEADER = ("File", "Passages", "Findings")
NONE = "none"
ALL_RULES = (*RULES, REASONS)
NOTE_LINES = (
    "Each finding is a place to read again, not a verdict on who wrote it or on whom it is about. A word may be right where it stands.",
    "Rules are lists of English patterns. What they do not know they do not find; a text without findings can be unfair.",
    "Texts stay confidential: the sheet quotes them. No rating is computed, compared or proposed.",
)


def review_pages(passages: Sequence[Passage], hits: Sequence[Hit]) -> list[Page]:
    """Return the sheets."""
    rows: list[list[Value]] = [list(HEADER)]
    rows += [
        [h.passage.path, h.passage.place, h.rule.id, h.rule.kind, h.quote, h.rule.why] for h in hits
    ]
    if len(rows) == 1:
        rows.append([NONE, "", "", "", "", "Nothing was found."])
    last = len(rows)
    by_rule, by_file = Counter(h.rule.id for h in hits), Counter(h.passage.path for h in hits)
    rules: list[list[Value]] = [list(RULE_HEADER)]
    for n, rule in enumerate(ALL_RULES, start=2):
        count = Computed(f"=COUNTIF({FINDINGS}!$C$2:$C${last},A{n})", by_rule[rule.id])
        rules.append([rule.id, rule.kind, rule.why, rule.source, count])
    texts: list[list[Value]] = [list(TEXT_HEADER)]
    for n, (path, size) in enumerate(Counter(p.path for p in passages).items(), start=2):
        texts.append(
            [path, size, Computed(f"=COUNTIF({FINDINGS}!$A$2:$A${last},A{n})", by_file[path])]
        )
    end = len(rules)
    series = [
        {"name": "Findings", "categories": f"A2:A{end}", "values": f"E2:E{end}", "fill": "1F3864"}
    ]
    chart = {
        "type": "column", "title": "Findings by rule", "legend": False, "gap": 60, "series": series, "y_format": "0", "y_min": 0,
        "at": f"A{end + 3}", "size": (820, 300),
    }  # fmt: skip
    return [
        Page(name=FINDINGS, rows=rows, widths=(30, 18, 18, 26, 70, 50), edits=[_wrap("E", last), _wrap("F", last)]),
        Page(name=RULES_SHEET, rows=rules, widths=(18, 26, 60, 70, 10), formats=("", "", "", "", "0"), charts=(chart,), edits=[_wrap("C", end), _wrap("D", end)]),
        Page(name=TEXTS, rows=texts, widths=(50, 12, 12), formats=("", "0", "0")),
        Page(name=NOTES, rows=[["Notes"], *([line] for line in NOTE_LINES)], widths=(120,), edits=[_wrap("A", 5)]),
    ]  # fmt: skip


def _wrap(letter: str, last: int) -> dict[str, object]:
    return {"op": "style", "cells": f"{letter}2:{letter}{last}", "wrap": True}
