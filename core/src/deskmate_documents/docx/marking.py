"""Writes tracked changes: insertions, deletions, marked paragraph ends and rows, former properties."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy

from deskmate.errors import ToolInputError
from deskmate_documents.docx.wml import (
    ADDED,
    DEL,
    DEL_TEXT,
    GONE,
    ID,
    INS,
    PPR,
    RPR,
    TR,
    XML_SPACE,
    R,
    T,
    child,
    w,
)
from deskmate_documents.opc import Element

_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?")
_ID_LIMIT = 2**31 - 1


class Marker:
    """Makes revision elements of one author and date with fresh ids."""

    def __init__(self, roots: Iterable[Element], author: str, date: str) -> None:
        """`roots`: parts whose ids are taken. `date`: ISO date or date and time.

        Raises:
            ToolInputError: no author, or the date is none.
        """
        if not author.strip():
            raise ToolInputError("A tracked change needs an author.")
        if not _DATE.fullmatch(date):
            raise ToolInputError(f"{date!r} is not an ISO date such as 2026-03-31.")
        self.author = author
        self.date = date if "T" in date else f"{date}T00:00:00Z"
        used = {
            whole_number(n.get(ID)) for root in roots for n in root.iter() if n.get(ID) is not None
        }
        self._next = max((n for n in used if n < _ID_LIMIT - 1_000_000), default=0) + 1

    def make(self, near: Element, tag: str) -> Element:
        """Return a new, empty revision element."""
        node = near.makeelement(tag)
        node.set(ID, str(self._next))
        self._next += 1
        node.set(w("author"), self.author)
        node.set(w("date"), self.date)
        return node

    def fresh_id(self, node: Element) -> None:
        """Give a copied revision element an id of its own."""
        node.set(ID, str(self._next))
        self._next += 1

    def delete(self, runs: Iterable[Element]) -> list[Element]:
        """Mark runs as deleted; neighbours share one mark. Returns the marks."""
        marks: list[Element] = []
        for run in runs:
            before = run.getprevious()
            strike(run)
            if marks and before is marks[-1]:
                marks[-1].append(run)
                continue
            mark = self.make(run, DEL)
            run.addprevious(mark)
            mark.append(run)
            marks.append(mark)
        return marks

    def insertion(self, near: Element, runs: Iterable[Element]) -> Element:
        """Return an insertion that holds these runs."""
        mark = self.make(near, INS)
        mark.extend(runs)
        return mark

    def mark_end(self, paragraph: Element, tag: str) -> None:
        """Mark a paragraph's end as inserted or deleted."""
        properties = ensure(ensure(paragraph, PPR, 0), RPR)
        at = sum(1 for node in properties if node.tag in ADDED)
        properties.insert(at, self.make(properties, tag))

    def mark_row(self, row: Element, tag: str) -> None:
        """Mark a table row as inserted or deleted."""
        properties = child(row, "trPr")
        if properties is None:
            properties = row.makeelement(w("trPr"))
            row.insert(1 if child(row, "tblPrEx") is not None else 0, properties)
        properties.append(self.make(row, tag))

    def former(self, properties: Element, before: Element | None) -> None:
        """Record in a property element what it was before; both of the same kind, `before` may be None."""
        change = self.make(properties, properties.tag + "Change")
        old = properties.makeelement(properties.tag)
        unkept = GONE | ADDED | {w("sectPr"), w("headerReference"), w("footerReference")}
        if properties.tag == PPR:
            unkept = unkept | {RPR}
        for node in () if before is None else before:
            if node.tag not in unkept and not str(node.tag).endswith("Change"):
                old.append(deepcopy(node))
        change.append(old)
        properties.append(change)


def whole_number(text: str | None) -> int:
    """Return an attribute's whole number, 0 for none or anything else."""
    try:
        return int(text or "0")
    except ValueError:
        return 0


def ensure(parent: Element, tag: str, at: int | None = None) -> Element:
    """Return the child with this tag, made if missing; a `w:rPr` of a paragraph comes before its section."""
    found = parent.find(tag)
    if found is not None:
        return found
    node = parent.makeelement(tag)
    if at is None:
        last = [w("sectPr"), w("pPrChange")]
        at = sum(1 for c in parent if c.tag not in last)
    parent.insert(at, node)
    return node


def strike(run: Element) -> None:
    """Turn a run's text into deleted text."""
    for node in run.iter(T):
        node.tag = DEL_TEXT
        node.set(XML_SPACE, "preserve")
    for node in run.iter(w("instrText")):
        node.tag = w("delInstrText")


def runs_of(near: Element, text: str, properties: Element | None) -> list[Element]:
    """Return one run of plain text with this formatting; tabs and line breaks become their elements."""
    run = near.makeelement(R)
    if properties is not None:
        run.append(clean(properties))
    for part in re.split(r"([\t\n])", text):
        if part == "\t":
            run.append(run.makeelement(w("tab")))
        elif part == "\n":
            run.append(run.makeelement(w("br")))
        elif part:
            node = run.makeelement(T)
            node.text = part
            if part != part.strip():
                node.set(XML_SPACE, "preserve")
            run.append(node)
    return [run]


def clean(properties: Element) -> Element:
    """Return a copy of properties without any tracked change."""
    copy = deepcopy(properties)
    for node in list(copy.iter()):
        tag = str(node.tag)
        if (tag in GONE or tag in ADDED or tag.endswith("Change")) and node.getparent() is not None:
            node.getparent().remove(node)
    return copy


def mark_content(marker: Marker, paragraph: Element, tag: str) -> None:
    """Mark all content of a paragraph as inserted or deleted, in links and controls too."""
    containers = [paragraph]
    while containers:
        parent = containers.pop()
        mark: Element | None = None
        for node in list(parent):
            if node.tag == R or node.tag.startswith(
                "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
            ):
                if tag == DEL and node.tag == R:
                    strike(node)
                if mark is None:
                    mark = marker.make(node, tag)
                    node.addprevious(mark)
                mark.append(node)
                continue
            mark = None
            if node.tag in {
                w(n)
                for n in ("hyperlink", "fldSimple", "smartTag", "sdt", "sdtContent", "customXml")
            }:
                containers.append(node)


def mark_table(marker: Marker, table: Element, tag: str) -> None:
    """Mark every row and paragraph of a table, nested tables too, as inserted or deleted."""
    for row in table.iter(TR):
        marker.mark_row(row, tag)
    for paragraph in table.iter(w("p")):
        mark_content(marker, paragraph, tag)
        marker.mark_end(paragraph, tag)
