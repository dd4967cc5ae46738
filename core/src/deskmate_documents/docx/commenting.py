"""Adds comments to a Word document: the comments part, its relationship and type, and the anchors."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from lxml import etree

from deskmate_documents.docx.marking import Marker, runs_of, whole_number
from deskmate_documents.docx.wml import ID, W_NS, P, R, w
from deskmate_documents.opc import Element, Package

COMMENTS_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.comments+xml"


class CommentWriter:
    """Collects comments of one author; `save` writes the part."""

    def __init__(self, package: Package, main: str, root: Element, marker: Marker) -> None:
        """`root`: of the main part, which gets the anchors; the caller writes it."""
        self._package = package
        self._main = main
        self._marker = marker
        parts = package.related(main, "comments")
        self._part = parts[0] if parts else posixpath.join(posixpath.dirname(main), "comments.xml")
        if parts:
            self._root = package.parse(self._part)
        else:
            self._root = etree.Element(w("comments"), nsmap={"w": W_NS})
        anchors = ("commentRangeStart", "commentRangeEnd", "commentReference")
        used = {n.get(ID, "") for n in self._root} | {
            n.get(ID, "") for n in root.iter(*(w(a) for a in anchors))
        }
        self._next = max((whole_number(n) for n in used), default=-1) + 1
        self._added = 0

    def add(self, marks: Sequence[Element], reason: str, reference: str = "") -> None:
        """Anchor a comment around these elements of one or more paragraphs."""
        first, last = _in_paragraph(marks[0]), _in_paragraph(marks[-1])
        number = str(self._next)
        self._next += 1
        self._added += 1
        start, end = (
            first.makeelement(w("commentRangeStart")),
            last.makeelement(w("commentRangeEnd")),
        )
        run = last.makeelement(R)
        mark = run.makeelement(w("commentReference"))
        for node in (start, end, mark):
            node.set(ID, number)
        run.append(mark)
        first.addprevious(start)
        last.addnext(end)
        end.addnext(run)
        lines = [line for line in reason.split("\n") if line.strip()]
        if reference:
            lines.append(f"Reference: {reference}")
        self._root.append(self._comment(number, lines))

    def _comment(self, number: str, lines: Sequence[str]) -> Element:
        node = self._root.makeelement(w("comment"))
        node.set(ID, number)
        node.set(w("author"), self._marker.author)
        node.set(w("date"), self._marker.date)
        node.set(
            w("initials"), "".join(word[0] for word in self._marker.author.split())[:4].upper()
        )
        for line in lines:
            paragraph = etree.SubElement(node, P)
            paragraph.extend(runs_of(paragraph, line, None))
        return node

    def save(self) -> None:
        """Write the comments part, and name it in the package if it is new."""
        if self._added:
            self._package.write_xml(self._part, self._root)
            self._package.set_content_type(self._part, COMMENTS_TYPE)
            self._package.add_relationship(self._main, "comments", self._part)


def _in_paragraph(node: Element) -> Element:
    """Return the child of the paragraph that holds a node: anchors stand outside links and changes."""
    while node.getparent().tag != P:
        node = node.getparent()
    return node
