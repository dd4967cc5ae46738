"""HR-INTERVIEW-SOUND: a plan has each question with its scale and its interviewer, and none that may not be asked."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import read_content
from deskmate_hr.interviews import SCALE, SHEET, plan_problems, read_plan, traits
from deskmate_hr.validators.findings import Problem, findings, unheld

RULE = "HR-INTERVIEW-SOUND"


def interview_sound(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Read the questions again: each stands in the plan with its scale, no other does, and none is about a protected matter.

    Source: house, a conservative list (SOURCES.md).
    """
    fix = "Correct the table of questions and make the plan again."
    return findings(RULE, _unsound(deliverable, context), fix)


def _unsound(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    missing = unheld(deliverable, context, "questions")
    if missing:
        yield from missing
        return
    path = deliverable.sources["questions"]
    file = context.sources.file(path)
    assert file is not None
    questions = read_plan(file, path)
    yield from ((f"{problem}.", "") for problem in plan_problems(questions))
    content = read_content(context.file)
    for line in content.lines:
        yield from (
            (f"It asks about {trait}: {line.text[:80]!r}.", line.where)
            for trait in traits(line.text)
        )
    asked = [(f"{one.question} ({one.interviewer})", one.anchors) for one in questions]
    scales = [
        grid
        for grid in content.grids
        if grid.rows and len(grid.rows) == len(SCALE) + 1 and grid.rows[0][0] == "Score"
    ]
    shown = [(grid.above, tuple(row[1] for row in grid.rows[1:])) for grid in scales]
    for words, anchors in asked:
        if (words, anchors) not in shown:
            yield f"The plan has not, with its scale: {words[:100]}", ""
    for words, _ in shown:
        if words not in {each for each, _ in asked}:
            yield f"The table has no such question: {words[:100]}", ""
    names = list(dict.fromkeys(one.competency for one in questions))
    sheets = [grid for grid in content.grids if grid.rows and tuple(grid.rows[0]) == SHEET]
    if len(sheets) != 1 or [row[0] for row in sheets[0].rows[1:]] != names:
        yield "The score sheet has not each competency once.", "score sheet"
    elif any(cell for row in sheets[0].rows[1:] for cell in row[1:]):
        yield (
            "The score sheet is filled in; scores are given by people, after the interview.",
            "score sheet",
        )
