"""Builds a Word document from a structure: headings, paragraphs, lists, tables, header and footer, real styles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.docx.structure import pieces_of, structure_problems

_FIGURE = re.compile(
    r"\**\(?[-−–+]?\s?[$€£¥]?\s?\d[\d.,’'\u00a0\u202f ]*\s?(?:[%€$£¥]|EUR|USD|[km]|bn)?\)?\**|[-–—]"
)
STYLE_NAMES = ("Normal", "Quote", "Intense Quote", "Subtitle", "Caption", "No Spacing")
"""Styles that a paragraph may name; a base document brings its own."""


def build_docx(structure: Mapping[str, Any], target: Path, base: Path | None = None) -> None:
    """Write a new document.

    Args:
        structure: as `structure.SCHEMA` has it.
        target: the file, replaced if it is there.
        base: a document or template whose styles, page and letterhead it takes; its text is left out.

    Raises:
        ToolInputError: the structure is not valid, the base cannot be read, or it lacks a style.
    """
    for place, message in structure_problems(structure):
        raise ToolInputError(f"The structure is not valid at {place}: {message}.")
    document = _document(base)
    document.core_properties.author = ""
    document.core_properties.title = structure.get("title", "")[:250]
    builder = _Builder(document)
    if "title" in structure:
        builder.paragraph(structure["title"], "Title")
    for block in structure["blocks"]:
        builder.block(block)
    _edges(document, structure)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        document.save(str(target))
    except ValueError as error:
        raise ToolInputError("A text holds a character that a Word file cannot hold.") from error


def _document(base: Path | None) -> Any:
    import docx  # noqa: PLC0415 - heavy

    if base is None:
        return docx.Document()
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    read_docx(base)  # says what is wrong with it in one line
    try:
        document = docx.Document(str(base))
    except (ValueError, KeyError) as error:
        raise ToolInputError(f"{base.name} cannot be the base of a document.") from error
    body = document.element.body
    for node in list(body):
        if not str(node.tag).endswith("}sectPr"):
            body.remove(node)
    body.get_or_add_sectPr()
    return document


class _Builder:
    """Appends blocks."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._styles = {style.name for style in document.styles}

    def block(self, block: Mapping[str, Any]) -> None:
        match block["type"]:
            case "heading":
                self.paragraph(block["text"], f"Heading {block.get('level', 1)}")
            case "list":
                self._list(block["items"], ordered=block.get("ordered", False))
            case "table":
                self._table(block)
            case "page_break":
                self._document.add_page_break()
            case _:
                for line in block["text"].split("\n"):
                    self.paragraph(line, block.get("style", "Normal"))

    def paragraph(self, text: str, style: str) -> Any:
        if style not in self._styles and not self._brought(style):
            known = ", ".join(name for name in STYLE_NAMES if name in self._styles)
            raise ToolInputError(f"The document has no style {style!r}; there are {known}.")
        paragraph = self._document.add_paragraph(style=style)
        _write(paragraph, text)
        return paragraph

    def _brought(self, name: str) -> bool:
        """Copy a common style that the base never used, which Word then leaves out; lists need more than that."""
        import docx  # noqa: PLC0415 - heavy

        plain = docx.Document().styles
        if name.startswith("List") or name not in {style.name for style in plain}:
            return False
        style = deepcopy(plain[name].element)
        for node in list(style):
            if str(node.tag).rpartition("}")[2] in ("link", "next", "basedOn"):
                style.remove(node)
        self._document.styles.element.append(style)
        self._styles.add(name)
        return True

    def _list(self, items: Sequence[str], *, ordered: bool) -> None:
        style = "List Number" if ordered else "List Bullet"
        number = self._restarted(style) if ordered else None
        for item in items:
            paragraph = self.paragraph(item, style)
            if number is not None:
                properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
                properties.get_or_add_ilvl().val = 0
                properties.get_or_add_numId().val = number

    def _restarted(self, style: str) -> int | None:
        """Return a list of the style's kind that counts from 1 again."""
        if style not in self._styles:
            return None
        own = self._document.styles[style].element.pPr
        used = own.numPr.numId.val if own is not None and own.numPr is not None else None
        if used is None:
            return None
        numbering = self._document.part.numbering_part.element
        abstract = numbering.num_having_numId(used).abstractNumId.val
        fresh = numbering.add_num(abstract)
        fresh.add_lvlOverride(ilvl=0).add_startOverride(1)
        return int(fresh.numId)

    def _table(self, block: Mapping[str, Any]) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH  # noqa: PLC0415
        from docx.oxml import OxmlElement  # noqa: PLC0415

        if "caption" in block:
            self.paragraph(block["caption"], "Caption").paragraph_format.keep_with_next = True
        header, rows = block["header"], block["rows"]
        table = self._document.add_table(rows=1 + len(rows), cols=len(header))
        if "Table Grid" in self._styles or self._brought("Table Grid"):
            table.style = "Table Grid"
        right = _columns_of_figures(rows)
        bold = [f"**{text}**" if text.strip() and "*" not in text else text for text in header]
        table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        for row, texts in zip(table.rows, [bold, *rows], strict=True):
            for column, (cell, text) in enumerate(zip(row.cells, texts, strict=False)):
                _cell(cell, text)
                for paragraph in cell.paragraphs if column in right else ():
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _columns_of_figures(rows: Sequence[Sequence[str]]) -> frozenset[int]:
    """Return the columns that hold figures and nothing else, which are read by their last digit."""
    columns = [
        [text.strip() for text in column if text.strip(" -–—")]
        for column in zip(*rows, strict=False)
    ]
    return frozenset(
        number
        for number, texts in enumerate(columns)
        if texts and all(map(_FIGURE.fullmatch, texts))
    )


def _cell(cell: Any, text: str) -> None:
    lines = text.split("\n")
    _write(cell.paragraphs[0], lines[0])
    for line in lines[1:]:
        _write(cell.add_paragraph(), line)


def _write(paragraph: Any, text: str) -> None:
    try:
        for piece, kind in pieces_of(text):
            run = paragraph.add_run(piece)
            run.bold = True if kind == "bold" else None
            run.italic = True if kind == "italic" else None
    except ValueError as error:
        raise ToolInputError("A text holds a character that a Word file cannot hold.") from error


def _edges(document: Any, structure: Mapping[str, Any]) -> None:
    """Write header and footer, and the page's number as a field that Word computes."""
    from docx.oxml import OxmlElement  # noqa: PLC0415
    from docx.oxml.ns import qn  # noqa: PLC0415

    section = document.sections[0]
    for key, holder in (("header", section.header), ("footer", section.footer)):
        if key in structure:
            _write(holder.paragraphs[0], structure[key])
    if structure.get("page_numbers", False):
        paragraph = section.footer.paragraphs[0]
        if paragraph.text:
            paragraph = section.footer.add_paragraph()
        paragraph.alignment = 1
        number = OxmlElement("w:fldSimple")
        number.set(qn("w:instr"), "PAGE")
        number.append(OxmlElement("w:r"))
        paragraph._p.append(number)
