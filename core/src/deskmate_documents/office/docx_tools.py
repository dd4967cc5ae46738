"""Tools that make and mark Word documents: fill a template, build from a structure, comment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.office.evidence_tools import claims_of, named_sources

_DOCUMENTS = (".docx",)
AUTHOR = "Deskmate"


def docx_fields(path: str, context: ToolContext) -> dict[str, Any]:
    """List the fields of a Word template: content controls, and placeholders such as {{name}} or {name}.

    Args:
        path: workspace path of the template, .docx or .dotx.
        context: filled in by Deskmate.

    Returns:
        `fields`: list of {name, kind}, kind `control` or `placeholder`, in the order of the text.
    """
    from deskmate_documents.docx.template import template_fields  # noqa: PLC0415

    found = template_fields(context.file(path))
    return {"path": path, "fields": [{"name": n, "kind": kind} for n, kind in found.items()]}


def docx_fill(path: str, values: dict[str, Any], target: str, context: ToolContext) -> ToolAnswer:
    """Fill a Word template into a new document and present it; the template's formatting is kept.

    Args:
        path: workspace path of the template.
        values: field → text; true or false for a check box; for rows that name {{items.price}}, `items` → list of
            objects. List the fields with docx_fields first.
        target: workspace path of the new .docx.
        context: filled in by Deskmate.

    Returns:
        `path`; `filled`: field → how often; `left`: fields that have no value yet, which G-PLACEHOLDER will report.
    """
    from deskmate_documents.docx.template import fill_template  # noqa: PLC0415

    source, result = context.file(path), context.target(target)
    _check_target(result.suffix, same=source.resolve() == result.resolve())
    given = {name: _value(name, value) for name, value in values.items()}
    filled = fill_template(source, result, given)
    deliverable = Deliverable(
        path=context.name_of(result),
        title=f"{result.stem}, filled in",
        role="filled_template",
        sources={"template": context.name_of(source)},
    )
    answer = {"path": deliverable.path, "filled": filled.filled, "left": filled.left}
    return ToolAnswer(result=answer, deliverables=(deliverable,))


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    raise ToolInputError(
        f"The value of {name} must be a text, true or false, or a list of objects."
    )


def _check_target(suffix: str, *, same: bool) -> None:
    if suffix.lower() not in _DOCUMENTS:
        raise ToolInputError("The target must end in .docx.")
    if same:
        raise ToolInputError("The target must be another file than the source.")


def docx_build(
    target: str,
    structure: dict[str, Any],
    context: ToolContext,
    base: str = "",
    sources: list[str] | None = None,
    claims: list[dict[str, Any]] | None = None,
) -> ToolAnswer:
    """Build a new Word document from a structure and present it; headings, lists and tables are real ones.

    Args:
        target: workspace path of the new .docx.
        structure: {title, header, footer, page_numbers, blocks}; only `blocks` must be there. Blocks:
            {"type": "heading", "level": 1, "text"}, {"type": "paragraph", "text", "style"},
            {"type": "list", "items", "ordered"}, {"type": "table", "header", "rows", "caption"} (cells are texts),
            {"type": "page_break"}. `**bold**` and `*italic*` are formatting.
        context: filled in by Deskmate.
        base: workspace path of a document whose styles, page and letterhead are used; empty: a plain one.
        sources: workspace paths of the files whose figures and words it uses; then every figure must be in them.
        claims: as document_present takes them: which evidence each figure and quotation rests on.

    Returns:
        `path` of the document and how many `blocks` it has.
    """
    from deskmate_documents.docx.build import build_docx  # noqa: PLC0415

    result = context.target(target)
    _check_target(result.suffix, same=False)
    house = context.file(base) if base else None
    build_docx(structure, result, house)
    deliverable = Deliverable(
        path=context.name_of(result),
        title=str(structure.get("title") or result.stem),
        sources=named_sources(sources or [], context)
        | ({"base": context.name_of(house)} if house is not None else {}),
        claims=claims_of(claims or []),
        data={"structure": structure},
    )
    answer = {"path": deliverable.path, "blocks": len(structure["blocks"])}
    return ToolAnswer(result=answer, deliverables=(deliverable,))


def docx_comment(
    path: str, remarks: list[dict[str, Any]], target: str, context: ToolContext
) -> ToolAnswer:
    """Write comments into a copy of a Word document: new ones at words, answers to others, threads settled.

    Args:
        path: workspace path of the document.
        remarks: {"paragraph": 12, "find": "words there", "text"} for a new comment (find empty: the whole
            paragraph), {"reply_to": "3", "text"} for an answer, with "resolve": true to settle the thread.
            Paragraphs and ids as office__document_read shows them.
        target: workspace path of the result, another file.
        context: filled in by Deskmate.

    Returns:
        `path` of the result and `remarks`: how many were made.
    """
    from deskmate_documents.docx.remarks import Remark, add_remarks  # noqa: PLC0415

    source, result = context.file(path), context.target(target)
    _check_target(result.suffix, same=source.resolve() == result.resolve())
    if not remarks:
        raise ToolInputError("Give at least one remark.")
    made = [_remark(Remark, number, entry) for number, entry in enumerate(remarks, 1)]
    day = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = add_remarks(source, result, made, author=AUTHOR, date=day)
    deliverable = Deliverable(
        path=context.name_of(result),
        title=f"{source.name} with comments",
        role="commented",
        sources={"original": context.name_of(source)},
    )
    answer = {"path": deliverable.path, "remarks": count}
    return ToolAnswer(result=answer, deliverables=(deliverable,))


def _remark(kind: Any, number: int, entry: dict[str, Any]) -> Any:
    allowed = {"paragraph": int, "find": str, "text": str, "reply_to": str, "resolve": bool}
    for name, value in entry.items():
        if name not in allowed or not isinstance(value, allowed[name]):
            raise ToolInputError(
                f"Remark {number}: {name} is not one of {', '.join(allowed)}, or of the wrong kind."
            )
    return kind(**entry)
