"""Fills Word templates: content controls by tag or title, `{{name}}` or `{name}`, and `[words]` over any runs.

The formatting of the place is kept. Rows of a table that name `{{list.field}}` are repeated for each entry of a
list. What data a control is bound to is written too, or Word would show the old text again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.docx.binding import write_bound
from deskmate_documents.docx.controls import control_name, fill_control
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import (
    TR,
    XML_SPACE,
    P,
    Piece,
    T,
    body_paragraphs,
    child,
    pieces,
    w,
)
from deskmate_documents.opc import Element, Package

STORIES = ("header", "footer", "footnotes", "endnotes")
ROWS_LIMIT = 5_000
_NAME = r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)?"
_FIELD = re.compile(
    rf"\{{\{{\s*(?P<double>{_NAME})\s*\}}\}}|(?<!\{{)\{{(?P<single>{_NAME})\}}(?!\}})"
)
_BRACKET = re.compile(r"\[(?P<words>[^\[\]\n]{2,200})\]")

Value = str | bool | Sequence[Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class Filled:
    """What became of a template. `filled`: name → how often. `left`: fields that had no value, in order."""

    filled: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, name: str) -> None:
        """Note that a field was filled once more."""
        self.filled[name] = self.filled.get(name, 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A place `[words]` of a template. `label`: the cell to its left, or what stands before it in its paragraph."""

    words: str
    label: str


def template_brackets(source: Path) -> list[Bracket]:
    """Return the places of a template that are written in square brackets, in order, each as often as it occurs.

    Raises:
        ToolInputError: it cannot be read as a DOCX.
    """
    found = []
    for _, root in _stories(Package(source)):
        for paragraph in body_paragraphs(root):
            text = "".join(piece.text for piece in pieces(paragraph))
            for match in _BRACKET.finditer(text):
                before = text[: match.start()].strip().rstrip(":").strip()
                label = before or _left_of(paragraph)
                found.append(Bracket(words=match["words"].strip(), label=label))
    return found


def _left_of(paragraph: Element) -> str:
    """Return the text of the cell to the left of the one that a paragraph is in."""
    cell = next(paragraph.iterancestors(w("tc")), None)
    left = cell.getprevious() if cell is not None else None
    if left is None or left.tag != w("tc"):
        return ""
    texts = ("".join(piece.text for piece in pieces(p)) for p in left.iter(P))
    return " ".join(" ".join(texts).split()).rstrip(":").strip()


def template_fields(source: Path) -> dict[str, str]:
    """Return the fields of a template: name → `control` or `placeholder`, in order.

    Raises:
        ToolInputError: it cannot be read as a DOCX.
    """
    package = Package(source)
    found: dict[str, str] = {}
    for _, root in _stories(package):
        for node in root.iter(w("sdt")):
            for name in control_name(node):
                found.setdefault(name, "control")
                break
        for paragraph in body_paragraphs(root):
            text = "".join(piece.text for piece in pieces(paragraph))
            for match in _FIELD.finditer(text):
                found.setdefault(match["double"] or match["single"], "placeholder")
    return found


def fill_template(
    source: Path,
    target: Path,
    values: Mapping[str, Value],
    brackets: Mapping[str, str] | None = None,
) -> Filled:
    """Write a template with its fields filled.

    Args:
        source: the template, .docx or .dotx.
        target: the document, a .docx.
        values: field → text, true or false for a check box, or a list of objects for repeated rows.
        brackets: words that stand in square brackets → text; None leaves all brackets as they are.

    Raises:
        ToolInputError: it cannot be read, a value fits no field, or a control does not take its value.
    """
    package = Package(source)
    result = Filled()
    lists = {name: rows for name, rows in values.items() if not isinstance(rows, str | bool)}
    for part, root in _stories(package):
        for name, rows in lists.items():
            _repeat_rows(root, name, rows, result)
        _controls(package, root, values, result)
        for paragraph in body_paragraphs(root):
            _fill_paragraph(paragraph, values, result)
            _fill_brackets(paragraph, brackets or {}, result)
        package.write_xml(part, root)
    unused = sorted(set(values) - set(result.filled))
    if unused:
        raise ToolInputError(
            f"{source.name} has no field {', '.join(unused[:20])}; it has "
            f"{', '.join(list(template_fields(source))[:60]) or 'none'}."
        )
    main = package.main_part()
    if "template" in package.content_type(main):
        _become_document(package, main)
    package.save(target)
    return result


def _become_document(package: Package, main: str) -> None:
    """Give a .dotx the content type of a document."""
    types = package.parse("[Content_Types].xml")
    for node in types:
        if node.get("PartName", "").lstrip("/").lower() == main.lower():
            node.set("ContentType", node.get("ContentType", "").replace(".template.", ".document."))
    package.write_xml("[Content_Types].xml", types)


def _stories(package: Package) -> Iterator[tuple[str, Element]]:
    main, root = open_body(package)
    yield main, root
    for kind in STORIES:
        for part in package.related(main, kind):
            yield part, package.parse(part)


def _controls(package: Package, root: Element, values: Mapping[str, Value], result: Filled) -> None:
    for node in list(root.iter(w("sdt"))):
        names = control_name(node)
        name = next((name for name in names if name in values), "")
        if name:
            value = values[name]
            if not isinstance(value, str | bool):
                raise ToolInputError(f"The field {name} is a content control; it takes a text.")
            text = fill_control(node, name, value)
            write_bound(package, node, text)
            result.count(name)
        elif names and child(node, "sdtPr", "showingPlcHdr") is not None:
            result.left.append(names[0])


def _repeat_rows(
    root: Element, name: str, rows: Sequence[Mapping[str, Any]], result: Filled
) -> None:
    if len(rows) > ROWS_LIMIT:
        raise ToolInputError(f"The list {name} has more than {ROWS_LIMIT} entries.")
    for row in [row for row in root.iter(TR) if name in _lists_of(row)]:
        for entry in rows:
            fresh = deepcopy(row)
            row.addprevious(fresh)
            named = {f"{name}.{key}": str(value) for key, value in entry.items()}
            for paragraph in body_paragraphs(fresh):
                _fill_paragraph(paragraph, named, Filled())
        table = row.getparent()
        table.remove(row)
        if table.find(f".//{TR}") is None:
            raise ToolInputError(
                f"The list {name} is empty, and its table would have no row; take the table out."
            )
        result.count(name)


def _lists_of(row: Element) -> set[str]:
    text = "\n".join(
        "".join(piece.text for piece in pieces(paragraph)) for paragraph in row.iter(P)
    )
    found = {(m["double"] or m["single"]) for m in _FIELD.finditer(text)}
    return {name.partition(".")[0] for name in found if "." in name}


def _fill_paragraph(paragraph: Element, values: Mapping[str, Value], result: Filled) -> None:
    """Fill the placeholders of one paragraph, the last one first so that places stay right."""
    found = list(pieces(paragraph))
    text = "".join(piece.text for piece in found)
    for match in reversed(list(_FIELD.finditer(text))):
        name = match["double"] or match["single"]
        value = values.get(name)
        if value is None:
            if match["double"]:
                result.left.append(name)
            continue
        if not isinstance(value, str):
            raise ToolInputError(f"The field {name} is a placeholder in a text; it takes a text.")
        _replace(found, match.start(), match.end(), value)
        result.count(name)
        found = list(pieces(paragraph))


def _fill_brackets(paragraph: Element, brackets: Mapping[str, str], result: Filled) -> None:
    text = "".join(piece.text for piece in pieces(paragraph)) if brackets else ""
    for match in reversed(list(_BRACKET.finditer(text))):
        value = brackets.get(match["words"].strip())
        if value is not None:
            _replace(list(pieces(paragraph)), match.start(), match.end(), value)
            result.count(f"[{match['words'].strip()}]")


def _replace(found: Sequence[Piece], start: int, end: int, value: str) -> None:
    """Put a value where the placeholder was, with the formatting of its first letter."""
    place = 0
    first = True
    for piece in found:
        begin, finish = place, place + len(piece.text)
        place = finish
        if finish <= start or begin >= end:
            continue
        head, tail = piece.text[: max(start - begin, 0)], piece.text[end - begin :]
        tail = tail if end < finish else ""
        if piece.node.tag != T:
            piece.node.getparent().remove(piece.node)
            continue
        if first:
            _set_text(piece.node, head, value, tail)
            first = False
        else:
            _set(piece.node, head + tail)


def _set_text(node: Element, head: str, value: str, tail: str) -> None:
    """Set a text that may have several lines: they are kept as line breaks of the same run."""
    lines = value.split("\n")
    _set(node, head + lines[0] + (tail if len(lines) == 1 else ""))
    last = node
    for number, line in enumerate(lines[1:], 2):
        line_break = node.makeelement(w("br"))
        fresh = node.makeelement(T)
        _set(fresh, line + (tail if number == len(lines) else ""))
        last.addnext(line_break)
        line_break.addnext(fresh)
        last = fresh


def _set(node: Element, text: str) -> None:
    try:
        node.text = text
    except ValueError as error:
        raise ToolInputError("A value holds a character that a Word file cannot hold.") from error
    if text != text.strip():
        node.set(XML_SPACE, "preserve")
