"""G-DIFF: a document with tracked changes gives back, when they are rejected, an original that the host holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext

RULE = "G-DIFF"
_KINDS = frozenset({".docx", ".docm"})


def check_redline(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report a document whose tracked changes hide others that are not tracked.

    Whatever a deliverable says it was made from counts first; without that, any original will do.
    """
    from deskmate_documents.docx.equal import differences  # noqa: PLC0415
    from deskmate_documents.docx.revisions import authors_of, reject_all  # noqa: PLC0415

    if context.file.suffix.lower() not in _KINDS:
        return
    try:
        authors = authors_of(context.file)
    except ToolError as error:
        yield Finding(rule=RULE, level="error", message=error.message)
        return
    if not authors:
        return
    nearest: tuple[str, ...] | None = None
    with tempfile.TemporaryDirectory() as folder:
        rejected, bare = Path(folder) / "rejected.docx", Path(folder) / "bare.docx"
        for original in _originals(deliverable, context):
            reject_all(context.file, rejected, authors=authors - authors_of(original))
            found = differences(original, rejected)
            if found and authors & authors_of(original):
                # somebody went on with changes of their own: what was there before any must be equal
                reject_all(context.file, rejected)
                reject_all(original, bare)
                found = differences(bare, rejected)
            if not found:
                return
            if nearest is None or len(found) < len(nearest):
                nearest = found
    if nearest is None:
        yield Finding(
            rule=RULE,
            level="error",
            message="It has tracked changes, but no original of it was read in this run: UNVERIFIED.",
            fix="Make it from a file in the user's folder.",
        )
        return
    yield Finding(
        rule=RULE,
        level="error",
        message=f"Rejecting its tracked changes gives no original back: {nearest[0][:200]}",
        location=f"{len(nearest)} differences",
        fix="Make the changes again from the original, all of them tracked.",
    )


def _originals(deliverable: Deliverable, context: ValidationContext) -> Iterable[Path]:
    named = [path for path in deliverable.sources.values() if path in context.sources]
    for path in named or context.sources:
        file = context.sources.file(path)
        if file is not None and file.suffix.lower() in _KINDS and _opens(file):
            yield file


def _opens(file: Path) -> bool:
    from deskmate_documents.docx.revisions import authors_of  # noqa: PLC0415

    try:
        authors_of(file)
    except ToolError:
        return False  # somebody else's broken file is no original of this one
    return True
