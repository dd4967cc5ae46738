"""Compares the blocks of two containers: paragraphs, tables, content controls, sections, and their notes."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace

from deskmate_documents.docx.align import Step, align, overlap
from deskmate_documents.docx.blockmarks import carry_grid, carry_settings, mark_block, mark_row
from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.inline import Sides, compare_inline
from deskmate_documents.docx.marking import Marker, ensure, mark_content
from deskmate_documents.docx.merging import is_empty
from deskmate_documents.docx.wml import (
    DEL,
    ID,
    INS,
    PPR,
    R_NS,
    RPR,
    TBL,
    TC,
    TR,
    P,
    accepted_text,
    child,
    w,
)
from deskmate_documents.docx.worddiff import words
from deskmate_documents.opc import Element, Package

SDT = w("sdt")
_BLOCKS = (P, TBL, SDT)
_ALIKE = 0.3


class BlockComparer:
    """Turns the left tree into one with tracked changes that lead to the right one."""

    def __init__(self, sides: Sides, packages: tuple[Package, Package]) -> None:
        """`sides`: both documents. `packages`: left and right, for headers and footers."""
        self._sides = replace(sides, note=self._note)
        self._packages = packages
        self._marker: Marker = sides.marker
        self.pairs: list[tuple[Element | None, Element | None]] = []
        self.stories: list[Element] = []
        self._parts: dict[str, Element] = {}
        self._originals: dict[Element, Element | None] = {}

    def container(self, left: Element, right: Element) -> None:
        """Compare all blocks of two containers."""
        ours = [n for n in left if n.tag in _BLOCKS]
        theirs = [n for n in right if n.tag in _BLOCKS]
        keys = (
            [self._sides.left.block(n) for n in ours],
            [self._sides.right.block(n) for n in theirs],
        )
        bags: dict[Element, Counter[str]] = {}

        def likeness(i: int, j: int) -> float:
            return _likeness(ours[i], theirs[j], bags)

        steps = align(*keys, likeness, force_last=True)
        self._carry_out(left, ours, theirs, steps)
        sections = left.find(w("sectPr")), right.find(w("sectPr"))
        if sections[0] is not None and sections[1] is not None:
            self._section(*sections)

    def _carry_out(
        self, left: Element, ours: list[Element], theirs: list[Element], steps: list[Step]
    ) -> None:
        cursor: Element | None = None
        done: list[tuple[str, Element]] = []
        for step in steps:
            old = None if step.left is None else ours[step.left]
            new = None if step.right is None else theirs[step.right]
            if old is not None and new is not None:
                if not step.same:
                    self._pair(old, new)
                done.append(("kept", old))
            elif old is not None:
                self._record(old, None)
                done.append(("gone", old))
            elif new is not None:
                self._record(None, new)
                copy = self._sides.copy(new)
                if cursor is None:
                    left.insert(_start(left), copy)
                else:
                    cursor.addnext(copy)
                done.append(("new", copy))
            cursor = done[-1][1]
        for state, node in self._ends(done):
            mark_block(self._marker, node, DEL if state == "gone" else INS)

    def _record(self, old: Element | None, new: Element | None) -> None:
        node = old if old is not None else new
        if node is None or node.tag == P:
            self.pairs.append((old, new))
            return
        for paragraph in node.iter(P):
            self.pairs.append((paragraph, None) if old is not None else (None, paragraph))

    def _ends(self, done: list[tuple[str, Element]]) -> list[tuple[str, Element]]:
        """Return the blocks to mark; where the container's end changes, the marks move up by one.

        The last paragraph's mark can neither come nor go. So the mark before it does, and the last
        paragraph takes over the look of the one that it continues.
        """
        changed = [item for item in done if item[0] != "kept"]
        if not done or done[-1][0] == "kept" or done[-1][1].tag != P:
            return changed
        state = done[-1][0]
        tail = []
        while done and done[-1][0] == state and done[-1][1].tag == P:
            tail.append(done.pop())
        if not done or done[-1] != ("kept", done[-1][1]) or done[-1][1].tag != P:
            return changed
        tail.reverse()
        holder, last = done[-1][1], tail[-1][1]
        tag = DEL if state == "gone" else INS
        mark_content(self._marker, last, tag)
        for _, node in tail[:-1]:
            mark_content(self._marker, node, tag)
            self._marker.mark_end(node, tag)
        if state == "gone":
            self._restyle(last, holder, own=True)
        else:
            self._former(last, holder)
        self._marker.mark_end(holder, tag)
        return [item for item in changed if item not in tail]

    def _former(self, node: Element, before: Element) -> None:
        """Record that a paragraph looked as `before` did in the older version."""
        former = self._originals.get(before, child(before, "pPr"))
        if self._sides.left.form(child(node, "pPr")) != self._sides.left.form(former):
            self._change_properties(ensure(node, PPR, 0), former)

    def _change_properties(self, properties: Element, before: Element | None) -> None:
        mark = child(before, "rPr")
        if self._sides.left.form(properties.find(RPR)) != self._sides.left.form(mark):
            self._marker.former(ensure(properties, RPR), mark)
        self._marker.former(properties, before)

    def _restyle(self, node: Element, like: Element, *, own: bool = False) -> None:
        """Give a paragraph the properties of another one, as a tracked change."""
        canon = self._sides.left if own else self._sides.right
        wanted = child(like, "pPr")
        before = child(node, "pPr")
        if self._sides.left.form(before) == canon.form(wanted):
            return
        self._originals[node] = deepcopy(before)
        if before is not None:
            node.remove(before)
        fresh = ensure(node, PPR, 0)
        if wanted is not None:
            copy = self._sides.copy(wanted)
            for part in list(copy):
                if part.tag != w("sectPr"):
                    fresh.append(part)
        section = child(before, "sectPr")
        if section is not None:
            fresh.append(section)
            if child(wanted, "sectPr") is not None and not own:
                self._section(section, child(wanted, "sectPr"))
        self._change_properties(fresh, before)

    def _pair(self, old: Element, new: Element) -> None:
        if old.tag == P:
            self.pairs.append((old, new))
            if self._sides.left.stretches(old) != self._sides.right.stretches(new):
                compare_inline(old, new, self._sides)
            self._restyle(old, new)
        elif old.tag == TBL:
            self._table(old, new)
        else:
            self.container(child(old, "sdtContent"), child(new, "sdtContent"))

    def _table(self, old: Element, new: Element) -> None:
        carry_settings(self._sides, old, new, "tblPr")
        grids = old.find(w("tblGrid")), new.find(w("tblGrid"))
        if None not in grids and self._sides.left.form(grids[0]) != self._sides.right.form(
            grids[1]
        ):
            carry_grid(self._sides, *grids)
        ours, theirs = old.findall(TR), new.findall(TR)
        keys = (
            [self._sides.left.block(n) for n in ours],
            [self._sides.right.block(n) for n in theirs],
        )
        bags: dict[Element, Counter[str]] = {}

        def likeness(i: int, j: int) -> float:
            same = len(ours[i].findall(TC)) == len(theirs[j].findall(TC))
            return max(_overlap(ours[i], theirs[j], bags), 0.01) if same else 0.0

        cursor: Element | None = None
        for step in align(*keys, likeness):
            row = ours[step.left] if step.left is not None else None
            other = theirs[step.right] if step.right is not None else None
            if row is None and other is not None:
                self._record(None, other)
                row = self._sides.copy(other)
                if cursor is None:
                    ours[0].addprevious(row) if ours else old.append(row)
                else:
                    cursor.addnext(row)
                mark_row(self._marker, row, INS)
            elif row is not None and other is None:
                self._record(row, None)
                mark_row(self._marker, row, DEL)
            elif row is not None and other is not None and not step.same:
                self._row(row, other)
            cursor = row

    def _row(self, old: Element, new: Element) -> None:
        for name in ("tblPrEx", "trPr"):
            carry_settings(self._sides, old, new, name)
        for cell, other in zip(old.findall(TC), new.findall(TC), strict=True):
            carry_settings(self._sides, cell, other, "tcPr")
            if self._sides.left.block(cell) != self._sides.right.block(other):
                self.container(cell, other)

    def _section(self, old: Element, new: Element) -> None:
        plain = self._bare(old, self._sides.left), self._bare(new, self._sides.right)
        if plain[0] != plain[1]:
            before = self._sides.copy(old)
            references = [n for n in old if n.tag in _HEADERS]
            for node in list(old):
                old.remove(node)
            old.extend(references)
            for node in self._sides.copy(new) if not references else new:
                if node.tag not in _HEADERS:
                    old.append(self._sides.copy(node))
            self._marker.former(old, before)
        for tag in _HEADERS:
            theirs = {n.get(w("type"), "default"): n for n in new.findall(tag)}
            for reference in old.findall(tag):
                other = theirs.get(reference.get(w("type"), "default"))
                if other is not None:
                    self._story(reference.get(_R_ID), other.get(_R_ID))

    def _bare(self, section: Element, canon: Canon) -> str:
        return " ".join(sorted(canon.form(n) for n in section if n.tag not in _HEADERS))

    def _story(self, left_id: str | None, right_id: str | None) -> None:
        """Compare a header or footer in its own part."""
        left, right = self._packages
        ours = left.relationships(self._sides.parts[0]).get(left_id or "")
        theirs = right.relationships(self._sides.parts[1]).get(right_id or "")
        if ours is None or theirs is None or ours.target in self._parts:
            return
        roots = left.parse(ours.target), right.parse(theirs.target)
        canons = Canon(left, ours.target, 1), Canon(right, theirs.target, 1)
        if canons[0].blocks(roots[0]) == canons[1].blocks(roots[1]):
            return
        inner = BlockComparer(
            replace(
                self._sides, left=canons[0], right=canons[1], parts=(ours.target, theirs.target)
            ),
            self._packages,
        )
        inner.container(*roots)
        self._parts[ours.target] = roots[0]
        self.stories.append(roots[0])

    def _note(self, kind: str, left_id: str | None, right_id: str | None) -> None:
        """Compare a footnote or endnote in its own part."""
        roots = self._sides.importer.notes(kind)
        found = [
            next((n for n in root if n.get(ID) == name), None) if root is not None else None
            for root, name in zip(roots, (left_id, right_id), strict=True)
        ]
        if found[0] is None or found[1] is None:
            return
        parts = [p.related(m, kind) for p, m in zip(self._packages, self._sides.parts, strict=True)]
        if not all(parts):
            return
        names = parts[0][0], parts[1][0]
        sides = replace(
            self._sides,
            left=Canon(self._packages[0], names[0], 1),
            right=Canon(self._packages[1], names[1], 1),
            parts=names,
        )
        inner = BlockComparer(sides, self._packages)
        inner.container(found[0], found[1])
        self.stories.append(found[0])
        self.pairs.extend(inner.pairs)

    def save(self) -> None:
        """Write the headers and footers that changed."""
        for name, root in self._parts.items():
            self._packages[0].write_xml(name, root)


_HEADERS = (w("headerReference"), w("footerReference"))
_R_ID = f"{{{R_NS}}}id"


def _start(container: Element) -> int:
    """Return where the first block of a container goes: behind its properties."""
    named = {w("tcPr"), w("sdtPr")}
    return sum(1 for node in container if node.tag in named)


def _likeness(one: Element, two: Element, bags: dict[Element, Counter[str]]) -> float:
    if one.tag != two.tag:
        return 0.0
    if one.tag == SDT and None in (child(one, "sdtContent"), child(two, "sdtContent")):
        return 0.0
    if one.tag == P and (child(one, "pPr", "sectPr") is None) != (
        child(two, "pPr", "sectPr") is None
    ):
        return 0.0  # the end of a section can come or go, not become plain text
    if one.tag == P and is_empty(one) and is_empty(two):
        return 1.0
    share = _overlap(one, two, bags)
    if one.tag == P:
        return share if share > _ALIKE else 0.0
    return max(share, 0.05)


def _overlap(one: Element, two: Element, bags: dict[Element, Counter[str]]) -> float:
    for node in (one, two):
        if node not in bags:
            paragraphs = [node] if node.tag == P else list(node.iter(P))
            text = " ".join(accepted_text(p) for p in paragraphs)
            bags[node] = Counter(word for word in words(text) if not word.isspace())
    return overlap(bags[one], bags[two])
