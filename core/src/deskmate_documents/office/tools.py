"""Tools that read documents of any kind and settle tracked changes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from deskmate.plugin import Evidence, ToolAnswer, ToolContext, ToolInputError
from deskmate.types.ids import Digest

WINDOW_LIMIT = 200
CHARACTERS_LIMIT = 60_000
OUTLINE_LIMIT = 400
PLACES_LIMIT = 20
_HEADING = re.compile(
    r"(?:(?:ARTICLE|SECTION|CHAPTER|PART|SCHEDULE|EXHIBIT|ANNEX)\s+\w+|\d+(?:\.\d+)*\.?)\s+\S", re.I
)


def document_read(
    path: str, context: ToolContext, start: int = 1, limit: int = 80
) -> dict[str, Any]:
    """Read a Word, PDF or text file as numbered paragraphs, a window at a time.

    Tracked changes are shown as accepted. Paragraph numbers are those that quotations, edits and citations use.

    Args:
        path: workspace path of the file.
        context: filled in by Deskmate.
        start: first paragraph to return, counted from 1.
        limit: how many paragraphs at most, 1 to 200; long ones may make it fewer.

    Returns:
        `kind`: docx, pdf or text; `paragraphs`: list of {paragraph, page, number, text}, without empty fields;
        `last`: the last paragraph of the file; `next`: where to go on, missing at the end; for a docx `title`,
        `tracked_changes` and `comments`: list of {author, paragraph, anchor, text}.
    """
    from deskmate_documents.office.kept_text import text_of  # noqa: PLC0415

    if start < 1 or not 1 <= limit <= WINDOW_LIMIT:
        raise ToolInputError(f"start must be 1 or more and limit 1 to {WINDOW_LIMIT}.")
    real = context.file(path)
    source = text_of(real, context)
    last = source.passages[-1].paragraph if source.passages else 0
    answer: dict[str, Any] = {"path": context.name_of(real), "kind": source.kind, "last": last}
    if source.kind == "docx" and start == 1:
        answer |= _about_docx(real)
    shown: list[dict[str, Any]] = []
    characters = 0
    for passage in source.passages:
        if passage.paragraph < start:
            continue
        characters += len(passage.text)
        if len(shown) == limit or (shown and characters > CHARACTERS_LIMIT):
            answer["next"] = passage.paragraph
            break
        shown.append(_shown(passage.paragraph, passage.page, passage.number, passage.text))
    answer["paragraphs"] = shown
    return answer


def _about_docx(real: Path) -> dict[str, Any]:
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    document = read_docx(real)
    about: dict[str, Any] = {
        "title": document.title,
        "tracked_changes": document.has_tracked_changes,
    }
    if document.comments:
        about["comments"] = [
            {"author": c.author, "paragraph": c.paragraph, "anchor": c.anchor[:200], "text": c.text[:2000]}
            for c in document.comments[:WINDOW_LIMIT]
        ]  # fmt: skip
    return about


def _shown(paragraph: int, page: int | None, number: str, text: str) -> dict[str, Any]:
    found = {
        "paragraph": paragraph,
        "page": page,
        "number": number,
        "text": text[:CHARACTERS_LIMIT],
    }
    return {name: value for name, value in found.items() if value}


def document_outline(path: str, context: ToolContext) -> dict[str, Any]:
    """List the headings of a Word, PDF or text file with their places, to know where to read on.

    Args:
        path: workspace path of the file.
        context: filled in by Deskmate.

    Returns:
        `headings`: list of {level, number, text, paragraph, page} in order, at most 400; in a PDF or text, and in
        a docx without heading styles, they are guessed from numbering and capitals, and `guessed` is true.
    """
    from deskmate_documents.office.kept_text import text_of  # noqa: PLC0415

    real = context.file(path)
    source = text_of(real, context)
    headings = _styled_headings(real) if source.kind == "docx" else []
    guessed = not headings
    if guessed:
        headings = [
            _shown(p.paragraph, p.page, p.number, _first_line(p.text)) | {"level": 1}
            for p in source.passages
            if _looks_like_heading(p.text, p.number)
        ]
    return {
        "path": context.name_of(real),
        "kind": source.kind,
        "guessed": guessed,
        "headings": headings[:OUTLINE_LIMIT],
        "more": max(len(headings) - OUTLINE_LIMIT, 0),
    }


def _styled_headings(real: Path) -> list[dict[str, Any]]:
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    return [
        _shown(p.index, p.page, p.number, _first_line(p.text)) | {"level": p.heading_level}
        for p in read_docx(real).paragraphs
        if p.heading_level is not None and p.text.strip()
    ]


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return " ".join(lines[0].split())[:160] if lines else ""


def _looks_like_heading(text: str, number: str) -> bool:
    line = _first_line(text)
    if not line or len(line) > 90:
        return False
    words = [word for word in line.split() if word.isalpha()]
    capitals = bool(words) and line == line.upper() and len(line) > 3
    return (
        capitals or bool(_HEADING.match(line)) or (bool(number) and not line.endswith((".", ";")))
    )


def document_quote(path: str, quote: str, context: ToolContext, password: str = "") -> ToolAnswer:
    """Find where words stand verbatim in a Word, PDF or text file, before you quote them.

    Quotation marks, dashes, line-end hyphens and spacing may differ; nothing else may.

    Args:
        path: workspace path of the file.
        quote: the words, without quotation marks around them.
        context: filled in by Deskmate.
        password: of an encrypted PDF, from the user.

    Returns:
        `found`: true or false; `places`: list of {paragraph, page, number, text}, at most 20, where the words begin.
        Each place is recorded as evidence.
    """
    from deskmate_documents.office.kept_text import text_of  # noqa: PLC0415
    from deskmate_documents.quotes import find_quote  # noqa: PLC0415
    from deskmate_documents.unlocked import opening_of  # noqa: PLC0415

    if not quote.strip():
        raise ToolInputError("The quote is empty.")
    real = context.file(path)
    found = find_quote(text_of(real, context, password), quote)[:PLACES_LIMIT]
    digest = Digest(hashlib.sha256(real.read_bytes()).hexdigest())
    evidence = [*opening_of(real, context.name_of(real), password)]
    for passage in found:
        locator: dict[str, int | str] = {"paragraph": passage.paragraph}
        if passage.page is not None:
            locator["page"] = passage.page
        evidence.append(
            Evidence(
                id=f"quote-{digest[:8]}-{passage.paragraph}-{hashlib.sha256(quote.encode()).hexdigest()[:6]}",
                source=digest,
                path=context.name_of(real),
                locator=locator,
                quote=quote,
            )
        )
    places = [_shown(p.paragraph, p.page, p.number, p.text[:600]) for p in found]
    return ToolAnswer(result={"found": bool(found), "places": places}, evidence=tuple(evidence))


def docx_accept(
    path: str, target: str, context: ToolContext, authors: list[str] | None = None
) -> dict[str, Any]:
    """Accept the tracked changes of a Word document into a new file: text, formatting, tables, moves.

    Args:
        path: workspace path of the document.
        target: workspace path of the result, another file.
        context: filled in by Deskmate.
        authors: accept only these authors' changes; empty: everyone's.

    Returns:
        `path` of the result and `tracked_changes`: whether any are left.
    """
    from deskmate_documents.docx.revisions import accept_all  # noqa: PLC0415

    source, result = _two_files(path, target, context)
    accept_all(source, result, authors=authors or None)
    return _settled(result, context)


def docx_reject(
    path: str, target: str, context: ToolContext, authors: list[str] | None = None
) -> dict[str, Any]:
    """Reject the tracked changes of a Word document into a new file, which restores the text before them.

    Args:
        path: workspace path of the document.
        target: workspace path of the result, another file.
        context: filled in by Deskmate.
        authors: reject only these authors' changes; empty: everyone's.

    Returns:
        `path` of the result and `tracked_changes`: whether any are left.
    """
    from deskmate_documents.docx.revisions import reject_all  # noqa: PLC0415

    source, result = _two_files(path, target, context)
    reject_all(source, result, authors=authors or None)
    return _settled(result, context)


def _two_files(path: str, target: str, context: ToolContext) -> tuple[Path, Path]:
    source, result = context.file(path), context.target(target)
    if source.resolve() == result.resolve():
        raise ToolInputError("The target must be another file than the source.")
    if result.suffix.lower() != source.suffix.lower():
        raise ToolInputError(f"The target must end in {source.suffix}, as the source does.")
    return source, result


def _settled(result: Path, context: ToolContext) -> dict[str, Any]:
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    return {
        "path": context.name_of(result),
        "tracked_changes": read_docx(result).has_tracked_changes,
    }
