"""ENG-DOCS-TRUE: the documentation is checked again, as the host holds it, and the report says what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.docs.review import as_markdown, review_docs
from deskmate_engineering.validators.originals import (
    Missing,
    Problem,
    judged,
    line_problems,
    original_file,
)

RULE = "ENG-DOCS-TRUE"


def docs_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check the originals again: each finding of the report is one, and none is left out.

    Source: CommonMark 0.31; house (SOURCES.md).
    """
    return judged(
        RULE, "Make it again with docs_check; do not edit it.", deliverable, context, _problems
    )


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    original_file(deliverable, context, "page")
    folder = str(deliverable.data["folder"])
    names = [name for name in context.sources if name != deliverable.path]

    def read(name: str) -> bytes:
        file = context.sources.file(name)
        if file is None:
            raise Missing(f"{name} is not among the originals.")
        return file.read_bytes()

    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    true = as_markdown(folder or "the workspace", review_docs(names, read, folder)).split("\n")
    yield from line_problems(said, true)
