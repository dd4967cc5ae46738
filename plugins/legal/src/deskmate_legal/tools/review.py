"""Reviews a contract against the playbook."""

from __future__ import annotations

from deskmate.plugin import ToolAnswer, ToolContext


def playbook_review(path: str, context: ToolContext, playbook: str = "") -> ToolAnswer:
    """Compare a contract with the playbook, clause category by clause category.

    Figures (days, months, percent) and laws are compared by code. Every category is found or reported
    absent with the terms that were searched. Each quotation is verbatim and recorded as evidence. Rules
    cannot see everything: read the contract too, and judge what rules do not cover.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.
        playbook: workspace path of a playbook (YAML); empty: the user's if there is one, else the standard.

    Returns:
        `deviations`: list of {category, title, deviation, severity, position, range, fallback, approver,
        quote, citation, also, evidence}, most severe first; `categories`: state of each (ok, deviation,
        absent, blank, present); `edits`: ready for contract_redline (DOCX only); `proposals`: the same
        for a PDF or text; `redline_path`: where the redline will go, "" without edits; `summary`.
    """
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.report import review_json  # noqa: PLC0415
    from deskmate_legal.review import review  # noqa: PLC0415
    from deskmate_legal.workspace import beside, open_playbook  # noqa: PLC0415

    book, book_path = open_playbook(context, playbook)
    name = context.name_of(context.file(path))
    contract = read_contract(context.file(path), name)
    found, evidence = review_json(contract, book, review(contract, book), book_path)
    found["redline_path"] = beside(context, name, "redline") if found["edits"] else ""
    return ToolAnswer(result=found, evidence=evidence)
