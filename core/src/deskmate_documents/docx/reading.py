"""Reads a DOCX: paragraphs in document order with text, number, style and page, and the comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deskmate_documents.docx.comments import Comment, read_comments
from deskmate_documents.docx.numbering import Numbering, StyleSheet
from deskmate_documents.docx.wml import (
    ADDED,
    GONE,
    TBL,
    P,
    R,
    T,
    accepted_text,
    body_paragraphs,
    child,
    is_on,
    val,
    w,
)
from deskmate_documents.graphics import drawn, lines_of
from deskmate_documents.opc import Element, Package

_HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
_NOTE_KINDS = ("header", "footer", "footnotes", "endnotes")
_TRACKED = frozenset(
    {*GONE, *ADDED}
    | {w(n) for n in ("cellIns", "cellDel", "cellMerge", "numberingChange")}
    | {w(f"{n}Change") for n in ("pPr", "rPr", "sectPr", "tblPr", "tblPrEx", "trPr", "tcPr")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph.

    `index`: counted from 1 over all paragraphs of the body, those in tables, content controls and text
    boxes included. `text`: with tracked changes accepted. `number`: "4.2(a)", computed, "" if the
    document numbers it not (a number typed by hand is part of `text`). `label`: the number as printed,
    "(a)". `style`: the style's name. `heading_level`: 1–9 or None. `page`: from the page breaks that
    Word stored, None if it stored none. `part`: the package part.
    """

    index: int
    text: str
    number: str = ""
    label: str = ""
    style: str = ""
    heading_level: int | None = None
    page: int | None = None
    in_table: bool = False
    part: str = "word/document.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocxText:
    """What a DOCX says. `notes`: headers, footers, footnotes, endnotes, words of charts and diagrams; their index goes on."""

    path: Path
    paragraphs: tuple[Paragraph, ...]
    title: str = ""
    has_tracked_changes: bool = False
    comments: tuple[Comment, ...] = ()
    notes: tuple[Paragraph, ...] = ()


def read_docx(path: Path) -> DocxText:
    """Read a Word document.

    Raises:
        ToolInputError: empty, encrypted, damaged, not a DOCX, or hostile; one line with the cause.
    """
    package = Package(path)
    main, root = open_body(package)
    nodes = body_paragraphs(root)
    paragraphs = read_paragraphs(package, main, root)
    return DocxText(
        path=path,
        paragraphs=paragraphs,
        title=_title(package, paragraphs),
        has_tracked_changes=_is_tracked(package, main, root),
        comments=read_comments(package, main, nodes),
        notes=tuple(_notes(package, main, root, len(paragraphs))),
    )


def read_paragraphs(package: Package, main: str, root: Element) -> tuple[Paragraph, ...]:
    """Return the paragraphs below `root`, the main part's root, which may have been changed in memory."""
    styles = StyleSheet(_related_root(package, main, "styles"))
    numbering = Numbering(_related_root(package, main, "numbering"), styles)
    pages = _pages(root)
    return tuple(
        _paragraph(node, index, styles, numbering, pages.get(node), main)
        for index, node in enumerate(body_paragraphs(root), 1)
    )


def open_body(package: Package) -> tuple[str, Element]:
    """Return the name and root of the main document part.

    Raises:
        ToolInputError: the package is no Word document.
    """
    main = package.main_part()
    root = package.parse(main)
    if root.tag != w("document") or child(root, "body") is None:
        kind = {"workbook": "a workbook", "presentation": "a presentation"}.get(
            str(root.tag).rpartition("}")[2], "not a Word document"
        )
        raise package.error(f"is {kind}; a DOCX is needed" if kind[0] == "a" else f"is {kind}")
    return main, root


def _related_root(package: Package, main: str, kind: str) -> Element | None:
    names = package.related(main, kind)
    return package.parse(names[0]) if names else None


def _paragraph(
    node: Element,
    index: int,
    styles: StyleSheet,
    numbering: Numbering | None,
    page: int | None,
    part: str,
) -> Paragraph:
    text = accepted_text(node)
    style_id = val(child(node, "pPr", "pStyle")) or styles.default
    number = None
    if numbering is not None and not _is_unprinted(node, text):
        number = numbering.number(node, style_id)
    return Paragraph(
        index=index,
        text=text,
        number=number.full if number else "",
        label=number.label if number else "",
        style=styles.get(style_id).name,
        heading_level=_heading(node, styles, style_id),
        page=page,
        in_table=next(node.iterancestors(TBL), None) is not None,
        part=part,
    )


def _is_unprinted(node: Element, text: str) -> bool:
    """Say whether Word prints no paragraph, so no number: a bare section break, or one deleted whole."""
    if text:
        return False
    if child(node, "pPr", "rPr", "del") is not None:
        return True
    return child(node, "pPr", "sectPr") is not None and node.find(R) is None


def _heading(node: Element, styles: StyleSheet, style_id: str) -> int | None:
    style = styles.get(style_id)
    own = child(node, "pPr", "outlineLvl")
    outline = int(val(own, "9")) if own is not None and val(own, "9").isdecimal() else style.outline
    if outline is not None:
        return outline + 1 if outline < 9 else None
    match = _HEADING.match(style.name)
    return int(match.group(1)) if match else None


def _pages(root: Element) -> dict[Element, int]:
    """Return each paragraph's page, or nothing if the file stores no page break at all."""
    pages: dict[Element, int] = {}
    page, known, pending, waiting = 1, False, False, []
    for node in root.iter():
        tag = node.tag
        if tag == P:
            waiting.append(node)
            if is_on(child(node, "pPr", "pageBreakBefore")) and len(waiting) + len(pages) > 1:
                # The break stands before this paragraph: those still waiting for text are earlier.
                pages.update(dict.fromkeys(waiting[:-1], page))
                waiting, page, known, pending = [node], page + 1, True, True
        elif tag == w("br") and node.get(w("type")) == "page":
            pages.update(dict.fromkeys(waiting, page))
            waiting, page, known, pending = [], page + 1, True, True
        elif tag == w("lastRenderedPageBreak"):
            known = True
            if not pending:
                # Empty paragraphs just before keep their page; the one it stands in moves on.
                pages.update(dict.fromkeys(waiting[:-1], page))
                waiting, page = waiting[-1:], page + 1
            pending = False
        elif tag == T and node.text:
            pages.update(dict.fromkeys(waiting, page))
            waiting, pending = [], False
    pages.update(dict.fromkeys(waiting, page))
    return pages if known else {}


def _is_tracked(package: Package, main: str, root: Element) -> bool:
    stories = (package.parse(part) for kind in _NOTE_KINDS for part in package.related(main, kind))
    return any(next(part.iter(*_TRACKED), None) is not None for part in (root, *stories))


def _notes(package: Package, main: str, root: Element, count: int) -> Iterator[Paragraph]:
    styles = StyleSheet(_related_root(package, main, "styles"))
    for kind in _NOTE_KINDS:
        for part in package.related(main, kind):
            for node in body_paragraphs(package.parse(part)):
                if accepted_text(node).strip():
                    count += 1
                    yield _paragraph(node, count, styles, None, None, part)
    for where, text, stored in lines_of(drawn(package, main, root, GONE)):
        if not stored:
            count += 1
            yield Paragraph(index=count, text=text, part=where)


def _title(package: Package, paragraphs: tuple[Paragraph, ...]) -> str:
    for paragraph in paragraphs:
        if paragraph.style.lower() == "title" and paragraph.text.strip():
            return " ".join(paragraph.text.split())
    for part in package.related("", "core-properties"):
        node = package.parse(part).find("{http://purl.org/dc/elements/1.1/}title")
        if node is not None and (node.text or "").strip():
            return " ".join(node.text.split())
    first = next((p.text for p in paragraphs if p.text.strip()), "")
    return " ".join(first.split())[:200]
