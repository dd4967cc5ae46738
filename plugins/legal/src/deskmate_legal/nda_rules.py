"""Answers the criteria of the NDA triage by rules, as far as rules can: each answer with the sentence that shows it.

What no rule finds is left unanswered, never answered "absent": a green by rules alone would be a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.findings import Result
from deskmate_legal.playbook import Playbook
from deskmate_legal.review import review


class Found(TypedDict):
    """An answer as `nda_triage` takes it."""

    criterion: str
    answer: str
    quote: str
    paragraph: int


_ASKED: tuple[tuple[str, str, str, str], ...] = (
    ("mutual", "mutuality", "no", "yes"),
    ("exclusions", "definition-exclusions", "no", "yes"),
    ("term", "confidentiality-term", "no", "yes"),
    ("purpose", "purpose", "", "yes"),
    ("compelled", "compelled-disclosure", "yes", "yes"),
    ("return", "return-destroy", "no", "yes"),
    ("restrictions", "non-compete", "yes", ""),
    ("restrictions", "standstill-rofr", "yes", ""),
    ("solicitation", "non-solicit", "yes", "no"),
    ("ip", "residuals", "yes", ""),
    ("ip", "no-license", "yes", ""),
    ("ip", "ip-ownership", "yes", ""),
    ("liability", "indemnity", "yes", "yes"),
    ("liability", "liquidated-damages", "yes", "yes"),
)
"""Criterion, category of the playbook, the answer if the category deviates, and if it is there and does not. "": none."""
_BY_RULE = {("return-destroy", "officer-certificate"): "yes"}
"""Deviations that say something else than their category's."""


def results(contract: Contract, playbook: Playbook) -> Mapping[str, Result]:
    """Return the review of every category, those for other contracts included, by id."""
    return {
        one.category.id: one
        for kind in ("commercial", "nda")
        for one in review(contract, playbook, kind)
    }


def shown_by(result: Result) -> Sentence | None:
    """Return the sentence that shows what a category came to: that of its first deviation, else its first."""
    first = next((one.sentence for one in result.deviations if one.sentence is not None), None)
    return first or next(iter(result.hits), None)


def answers(contract: Contract, playbook: Playbook) -> list[Found]:
    """Return the answers that rules can give, one a criterion; the worse of two."""
    known = results(contract, playbook)
    given: dict[str, Found] = {}
    for criterion, category, deviating, fine in _ASKED:
        result = known.get(category)
        if result is None or (
            result.status in {"absent", "present", "blank"} and criterion == "term"
        ):
            continue
        sentence = shown_by(result)
        answer = deviating if result.deviations else fine
        if result.deviations:
            answer = _BY_RULE.get((category, result.deviations[0].rule), answer)
        if sentence is None or not answer or criterion in given:
            continue
        block = contract.blocks[sentence.block]
        given[criterion] = Found(
            criterion=criterion, answer=answer, quote=sentence.text, paragraph=block.paragraph
        )
    return list(given.values())
