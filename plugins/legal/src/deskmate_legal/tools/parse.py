"""Shows a contract's clause tree."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import ToolContext, ToolInputError


def contract_parse(
    path: str, context: ToolContext, start: int = 1, limit: int = 60
) -> dict[str, Any]:
    """Read a contract as numbered clauses with their text and place. Use it before you cite or edit.

    Every character of the text belongs to exactly one clause. Automatic numbers of a DOCX are computed.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.
        start: number of the first clause to return, from 1.
        limit: how many clauses, 1 to 200.

    Returns:
        `clauses`: list of {id, number, heading, level, text, page, paragraphs}; `paragraphs` are
        {paragraph, page, text} of each paragraph it touches, as edits and quotations count them;
        `total`; `next`: start of the next part, or null; `contract_type`; `title`.
    """
    from deskmate_legal.contract import read_contract  # noqa: PLC0415

    if start < 1 or not 1 <= limit <= 200:
        raise ToolInputError("start is from 1 and limit from 1 to 200.")
    contract = read_contract(context.file(path), path)
    blocks = {block.paragraph: block for block in contract.blocks}
    shown = contract.clauses[start - 1 : start - 1 + limit]
    following = start + limit
    return {
        "path": path,
        "file_type": contract.kind,
        "contract_type": contract.type,
        "title": contract.title,
        "clauses": [
            {
                "id": clause.id,
                "number": clause.number,
                "heading": clause.heading,
                "level": clause.level,
                "page": clause.page,
                "span": [clause.start, clause.end],
                "text": contract.own_text(clause).strip(),
                "paragraphs": [number for number in clause.paragraphs if number in blocks],
            }
            for clause in shown
        ],
        "total": len(contract.clauses),
        "next": following if following <= len(contract.clauses) else None,
    }
