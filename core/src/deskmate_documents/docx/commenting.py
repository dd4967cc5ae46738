"""Adds comments to a Word document: the comments part, its relationship and type, and the anchors."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from copy import deepcopy

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.docx.marking import Marker, runs_of, whole_number
from deskmate_documents.docx.wml import ID, W14_NS, W15_NS, W_NS, P, R, w
from deskmate_documents.opc import Element, Package

EXTENDED_TYPE = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.commentsExtended+xml"
)
EXTENDED_REL = "http://schemas.microsoft.com/office/2011/relationships/commentsExtended"
_PARA_ID = f"{{{W14_NS}}}paraId"
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
        self._body = root
        self._threads = Threads(package, main, self._root)
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

    def reply(self, parent: str, text: str) -> None:
        """Answer a comment; the answer joins the thread and stands where its first comment does.

        Raises:
            ToolInputError: there is no such comment, or it is not anchored in the text.
        """
        above = self._known(parent)
        root_id = self._threads.first(above)
        number = str(self._next)
        self._next += 1
        self._added += 1
        self._double_anchors(root_id, number)
        node = self._comment(number, [line for line in text.split("\n") if line.strip()])
        self._root.append(node)
        self._threads.answer(node, self._known(root_id))

    def resolve(self, name: str, *, done: bool = True) -> None:
        """Mark a comment's thread as settled, or open it again. Raises ToolInputError."""
        self._threads.settle(self._known(self._threads.first(self._known(name))), done=done)
        self._added += 1

    def _known(self, name: str) -> Element:
        for node in self._root.iterfind(w("comment")):
            if node.get(ID) == name:
                return node
        ids = ", ".join(n.get(ID, "") for n in self._root.iterfind(w("comment")))[:300]
        raise ToolInputError(f"There is no comment {name}; there are {ids or 'none'}.")

    def _double_anchors(self, name: str, fresh: str) -> None:
        """Put the answer's anchors beside those of the comment that it answers."""
        found = [
            node
            for kind in ("commentRangeStart", "commentRangeEnd", "commentReference")
            for node in self._body.iter(w(kind))
            if node.get(ID) == name
        ]
        if not any(node.tag == w("commentReference") for node in found):
            raise ToolInputError(f"Comment {name} is not anchored in the text.")
        for node in found:
            own = node.getparent() if node.tag == w("commentReference") else node
            copy = deepcopy(own)
            copy.tail = None
            for mark in copy.iter(node.tag):
                mark.set(ID, fresh)
            own.addnext(copy)

    def save(self) -> None:
        """Write the comments part, and name it in the package if it is new."""
        if self._added:
            self._package.write_xml(self._part, self._root)
            self._package.set_content_type(self._part, COMMENTS_TYPE)
            self._package.add_relationship(self._main, "comments", self._part)
            self._threads.save()


class Threads:
    """Which comment answers which, and which threads are settled: Word's part of its own for that."""

    def __init__(self, package: Package, main: str, comments: Element) -> None:
        """`comments`: root of the comments part, whose last paragraphs get ids as needed."""
        self._package = package
        self._main = main
        self._comments = comments
        parts = package.related(main, "commentsExtended")
        self._part = (
            parts[0] if parts else posixpath.join(posixpath.dirname(main), "commentsExtended.xml")
        )
        self._root = (
            package.parse(self._part)
            if parts
            else etree.Element(f"{{{W15_NS}}}commentsEx", nsmap={"w15": W15_NS})
        )
        self._touched = False

    def first(self, comment: Element) -> str:
        """Return the id of the comment that begins a comment's thread."""
        own = _last_paragraph(comment).get(_PARA_ID)
        entry = self._entry(own) if own else None
        parent = None if entry is None else entry.get(f"{{{W15_NS}}}paraIdParent")
        for node in self._comments.iterfind(w("comment")) if parent else ():
            if any(p.get(_PARA_ID) == parent for p in node.iter(P)):
                return str(node.get(ID, ""))
        return str(comment.get(ID, ""))

    def answer(self, comment: Element, parent: Element) -> None:
        """Note that a comment answers another one."""
        above = self._made(parent)
        entry = self._made(comment)
        entry.set(f"{{{W15_NS}}}paraIdParent", above.get(f"{{{W15_NS}}}paraId"))

    def settle(self, comment: Element, *, done: bool) -> None:
        """Note whether a thread is settled."""
        self._made(comment).set(f"{{{W15_NS}}}done", "1" if done else "0")

    def _made(self, comment: Element) -> Element:
        """Return a comment's entry, made with an id for its last paragraph if there is none."""
        self._touched = True
        paragraph = _last_paragraph(comment)
        name = paragraph.get(_PARA_ID)
        if name is None:
            used = {p.get(_PARA_ID) for p in self._comments.iter(P)}
            name = next(f"{n:08X}" for n in range(0x10000001, 0x7FFFFFFF) if f"{n:08X}" not in used)
            paragraph.set(_PARA_ID, name)
        entry = self._entry(name)
        if entry is None:
            entry = etree.SubElement(self._root, f"{{{W15_NS}}}commentEx")
            entry.set(f"{{{W15_NS}}}paraId", name)
            entry.set(f"{{{W15_NS}}}done", "0")
        return entry

    def _entry(self, name: str) -> Element | None:
        for node in self._root:
            if isinstance(node.tag, str) and node.get(f"{{{W15_NS}}}paraId") == name:
                return node
        return None

    def save(self) -> None:
        """Write the part, if anything was noted."""
        if self._touched:
            self._package.write_xml(self._part, self._root)
            self._package.set_content_type(self._part, EXTENDED_TYPE)
            kinds = {r.kind for r in self._package.relationships(self._main).values()}
            if "commentsExtended" not in kinds:
                self._package.add_relationship(
                    self._main, "commentsExtended", self._part, type_=EXTENDED_REL
                )


def _last_paragraph(comment: Element) -> Element:
    paragraphs = list(comment.iter(P))
    return paragraphs[-1] if paragraphs else etree.SubElement(comment, P)


def _in_paragraph(node: Element) -> Element:
    """Return the child of the paragraph that holds a node: anchors stand outside links and changes."""
    while node.getparent().tag != P:
        node = node.getparent()
    return node
