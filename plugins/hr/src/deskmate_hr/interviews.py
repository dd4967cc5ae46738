"""Interview plans: what each question tests, who asks it, how answers are scored, and what nobody may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import find_column, read_table

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "competency": ("competency", "criterion", "skill", "attribute"),
    "question": ("question", "prompt"),
    "interviewer": ("interviewer", "asked by", "panel member", "owner"),
    "weak": ("weak", "score 1", "1", "poor", "below"),
    "good": ("good", "score 3", "3", "solid", "meets"),
    "excellent": ("excellent", "score 5", "5", "strong", "exceeds"),
}
"""What a row says → names of its column."""
ROWS_LIMIT = 200
DRAFT = "Draft for professional review"
SCALE = (("1", "weak"), ("3", "good"), ("5", "excellent"))
SHEET = ("Competency", "Evidence heard", "Score")
NOTE = (
    "Every candidate is asked the same questions. Scores are written down, with what was heard, before the interviewers talk. "
    "They help people to decide and decide nothing by themselves; what may be asked is for local law to say."
)
_YOU = r"(?:you|your|yourself|you're)"
FORBIDDEN: Mapping[str, str] = {
    "age": r"\bhow old are you\b|\byour (?:age|date of birth|birthday|birth ?date)\b|\bwhen were you born\b|\bwhat year did you (?:graduate|finish) (?:high )?school\b|\bretire\b.{0,20}\byou\b|\bwhen (?:do|will) you retire\b",
    "family plans": rf"\b(?:do|are|have|did|will|would) {_YOU}\b.{{0,40}}\b(?:kids|children|child ?care|baby|family plans|start a family|married|husband|wife|spouse|pregnan\w*)\b|\bpregnan\w*|\byour (?:kids|children|husband|wife|spouse|partner|marital status|maiden name|family)\b|\bplan(?:ning)? (?:to have|on having) (?:a )?(?:family|kids|children|baby)\b",
    "health": r"\b(?:are|have|do|did) you\b.{0,40}\b(?:disab\w+|medical|medication|illness\w*|sick days?|diagnos\w+|mental health|workers'? comp\w*)\b|\byour (?:health|disability|medical history|illness)\b",
    "religion": r"\byour (?:religion|faith|church|mosque|synagogue|beliefs)\b|\bwhich (?:church|religious holidays?)\b|\b(?:do|are) you\b.{0,30}\b(?:religious|pray|observe the sabbath|go to church)\b",
    "origin": r"\bwhere are you (?:really |originally )?from\b|\bwhere were you born\b|\bwhere (?:are|were) your parents\b|\byour (?:nationality|native (?:language|tongue)|mother tongue|ethnic\w*|race|accent|birthplace|citizenship)\b|\bare you a native speaker\b|\bare you (?:a )?citizen\b",
    "orientation or gender": r"\byour (?:sexual orientation|gender identity|sex life)\b|\bare you (?:gay|straight|lesbian|bisexual|trans\w*)\b",
    "union membership or politics": r"\b(?:are|were) you\b.{0,30}\bunion\b|\byour (?:union|political|party membership)\b|\bwho (?:did|do|will) you vote\b",
    "arrests": r"\bhave you (?:ever )?been arrested\b|\byour (?:arrest|criminal) record\b",
    "pay history": r"\b(?:your|what is your|what was your) (?:current|previous|last|present|prior) (?:salary|pay|compensation|wage)\b|\bhow much (?:do|did) you (?:earn|make|get paid)\b",
}
"""What no question may be about → how such questions begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A row of a plan. `anchors`: what a weak, a good and an excellent answer contains. `place`: where it stands."""

    competency: str
    question: str
    interviewer: str
    anchors: tuple[str, str, str]
    place: str


def read_plan(file: Path, name: str) -> list[Question]:
    """Return the questions of a table.

    Raises:
        ToolInputError: a column is missing, or there are too many rows.
    """
    table = read_table(file, name=name)
    columns = {}
    for field, known in COLUMNS.items():
        column = find_column(table, known)
        if column is None:
            raise ToolInputError(
                f"{name} has no column for {field}; it has {', '.join(table.columns)}."
            )
        columns[field] = table.columns.index(column)
    if not 1 <= len(table.rows) <= ROWS_LIMIT:
        raise ToolInputError(
            f"{name} has {len(table.rows)} questions; a plan has 1 to {ROWS_LIMIT}."
        )
    return [
        Question(
            competency=" ".join(row.cells[columns["competency"]].split()),
            question=" ".join(row.cells[columns["question"]].split()),
            interviewer=" ".join(row.cells[columns["interviewer"]].split()),
            anchors=(
                " ".join(row.cells[columns["weak"]].split()),
                " ".join(row.cells[columns["good"]].split()),
                " ".join(row.cells[columns["excellent"]].split()),
            ),
            place=f"{name}, row {row.number}",
        )
        for row in table.rows
    ]


def plan_problems(questions: Sequence[Question]) -> Iterator[str]:
    """Yield what is missing in a plan, and what may not be asked."""
    seen: dict[str, str] = {}
    for one in questions:
        fields = {
            "competency": one.competency,
            "question": one.question,
            "interviewer": one.interviewer,
        }
        fields |= dict(zip(("weak", "good", "excellent"), one.anchors, strict=True))
        empty = [name for name, text in fields.items() if not text]
        if empty:
            yield f"{one.place}: {' and '.join(empty)} is missing"
        for trait in traits(one.question):
            yield f"{one.place} asks about {trait}: {one.question[:80]!r}"
        if one.question and one.question.lower() in seen:
            yield f"{one.place} asks what {seen[one.question.lower()]} asks"
        seen.setdefault(one.question.lower(), one.place)


def traits(text: str) -> list[str]:
    """Return the protected matters that a question asks about."""
    plain = " ".join(text.lower().replace("’", "'").split())
    return [trait for trait, pattern in FORBIDDEN.items() if re.search(pattern, plain)]


def structure_of(title: str, questions: Sequence[Question]) -> dict[str, Any]:
    """Return the document: who asks what, each question with its scale, and the sheet for scores."""
    competencies = list(dict.fromkeys(one.competency for one in questions))
    people = list(dict.fromkeys(one.interviewer for one in questions))
    counts = [
        [name, *(_count(questions, name, person) for person in people)] for name in competencies
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "paragraph", "text": DRAFT, "style": "Subtitle"},
        {"type": "paragraph", "text": NOTE},
        {"type": "heading", "level": 1, "text": "Who asks about what"},
        {
            "type": "table",
            "header": ["Competency", *people],
            "rows": counts,
            "caption": "Number of questions",
        },
    ]
    for name in competencies:
        blocks.append({"type": "heading", "level": 1, "text": name})
        for one in questions:
            if one.competency == name:
                rows = [[score, text] for (score, _), text in zip(SCALE, one.anchors, strict=True)]
                blocks.append({"type": "paragraph", "text": f"{one.question} ({one.interviewer})"})
                blocks.append(
                    {"type": "table", "header": ["Score", "What the answer contains"], "rows": rows}
                )
    blocks.append({"type": "heading", "level": 1, "text": "Score sheet"})
    blocks.append(
        {"type": "table", "header": list(SHEET), "rows": [[name, "", ""] for name in competencies]}
    )
    return {"title": title, "page_numbers": True, "blocks": blocks}


def _count(questions: Sequence[Question], competency: str, person: str) -> str:
    count = sum(one.competency == competency and one.interviewer == person for one in questions)
    return str(count) if count else "–"
