"""The gates that hold for every profession: their ids, what each makes sure of, and the functions that do."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Validator
from deskmate_documents.office.action_gate import check_actions
from deskmate_documents.office.difference_gate import check_difference
from deskmate_documents.office.meta_gate import check_metadata
from deskmate_documents.office.number_gate import check_numbers
from deskmate_documents.office.package_gate import check_package
from deskmate_documents.office.personal_gate import check_personal
from deskmate_documents.office.placeholder_gate import check_placeholders
from deskmate_documents.office.quote_gate import check_quotes
from deskmate_documents.office.render_gate import check_rendering
from deskmate_documents.office.review_gate import check_review
from deskmate_documents.office.schema_gate import check_schema
from deskmate_documents.office.source_gate import check_sources
from deskmate_documents.office.sum_gate import check_sums
from deskmate_documents.unlocked import with_copies

_GATES = (
    ("G-QUOTE", check_quotes, "Every quotation stands verbatim in its source, at the cited place."),
    ("G-NUM", check_numbers, "Every figure is one of its sources or recomputes from them."),
    ("G-SUM", check_sums, "Totals and subtotals add up, shares sum to 100 %."),
    ("G-SOURCE", check_sources, "Every source that is named was really opened."),
    ("G-PLACEHOLDER", check_placeholders, "No placeholder is left that the original did not have."),
    ("G-ACTION", check_actions, "Every action item has an owner, a date to come and a status."),
    ("G-SCHEMA", check_schema, "The structured twin is valid, and the text says what it says."),
    ("G-PII", check_personal, "No personal data but what the sources and the request allow."),
    ("G-META", check_metadata, "Nothing unseen travels along: comments, hidden parts, names."),
    (
        "G-OOXML",
        check_package,
        "The Office file is whole: parts, links, ids and comments fit together.",
    ),
    (
        "G-DIFF",
        check_difference,
        "An edited file differs from its original only where its edits say so.",
    ),
    ("G-RENDER", check_rendering, "What is shown is whole: no blank page, nothing off the page."),
    ("G-REVIEW", check_review, "Regulated results are drafts until a named person has signed."),
)


def shared_gates() -> Iterator[Validator]:
    """Yield the shared gates; all look at every role, and say themselves what is theirs."""
    for rule, function, title in _GATES:
        yield Validator(rule=rule, title=title, function=with_copies(function))
