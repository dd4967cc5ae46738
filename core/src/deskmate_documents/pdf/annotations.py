"""Annotations of PDFs: notes, highlights, boxes; listed with the words under them, added, removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.forms import frame_of_stored
from deskmate_documents.pdf.opening import Box, frame_of, guarded, parsed, shown
from deskmate_documents.pdf.reading import find_words
from deskmate_documents.pdf.writing import revised

ANNOTATIONS_LIMIT = 2_000
ADDED_LIMIT = 300
KINDS = {
    "highlight": "/Highlight", "strike": "/StrikeOut", "underline": "/Underline", "note": "/Text", "box": "/Square",
}  # fmt: skip
_NAMES = {value: key for key, value in KINDS.items()} | {
    "/FreeText": "text", "/Stamp": "stamp", "/Ink": "ink", "/Line": "line", "/Circle": "circle", "/Squiggly": "squiggle",
    "/Caret": "caret", "/FileAttachment": "attachment", "/Polygon": "polygon", "/PolyLine": "polyline", "/Redact": "redaction mark",
}  # fmt: skip
_MARKS = frozenset({"highlight", "strike", "underline"})
_COLOURS = {
    "highlight": (1, 0.9, 0.3), "strike": (0.85, 0.1, 0.1), "underline": (0.1, 0.45, 0.2), "note": (1, 0.8, 0.2),
    "box": (0.85, 0.1, 0.1),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """An annotation. `number`: its place on the page, from 1, links and form fields not counted. `words`: those under it."""

    page: int
    number: int
    kind: str
    author: str
    text: str
    date: str
    box: Box
    words: str = ""


def read_annotations(path: Path, password: str = "") -> list[Annotation]:
    """Return the annotations of people, in order, at most 2,000.

    Raises:
        ToolInputError: encrypted or damaged.
    """
    found: list[Annotation] = []
    with parsed(path, password) as reader, shown(path, password) as document, guarded(path):
        for number, page in enumerate(reader.pages, 1):
            notes = list(_of_people(page))
            if not notes or len(found) >= ANNOTATIONS_LIMIT:
                continue
            frame = frame_of_stored(page)
            for count, (_, node) in enumerate(notes, 1):
                rect = [float(edge) for edge in node.get("/Rect", (0, 0, 0, 0))]
                kind = _NAMES.get(str(node.get("/Subtype")), str(node.get("/Subtype"))[1:])
                under = _words_under(document, number, node) if kind in _MARKS else ""
                found.append(
                    Annotation(
                        page=number, number=count, kind=kind, author=str(node.get("/T") or ""),
                        text=str(node.get("/Contents") or ""), date=_date(str(node.get("/M") or "")),
                        box=frame.shown(rect[0], rect[1], rect[2], rect[3]), words=under,
                    )
                )  # fmt: skip
    return found[:ANNOTATIONS_LIMIT]


def _of_people(page: Any) -> Iterator[tuple[Any, Any]]:
    """Yield reference and dictionary of each annotation that is neither a link, a field nor a pop-up window."""
    listed = page.get("/Annots")
    for reference in listed.get_object() if listed is not None else ():
        node = reference.get_object()
        if hasattr(node, "get") and node.get("/Subtype") not in (
            "/Link",
            "/Widget",
            "/Popup",
            None,
        ):
            yield reference, node


def _date(text: str) -> str:
    digits = text.removeprefix("D:")[:8]
    return (
        f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
    )


def _words_under(document: Any, number: int, node: Any) -> str:
    quads = [float(edge) for edge in node.get("/QuadPoints", ())]
    page = document[number - 1]
    words = page.get_textpage()
    try:
        pieces = []
        for start in range(0, len(quads) - 7, 8):
            xs, ys = quads[start : start + 8 : 2], quads[start + 1 : start + 8 : 2]
            pieces.append(str(words.get_text_bounded(min(xs), min(ys), max(xs), max(ys))))
    finally:
        words.close()
        page.close()
    return " ".join(" ".join(pieces).split())[:1_000]


def annotate(
    source: Path,
    target: Path,
    added: list[Mapping[str, Any]],
    removed: list[Mapping[str, Any]],
    password: str = "",
) -> list[str]:
    """Add and remove annotations, all or none; return what to tell the user.

    Args:
        source: the PDF.
        target: the result, which may be the same file.
        added: each {page, kind, words or box, text, author}; `kind`: highlight, strike, underline, note, box.
        removed: each {page, number} as `read_annotations` gives them.
        password: of an encrypted file.

    Raises:
        ToolInputError: words that are not on the page, an unknown kind, an annotation that is not there.
    """
    if len(added) > ADDED_LIMIT:
        raise ToolInputError(f"Add at most {ADDED_LIMIT} annotations at a time.")
    with shown(source, password) as document:
        nodes = [(int(item.get("page", 0)), _node(document, item)) for item in added]
    with revised(source, target, password) as revision, guarded(source):
        doomed = [_wanted(revision.writer, item) for item in removed]
        for page, reference in doomed:
            listed = page["/Annots"].get_object()
            listed.remove(reference)
        for number, node in nodes:
            revision.writer.add_annotation(page_number=number - 1, annotation=node)
        return revision.notes


def _wanted(writer: Any, item: Mapping[str, Any]) -> tuple[Any, Any]:
    number, count = int(item.get("page", 0)), int(item.get("number", 0))
    if not 1 <= number <= len(writer.pages):
        raise ToolInputError(f"Page {number} is not there; the file has {len(writer.pages)} pages.")
    page = writer.pages[number - 1]
    notes = list(_of_people(page))
    if not 1 <= count <= len(notes):
        raise ToolInputError(
            f"Page {number} has {len(notes)} annotations, none with number {count}."
        )
    return page, notes[count - 1][0]


def _node(document: Any, item: Mapping[str, Any]) -> Any:
    from pypdf.generic import (  # noqa: PLC0415
        ArrayObject,
        DictionaryObject,
        FloatObject,
        NameObject,
        NumberObject,
        TextStringObject,
    )

    kind = str(item.get("kind", ""))
    if kind not in KINDS:
        raise ToolInputError(f"An annotation is a {', '.join(KINDS)}, not {kind!r}.")
    rects = _rects(document, item, kind)
    edges = [
        min(r[0] for r in rects), min(r[1] for r in rects), max(r[2] for r in rects), max(r[3] for r in rects),
    ]  # fmt: skip
    if kind == "note":
        edges = [edges[0], edges[3] - 20, edges[0] + 20, edges[3]]
    node = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject(KINDS[kind]),
            NameObject("/Rect"): ArrayObject(FloatObject(edge) for edge in edges),
            NameObject("/Contents"): TextStringObject(str(item.get("text", ""))),
            NameObject("/T"): TextStringObject(str(item.get("author", "Deskmate"))),
            NameObject("/F"): NumberObject(4),
            NameObject("/C"): ArrayObject(FloatObject(part) for part in _COLOURS[kind]),
        }
    )
    if kind in _MARKS:
        quads = [
            edge
            for left, bottom, right, top in rects
            for edge in (left, top, right, top, left, bottom, right, bottom)
        ]
        node[NameObject("/QuadPoints")] = ArrayObject(FloatObject(edge) for edge in quads)
    return node


def _rects(
    document: Any, item: Mapping[str, Any], kind: str
) -> list[tuple[float, float, float, float]]:
    """Return the places of an annotation in its page's own coordinates."""
    number = int(item.get("page", 0))
    if not 1 <= number <= len(document):
        raise ToolInputError(f"Page {number} is not there; the file has {len(document)} pages.")
    page = document[number - 1]
    frame = frame_of(page)
    page.close()
    box, words = item.get("box"), str(item.get("words", ""))
    if box is not None:
        if len(box) != 4 or box[0] >= box[2] or box[1] >= box[3]:
            raise ToolInputError(
                "A box is [left, top, right, bottom] in points from the page's top left."
            )
        return [frame.stored((float(box[0]), float(box[1]), float(box[2]), float(box[3])))]
    hits = find_words(document, number, words) if words else []
    if not hits:
        raise ToolInputError(
            f"Page {number} does not have the words {words!r}; give words or a box for the {kind}."
        )
    return [frame.stored(found) for found in hits[0].boxes]
