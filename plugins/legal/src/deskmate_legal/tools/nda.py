"""Sorts an NDA into green, yellow or red."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError


class NdaAnswer(TypedDict):
    """The answer to one criterion, with the words that show it ("" if absent) and their paragraph."""

    criterion: Literal[
        "mutual", "exclusions", "term", "purpose", "compelled", "return", "restrictions", "solicitation",
        "ip", "liability",
    ]  # fmt: skip
    answer: Literal["yes", "no", "absent"]
    quote: str
    paragraph: int


def nda_triage(path: str, answers: list[NdaAnswer], context: ToolContext) -> ToolAnswer:
    """Sort an NDA: green (sign), yellow (negotiate some points), red (a lawyer must decide).

    The colour is computed from your answers by fixed rules and cannot be overruled. Every answer that is not
    "absent" needs a verbatim quotation. What is not answered counts as open (yellow).

    Args:
        path: workspace path of the NDA.
        answers: list of {criterion, answer: yes | no | absent, quote: verbatim words, "" if absent, paragraph:
            as contract_parse counts, 0 if absent}. Criteria: mutual (both sides owe confidentiality), exclusions
            (all four usual ones), term (ends within the playbook's period), purpose (stated), compelled (disclosure by
            law allowed), return (legal and backup copies allowed), restrictions (non-compete, exclusivity,
            standstill), solicitation (ban beyond the playbook), ip (licence, assignment, residuals), liability
            (indemnity, penalty).
        context: filled in by Deskmate.

    Returns:
        `colour`, `causes`: criteria that are not met, `unanswered`, `summary`.
    """
    from deskmate_documents.quotes import find_quote  # noqa: PLC0415
    from deskmate_documents.text import read_text  # noqa: PLC0415
    from deskmate_legal.contract import Sentence, read_contract  # noqa: PLC0415
    from deskmate_legal.nda import CRITERIA, colour  # noqa: PLC0415
    from deskmate_legal.report import evidence_for  # noqa: PLC0415

    source = context.file(path)
    contract = read_contract(source, context.name_of(source))
    text = read_text(source)
    given: dict[str, str] = {}
    evidence: dict[str, Any] = {}
    for answer in answers:
        name = answer["criterion"]
        if given.get(name, answer["answer"]) != answer["answer"]:
            raise ToolInputError(f"{name} is answered twice, differently.")
        given[name] = answer["answer"]
        if answer["answer"] == "absent":
            continue
        places = [p.paragraph for p in find_quote(text, answer["quote"])]
        if answer["paragraph"] not in places:
            where = ", ".join(map(str, places[:5])) if places else "nowhere"
            raise ToolInputError(
                f"The quotation for {name} is not in paragraph {answer['paragraph']}; found: {where}."
            )
        index = next(i for i, b in enumerate(contract.blocks) if b.paragraph == answer["paragraph"])
        words = " ".join(answer["quote"].split())
        block = contract.blocks[index].text
        found = evidence_for(
            contract, Sentence(block=index, start=0, end=len(block), text=block), words
        )
        evidence[found.id] = found
    shade, causes = colour(given)
    open_ones = [criterion.id for criterion in CRITERIA if criterion.id not in given]
    because = f" because of {', '.join(causes)}" if causes else ""
    return ToolAnswer(
        result={
            "path": contract.name,
            "colour": shade,
            "causes": causes,
            "unanswered": open_ones,
            "summary": f"{contract.name.rpartition('/')[2]}: {shade}{because}.",
        },
        evidence=tuple(evidence.values()),
    )
