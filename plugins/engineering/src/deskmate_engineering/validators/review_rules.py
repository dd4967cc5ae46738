"""ENG-ANCHOR and ENG-REVIEW-COMPLETE: findings point to lines of the change, and no check's finding is left out."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.ranges import Span
from deskmate_engineering.reviews import (
    Subject,
    as_markdown,
    key_of,
    misplaced,
    subject_between,
    subject_of_patch,
)
from deskmate_engineering.validators.originals import (
    Missing,
    Problem,
    judged,
    original_file,
    original_repository,
)

ANCHOR, COMPLETE = "ENG-ANCHOR", "ENG-REVIEW-COMPLETE"


def anchors(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each finding of a review quotes a line of the change, taken from the originals.

    Source: house (SOURCES.md).
    """
    return judged(ANCHOR, "Quote a line that review_diff shows.", deliverable, context, _anchors)


def review_complete(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Run every check again over the originals: each finding is in the review or set aside with a reason, and its text says so.

    Source: house (SOURCES.md).
    """
    fix = "Write the review again with review_report; do not edit its text."
    return judged(COMPLETE, fix, deliverable, context, _complete)


def _subject(deliverable: Deliverable, context: ValidationContext) -> Subject:
    if "diff" in deliverable.sources:
        path = deliverable.sources["diff"]
        text = decode(original_file(deliverable, context, "diff").read_bytes(), path)
        return subject_of_patch(text, path, context.config)
    repository = original_repository(deliverable, context)
    data = deliverable.data
    for name in ("base", "head"):
        try:
            repository.commit(str(data[name]))
        except ToolInputError as problem:
            raise Missing(
                f"the commit {data[name]} is not in the original repository."
            ) from problem
    span = Span(
        base=str(data["base"]),
        head=str(data["head"]),
        base_name=str(data["base_name"]),
        head_name=str(data["head_name"]),
    )
    if repository.commit(span.head_name) != span.head:
        raise Missing(f"{span.head_name} is not {span.head[:10]} in the original repository.")
    parted = repository.git("merge-base", repository.commit(span.base_name), span.head).strip()
    if parted != span.base:
        raise Missing(f"{span.base_name} and {span.head_name} did not part at {span.base[:10]}.")
    return subject_between(repository, span, context.config)


def _anchors(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    findings = deliverable.data.get("findings")
    if not isinstance(findings, list | tuple):
        yield "The review does not list its findings (data.findings).", ""
        return
    lines = _subject(deliverable, context).lines()
    shown = decode(context.file.read_bytes(), deliverable.path)
    for number, finding in enumerate(findings, start=1):
        problem = misplaced(finding, lines)
        if not problem and f"{finding['file']}:{finding['line']}" not in shown:
            problem = f"{finding['file']}:{finding['line']} is not in the review's text."
        if problem:
            yield problem, f"finding {number}"


def _complete(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    subject = _subject(deliverable, context)
    findings, dismissed = deliverable.data["findings"], deliverable.data.get("dismissed", ())
    there = {key_of(one): one for one in findings}
    aside = {key_of(one): str(one.get("reason", "")) for one in dismissed}
    for one in subject.checked:
        place = f"{one['file']}:{one['line']}"
        if key_of(one) not in there and key_of(one) not in aside:
            yield (
                f"The check {one['class']} finds something at {place}, and the review does not say so.",
                place,
            )
        if key_of(one) in aside and len(aside[key_of(one)].split()) < 3:
            yield f"The finding {one['class']} at {place} is set aside without a reason.", place
    known = {key_of(one) for one in subject.checked}
    for key in aside:
        if key not in known:
            yield f"{key[0]}:{key[1]} is set aside and no check finds it.", f"{key[0]}:{key[1]}"
    wanted = as_markdown(subject, findings, dismissed).split("\n")
    shown = decode(context.file.read_bytes(), deliverable.path).split("\n")
    for number, (is_there, should) in enumerate(zip(shown, wanted, strict=False), start=1):
        if is_there != should:
            yield (
                f"Line {number} of the review reads {is_there[:100]!r}; its findings give {should[:100]!r}.",
                f"line {number}",
            )
            return
    if len(shown) != len(wanted):
        yield f"The review has {len(shown)} lines; its findings give {len(wanted)}.", ""
