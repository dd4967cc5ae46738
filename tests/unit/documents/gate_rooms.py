"""Clean rooms of the gates' tests: a deliverable, the host's originals with their digests, the facts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docx

from deskmate.plugin import Deliverable, Evidence, Finding, Sources, ValidationContext, Validator

TODAY = "2026-11-28"


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def room(
    file: Path,
    held: Mapping[str, Path] | None = None,
    evidence: Iterable[Evidence] = (),
    others: Mapping[str, Path] | None = None,
    presented: Mapping[str, Deliverable] | None = None,
    **facts: Any,
) -> ValidationContext:
    files = dict(held or {})
    return ValidationContext(
        file=file,
        sources=Sources(files, {path: digest(real) for path, real in files.items()}),
        evidence=tuple(evidence),
        facts={"date": TODAY, **facts},
        others=others or {},
        presented=presented or {},
    )


def errors(found: Iterable[Finding]) -> list[str]:
    return [finding.message for finding in found if finding.level == "error"]


def write_docx(
    path: Path, *paragraphs: str, table: Iterable[Iterable[str]] = (), author: str = ""
) -> Path:
    """Write a document: `# ` begins a heading."""
    document = docx.Document()
    document.core_properties.author = author
    for text in paragraphs:
        if text.startswith("# "):
            document.add_heading(text[2:], 1)
        else:
            document.add_paragraph(text)
    rows = [list(row) for row in table]
    if rows:
        made = document.add_table(rows=len(rows), cols=len(rows[0]))
        for row, texts in zip(made.rows, rows, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))
    return path


def run_gate(
    gate: Validator, deliverable: Deliverable, context: ValidationContext
) -> list[Finding]:
    return list(gate.function(deliverable, context))
