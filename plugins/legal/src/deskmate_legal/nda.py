"""The colour of an NDA, computed from ten answers; a red answer cannot be talked away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Colour = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A question about an NDA. `good`: the answer we want. `otherwise`: the colour if it is not given."""

    id: str
    question: str
    good: str
    otherwise: Colour


CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        id="mutual", question="Do both sides owe confidentiality?", good="yes", otherwise="yellow"
    ),
    Criterion(
        id="exclusions",
        question="Are all four usual exclusions there?",
        good="yes",
        otherwise="red",
    ),
    Criterion(
        id="term",
        question="Do the duties end within the playbook's period?",
        good="yes",
        otherwise="yellow",
    ),
    Criterion(
        id="purpose", question="Is use limited to a stated purpose?", good="yes", otherwise="yellow"
    ),
    Criterion(
        id="compelled",
        question="May information be disclosed where law requires it?",
        good="yes",
        otherwise="yellow",
    ),
    Criterion(
        id="return",
        question="May copies be kept that law or backup requires?",
        good="yes",
        otherwise="yellow",
    ),
    Criterion(
        id="restrictions",
        question="Is there a non-compete, exclusivity or standstill?",
        good="no",
        otherwise="red",
    ),
    Criterion(
        id="solicitation",
        question="Is there a ban on soliciting staff beyond the playbook's period?",
        good="no",
        otherwise="yellow",
    ),
    Criterion(
        id="ip",
        question="Is there a licence, an assignment of rights or a residuals clause?",
        good="no",
        otherwise="red",
    ),
    Criterion(
        id="liability",
        question="Is there an indemnity, a penalty or liquidated damages?",
        good="no",
        otherwise="red",
    ),
)
"""Source: house. "absent" counts as "no"."""


def colour(answers: Mapping[str, str]) -> tuple[Colour, list[str]]:
    """Return the colour and the ids of the criteria that made it so; a missing answer is yellow."""
    worst: Colour = "green"
    causes = []
    for criterion in CRITERIA:
        answer = answers.get(criterion.id, "")
        answer = "no" if answer == "absent" else answer
        if answer == criterion.good:
            continue
        made: Colour = criterion.otherwise if answer else "yellow"
        causes.append(criterion.id)
        if made == "red" or worst == "green":
            worst = made
    return worst, causes
