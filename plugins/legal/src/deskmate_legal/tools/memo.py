"""Writes the review memo."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Literal, TypedDict

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_legal.contract import Contract
    from deskmate_legal.memo import Memo, Row


class MemoFinding(TypedDict):
    """Something that reading found and the rules did not."""

    title: str
    quote: str
    paragraph: int
    severity: Literal["low", "medium", "high"]
    deviation: str
    recommendation: str


def memo_write(
    path: str,
    context: ToolContext,
    playbook: str = "",
    redline: str = "",
    target: str = "",
    summary: str = "",
    findings: list[MemoFinding] | None = None,
) -> ToolAnswer:
    """Write the one-page review memo (DOCX) for a contract: summary, table of deviations, recommendations.

    The review is computed again from the file, so the memo always says what playbook_review says. Every
    quotation is verbatim with clause, page and paragraph. What does not fit one page goes to an annex, with the
    searched terms of absent clauses and, for a PDF or text, the proposed wording.

    Args:
        path: workspace path of the contract.
        context: filled in by Deskmate.
        playbook: workspace path of the playbook, as in the review; empty: the user's, else the standard.
        redline: workspace path of the redline that belongs to it; empty if there is none.
        target: workspace path of the result; empty: "<name> - memo.docx" beside the contract.
        summary: one or two sentences of your own to add to the summary; no quotations.
        findings: what you found by reading, beyond the rules: list of {title, quote: verbatim words, paragraph:
            where they stand, severity, deviation, recommendation}.

    Returns:
        `path` of the memo, `summary`, `deviations`: their number, `on_first_page`: how many of them are not in
        the annex.
    """
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.memo import make_memo  # noqa: PLC0415
    from deskmate_legal.memo_docx import plan, write_memo  # noqa: PLC0415
    from deskmate_legal.review import review  # noqa: PLC0415
    from deskmate_legal.workspace import beside, open_playbook  # noqa: PLC0415

    source = context.file(path)
    name = context.name_of(source)
    if redline:
        context.file(redline)
    book, book_path = open_playbook(context, playbook)
    contract = read_contract(source, name)
    results = review(contract, book)
    extra = [_row(contract, finding) for finding in findings or ()]
    planned = plan(
        lambda limit: make_memo(
            contract,
            results,
            playbook=book.title,
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            redline=redline,
            summary=summary,
            extra=extra,
            limit=limit,
        )
    )
    result = beside(context, name, "memo", target)
    write_memo(planned, context.target(result))
    memo = planned.memo
    return ToolAnswer(
        result={
            "path": result,
            "summary": f"{memo.file}: {memo.summary}",
            "deviations": len(memo.rows),
            "on_first_page": len(planned.first),
        },
        evidence=memo.evidence(),
        deliverables=(_deliverable(memo, result, name, book_path, redline),),
    )


def _deliverable(memo: Memo, result: str, name: str, playbook: str, redline: str) -> Deliverable:
    sources = {"original": name, **({"playbook": playbook} if playbook else {})}
    return Deliverable(
        path=result,
        title=f"Review memo for {memo.file}",
        role="memo",
        sources=sources,
        claims=memo.claims(),
        data={"playbook": playbook, "redline": redline},
    )


def _row(contract: Contract, finding: MemoFinding) -> Row:
    """Return the table row for a finding, once its quotation is where it says."""
    from deskmate_documents.quotes import find_quote  # noqa: PLC0415
    from deskmate_documents.text import Passage, SourceText  # noqa: PLC0415
    from deskmate_legal.contract import Sentence  # noqa: PLC0415
    from deskmate_legal.memo import Row, place_text  # noqa: PLC0415
    from deskmate_legal.report import citation, evidence_for  # noqa: PLC0415

    passages = tuple(
        Passage(text=block.text, page=block.page, paragraph=block.paragraph)
        for block in contract.blocks
    )
    source = SourceText(kind="text", passages=passages)
    places = [passage.paragraph for passage in find_quote(source, finding["quote"])]
    if finding["paragraph"] not in places:
        where = ", ".join(map(str, places[:5])) if places else "nowhere in the file"
        raise ToolInputError(
            f"The quotation of {finding['title']!r} is not in paragraph {finding['paragraph']}; "
            f"found in: {where}. Quote verbatim, with contract_parse."
        )
    index = next(
        i for i, block in enumerate(contract.blocks) if block.paragraph == finding["paragraph"]
    )
    words = " ".join(finding["quote"].split())
    block = contract.blocks[index]
    at = max(block.text.find(words[:20]), 0)
    sentence = Sentence(block=index, start=at, end=len(block.text), text=block.text[at:])
    return Row(
        title=finding["title"],
        severity=finding["severity"],
        quote=words,
        place=place_text(citation(contract, sentence)),
        deviation=finding["deviation"],
        position="",
        range="",
        action=finding["recommendation"],
        brief=finding["recommendation"],
        by="reading",
        evidence=evidence_for(contract, sentence, words),
    )
