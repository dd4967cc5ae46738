"""The legal gates: a redline is exactly its edits, each with a reason; a memo covers the playbook."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext
from deskmate_legal.citation_rules import LISTED, RESULTS, TRACED, check_listed, check_traced
from deskmate_legal.deadline_rule import check_deadlines
from deskmate_legal.preflight_rule import check_preflight
from deskmate_legal.privilege_rule import check_screen
from deskmate_legal.redaction_rule import REDACTED, check_redaction


def check_reject_all(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Rejecting our changes gives the original again: text, formatting and every other part of the package."""
    from deskmate_documents.docx.equal import differences  # noqa: PLC0415
    from deskmate_documents.docx.revisions import reject_all  # noqa: PLC0415
    from deskmate_documents.docx.untouched import changed_parts  # noqa: PLC0415

    rule = "LEGAL-REJECT-ALL"
    original = _original(deliverable, context)
    if original is None:
        yield _unverified(rule)
        return
    with tempfile.TemporaryDirectory() as folder:
        rejected = Path(folder) / "rejected.docx"
        reject_all(context.file, rejected, authors={_author(deliverable)})
        found = differences(original, rejected)
        found += changed_parts(original, rejected, _author(deliverable))
    if found:
        yield Finding(
            rule=rule,
            level="error",
            message=f"Rejecting all changes does not give the original: {found[0][:200]}",
            location=f"{len(found)} differences",
            fix="Write the redline again with contract_redline from the original file.",
        )


def check_accept_all(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Accepting our changes gives the original with exactly the declared edits."""
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415
    from deskmate_documents.docx.revisions import accept_all  # noqa: PLC0415
    from deskmate_documents.docx.untouched import added_objects  # noqa: PLC0415

    rule = "LEGAL-ACCEPT-ALL"
    original = _original(deliverable, context)
    if original is None:
        yield _unverified(rule)
        return
    try:
        expected = apply_edits(
            [paragraph.text for paragraph in read_docx(original).paragraphs], _edits(deliverable)
        )
    except ToolError as error:
        yield Finding(rule=rule, level="error", message=error.message)
        return
    with tempfile.TemporaryDirectory() as folder:
        accepted = Path(folder) / "accepted.docx"
        accept_all(context.file, accepted, authors={_author(deliverable)})
        got = [paragraph.text for paragraph in read_docx(accepted).paragraphs]
        added = added_objects(original, accepted, context.file, _author(deliverable))
    for line in added[:5]:
        yield Finding(
            rule=rule,
            level="error",
            message=f"The redline changes more than the words of its edits: {line}",
            fix="Write the redline again with contract_redline from the original file.",
        )
    # a paragraph whose words are all deleted may stay, empty, or go: both are the declared edit
    pairs = zip_longest(_worded(expected), _worded(got), fillvalue="(no paragraph)")
    for index, (wanted, found) in enumerate(pairs, 1):
        if wanted != found:
            yield Finding(
                rule=rule,
                level="error",
                message=f"Accepting all changes gives {found[:120]!r} instead of {wanted[:120]!r}.",
                location=f"paragraph {index}, empty ones not counted",
                fix="Declare every change as an edit and write the redline again.",
            )
            return


def check_edit_reason(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Each edit has a reason, and the reason stands in a comment at the place of the edit."""
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    rule = "LEGAL-EDIT-REASON"
    edits = _edits(deliverable)
    if not edits:
        yield Finding(rule=rule, level="error", message="The redline declares no edits.")
        return
    author = _author(deliverable)
    comments = [
        _spaced(comment.text)
        for comment in read_docx(context.file).comments
        if comment.author == author
    ]
    for number, edit in enumerate(edits, 1):
        reason = _spaced(str(edit.get("reason", "")))
        place = f"paragraph {edit.get('paragraph')}"
        if not reason:
            yield Finding(
                rule=rule, level="error", message=f"Edit {number} has no reason.", location=place
            )
            continue
        match = next((text for text in comments if reason in text), None)
        if match is None:
            yield Finding(
                rule=rule,
                level="error",
                message=f"Edit {number} has no comment that gives its reason.",
                location=place,
                fix="Write the redline with contract_redline, which adds the comments.",
            )
        else:
            comments.remove(match)


def check_coverage(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """The memo names every playbook category that deviates or is absent, found out again here."""
    from deskmate_documents.text import read_text  # noqa: PLC0415
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.playbook import load_playbook  # noqa: PLC0415
    from deskmate_legal.review import review  # noqa: PLC0415

    rule = "LEGAL-COVERAGE"
    original = _original(deliverable, context)
    if original is None:
        yield _unverified(rule)
        return
    playbook_path = deliverable.sources.get("playbook", "")
    playbook = context.sources.file(playbook_path) if playbook_path else None
    if playbook_path and playbook is None:
        yield Finding(
            rule=rule,
            level="error",
            message=f"UNVERIFIED: the host never held the playbook {playbook_path}.",
        )
        return
    memo = _spaced(" ".join(p.text for p in read_text(context.file).passages))
    memo = re.sub(r"“[^”]*”", "", memo)  # what the contract says does not count as mentioned
    results = review(read_contract(original), load_playbook(playbook))
    for result in results:
        if result.status not in {"deviation", "absent", "blank"}:
            continue
        title = _spaced(result.category.title)
        if not re.search(rf"(?<!\w){re.escape(title)}(?!\w)", memo):
            yield Finding(
                rule=rule,
                level="error",
                message=f"The memo does not mention {result.category.title} ({result.status}).",
                fix="Write the memo with memo_write, or add the category.",
            )


def apply_edits(paragraphs: Sequence[str], edits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the paragraphs' texts with the edits applied.

    Raises:
        ToolError: an edit's words do not occur exactly once in its paragraph, or edits overlap.
    """
    changes: dict[int, list[tuple[int, int, str]]] = {}
    inserted: dict[int, list[str]] = {}
    for number, edit in enumerate(edits, 1):
        index, find = int(edit["paragraph"]), str(edit["find"])
        if not 1 <= index <= len(paragraphs):
            raise ToolError(f"Edit {number} names paragraph {index}, which the original lacks.")
        if not find:
            lines = [line for line in str(edit["replace"]).split("\n") if line.strip()]
            inserted.setdefault(index, []).extend(lines)
            continue
        text = paragraphs[index - 1]
        if text.count(find) != 1:
            raise ToolError(
                f"Edit {number}: {find[:60]!r} occurs {text.count(find)} times in paragraph {index}."
            )
        at = text.index(find)
        changes.setdefault(index, []).append((at, at + len(find), str(edit["replace"])))
    out: list[str] = []
    for index, text in enumerate(paragraphs, 1):
        out += [_replaced(text, changes.get(index, [])), *inserted.get(index, [])]
    return out


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _original(deliverable: Deliverable, context: ValidationContext) -> Path | None:
    return context.sources.file(deliverable.sources.get("original", ""))


def _edits(deliverable: Deliverable) -> list[Mapping[str, Any]]:
    return list(deliverable.data.get("edits", ()))


def _author(deliverable: Deliverable) -> str:
    return str(deliverable.data.get("author", ""))


def _unverified(rule: str) -> Finding:
    return Finding(
        rule=rule,
        level="error",
        message="UNVERIFIED: the host never held the original that this file was made from.",
        fix="Name the original in the deliverable's sources.",
    )


def _worded(paragraphs: Sequence[str]) -> list[str]:
    return [spaced for text in paragraphs if (spaced := _spaced(text))]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def every_rule() -> Iterator[tuple[str, str, Any, tuple[str, ...]]]:
    """Yield rule id, title, function and roles of each gate."""
    yield (
        "LEGAL-REJECT-ALL",
        "Rejecting all changes gives the original",
        check_reject_all,
        ("redline",),
    )
    yield (
        "LEGAL-ACCEPT-ALL",
        "Accepting all changes gives the declared edits",
        check_accept_all,
        ("redline",),
    )
    yield (
        "LEGAL-EDIT-REASON",
        "Each edit has its reason in a comment",
        check_edit_reason,
        ("redline",),
    )
    yield "LEGAL-COVERAGE", "The memo covers the whole playbook", check_coverage, ("memo",)
    yield (
        LISTED,
        "The table of authorities is what the document cites",
        check_listed,
        ("authorities",),
    )
    yield (
        REDACTED,
        "What was redacted is in no part of the file",
        check_redaction,
        ("legal-redacted",),
    )
    yield (
        "LEGAL-DEADLINES-TIE",
        "Every deadline is counted again and rests on words of the document",
        check_deadlines,
        ("deadlines", "deadlines_calendar"),
    )
    yield (
        "LEGAL-SIGN-CHECKED",
        "A signature check is what the very file gives",
        check_preflight,
        ("signature_check",),
    )
    yield (
        "LEGAL-SCREEN-COMPLETE",
        "A privilege screen has every file, with the signs that it has",
        check_screen,
        ("privilege_screen",),
    )
    yield TRACED, "Every citation stands in a source", check_traced, RESULTS
