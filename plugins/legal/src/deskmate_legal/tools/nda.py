"""Sorts an NDA into green, yellow or red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from deskmate.plugin import Evidence, ToolAnswer, ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_documents.text import SourceText
    from deskmate_legal.contract import Contract


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
    from deskmate_documents.text import read_text  # noqa: PLC0415
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.nda import CRITERIA, colour  # noqa: PLC0415

    source = context.file(path)
    contract = read_contract(source, context.name_of(source))
    given, evidence = _checked(contract, read_text(source), answers)
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
        evidence=evidence,
    )


def _checked(
    contract: Contract, text: SourceText, answers: list[NdaAnswer]
) -> tuple[dict[str, str], tuple[Evidence, ...]]:
    """Return criterion → answer and the evidence, once every quotation is where it says."""
    from deskmate_documents.quotes import find_quote  # noqa: PLC0415
    from deskmate_legal.contract import Sentence  # noqa: PLC0415
    from deskmate_legal.report import evidence_for  # noqa: PLC0415

    given: dict[str, str] = {}
    evidence: dict[str, Evidence] = {}
    for answer in answers:
        name = answer["criterion"]
        if given.get(name, answer["answer"]) != answer["answer"]:
            raise ToolInputError(f"{name} is answered twice, differently.")
        given[name] = answer["answer"]
        if answer["answer"] == "absent":
            continue
        places = [passage.paragraph for passage in find_quote(text, answer["quote"])]
        blocks = [i for i, b in enumerate(contract.blocks) if b.paragraph == answer["paragraph"]]
        if answer["paragraph"] not in places or not blocks:
            where = ", ".join(map(str, places[:5])) if places else "nowhere"
            raise ToolInputError(
                f"The quotation for {name} is not in paragraph {answer['paragraph']}; found: {where}."
            )
        block = contract.blocks[blocks[0]].text
        whole = Sentence(block=blocks[0], start=0, end=len(block), text=block)
        found = evidence_for(contract, whole, " ".join(answer["quote"].split()))
        evidence[found.id] = found
    return given, tuple(evidence.values())
