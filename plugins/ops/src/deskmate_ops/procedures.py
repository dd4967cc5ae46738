"""Writes a runbook as a numbered procedure in DOCX, and reads its lines back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_ops.runbooks import Runbook, Section, Step

NOT_NAMED = "not named in the notes"
FACTS = ("owner", "version", "approver", "effective date", "last reviewed", "next review")


def numbered(book: Runbook) -> Iterator[tuple[Section, list[tuple[str, Step]]]]:
    """Yield each section with its steps and their numbers, such as 2.1 and 2.1.3."""
    place = 0
    for section in book.sections:
        if not section.steps:
            yield section, []
            continue
        place += 1
        counts: list[int] = []
        lines = []
        for step in section.steps:
            counts = counts[: step.depth] + [0] * (step.depth - len(counts))
            counts[step.depth - 1] += 1
            lines.append((".".join(map(str, [place, *counts])), step))
        yield section, lines


def write_procedure(file: Path, book: Runbook, source: str) -> None:
    """Write the procedure: facts, then each section with its role, notes and numbered steps."""
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.shared import Cm  # noqa: PLC0415

    document = Document()
    document.core_properties.author = ""
    document.add_heading(book.title, level=1)
    facts = document.add_table(rows=0, cols=2, style="Light Grid Accent 1")
    named = [*FACTS, *(key for key in book.facts if key not in FACTS)]
    for key in named:
        if key in book.facts or key in ("owner", "next review"):
            cells = facts.add_row().cells
            cells[0].text, cells[1].text = key.capitalize(), book.facts.get(key, NOT_NAMED)
    cells = facts.add_row().cells
    cells[0].text, cells[1].text = "Source", source
    for section, lines in numbered(book):
        if section.title:
            document.add_heading(section.title, level=2)
        if section.role:
            document.add_paragraph(f"Role: {section.role}")
        for note in section.notes:
            document.add_paragraph(note)
        for number, step in lines:
            paragraph = document.add_paragraph(f"{number}\t{step.text}")
            paragraph.paragraph_format.left_indent = Cm(1.2 * step.depth)
            paragraph.paragraph_format.first_line_indent = Cm(-1.2)
    file.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(file))


def read_lines(file: Path, name: str) -> list[str]:
    """Return the paragraphs of a DOCX, in order.

    Raises:
        ToolInputError: it is not a readable DOCX.
    """
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415

    try:
        document = Document(str(file))
    except (PackageNotFoundError, KeyError, ValueError, OSError) as problem:
        raise ToolInputError(f"{name} is not a readable DOCX.") from problem
    return [paragraph.text for paragraph in document.paragraphs if paragraph.text.strip()]


def without_number(line: str) -> str:
    """Return a line's words, single-spaced, without a step number."""
    return " ".join(re.sub(r"^\d+(?:\.\d+)*\.?\s+", "", line.strip()).split())
