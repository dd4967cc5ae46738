"""Brings content of one Word document into another: links, images, notes, lists and styles come along."""

from __future__ import annotations

import posixpath
from copy import deepcopy

from lxml import etree

from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.marking import clean, whole_number
from deskmate_documents.docx.wml import ID, R_NS, VAL, child, val, w
from deskmate_documents.graphics import drawing_of
from deskmate_documents.opc import Element, Package, rels_name

_REFERENCES = {
    w("footnoteReference"): ("footnotes", "footnote"),
    w("endnoteReference"): ("endnotes", "endnote"),
}
_ANCHORS = tuple(
    w(n)
    for n in (
        "commentRangeStart",
        "commentRangeEnd",
        "commentReference",
        "proofErr",
        "lastRenderedPageBreak",
    )
)
_STYLES = tuple(w(n) for n in ("pStyle", "rStyle", "tblStyle"))
_ID_STEP = 100_000


class Importer:
    """Copies elements from `right` so that they work in `left`; call `save` when done."""

    def __init__(self, left: Package, left_main: str, right: Package, right_main: str) -> None:
        """`left_main`, `right_main`: names of the main parts."""
        self._left, self._right = left, right
        self._mains = left_main, right_main
        self._canons = Canon(left, left_main), Canon(right, right_main)
        self._roots: dict[str, Element] = {}
        self._lists: dict[str, str] = {}
        self._styles: set[str] = set()
        self._copied: dict[str, str] = {}
        self._next = _ID_STEP

    def node(self, node: Element, part: str, source: str) -> Element:
        """Return a copy of `node`, of the right's part `source`, for the left's part `part`."""
        copy = clean(node)
        copy.tail = None
        for anchor in list(copy.iter(*_ANCHORS)):
            if anchor.getparent() is not None:
                anchor.getparent().remove(anchor)
        for item in copy.iter():
            if isinstance(item.tag, str):
                self._adapt(item, part, source)
        return copy

    def _adapt(self, node: Element, part: str, source: str) -> None:
        for name, value in list(node.attrib.items()):
            if name.startswith(f"{{{R_NS}}}"):
                node.set(name, self._relationship(value, part, source))
            elif name.endswith(("}paraId", "}textId")):
                del node.attrib[name]
        if node.tag == w("numId"):
            node.set(VAL, self._list(val(node)))
        elif node.tag in _STYLES:
            self._style(val(node))
        elif node.tag in _REFERENCES:
            node.set(ID, self._note(node, *_REFERENCES[node.tag]))
        else:
            self._renew_id(node)

    def _renew_id(self, node: Element) -> None:
        """Give ids that must be unique in the document a new value."""
        if node.tag in (w("bookmarkStart"), w("bookmarkEnd")):
            node.set(ID, str(whole_number(node.get(ID)) % _ID_STEP + _ID_STEP))
        elif node.tag == w("sdtPr"):
            for old in node.findall(ID):
                node.remove(old)
        elif node.tag.endswith(("}docPr", "}cNvPr")):
            self._next += 1
            node.set("id", str(self._next))

    def _relationship(self, rel_id: str, part: str, source: str) -> str:
        rel = self._right.relationships(source).get(rel_id)
        if rel is None:
            return rel_id
        if rel.external:
            return self._left.add_relationship(part, rel.kind, rel.target, external=True)
        if rel.target not in self._right:
            return rel_id
        known = rel.target in self._copied
        fresh = self._part(rel.target)
        if rel.kind == "diagramData" and fresh != rel.target and not known:
            self._drawing(fresh, part, source)
        return self._left.add_relationship(part, rel.kind, fresh, type_=rel.type)

    def _drawing(self, fresh: str, part: str, source: str) -> None:
        """Bring a diagram's drawing along, which its data names by a relationship of the part that shows it."""
        root = self._left.parse(fresh)
        link = drawing_of(root)
        rel = self._right.relationships(source).get(
            link.get("relId", "") if link is not None else ""
        )
        if link is None or rel is None or rel.external or rel.target not in self._right:
            return
        drawn = self._left.add_relationship(part, rel.kind, self._part(rel.target), type_=rel.type)
        link.set("relId", drawn)
        self._left.write_xml(fresh, root)

    def _part(self, name: str) -> str:
        """Copy a part, with what it points to, under a name that is free; reuse an equal one."""
        if name in self._copied:
            return self._copied[name]
        data = self._right.read(name)
        if name in self._left and self._left.read(name) == data:
            self._copied[name] = name
            return name
        stem, extension = posixpath.splitext(name)
        number = 1
        while f"{stem}D{number}{extension}" in self._left:
            number += 1
        fresh = f"{stem}D{number}{extension}"
        self._copied[name] = fresh
        self._left.write(fresh, data)
        self._left.set_content_type(fresh, self._right.content_type(name))
        if rels_name(name) in self._right:
            self._copy_relationships(name, fresh)
        return fresh

    def _copy_relationships(self, name: str, fresh: str) -> None:
        root = deepcopy(self._right.parse(rels_name(name)))
        known = self._right.relationships(name)
        for node in root:
            rel = known.get(node.get("Id", ""))
            if rel is not None and not rel.external and rel.target in self._right:
                target = self._part(rel.target)
                node.set("Target", posixpath.relpath(target, posixpath.dirname(fresh)))
        self._left.write_xml(rels_name(fresh), root)

    def _root(self, side: int, kind: str) -> Element | None:
        """Return the root of a part that the main part points to; the left one's is written by `save`."""
        key = f"{side}{kind}"
        if key not in self._roots:
            package = (self._left, self._right)[side]
            names = package.related(self._mains[side], kind)
            self._roots[key] = package.parse(names[0]) if names else None
        return self._roots[key]

    def _made(self, kind: str) -> Element | None:
        """Return the left root of a part, made after the right one's if there is none."""
        right = self._root(1, kind)
        if self._root(0, kind) is None and right is not None:
            source = self._right.related(self._mains[1], kind)[0]
            name = posixpath.join(posixpath.dirname(self._mains[0]), f"{kind}.xml")
            root = deepcopy(right)
            for node in list(root):
                # Separators carry a type; everything else belongs to text that may not come along.
                if node.get(w("type")) is None:
                    root.remove(node)
            self._left.write_xml(name, root)
            self._left.set_content_type(name, self._right.content_type(source))
            self._left.add_relationship(self._mains[0], kind, name)
            self._roots[f"0{kind}"] = root
        return self._root(0, kind)

    def notes(self, kind: str) -> tuple[Element | None, Element | None]:
        """Return the roots of both sides' footnotes or endnotes; the left one may be changed."""
        return self._root(0, kind), self._root(1, kind)

    def _note(self, reference: Element, kind: str, tag: str) -> str:
        left, right = self._made(kind), self._root(1, kind)
        found = None
        if right is not None:
            found = next(
                (n for n in right.iterfind(w(tag)) if n.get(ID) == reference.get(ID)), None
            )
        if left is None or found is None:
            raise self._right.error(f"points to one of its {kind} that is not there")
        parts = self._left.related(self._mains[0], kind), self._right.related(self._mains[1], kind)
        copy = self.node(found, parts[0][0], parts[1][0])
        number = max((whole_number(n.get(ID)) for n in left), default=0) + 1
        copy.set(ID, str(number))
        left.append(copy)
        return str(number)

    def _list(self, number: str) -> str:
        if number in self._lists or number == "0":
            return self._lists.get(number, "0")
        self._lists[number] = number
        if self._canons[0].levels(number) != self._canons[1].levels(number):
            self._lists[number] = self._new_list(number)
        return self._lists[number]

    def _new_list(self, number: str) -> str:
        left, right = self._made("numbering"), self._root(1, "numbering")
        if left is None or right is None:
            return number
        num = next((n for n in right.iterfind(w("num")) if n.get(w("numId")) == number), None)
        if num is None:
            return number
        wanted = val(child(num, "abstractNumId"))
        abstract = next(
            (a for a in right.iterfind(w("abstractNum")) if a.get(w("abstractNumId")) == wanted),
            None,
        )
        fresh_num = str(_highest(left, "num", "numId") + 1)
        fresh_abstract = str(_highest(left, "abstractNum", "abstractNumId") + 1)
        if abstract is not None:
            copy = deepcopy(abstract)
            copy.set(w("abstractNumId"), fresh_abstract)
            for old in copy.findall(w("nsid")):
                copy.remove(old)
            left.insert(len(left.findall(w("abstractNum"))), copy)
        copy = deepcopy(num)
        copy.set(w("numId"), fresh_num)
        for pointer in copy.findall(w("abstractNumId")):
            pointer.set(VAL, fresh_abstract)
        left.append(copy)
        return fresh_num

    def _style(self, style_id: str) -> None:
        left, right = self._root(0, "styles"), self._root(1, "styles")
        if style_id in self._styles or left is None or right is None:
            return
        self._styles.add(style_id)
        if any(n.get(w("styleId")) == style_id for n in left.iterfind(w("style"))):
            return
        found = next(
            (n for n in right.iterfind(w("style")) if n.get(w("styleId")) == style_id), None
        )
        if found is None:
            return
        copy = deepcopy(found)
        copy.attrib.pop(w("default"), None)
        left.append(copy)
        for number in copy.iter(w("numId")):
            number.set(VAL, self._list(val(number)))
        for name in ("basedOn", "next", "link"):
            if child(copy, name) is not None:
                self._style(val(child(copy, name)))

    def save(self) -> None:
        """Write the parts of the left side that took something in or were changed."""
        for kind in ("numbering", "styles", "footnotes", "endnotes"):
            root = self._roots.get(f"0{kind}")
            if root is None:
                continue
            name = self._left.related(self._mains[0], kind)[0]
            before = self._left.parse(name)
            if [*map(_text, before)] != [*map(_text, root)]:
                self._left.write_xml(name, root)


def _text(node: Element) -> bytes:
    return bytes(etree.tostring(node))


def _highest(root: Element, tag: str, attribute: str) -> int:
    return max((whole_number(n.get(w(attribute))) for n in root.iterfind(w(tag))), default=0)
