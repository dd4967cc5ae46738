"""A review as JSON: rows for the table of deviations, the state of every category, evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from deskmate.plugin import Evidence
from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.edits import build_edits
from deskmate_legal.findings import Deviation, Result, quote
from deskmate_legal.playbook import Playbook

_RANK = {"high": 0, "medium": 1, "low": 2}


def evidence_for(contract: Contract, sentence: Sentence, words: str) -> Evidence:
    """Return evidence for words of a sentence; the same words get the same id in every run."""
    block = contract.blocks[sentence.block]
    locator = contract.locator(block)
    key = f"{contract.sha256}{block.paragraph}{words}".encode()
    return Evidence(
        id=f"legal-{hashlib.sha256(key).hexdigest()[:16]}",
        source=contract.sha256,  # type: ignore[arg-type]
        path=contract.name,
        locator=locator,
        quote=words,
    )


def citation(contract: Contract, sentence: Sentence) -> dict[str, Any]:
    """Return where a sentence stands: file, page if known, paragraph, clause number and heading."""
    block = contract.blocks[sentence.block]
    clause = contract.clause_at(block.start + sentence.start)
    found: dict[str, Any] = {"file": contract.name, "paragraph": block.paragraph}
    if block.page is not None:
        found["page"] = block.page
    if clause.number:
        found["clause"] = clause.number
    if clause.heading:
        found["heading"] = clause.heading
    return found


def review_json(
    contract: Contract, playbook: Playbook, results: Sequence[Result], playbook_path: str
) -> tuple[dict[str, Any], tuple[Evidence, ...]]:
    """Return the result of `playbook_review` and the evidence for every quotation in it."""
    evidence: dict[str, Evidence] = {}
    rows = [row for result in results for row in _rows(contract, result, evidence)]
    rows.sort(key=lambda row: _RANK[row["severity"]])
    edits = build_edits(contract, results)
    for row in rows:
        row["edited"] = any(row["category"] in str(e["reference"]).split(", ") for e in edits)
    counts = {
        "categories": len(results),
        "deviations": len(rows),
        "high": sum(row["severity"] == "high" for row in rows),
        "absent": sum(result.status == "absent" for result in results),
        "edits": len(edits),
    }
    found = {
        "path": contract.name,
        "file_type": contract.kind,
        "contract_type": contract.type,
        "playbook": playbook.title,
        "playbook_path": playbook_path,
        "incorporates_other_terms": contract.incorporates,
        "counts": counts,
        "deviations": rows,
        "categories": [_state(result) for result in results],
        "edits": edits if contract.kind == "docx" else [],
        "proposals": [] if contract.kind == "docx" else edits,
        "summary": _summary(contract, counts),
    }
    return found, tuple(evidence.values())


def _rows(
    contract: Contract, result: Result, evidence: dict[str, Evidence]
) -> list[dict[str, Any]]:
    """Return one row per deviation; the same rule in further places is one row with `also`."""
    rows: dict[str, dict[str, Any]] = {}
    for deviation in result.deviations:
        if deviation.rule in rows and deviation.rule != "range":
            if deviation.sentence is not None:
                rows[deviation.rule]["also"].append(citation(contract, deviation.sentence))
            continue
        rows[f"{deviation.rule} {len(rows)}" if deviation.rule in rows else deviation.rule] = _row(
            contract, deviation, evidence
        )
    return list(rows.values())


def _row(contract: Contract, deviation: Deviation, evidence: dict[str, Evidence]) -> dict[str, Any]:
    category = deviation.category
    row: dict[str, Any] = {
        "category": category.id,
        "title": category.title,
        "rule": deviation.rule,
        "deviation": deviation.says,
        "severity": deviation.severity,
        "position": category.position,
        "range": category.range,
        "fallback": category.fallback,
        "approver": category.approver,
        "quote": "",
        "citation": None,
        "also": [],
        "evidence": [],
    }
    if deviation.sentence is None:
        row["searched"] = list(category.search_terms)
        return row
    words = quote(contract, deviation.sentence, deviation.focus)
    found = evidence_for(contract, deviation.sentence, words)
    evidence[found.id] = found
    row |= {
        "quote": words,
        "citation": citation(contract, deviation.sentence),
        "evidence": [found.id],
    }
    return row


def _state(result: Result) -> dict[str, Any]:
    state: dict[str, Any] = {
        "id": result.category.id,
        "title": result.category.title,
        "status": result.status,
    }
    if result.values:
        state["values"] = list(dict.fromkeys(result.values))
    if result.status == "absent":
        state["required"] = result.category.required
        state["searched"] = list(result.category.search_terms)
    return state


def _summary(contract: Contract, counts: dict[str, int]) -> str:
    name = contract.name.rpartition("/")[2]
    if not counts["deviations"]:
        return f"{name}: no deviation from the playbook in {counts['categories']} categories."
    plural = "" if counts["deviations"] == 1 else "s"
    found = (
        f"{name}: {counts['deviations']} deviation{plural} from the playbook "
        f"({counts['high']} high) in {counts['categories']} categories, "
        f"{counts['edits']} change{'' if counts['edits'] == 1 else 's'} proposed."
    )
    if counts["edits"]:
        return found
    other = " It refers to terms that are not in this file." if contract.incorporates else ""
    return (
        f"{found} No redline: none of its own words can be replaced by rule; the memo asks for what"
        f" is missing.{other}"
    )
