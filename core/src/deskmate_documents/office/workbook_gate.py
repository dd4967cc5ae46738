"""G-DIFF for workbooks: an edited workbook keeps its features and every cell that no edit declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.lint import Doubt, lint
from deskmate_documents.xlsx.structure import replay

if TYPE_CHECKING:
    from deskmate_documents.xlsx.difference import Change
    from deskmate_documents.xlsx.engines import Answer
    from deskmate_documents.xlsx.graph import Spot

RULE = "G-DIFF"
KINDS = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm"})
FINDINGS_LIMIT = 20
SOFT = frozenset(
    {"named style", "printer settings", "page header or footer", "page margins", "page setup", "print options",
     "sheet view", "sheet format", "workbook view", "column format", "calculation settings", "outline",
     "ignored errors", "theme", "drawing", "custom XML"}
)  # fmt: skip
"""What a program that saves a workbook anew may drop without a figure, rule or picture being lost."""


def check_workbook(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report what an edited workbook lost or changed beyond its declared edits.

    With declared edits everything else must be equal. Without any, its original (which its sources name, or which
    had its path) must not have lost a feature. A workbook without an original is new, and not this rule's business.
    """
    if context.file.suffix.lower() not in KINDS:
        return
    data = deliverable.data.get("declared")
    original = _original(deliverable, context)
    if original is None:
        if data is not None or deliverable.sources.get("original"):
            yield Finding(
                rule=RULE,
                level="error",
                message="It was edited, but the host holds no original of it: UNVERIFIED.",
                fix="Make all edits from the file in the user's folder.",
            )
        return
    try:
        before, after = Workbook(original), Workbook(context.file)
        declared = Declared.from_json(data) if isinstance(data, dict) else Declared()
        replay(before, declared.steps)
        if isinstance(data, dict):
            yield from _capped(_undeclared(before, after, declared))
        else:
            yield from _capped(_lost(before, after))
        yield from _capped(_new_doubts(before, after))
    except ToolError as error:
        yield Finding(rule=RULE, level="error", message=error.message)


def _original(deliverable: Deliverable, context: ValidationContext) -> Path | None:
    """Return the workbook that it was edited from. Of other sources a new one may be made: those it need not keep."""
    for path in (deliverable.sources.get("original", ""), deliverable.path):
        file = context.sources.file(path)
        if file is not None and file.suffix.lower() in KINDS:
            return file
    return None


def _capped(findings: Iterator[Finding]) -> Iterator[Finding]:
    for number, finding in enumerate(findings):
        if number == FINDINGS_LIMIT:
            yield Finding(
                rule=RULE, level=finding.level, message="There are more findings of this kind."
            )
            return
        yield finding


def _undeclared(before: Workbook, after: Workbook, declared: Declared) -> Iterator[Finding]:
    from deskmate_documents.xlsx.difference import undeclared  # noqa: PLC0415

    computed: Mapping[Spot, Answer] | None = None
    for change in undeclared(before, after, declared):
        if declared.results and change.kind == "result" and change.place:
            computed = _computed(after) if computed is None else computed
            if (change.was_missing or before.is_stale) and _is_so(change, after, computed):
                continue
        yield Finding(
            rule=RULE,
            level="error",
            message=f"Not among the declared edits: {change.message}",
            location=change.location,
            fix="Edit the original again with office__sheet_edit.",
        )


def _computed(book: Workbook) -> Mapping[Spot, Answer]:
    """Return all results as an engine computes them here, in the clean room."""
    from deskmate_documents.xlsx.engines import Formualizer  # noqa: PLC0415

    wanted = [(sheet.name, value.place) for sheet, value in book.formulas()]
    return Formualizer().compute(book.package.path, wanted)


def _is_so(change: Change, book: Workbook, computed: Mapping[Spot, Answer]) -> bool:
    """Say whether the stored result of a changed cell is what was computed here."""
    from deskmate_documents.xlsx.calculate import same  # noqa: PLC0415
    from deskmate_documents.xlsx.engines import Answer  # noqa: PLC0415
    from deskmate_documents.xlsx.refs import Area  # noqa: PLC0415

    place = change.place
    assert place is not None
    here = Area(*place, *place)
    stored = next(iter(book.values(book.sheet(change.sheet), here)), None)
    answer = computed.get((change.sheet, place))
    return (
        stored is not None and answer is not None and same(Answer(stored.kind, stored.text), answer)
    )


def _lost(before: Workbook, after: Workbook) -> Iterator[Finding]:
    from deskmate_documents.inventory import compare, inventory  # noqa: PLC0415

    found = compare(inventory(before.package), inventory(after.package))
    for feature in found.lost:
        name = f" {feature.name}" if feature.name else ""
        yield Finding(
            rule=RULE,
            level="warning" if feature.kind in SOFT else "error",
            message=f"The original had this and it is lost: {feature.kind}{name}.",
            location=feature.where,
            fix="Edit the original with office__sheet_edit, which keeps what it does not name.",
        )


def _new_doubts(before: Workbook, after: Workbook) -> Iterator[Finding]:
    from deskmate_documents.xlsx.difference import equal_sheets  # noqa: PLC0415

    equal = equal_sheets(before, after)
    known = {_key(doubt) for doubt in lint(before, equal)}
    for doubt in lint(after, equal):
        if _key(doubt) in known or doubt.level == "note":
            continue
        # A stored error may be old; the formula that makes it is what counts.
        level = "warning" if doubt.rule in ("error-value", "external") else doubt.level
        yield Finding(
            rule=RULE,
            level=level,
            message=f"New since the original: {doubt.message}",
            location=doubt.location,
        )


def _key(doubt: Doubt) -> tuple[str, str, str]:
    return doubt.rule, doubt.location, doubt.message
