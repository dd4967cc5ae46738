"""Finds the contracts to review."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolError, ToolInputError
from deskmate_legal.workspace import CONTRACT_SUFFIXES, candidates, find_playbook, mentioned

_LIMIT = 40
_NAMED = 20
_NDA = re.compile(r"\bndas?\b|\bnon-?disclosure|\bconfidentiality agreement", re.IGNORECASE)


def contract_find(
    request: str, context: ToolContext, versions: bool = False, any_document: bool = False
) -> dict[str, Any]:
    """List the contracts in the workspace that a request is about, and the playbook to use.

    Files that the request names are taken; else all DOCX, PDF and text files that read like a contract
    (if the request speaks of an NDA and there are NDAs: those only). Results of earlier runs (redlines,
    memos, comparisons) are left out.

    Args:
        request: the user's words.
        context: filled in by Deskmate.
        versions: true to get two versions of one Word document to compare.
        any_document: true to take briefs, letters and other documents as well.

    Returns:
        With `versions`: `before`, `after`: workspace paths, the older one first. Else `contracts`: list of {path, file_type, contract_type, title}; `count`; `playbook`: workspace path,
        "" for the one that comes with the plugin; `skipped`: list of {path, reason}; `not_reviewed`:
        the same in lines, for the answer.
    """
    if versions:
        return _versions(request, context)
    playbook = find_playbook(context, request)
    files = list(candidates(context.workspace, CONTRACT_SUFFIXES))
    named = [path for path in files if mentioned(path, request)]
    found: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    for path in (named or files)[:_LIMIT]:
        entry = _entry(path, context, named=any_document or bool(named))
        (skipped if "reason" in entry else found).append(entry)
    skipped += [
        {"path": context.name_of(path), "reason": f"only {_LIMIT} files are looked at"}
        for path in (named or files)[_LIMIT:]
    ]
    ndas = [entry for entry in found if entry["contract_type"] == "nda"]
    if not named and ndas and _NDA.search(request) and len(ndas) < len(found):
        skipped += [{"path": e["path"], "reason": "no NDA"} for e in found if e not in ndas]
        found = ndas
    if not found:
        raise ToolInputError(_nothing(files, skipped))
    return {
        "contracts": found,
        "count": len(found),
        "playbook": playbook,
        "playbook_name": playbook.rpartition("/")[2] or "the standard playbook",
        "skipped": skipped,
        "not_reviewed": _lines(skipped) or ["none"],
    }


def _versions(request: str, context: ToolContext) -> dict[str, Any]:
    """Return the two files to compare: by version number, else as the request names them, else by date."""
    files = list(candidates(context.workspace, (".docx",)))
    text = request.lower()
    named = sorted(
        (path for path in files if mentioned(path, request)),
        key=lambda p: text.find(p.stem.lower()),
    )
    pair = named if named else files
    if len(pair) != 2:
        names = ", ".join(context.name_of(path) for path in pair[:8]) or "none"
        raise ToolInputError(
            f"Two Word documents are needed to compare; found {len(pair)}: {names}. Name two of them."
        )
    numbers = [[int(number) for number in re.findall(r"\d+", path.stem)] for path in pair]
    if numbers[0] != numbers[1] and all(numbers) and len(numbers[0]) == len(numbers[1]):
        pair = [path for _, path in sorted(zip(numbers, pair, strict=True))]
    elif not named:
        pair = sorted(pair, key=lambda path: path.stat().st_mtime_ns)
    return {"before": context.name_of(pair[0]), "after": context.name_of(pair[1])}


def _entry(path: Path, context: ToolContext, *, named: bool) -> dict[str, Any]:
    from deskmate_legal.contract import read_contract  # noqa: PLC0415

    name = context.name_of(path)
    context.on_progress(f"Looking at {name}")
    try:
        contract = read_contract(path, name)
    except ToolError as error:
        return {"path": name, "reason": error.message}
    if not contract.text.strip():
        return {"path": name, "reason": "it holds no text (a scan?)"}
    if not named and not contract.is_contract:
        return {"path": name, "reason": "it does not read like a contract"}
    return {
        "path": name,
        "file_type": contract.kind,
        "contract_type": contract.type,
        "title": contract.title,
    }


def _nothing(files: list[Path], skipped: list[dict[str, Any]]) -> str:
    if not files:
        return "There is no DOCX, PDF or text file in the folder."
    return f"No contract found among {len(files)} files. {'; '.join(_lines(skipped))}"


def _lines(skipped: list[dict[str, Any]]) -> list[str]:
    """Say of each file why it was left out; of many, of the first ones."""
    lines = [f"{entry['path']}: {entry['reason'].rstrip('.')}" for entry in skipped[:_NAMED]]
    more = len(skipped) - _NAMED
    return [*lines, f"and {more} more"] if more > 0 else lines
