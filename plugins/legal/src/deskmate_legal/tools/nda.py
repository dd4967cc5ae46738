"""Sorts an NDA into green, yellow or red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict, cast

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


def nda_triage(
    path: str, context: ToolContext, answers: list[NdaAnswer] | None = None
) -> ToolAnswer:
    """Sort an NDA: green (sign), yellow (negotiate some points), red (a lawyer must decide).

    The colour is computed from your answers by fixed rules and cannot be overruled. Every answer that is not
    "absent" needs a verbatim quotation. What is not answered counts as open (yellow). Without answers, rules answer what
    they can and leave the rest open, so that they never say green of what they did not see.

    Args:
        path: workspace path of the NDA.
        context: filled in by Deskmate.
        answers: empty to have rules answer; else a list of {criterion, answer: yes | no | absent, quote: verbatim words, "" if absent, paragraph:
            as contract_parse counts, 0 if absent}. Criteria: mutual (both sides owe confidentiality), exclusions
            (all four usual ones), term (ends within the playbook's period), purpose (stated), compelled (disclosure by
            law allowed), return (legal and backup copies allowed), restrictions (non-compete, exclusivity,
            standstill), solicitation (ban beyond the playbook), ip (licence, assignment, residuals), liability
            (indemnity, penalty).

    Returns:
        `colour`, `causes`: criteria that are not met, `unanswered`, `answers` with their quotations, `by`: `rules` or
        `reading`, `summary`, `report`.
    """
    from deskmate_documents.text import read_text  # noqa: PLC0415
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.nda import CRITERIA, colour  # noqa: PLC0415

    source = context.file(path)
    contract = read_contract(source, context.name_of(source))
    chosen = answers or _by_rules(contract, context)
    given, evidence = _checked(contract, read_text(source), chosen)
    shade, causes = colour(given)
    open_ones = [criterion.id for criterion in CRITERIA if criterion.id not in given]
    because = f" because of {', '.join(causes)}" if causes else ""
    return ToolAnswer(
        result={
            "path": contract.name,
            "colour": shade,
            "causes": causes,
            "unanswered": open_ones,
            "answers": [dict(answer) for answer in chosen],
            "by": "reading" if answers else "rules",
            "summary": f"{contract.name.rpartition('/')[2]}: {shade}{because}.",
            "report": _report(f"{contract.name.rpartition('/')[2]}: {shade}", given, chosen),
        },
        evidence=evidence,
    )


def _by_rules(contract: Contract, context: ToolContext) -> list[NdaAnswer]:
    from deskmate_legal.nda_rules import answers  # noqa: PLC0415
    from deskmate_legal.workspace import open_playbook  # noqa: PLC0415

    playbook, _ = open_playbook(context, "")
    return cast("list[NdaAnswer]", answers(contract, playbook))


def _report(head: str, given: Mapping[str, str], chosen: Sequence[NdaAnswer]) -> str:
    """Return the colour and a line a criterion: met or not, with the words that show it, or open."""
    from deskmate_legal.nda import CRITERIA  # noqa: PLC0415

    quotes = {answer["criterion"]: answer for answer in chosen}
    lines = [head]
    for criterion in CRITERIA:
        answer = quotes.get(criterion.id)  # type: ignore[call-overload]
        if answer is None:
            lines.append(f"- open: {criterion.question}")
            continue
        good = given[criterion.id].replace("absent", "no") == criterion.good
        words = " ".join(answer["quote"].split())
        shown = f" “{words[:200]}{'…' if len(words) > 200 else ''}” (¶ {answer['paragraph']})"
        lines.append(
            f"- {'met' if good else 'not met'}: {criterion.question} {answer['answer']}."
            + (shown if words else "")
        )
    return "\n".join(lines)


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
