"""Writes a runbook as a numbered procedure in DOCX, and reads its lines back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


OPEN = "open"
STEP_HEADER = ("Step", "Owner", "Input", "Check", "Roll-back", "Line of the notes")
RACI_HEADER = ("Step", "Responsible", "Accountable", "Consulted", "Informed")
GAPS = {
    "Owner": "No owner is named for",
    "Input": "No input is named for",
    "Check": "No check is named for",
    "Roll-back": "No roll-back is named for",
    "Accountable": "Nobody is named as accountable for",
}
FACT_GAPS = {"owner": "an owner", "version": "a version", "next review": "a day of the next review"}
EVERY = "every step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What the notes say of one step: cells of the table of steps, and of the table of responsibilities."""

    number: str
    cells: tuple[str, ...]
    raci: tuple[str, ...]


def duties(book: Runbook) -> list[Duties]:
    """Return the duties of each step of the first level; what the notes do not say is `open`.

    The owner of a step is the one that its notes name, else the role that its section is for. Accountable is the owner of
    the procedure, and nobody else.
    """
    found = []
    for section, lines in numbered(book):
        for number, step in lines:
            if step.depth > 1:
                continue
            said = step.details
            owner = said.get("owner") or section.role or OPEN
            cells = (
                owner,
                *(said.get(key, OPEN) for key in ("input", "check", "roll-back")),
                str(step.line),
            )
            accountable = book.facts.get("owner", OPEN)
            raci = (
                owner,
                accountable,
                said.get("consulted", "none named"),
                said.get("informed", "none named"),
            )
            found.append(Duties(number=number, cells=cells, raci=raci))
    return found


def open_points(book: Runbook) -> list[str]:
    """Return what the notes leave open, one sentence a kind."""
    steps = duties(book)
    lines = [
        f"The notes do not name {what}." for key, what in FACT_GAPS.items() if key not in book.facts
    ]
    for place, (name, words) in enumerate(GAPS.items()):
        cells = [(d.number, d.raci[1] if name == "Accountable" else d.cells[place]) for d in steps]
        numbers = [number for number, cell in cells if cell == OPEN]
        if numbers:
            lines.append(f"{words} {EVERY if len(numbers) == len(steps) else _listed(numbers)}.")
    return lines


def _listed(numbers: Sequence[str]) -> str:
    return f"step{'' if len(numbers) == 1 else 's'} {', '.join(numbers)}"


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
    found = duties(book)
    _table(document, "Steps, owners, checks", STEP_HEADER, [(d.number, *d.cells) for d in found])
    _table(document, "Responsibilities", RACI_HEADER, [(d.number, *d.raci) for d in found])
    document.add_heading("Open points", level=2)
    for line in open_points(book) or ["The notes leave nothing open that this procedure asks for."]:
        document.add_paragraph(line, style="List Bullet")
    file.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(file))


def _table(document: Any, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from docx.oxml import OxmlElement  # noqa: PLC0415 - heavy
    from docx.shared import Cm  # noqa: PLC0415

    document.add_heading(title, level=2)
    table = document.add_table(rows=1 + len(rows), cols=len(header), style="Light Grid Accent 1")
    for cell, text in zip(table.rows[0].cells, header, strict=True):
        cell.text = text
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for row, texts in zip(list(table.rows)[1:], rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    widths = [Cm(1.6), *[Cm(13.6 / (len(header) - 1))] * (len(header) - 1)]
    table.autofit = False
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width


def read_tables(file: Path, name: str) -> list[list[list[str]]]:
    """Return the tables of a DOCX: rows of cells.

    Raises:
        ToolInputError: it is not a readable DOCX.
    """
    document = _opened(file, name)
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in document.tables]


def read_lines(file: Path, name: str) -> list[str]:
    """Return the paragraphs of a DOCX, in order.

    Raises:
        ToolInputError: it is not a readable DOCX.
    """
    document = _opened(file, name)
    return [paragraph.text for paragraph in document.paragraphs if paragraph.text.strip()]


def _opened(file: Path, name: str) -> Any:
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415

    try:
        return Document(str(file))
    except (PackageNotFoundError, KeyError, ValueError, OSError) as problem:
        raise ToolInputError(f"{name} is not a readable DOCX.") from problem


def without_number(line: str) -> str:
    """Return a line's words, single-spaced, without a step number."""
    return " ".join(re.sub(r"^\d+(?:\.\d+)*\.?\s+", "", line.strip()).split())
