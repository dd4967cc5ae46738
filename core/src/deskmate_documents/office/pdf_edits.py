"""Tools that write PDFs: forms filled, pages put together, parts redacted, annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError


def pdf_fill(
    path: str,
    target: str,
    values: dict[str, Any],
    context: ToolContext,
    password: str = "",
) -> ToolAnswer:
    """Fill fields of a PDF form into a new file, all or none; the original's bytes are kept, the values appended.

    Args:
        path: workspace path of the form.
        target: workspace path of the result.
        values: field name, as pdf_form gives it → text, option, name of a state, or true and false for a checkbox.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user.

    Returns:
        `path`; `problems`: what is still empty or does not fit; `notes`: what to tell the user.
    """
    from deskmate_documents.pdf.forms import check_form, fill_form, read_form  # noqa: PLC0415

    source, result = _both(path, target, context)
    if not values:
        raise ToolInputError("Give at least one field to fill.")
    notes = fill_form(source, result, values, password)
    answer = {
        "path": context.name_of(result),
        "problems": check_form(read_form(result, password)),
        "notes": notes,
    }
    return _delivered(answer, context.name_of(source), f"Filled form {result.name}", "pdf-form")


def pdf_pages(parts: list[dict[str, Any]], target: str, context: ToolContext) -> ToolAnswer:
    """Put pages of PDFs together into a new file: merge files, take pages out, reorder, turn, decrypt.

    Args:
        parts: in order, each {path, pages: such as `1-3,8,12-` or `9-1`, turn: 0, 90, 180 or 270, password}.
        target: workspace path of the result.
        context: filled in by Deskmate.

    Returns:
        `path`, `pages`: their number, `notes`: what to tell the user.
    """
    from deskmate_documents.pdf.pages import Part, assemble  # noqa: PLC0415

    result = _target(target, context)
    read = []
    for part in parts:
        if unknown := set(part) - {"path", "pages", "turn", "password"}:
            raise ToolInputError(f"A part has no {sorted(unknown)[0]!r}.")
        read.append(
            Part(
                path=context.file(str(part.get("path", ""))),
                pages=str(part.get("pages") or "1-"),
                turn=int(part.get("turn") or 0),
                password=str(part.get("password") or ""),
            )
        )
    count, notes = assemble(read, result, context.on_progress)
    answer = {"path": context.name_of(result), "pages": count, "notes": notes}
    first = context.name_of(read[0].path)
    return _delivered(answer, first, f"Pages put together in {result.name}", "pdf")


def pdf_split(
    path: str, folder: str, ranges: list[str], context: ToolContext, password: str = ""
) -> dict[str, Any]:
    """Split a PDF into several files, one for each range of pages.

    Args:
        path: workspace path of the PDF.
        folder: workspace path of the folder for the results, `<name>-1.pdf`, `<name>-2.pdf`, ….
        ranges: such as `["1-12", "13-40", "41-"]`.
        context: filled in by Deskmate.
        password: of an encrypted file, from the user; the parts are encrypted with it again.

    Returns:
        `paths` of the results, in order.
    """
    from deskmate_documents.pdf.pages import PARTS_LIMIT, split  # noqa: PLC0415

    if not 1 <= len(ranges) <= PARTS_LIMIT:
        raise ToolInputError(f"Give 1 to {PARTS_LIMIT} ranges.")
    source, home = context.file(path), context.target(folder)
    results = split(source, home, ranges, password, context.on_progress)
    return {"paths": [context.name_of(result) for result in results]}


def pdf_redact(
    path: str,
    target: str,
    context: ToolContext,
    words: list[str] | None = None,
    boxes: list[dict[str, Any]] | None = None,
    pages: str = "",
    password: str = "",
) -> ToolAnswer:
    """Redact a PDF into a new file: text and pictures under the marks are removed, and the result is read again to prove it.

    Metadata, attachments, scripts and spoken text of tags go too. Words are found in text only: look at pictures and
    scans with boxes. Search for other spellings of the same name, and look at the result before it is given away.

    Args:
        path: workspace path of the PDF.
        target: workspace path of the result, another file.
        context: filled in by Deskmate.
        words: phrases to remove wherever they stand; each must be found.
        boxes: list of {page, box: [left, top, right, bottom]} in points from the page's top left.
        pages: where to look for the words, such as `2-5`; all by default.
        password: of an encrypted file, from the user.

    Returns:
        `path`; `marks`: places; `glyphs`: characters removed; `pages`; `as_pictures`: page → why it had to become a
        picture of itself, without selectable text; `notes`.
    """
    from deskmate_documents.pdf.opening import page_numbers, shown  # noqa: PLC0415
    from deskmate_documents.pdf.redaction import Mark, find_marks, redact  # noqa: PLC0415

    source, result = _both(path, target, context)
    if source.resolve() == result.resolve():
        raise ToolInputError("The target must be another file than the source.")
    numbers = None
    if pages:
        with shown(source, password) as document:
            numbers = page_numbers(pages, len(document), len(document))
    marks = find_marks(source, [w for w in words or [] if w.strip()], numbers, password)
    for item in boxes or []:
        box = item.get("box") or ()
        if len(box) != 4:
            raise ToolInputError("Each of `boxes` is {page, box: [left, top, right, bottom]}.")
        left, top, right, bottom = (float(edge) for edge in box)
        marks.append(Mark(page=int(item.get("page", 0)), box=(left, top, right, bottom)))
    if not marks:
        raise ToolInputError("Give words or boxes to redact.")
    done = redact(source, result, marks, password, context.on_progress)
    answer = {
        "path": context.name_of(result), "marks": done.marks, "glyphs": done.glyphs, "pages": done.pages,
        "annotations": done.annotations, "as_pictures": {str(p): why for p, why in done.as_pictures.items()},
        "notes": done.notes,
    }  # fmt: skip
    return _delivered(answer, context.name_of(source), f"Redacted {result.name}", "pdf-redacted")


def pdf_annotate(
    path: str,
    target: str,
    context: ToolContext,
    add: list[dict[str, Any]] | None = None,
    remove: list[dict[str, Any]] | None = None,
    password: str = "",
) -> ToolAnswer:
    """Write notes, highlights, strikes, underlines and boxes on a PDF, or take annotations off; pages stay as they are.

    Args:
        path: workspace path of the PDF.
        target: workspace path of the result; it may be the same file.
        context: filled in by Deskmate.
        add: list of {page, kind: highlight, strike, underline, note or box, words (on the page) or box: [left, top,
            right, bottom] in points from the top left, text, author}.
        remove: list of {page, number} as pdf_annotations gives them.
        password: of an encrypted file, from the user.

    Returns:
        `path`, `added`, `removed`, `notes`.
    """
    from deskmate_documents.pdf.annotations import annotate  # noqa: PLC0415

    source, result = _both(path, target, context)
    if not add and not remove:
        raise ToolInputError("Give annotations to add or to remove.")
    notes = annotate(source, result, list(add or []), list(remove or []), password)
    answer = {
        "path": context.name_of(result), "added": len(add or []), "removed": len(remove or []), "notes": notes,
    }  # fmt: skip
    role = "commented" if add else "pdf"
    return _delivered(answer, context.name_of(source), f"Annotated {result.name}", role)


def _target(target: str, context: ToolContext) -> Path:
    result = context.target(target)
    if result.suffix.lower() != ".pdf":
        raise ToolInputError("The target must end in .pdf.")
    return result


def _both(path: str, target: str, context: ToolContext) -> tuple[Path, Path]:
    source = context.file(path)
    if source.suffix.lower() != ".pdf":
        raise ToolInputError(f"{path} is not a PDF by its name.")
    return source, _target(target, context)


def _delivered(answer: dict[str, Any], original: str, title: str, role: str) -> ToolAnswer:
    path = str(answer["path"])
    sources = {} if original == path else {"original": original}
    return ToolAnswer(
        result=answer,
        deliverables=(Deliverable(path=path, title=title, role=role, sources=sources),),
    )
