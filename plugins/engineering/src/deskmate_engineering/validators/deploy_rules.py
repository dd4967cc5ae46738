"""ENG-DEPLOY-TRUE: every box is judged again from the originals; none is ticked without its record, and none is left out."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.days import day_of
from deskmate_documents.tables import decode
from deskmate_engineering.deploys import KINDS, as_markdown, boxes_of
from deskmate_engineering.tools.deploy import terms_of
from deskmate_engineering.validators.originals import (
    Problem,
    judged,
    line_problems,
    original_file,
)

RULE = "ENG-DEPLOY-TRUE"


def deploy_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Judge runs, rollbacks and approvals again, as of the run's day or one that the user named.

    Source: house (SOURCES.md).
    """
    fix = "Make it again with deploy_gate; do not tick a box by hand."
    return judged(RULE, fix, deliverable, context, _problems)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    terms = terms_of(deliverable.data, context.config, day_of(deliverable.data, context.facts))
    files = {
        kind: (original_file(deliverable, context, kind), deliverable.sources[kind])
        for kind in KINDS
        if kind in deliverable.sources
    }
    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    true = as_markdown(boxes_of(files, terms), terms).split("\n")
    yield from line_problems(said, true)
