"""ENG-ANCHOR and ENG-NO-SECRETS: findings point to real lines, and nothing delivered gives a secret away."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.secrets import find_secrets
from deskmate_engineering.tools.review import misplaced, new_lines

ANCHOR, NO_SECRETS = "ENG-ANCHOR", "ENG-NO-SECRETS"
LIMIT = 20
LIMIT_BYTES = 64 * 1024 * 1024


def anchors(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Check that each finding of a review quotes a line that is in the diff or in the original file.

    Source: house (SOURCES.md).
    """
    findings = deliverable.data.get("findings")
    if not isinstance(findings, list | tuple):
        return [_finding(ANCHOR, "The review does not list its findings (data.findings).", "")]
    shown = decode(context.file.read_bytes(), deliverable.path)
    problems: list[Finding] = []
    for number, finding in enumerate(findings, start=1):
        lines, missing = _lines(deliverable, context, finding)
        problem = missing or misplaced(finding, lines)
        if not problem and f"{finding['file']}:{finding['line']}" not in shown:
            problem = f"{finding['file']}:{finding['line']} is not in the review's text."
        if problem:
            problems.append(_finding(ANCHOR, problem, f"finding {number}"))
    listed = {f"{f.get('file')}:{f.get('line')}" for f in findings if isinstance(f, dict)}
    for place in re.findall(r"^## \w+: (.+:\d+)$", shown, re.MULTILINE):
        if place not in listed:
            problems.append(
                _finding(ANCHOR, f"{place} stands in the review but not among its findings.", place)
            )
    return problems[:LIMIT]


def _finding(rule: str, message: str, where: str) -> Finding:
    fix = (
        "Quote a line that review_diff shows."
        if rule == ANCHOR
        else "Mask it, and have it revoked."
    )
    return Finding(rule=rule, level="error", message=message, location=where, fix=fix)


def _lines(
    deliverable: Deliverable, context: ValidationContext, finding: Any
) -> tuple[dict[tuple[str, int], str], str]:
    """Return the lines that a finding may point to, from the originals only, and what is missing."""
    name = str(finding.get("file", "")) if isinstance(finding, dict) else ""
    path = deliverable.sources.get("diff") or deliverable.sources.get(f"file:{name}", "")
    file = context.sources.file(path) if path else None
    if file is None:
        return {}, f"UNVERIFIED: {path or name or 'the source'} is not among the originals."
    try:
        text = decode(file.read_bytes(), path)
        if "diff" in deliverable.sources:
            return new_lines(text, path), ""
    except ToolInputError as problem:
        return {}, f"The source cannot be read: {problem.message}"
    return {(name, number): line for number, line in enumerate(text.splitlines(), start=1)}, ""


def no_secrets(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Refuse a deliverable that holds an unmasked key, token or password.

    Source: token forms after their issuers' documentation; entropy threshold house (SOURCES.md).
    """
    try:
        parts = list(_texts(context.file))
    except (zipfile.BadZipFile, OSError, RuntimeError) as problem:
        return [_finding(NO_SECRETS, f"{deliverable.path} cannot be searched: {problem}.", "")]
    found = []
    for part, text in parts:
        for secret in find_secrets(text):
            where = f"{part + ', ' if part else ''}line {secret.line}"
            found.append(_finding(NO_SECRETS, f"{secret.kind}: {secret.masked}", where))
    return found[:LIMIT]


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (part, text) of a file; of a package such as DOCX each text part, without its tags."""
    if file.stat().st_size > LIMIT_BYTES:
        raise OSError("it is larger than 64 MiB")
    if not zipfile.is_zipfile(file):
        yield "", file.read_bytes().decode("utf-8", "replace")
        return
    with zipfile.ZipFile(file) as package:
        if sum(part.file_size for part in package.infolist()) > LIMIT_BYTES:
            raise OSError("it unpacks to more than 64 MiB")
        for part in package.infolist():
            if part.filename.endswith((".xml", ".txt", ".json", ".md")):
                text = package.read(part).decode("utf-8", "replace")
                # A paragraph or cell ends a line; other tags may split a word's runs and go without trace.
                text = re.sub(r"</(?:\w+:)?(?:p|t|si|row|tr)>(?!</(?:\w+:)?r>)", "\n", text)
                yield part.filename, re.sub(r"<[^>]*>", "", text)
