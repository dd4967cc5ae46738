"""Accepts or rejects tracked changes: text, paragraph marks, tables, content controls, moves, properties."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from deskmate_documents.docx.merging import MARKERS, drop_ranges, merge_paragraphs, tidy
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import (
    DEL,
    DEL_TEXT,
    ID,
    INS,
    M_NS,
    MOVE_FROM,
    MOVE_TO,
    PPR,
    RPR,
    TBL,
    TC,
    TR,
    XML_SPACE,
    P,
    T,
    child,
    w,
)
from deskmate_documents.opc import Element, Package

STORIES = ("header", "footer", "footnotes", "endnotes")
_AUTHOR = w("author")
_CHANGES = tuple(
    w(f"{name}Change")
    for name in ("rPr", "pPr", "sectPr", "tblPr", "tblPrEx", "trPr", "tcPr", "tblGrid")
)
_KEPT = {
    w("pPr"): {RPR, w("sectPr")},
    w("rPr"): {INS, DEL, MOVE_FROM, MOVE_TO},
    w("sectPr"): {w("headerReference"), w("footerReference")},
    w("trPr"): {INS, DEL},
    w("tcPr"): {w("cellIns"), w("cellDel"), w("cellMerge")},
}
_MARKS = (INS, DEL, MOVE_FROM, MOVE_TO)
_TRACKED = (*_MARKS, *_CHANGES, w("cellIns"), w("cellDel"), w("cellMerge"))
_SHELL = {w("sdtPr"), w("sdtEndPr"), w("smartTagPr")}
_CONTROL = f"{{{M_NS}}}ctrlPr"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What to do with a change. `authors`: None for everyone."""

    accept: bool
    authors: Collection[str] | None

    def concerns(self, node: Element) -> bool:
        return self.authors is None or node.get(_AUTHOR, "") in self.authors

    def removes(self, node: Element) -> bool:
        """Say whether what this mark encloses goes away."""
        return (node.tag in (DEL, MOVE_FROM)) == self.accept


def accept_all(source: Path, target: Path, *, authors: Collection[str] | None = None) -> None:
    """Write `source` with tracked changes accepted; `authors`: only theirs, None for everyone's.

    Raises:
        ToolInputError: the source cannot be read as a DOCX.
    """
    _resolve(source, target, _Choice(True, authors))


def reject_all(source: Path, target: Path, *, authors: Collection[str] | None = None) -> None:
    """Write `source` with tracked changes rejected; `authors`: only theirs, None for everyone's.

    Raises:
        ToolInputError: the source cannot be read as a DOCX.
    """
    _resolve(source, target, _Choice(False, authors))


def authors_of(path: Path) -> frozenset[str]:
    """Return who made the tracked changes of a document; empty if it has none.

    Raises:
        ToolInputError: it cannot be read as a DOCX.
    """
    package = Package(path)
    main, root = open_body(package)
    parts = [part for kind in STORIES for part in package.related(main, kind)]
    roots = [root, *(package.parse(part) for part in parts)]
    return frozenset(node.get(_AUTHOR, "") for story in roots for node in story.iter(*_TRACKED))


def _resolve(source: Path, target: Path, choice: _Choice) -> None:
    package = Package(source)
    main, root = open_body(package)
    before = {kind: _references(root, kind) for kind in _NOTES}
    if resolve_changes(root, choice.accept, choice.authors):
        package.write_xml(main, root)
    for kind in STORIES:
        for part in package.related(main, kind):
            story = package.parse(part)
            if resolve_changes(story, choice.accept, choice.authors):
                package.write_xml(part, story)
    for kind, (reference, note) in _NOTES.items():
        gone = before[kind] - {n.get(ID) for n in root.iter(w(reference))}
        _drop_notes(package, main, kind, note, gone)
    package.save(target)


_NOTES = {
    "footnotes": ("footnoteReference", "footnote"),
    "endnotes": ("endnoteReference", "endnote"),
    "comments": ("commentReference", "comment"),
}


def _references(root: Element, kind: str) -> set[str | None]:
    return {node.get(ID) for node in root.iter(w(_NOTES[kind][0]))}


def _drop_notes(package: Package, main: str, kind: str, note: str, gone: set[str | None]) -> None:
    """Remove notes and comments whose reference went away, as Word does."""
    for part in package.related(main, kind) if gone else ():
        root = package.parse(part)
        for node in list(root.iterfind(w(note))):
            if node.get(ID) in gone:
                root.remove(node)
        package.write_xml(part, root)


def resolve_changes(root: Element, accept: bool, authors: Collection[str] | None = None) -> bool:
    """Resolve the tracked changes below `root` in place; say whether there were any."""
    choice = _Choice(accept, authors)
    before = sum(1 for _ in root.iter())
    touched = _properties(root, choice)
    touched |= _tables(root, choice)
    touched |= _controls(root, choice)
    touched |= _runs_and_marks(root, choice)
    touched |= drop_ranges(root, choice.concerns)
    if touched or before != sum(1 for _ in root.iter()):
        tidy(root)
        return True
    return False


def _properties(root: Element, choice: _Choice) -> bool:
    found = [node for node in root.iter(*_CHANGES, w("numberingChange")) if choice.concerns(node)]
    for node in found:
        parent = node.getparent()
        if parent is None:
            continue
        parent.remove(node)
        if choice.accept or node.tag == w("numberingChange"):
            continue
        kept = _KEPT.get(parent.tag, set())
        for old in [c for c in parent if c.tag not in kept]:
            parent.remove(old)
        former = [c for c in (node[0] if len(node) else ()) if c.tag not in kept]
        # rPr and sectPr end a pPr, references begin a sectPr, marks begin an rPr.
        if parent.tag == PPR:
            parent[0:0] = former
        else:
            parent.extend(former)
    return bool(found)


def _tables(root: Element, choice: _Choice) -> bool:
    touched = False
    for mark in list(root.iter(INS, DEL)):
        parent = mark.getparent()
        if parent is None or parent.tag != w("trPr") or not choice.concerns(mark):
            continue
        touched = True
        if choice.removes(mark):
            _remove_row(parent.getparent())
        else:
            parent.remove(mark)
    for mark in list(root.iter(w("cellIns"), w("cellDel"), w("cellMerge"))):
        properties = mark.getparent()
        if properties is None or not choice.concerns(mark):
            continue
        touched = True
        properties.remove(mark)
        if mark.tag == w("cellMerge"):
            _merge_cell(properties, mark, choice)
        elif (mark.tag == w("cellDel")) == choice.accept:
            _remove_cell(properties.getparent())
    return touched


def _remove_row(row: Element) -> None:
    table = row.getparent()
    if table is None:
        return
    table.remove(row)
    while table.tag != TBL and table.find(f".//{TR}") is None and table.getparent() is not None:
        table = table.getparent()
    if table.tag == TBL and table.find(f".//{TR}") is None:
        holder = table.getparent()
        holder.remove(table)
        if holder.tag == TC and holder.find(P) is None:
            holder.append(holder.makeelement(P))


def _remove_cell(cell: Element) -> None:
    row = cell.getparent()
    if row is None:
        return
    row.remove(cell)
    if row.tag == TR and row.find(f".//{TC}") is None:
        _remove_row(row)


def _merge_cell(properties: Element, mark: Element, choice: _Choice) -> None:
    state = mark.get(w("vMerge" if choice.accept else "vMergeOrig"))
    for old in properties.findall(w("vMerge")):
        properties.remove(old)
    if state is None:
        return
    merge = properties.makeelement(w("vMerge"))
    if state == "rest":
        merge.set(w("val"), "restart")
    place = [
        c for c in properties if c.tag in {w(n) for n in ("cnfStyle", "tcW", "gridSpan", "hMerge")}
    ]
    properties.insert(len(place), merge)


def _controls(root: Element, choice: _Choice) -> bool:
    """Unwrap content controls whose insertion is rejected or whose deletion is accepted."""
    gone = ("Del", "MoveFrom") if choice.accept else ("Ins", "MoveTo")
    starts = {w(f"customXml{kind}RangeStart") for kind in gone}
    ends = {w(f"customXml{kind}RangeEnd") for kind in gone}
    opened: set[str] = set()
    unwrapped = []
    for node in root.iter():
        if node.tag in starts and choice.concerns(node):
            opened.add(node.get(ID, ""))
        elif node.tag in ends:
            opened.discard(node.get(ID, ""))
        elif opened and node.tag in (w("sdt"), w("customXml")):
            unwrapped.append(node)
    for node in unwrapped:
        content = child(node, "sdtContent") if node.tag == w("sdt") else node
        _replace(node, [] if content is None else [c for c in content if c.tag != w("customXmlPr")])
    return bool(unwrapped)


def _replace(node: Element, content: list[Element]) -> None:
    parent = node.getparent()
    at = parent.index(node)
    parent.remove(node)
    parent[at:at] = content


def _runs_and_marks(root: Element, choice: _Choice) -> bool:
    merged: list[Element] = []
    touched = False
    for mark in list(root.iter(*_MARKS)):
        parent = mark.getparent()
        if parent is None or not choice.concerns(mark):
            continue
        touched = True
        if parent.tag == RPR and parent.getparent() is not None and parent.getparent().tag == PPR:
            parent.remove(mark)
            if choice.removes(mark):
                merged.append(parent.getparent().getparent())
        elif parent.tag == w("numPr"):
            parent.remove(mark)
            if choice.removes(mark):
                parent.getparent().remove(parent)
        elif parent.tag == _CONTROL or next(mark.iterancestors(_CONTROL), None) is not None:
            _control_character(mark, choice)
        elif choice.removes(mark):
            _remove_content(mark)
        else:
            _keep_content(mark)
    merge_paragraphs(merged)
    return touched


def _control_character(mark: Element, choice: _Choice) -> None:
    """A fraction, root and so on that was inserted or deleted: it goes when nothing is left in it."""
    formula = next(mark.iterancestors(_CONTROL)).getparent().getparent()
    if mark.getparent().tag == RPR:
        mark.getparent().remove(mark)
    else:
        _replace(mark, list(mark))
    if choice.removes(mark) and formula is not None and formula.getparent() is not None:
        left = [
            t for t in formula.iter(f"{{{M_NS}}}t") if next(t.iterancestors(*_MARKS), None) is None
        ]
        if not any(t.text for t in left):
            formula.getparent().remove(formula)


def _remove_content(mark: Element) -> None:
    """Remove a change with its content, and the links and controls that it leaves empty."""
    parent = mark.getparent()
    parent.remove(mark)
    hollow = {w("hyperlink"), w("smartTag"), w("fldSimple"), w("sdtContent"), w("sdt")}
    while parent is not None and parent.tag in hollow and parent.getparent() is not None:
        if any(c.tag not in _SHELL and c.tag not in MARKERS for c in parent):
            break
        upper = parent.getparent()
        _replace(parent, [c for c in parent if c.tag in MARKERS])
        parent = upper


def _keep_content(mark: Element) -> None:
    if mark.tag in (DEL, MOVE_FROM):
        for text in mark.iter(DEL_TEXT, w("delInstrText")):
            text.tag = T if text.tag == DEL_TEXT else w("instrText")
            if text.text and text.text != text.text.strip():
                text.set(XML_SPACE, "preserve")
    _replace(mark, list(mark))
