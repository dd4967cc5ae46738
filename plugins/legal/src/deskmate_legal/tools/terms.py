"""Proof-reads a contract's terms and references."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Evidence, ToolAnswer, ToolContext

if TYPE_CHECKING:
    from deskmate_legal.contract import Contract


def terms_check(path: str, context: ToolContext) -> ToolAnswer:
    """Proof-read a contract before signature.

    Finds terms that are defined twice, not used or not defined, references to clauses that are not there, missing
    exhibits, numbers whose words and figures differ ("thirty (45)"), dates that do not exist, party names spelt
    in two ways, and blanks.

    Args:
        path: workspace path of a DOCX, PDF or text file.
        context: filled in by Deskmate.

    Returns:
        `findings`: list of {check, level, message, quote, citation, evidence} in order of the text; `errors`,
        `warnings`: their numbers; `defined_terms`; `summary`.
    """
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.terms import definitions  # noqa: PLC0415

    source = context.file(path)
    contract = read_contract(source, context.name_of(source))
    findings, evidence = _listed(contract)
    errors = sum(finding["level"] == "error" for finding in findings)
    name = contract.name.rpartition("/")[2]
    lines = [f"- {f['level']}: {f['message']} (¶ {f['citation']['paragraph']})" for f in findings]
    return ToolAnswer(
        result={
            "path": contract.name,
            "findings": findings,
            "errors": errors,
            "warnings": len(findings) - errors,
            "defined_terms": sorted(definitions(contract.text)),
            "summary": f"{name}: {errors} errors, {len(findings) - errors} warnings.",
            "report": "\n".join(
                [f"{name}: {errors} errors, {len(findings) - errors} warnings.", *lines[:40]]
            ),
        },
        evidence=evidence,
    )


def _listed(contract: Contract) -> tuple[list[dict[str, Any]], tuple[Evidence, ...]]:
    from deskmate_legal.contract import Sentence  # noqa: PLC0415
    from deskmate_legal.findings import quote  # noqa: PLC0415
    from deskmate_legal.report import citation, evidence_for  # noqa: PLC0415
    from deskmate_legal.terms import proof_read  # noqa: PLC0415

    starts = [block.start for block in contract.blocks]
    findings: list[dict[str, Any]] = []
    evidence = {}
    for slip in proof_read(contract):
        index = max(bisect.bisect_right(starts, slip.start) - 1, 0)
        block = contract.blocks[index]
        at = slip.start - block.start
        sentence = Sentence(block=index, start=0, end=len(block.text), text=block.text)
        words = quote(contract, sentence, (at, slip.end - block.start), 160)
        found = evidence_for(contract, sentence, words)
        evidence[found.id] = found
        here = Sentence(block=index, start=at, end=len(block.text), text=block.text[at:])
        findings.append(
            {
                "check": slip.check,
                "level": slip.level,
                "message": slip.message,
                "quote": words,
                "citation": citation(contract, here),
                "evidence": [found.id],
            }
        )
    return findings, tuple(evidence.values())
