"""ENG-HOTSPOTS-TRUE: the table is counted again from the commits of the original repository."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.hotspots import as_markdown, map_of
from deskmate_engineering.validators.originals import (
    Problem,
    judged,
    line_problems,
    original_repository,
)
from deskmate_engineering.windows import Window

RULE = "ENG-HOTSPOTS-TRUE"


def hotspots_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Count again: each file's commits, lines, complexity and rank, and that no hotter file is left out.

    Source: T. J. McCabe 1976; A. Tornhill, Your Code as a Crime Scene (2015); house (SOURCES.md).
    """
    return judged(
        RULE, "Make it again with hotspots; do not edit it.", deliverable, context, _problems
    )


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    data = deliverable.data
    since, until = (datetime.fromisoformat(str(data[name])) for name in ("since", "until"))
    repository = original_repository(deliverable, context)
    window = Window(since=since, until=until)
    found = map_of(repository, window, str(data["head"]))
    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    true = as_markdown(repository.name, window.title, found).split("\n")
    yield from line_problems(said, true)
