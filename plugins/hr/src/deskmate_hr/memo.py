"""The memo that answers from a policy: the question, the quotes with their places or that there are none, what was searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.docx.reading import read_docx

DRAFT = "Draft for professional review"
SILENT = "The policy does not say."
QUESTION, SAYS, SEARCHED = "Question", "What the policy says", "What was searched"
QUOTE, PLACE = "Intense Quote", "Caption"
LIMIT = (
    "The quotes are the policy's own words and are not interpreted here. Which contract, agreement or law goes before the "
    "policy is for a person to check; this is no legal advice and no decision on anybody."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the memo says. `quotes`: (words, place)."""

    question: str
    as_of: date
    jurisdiction: str
    quotes: tuple[tuple[str, str], ...]
    searched: int
    missing: tuple[str, ...]
    left_out: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """What a memo says when it is read. `quotes`: (words, place); `others`: all other lines."""

    quotes: tuple[tuple[str, str], ...]
    others: tuple[str, ...]


def write_memo(file: Path, title: str, answer: Answer) -> None:
    """Write the memo. The quotes stand as they are: no mark in them is taken for formatting.

    Raises:
        ToolInputError: a quote holds what a Word file cannot hold.
    """
    from docx import Document  # noqa: PLC0415 - heavy
    from docx.shared import Pt  # noqa: PLC0415

    document = Document()
    document.core_properties.author = ""
    document.core_properties.title = title
    document.add_heading(title, level=1)
    document.add_paragraph(DRAFT, style="Subtitle")
    try:
        document.add_heading(QUESTION, level=2)
        document.add_paragraph(answer.question)
        document.add_heading(SAYS, level=2)
        if not answer.quotes:
            document.add_paragraph().add_run(SILENT).bold = True
        for words, place in answer.quotes:
            for line in words.split("\n"):
                paragraph = document.add_paragraph(line, style=QUOTE)
                paragraph.paragraph_format.space_before = Pt(2)
                paragraph.paragraph_format.space_after = Pt(2)
                paragraph.paragraph_format.keep_with_next = True
            document.add_paragraph(place, style=PLACE)
        document.add_heading(SEARCHED, level=2)
        for line in searched_lines(answer):
            document.add_paragraph(line, style="List Bullet")
    except ValueError as error:
        raise ToolInputError("A quote holds a character that a Word file cannot hold.") from error
    document.add_paragraph(LIMIT)
    file.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(file))


def searched_lines(answer: Answer) -> list[str]:
    """Return what was searched, what was not, and which words of the question occur nowhere."""
    where = f", for {answer.jurisdiction}" if answer.jurisdiction else ""
    lines = [f"{answer.searched} file(s) in force on {answer.as_of}{where}."]
    if answer.missing:
        lines.append(f"Words of the question that occur nowhere: {', '.join(answer.missing)}.")
    lines += [f"Left out: {reason}." for reason in answer.left_out]
    lines += [f"Could not be read: {reason}" for reason in answer.unreadable]
    return lines


def read_memo(file: Path) -> Memo:
    """Return what a memo says.

    Raises:
        ToolInputError: it is not a readable DOCX.
    """
    quotes: list[tuple[str, str]] = []
    others: list[str] = []
    held: list[str] = []
    document = read_docx(file)
    for paragraph in (*document.paragraphs, *document.notes):
        text = paragraph.text
        if paragraph.style.lower() == QUOTE.lower():
            held.append(text)
        elif held and paragraph.style.lower() == PLACE.lower():
            quotes.append(("\n".join(held), text))
            held = []
        elif text.strip():
            others += _loose(held)
            held = []
            others.append(text)
    return Memo(quotes=tuple(quotes), others=(*others, *_loose(held)))


def _loose(held: Sequence[str]) -> list[str]:
    """Return quoted words without a place: they are what the memo says itself, and nothing vouches for them."""
    return [text for text in held if text.strip()]
