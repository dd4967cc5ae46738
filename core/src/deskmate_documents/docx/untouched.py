"""Says what a redline changed outside its tracked changes: in other parts, in markers, in objects that it slipped in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lxml import etree

from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.commenting import COMMENTS_TYPE
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import (
    DEL_TEXT,
    FALLBACK,
    ID,
    M_TEXT,
    RPR,
    R,
    T,
    child,
    is_on,
    w,
)
from deskmate_documents.opc import OFFICE_RELS, TYPES_PART, Element, Package, parse_xml, rels_name

_MARKERS = {w(n) for n in ("bookmarkStart", "bookmarkEnd", "permStart", "permEnd")}
_ANCHORS = {w(n) for n in ("commentRangeStart", "commentRangeEnd", "commentReference")}
_TEXTS = {T, DEL_TEXT, M_TEXT}
_OBJECTS = tuple(
    w(n)
    for n in (
        *("drawing", "pict", "object", "fldChar", "instrText", "fldSimple", "hyperlink", "sym"),
        *("footnoteReference", "endnoteReference", "sdt", "altChunk", "subDoc", "control"),
    )
)
_SHAPES = tuple(w(n) for n in ("sectPr", "tbl", "tr", "tc"))
_FORMER = tuple(
    w(f"{n}Change")
    for n in ("rPr", "pPr", "sectPr", "tblPr", "tblPrEx", "trPr", "tcPr", "tblGrid", "numbering")
)
_HIDDEN = ("vanish", "webHidden", "specVanish")


def changed_parts(original: Path, rejected: Path, author: str) -> tuple[str, ...]:
    """Return what differs outside the body's content once the changes are rejected, a line each; empty if nothing.

    Expected, and not told: comments of `author`, in the part for comments, with its type and its relationship.

    Raises:
        ToolInputError: one of the files cannot be read as a DOCX.
    """
    return tuple(_Parts(Package(original), Package(rejected), author).found())


def added_objects(original: Path, accepted: Path, redline: Path, author: str) -> tuple[str, ...]:
    """Return what `author` changed by tracked changes beyond words, a line each; empty if nothing.

    That is: formatting, hidden words, and pictures, fields, links, notes, sections, tables that the original lacks.

    Raises:
        ToolInputError: one of the files cannot be read as a DOCX.
    """
    _, root = open_body(Package(redline))
    found = [
        f"formatting is changed ({etree.QName(node).localname})"
        for node in root.iter(*_FORMER)
        if node.get(w("author")) == author
    ]
    added = _objects(accepted) - _objects(original)
    found += [f"added: {form[:120]}" for form in added]
    return tuple(dict.fromkeys(found))


class _Parts:
    """Two packages, part by part."""

    def __init__(self, left: Package, right: Package, author: str) -> None:
        self._left, self._right, self._author = left, right, author
        self._main, _ = open_body(left)
        comments = right.related(self._main, "comments") if self._main in right else ()
        self._comments = comments[0] if comments else ""

    def found(self) -> Iterator[str]:
        rels = rels_name(self._main)
        ours, theirs = set(self._left.names), set(self._right.names)
        own = {self._comments, rels}
        yield from (f"{name} is gone" for name in sorted(ours - theirs))
        yield from (f"{name} is added" for name in sorted(theirs - ours - own))
        for name in sorted(ours & theirs):
            if self._left.read(name) == self._right.read(name):
                continue
            if name == self._main:
                yield from self._body()
            elif name in (rels, TYPES_PART):
                continue
            elif name != self._comments and not self._same(name):
                yield f"{name} is changed"
        yield from self._entries(rels, self._own_relationship)
        yield from self._entries(TYPES_PART, self._own_type)
        if self._comments:
            yield from self._remarks()

    def _same(self, name: str) -> bool:
        if name.rpartition(".")[2].lower() not in {"xml", "rels"}:
            return False
        return _exact(self._left.parse(name)) == _exact(self._right.parse(name))

    def _body(self) -> Iterator[str]:
        left, right = self._left.parse(self._main), self._right.parse(self._main)
        if dict(left.attrib) != dict(right.attrib):
            yield f"{self._main}: the attributes of the document are changed"
        rest = [[_exact(n) for n in root if n.tag != w("body")] for root in (left, right)]
        if rest[0] != rest[1] or len(right) != len(left):
            yield f"{self._main}: something outside the body is changed"
        stand_ins = [[_exact(n) for n in root.iter(FALLBACK)] for root in (left, right)]
        if stand_ins[0] != stand_ins[1]:
            yield f"{self._main}: what stands in for a drawing is changed"
        known = {n.get(ID) for n in left.iter(*_ANCHORS)}
        for line, count in (_places(left, known) - _places(right, known)).items():
            yield f"{self._main}: {line} is moved or gone ({count})"
        for line, count in (_places(right, known) - _places(left, known)).items():
            yield f"{self._main}: {line} is moved or added ({count})"

    def _entries(self, name: str, own: Callable[[dict[str, str]], bool]) -> Iterator[str]:
        """Compare a list of entries whose order does not count; `own`: says which new ones are expected."""
        left = Counter(_listed(self._left, name))
        for entry, count in (Counter(_listed(self._right, name)) - left).items():
            if count > 1 or not own(dict(entry)):
                yield f"{name} has a new entry {_shown(entry)}"
        for entry in left - Counter(_listed(self._right, name)):
            yield f"{name} lost its entry {_shown(entry)}"

    def _own_relationship(self, entry: dict[str, str]) -> bool:
        rel = self._right.relationships(self._main).get(entry.get("Id", ""))
        return (
            rel is not None
            and not rel.external
            and entry.get("Type") == f"{OFFICE_RELS}/comments"
            and rel.target == self._comments
            and self._comments not in self._left
        )

    def _own_type(self, entry: dict[str, str]) -> bool:
        named = entry.get("PartName", "") == f"/{self._comments}"
        return named and entry.get("ContentType") == COMMENTS_TYPE

    def _remarks(self) -> Iterator[str]:
        known = self._left.parse(self._comments) if self._comments in self._left else ()
        before = Counter(_exact(node) for node in known)
        for node in self._right.parse(self._comments):
            if before[_exact(node)] > 0:
                before[_exact(node)] -= 1
            elif node.tag != w("comment") or node.get(w("author")) != self._author:
                yield f"{self._comments}: a comment that is not ours is changed or added"
            elif any(True for _ in node.iter(*_OBJECTS)):
                yield f"{self._comments}: a comment holds more than words"
        if before.total():
            yield f"{self._comments}: a comment that was there is changed or gone"


def _exact(node: Element) -> bytes:
    return bytes(etree.tostring(node, method="c14n", exclusive=True, with_tail=False))


def _listed(package: Package, name: str) -> Iterator[tuple[tuple[str, str], ...]]:
    if name in package:
        for node in parse_xml(package.read(name), name):
            yield (("", etree.QName(node).localname), *sorted(node.attrib.items()))


def _shown(entry: tuple[tuple[str, str], ...]) -> str:
    return " ".join(value for _, value in entry)[:120]


def _places(root: Element, anchors: set[str | None]) -> Counter[str]:
    """Count bookmarks, permissions and the anchors of these comments, each with the letters before it."""
    found: Counter[str] = Counter()
    offset = 0
    names: dict[str | None, str] = {}
    for node in root.iter():
        if node.tag in _TEXTS:
            offset += len(node.text or "")
        elif node.tag in _MARKERS:
            kind = etree.QName(node).localname
            name = node.get(w("name")) or " ".join(
                node.get(w(n), "") for n in ("ed", "edGrp") if node.get(w(n))
            )
            if kind.endswith("Start"):
                names[node.get(ID)] = name
            found[f"{kind} {names.get(node.get(ID), '')} at {offset}"] += 1
        elif node.tag in _ANCHORS and node.get(ID) in anchors:
            found[f"{etree.QName(node).localname} {node.get(ID)} at {offset}"] += 1
    return found


def _objects(path: Path) -> Counter[str]:
    """Count what is not plain words: objects by what they hold, tables and sections, hidden letters."""
    package = Package(path)
    main, root = open_body(package)
    canon = Canon(package, main)
    found: Counter[str] = Counter()
    for node in root.iter(*_OBJECTS):
        name = etree.QName(node).localname
        inner = node.tag in {w("hyperlink"), w("fldSimple"), w("sdt")}
        found[canon.shell(node) if inner else canon.form(node) or name] += 1
    for node in root.iter(*_SHAPES):
        found[etree.QName(node).localname] += 1
    for run in root.iter(R):
        properties = run.find(RPR)
        if properties is not None and any(is_on(child(properties, name)) for name in _HIDDEN):
            for text in run.iter(T):
                found.update(f"hidden letter {letter!r}" for letter in text.text or "")
    return found
