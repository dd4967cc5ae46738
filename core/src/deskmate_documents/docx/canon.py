"""The comparable form of a Word document's content: lines that are equal where Word sees no difference."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from lxml import etree

from deskmate_documents.docx.merging import MARKERS
from deskmate_documents.docx.wml import (
    ADDED,
    DEL_TEXT,
    FALLBACK,
    GONE,
    ID,
    M_NS,
    M_R,
    PPR,
    R_NS,
    RPR,
    TBL,
    TC,
    TR,
    W_NS,
    P,
    R,
    T,
    child,
    val,
    w,
)
from deskmate_documents.graphics import comparable
from deskmate_documents.opc import Element, Package

_IGNORED = MARKERS | {
    FALLBACK,
    *(
        w(n)
        for n in ("lastRenderedPageBreak", "commentReference", "annotationRef", "tblGridChange")
    ),
    *(w(n) for n in ("lang", "noProof", "cnfStyle")),
}
_IGNORED_ATTRIBUTES = (
    "rsid",
    "paraId",
    "textId",
    "anchorId",
    "editId",
    "Unid",
    "SHA1Hash",
    "Status",
)
_SETS = {PPR, RPR, w("tblPr"), w("trPr"), w("tcPr"), w("sectPr"), w("sdtPr"), w("tblPrEx")}
_TRANSPARENT = {w("smartTag"), w("customXml")}
_REFERENCES = {w("footnoteReference"): "footnotes", w("endnoteReference"): "endnotes"}
_KNOWN_NS = (W_NS, M_NS, R_NS)
_ON = {"1", "true", "on"}


class Canon:
    """Makes comparable lines of the blocks of one part."""

    def __init__(self, package: Package, part: str, depth: int = 0) -> None:
        """`depth`: of notes and headers inside one another, to end a cycle."""
        self._package = package
        self._part = part
        self._depth = depth
        self._rels = package.relationships(part)
        self._lists: dict[str, str] = {}
        self._numbering: Element | None = None
        if depth == 0:
            names = package.related(part, "numbering")
            self._numbering = package.parse(names[0]) if names else None
        self._notes: dict[str, dict[str, Element]] = {}
        self._looks: dict[bytes, str] = {}

    def blocks(self, container: Element) -> list[str]:
        """Return the lines of a container's blocks."""
        return list(self._blocks(container))

    def block(self, node: Element) -> tuple[str, ...]:
        """Return the lines of one block."""
        return tuple(self._block(node))

    def _blocks(self, container: Iterable[Element]) -> Iterator[str]:
        for node in container:
            if isinstance(node.tag, str) and node.tag not in _IGNORED:
                yield from self._block(node)

    def _block(self, node: Element) -> Iterator[str]:
        tag = node.tag
        if tag == P:
            yield from self._paragraph(node)
        elif tag in _TRANSPARENT or tag == w("sdtContent"):
            yield from self._blocks(node)
        elif tag == TBL and node.find(f".//{TR}") is None:
            return  # Word shows nothing for a table without rows
        elif tag in (TBL, TR, TC, w("sdt")):
            yield f"<{_name(tag)}"
            yield from self._blocks(node)
            yield f"{_name(tag)}>"
        else:
            text = self.form(node)
            if text:
                yield text

    def _paragraph(self, node: Element) -> Iterator[str]:
        yield f"p {self.form(child(node, 'pPr'))}"
        for key, text in self.stretches(node):
            yield f"  {key}|{text}"

    def stretches(self, paragraph: Element) -> list[tuple[str, str]]:
        """Return a paragraph's content as (format, text), neighbours of one format joined."""
        out: list[tuple[str, str]] = []
        for key, text in self._inline(paragraph, ""):
            if out and out[-1][0] == key:
                out[-1] = (key, out[-1][1] + text)
            elif text:
                out.append((key, text))
        return out

    def _inline(self, parent: Element, context: str) -> Iterator[tuple[str, str]]:
        for node in parent:
            tag = node.tag
            if not isinstance(tag, str) or tag == PPR or tag in _IGNORED:
                continue
            if tag in (R, M_R):
                yield from self._run(node, context)
            elif tag in _TRANSPARENT:
                yield from self._inline(node, context)
            elif tag in GONE or tag in ADDED:
                mark = f"[{_name(tag)} {node.get(w('author'), '')}]"
                yield from self._inline(node, context + mark)
            elif tag in (w("sdt"), w("hyperlink"), w("fldSimple")):
                yield (f"{context}<", f"{_name(tag)}{self._attributes(node)}{self._control(node)}")
                content = child(node, "sdtContent") if tag == w("sdt") else node
                yield from self._inline(() if content is None else content, context)
                yield (f"{context}>", _name(tag))
            else:
                yield (f"{context}#", self.form(node))

    def shell(self, node: Element) -> str:
        """Return a link, field or content control in one line without what is in it."""
        return f"<{_name(node.tag)}{self._attributes(node)}{self._control(node)}>"

    def _control(self, node: Element) -> str:
        return self.form(child(node, "sdtPr")) if node.tag == w("sdt") else ""

    def _run(self, run: Element, context: str) -> Iterator[tuple[str, str]]:
        key = context + self.form(run.find(RPR))
        for node in run:
            tag = node.tag
            if tag == RPR or tag in _IGNORED or not isinstance(tag, str):
                continue
            if tag in (T, DEL_TEXT) or tag == f"{{{M_NS}}}t":
                yield key, node.text or ""
            elif tag in GONE or tag in ADDED:
                yield from self._run(node, f"{context}[{_name(tag)} {node.get(w('author'), '')}]")
            elif tag in _REFERENCES:
                yield key, self.note(node, _REFERENCES[tag])
            else:
                yield key, "\t" if tag == w("tab") else self.form(node)

    def note(self, node: Element, kind: str) -> str:
        """Return a reference with the digest of its note, for its number says nothing."""
        if kind not in self._notes:
            parts = self._package.related(self._part, kind)
            found = self._package.parse(parts[0]) if parts else ()
            self._notes[kind] = {n.get(ID, ""): n for n in found if isinstance(n.tag, str)}
        note = self._notes[kind].get(node.get(ID, ""))
        parts = self._package.related(self._part, kind)
        if note is None or self._depth > 2:
            return f"<{kind}?>"
        lines = Canon(self._package, parts[0], self._depth + 1).blocks(note)
        return f"<{kind} {_digest(lines)}>"

    def form(self, node: Element | None) -> str:
        """Return any other element in one line: attributes sorted, sets of properties sorted, "" for none."""
        if node is None or not isinstance(node.tag, str) or node.tag in _IGNORED:
            return ""
        if node.tag == RPR:
            # Most runs of a document share a handful of looks.
            key = etree.tostring(node, with_tail=False)
            if key not in self._looks:
                self._looks[key] = self._form(node)
            return self._looks[key]
        return self._form(node)

    def _form(self, node: Element) -> str:
        if node.tag == P:
            return " ".join(self._paragraph(node))
        special = self._special(node)
        if special is not None:
            return special
        parts = [text for text in map(self.form, node) if text]
        if node.tag in _SETS:
            parts.sort()
        own = (node.text or "").strip() if len(node) == 0 else ""
        attributes = self._attributes(node)
        if node.tag in _SETS and not parts:
            return ""
        if node.tag in (R, M_R) and all(part.startswith("rPr{") for part in parts):
            return ""
        return f"{_name(node.tag)}{attributes}{'{' + ' '.join(parts) + '}' if parts else ''}{own}"

    def _special(self, node: Element) -> str | None:
        parent = node.getparent()
        if node.tag == w("numId"):
            return self._list(val(node))
        if node.tag == ID_ELEMENT and parent is not None and parent.tag == w("sdtPr"):
            return ""
        if node.tag in (w("headerReference"), w("footerReference")):
            relationship = self._rels.get(node.get(f"{{{R_NS}}}id", ""))
            digest = self._story(relationship.target) if relationship else "?"
            return f"{_name(node.tag)}:{node.get(w('type'), 'default')}:{digest}"
        return None

    def _story(self, part: str) -> str:
        if self._depth > 0 or part not in self._package:
            return "?"
        return _digest(Canon(self._package, part, 1).blocks(self._package.parse(part)))

    def _list(self, number: str) -> str:
        """Name a list by the order of its first use and by its levels, for ids may be renewed."""
        if number not in self._lists:
            self._lists[number] = f"list{len(self._lists) + 1}:{self.levels(number)}"
        return self._lists[number] if number != "0" else "list0"

    def levels(self, number: str) -> str:
        """Return a digest of what a list's levels look like, "?" if there is no such list."""
        if self._numbering is None:
            return "?"
        for node in self._numbering.iterfind(w("num")):
            if node.get(w("numId")) == number:
                wanted = val(child(node, "abstractNumId"))
                abstract = next(
                    (
                        a
                        for a in self._numbering.iterfind(w("abstractNum"))
                        if a.get(w("abstractNumId")) == wanted
                    ),
                    None,
                )
                levels = [] if abstract is None else abstract.findall(w("lvl"))
                return _digest([self.form(n) for n in (*levels, *node.findall(w("lvlOverride")))])
        return "?"

    def _attributes(self, node: Element) -> str:
        found = []
        for name, value in node.attrib.items():
            space, _, local = name.rpartition("}")
            space = space.lstrip("{")
            if local.startswith(_IGNORED_ATTRIBUTES) or local.endswith(_IGNORED_ATTRIBUTES):
                continue
            if space == R_NS:
                found.append(f"{local}={self._target(value)}")
            elif self._says(node, space, local, value):
                found.append(f"{local}={value}")
        return f"[{' '.join(sorted(found))}]" if found else ""

    def _says(self, node: Element, space: str, local: str, value: str) -> bool:
        """Say whether an attribute means anything to a reader."""
        if space == "http://www.w3.org/XML/1998/namespace" or "powertools" in space.lower():
            return False
        if space == W_NS and local == "id" and node.tag != w("permStart"):
            return False
        if local in {"date"} and node.get(w("author")) is not None:
            return False
        if local == "val" and value in _ON and len(node) == 0 and node.getparent().tag == RPR:
            return False
        return not (local in {"id", "name"} and _name(node.tag) in {"docPr", "cNvPr"})

    def _target(self, relationship_id: str) -> str:
        relationship = self._rels.get(relationship_id)
        if relationship is None:
            return "?"
        if relationship.external:
            return relationship.target
        if relationship.target not in self._package:
            return "?"
        data = self._package.read(relationship.target)
        if relationship.kind == "diagramData":
            data = comparable(self._package.parse(relationship.target))
        return hashlib.sha256(data).hexdigest()[:16]


ID_ELEMENT = w("id")


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
