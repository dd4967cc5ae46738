"""Redlines a contract: word-level tracked changes with comments, everything else left as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.docx.commenting import CommentWriter
from deskmate_documents.docx.cutting import Segment, cut, segments
from deskmate_documents.docx.marking import Marker, clean, runs_of
from deskmate_documents.docx.merging import MARKERS
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import (
    ADDED,
    DEL,
    INS,
    PPR,
    RPR,
    TBL,
    P,
    R,
    accepted_text,
    body_paragraphs,
    child,
    w,
)
from deskmate_documents.docx.worddiff import alike, word_changes
from deskmate_documents.opc import Element, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of a paragraph's words.

    `paragraph`: index as `read_docx` counts. `find`: words that occur exactly once in the paragraph;
    "" to put `replace` as a new paragraph after it (each line one paragraph). `reason`: goes into the
    comment. `reference`: such as the playbook's rule, goes there too.
    """

    paragraph: int
    find: str
    replace: str
    reason: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedlineResult:
    """What was written. `applied`: edits. `insertions`, `deletions`: stretches of text or paragraphs."""

    applied: int
    insertions: int
    deletions: int
    comments: int


@dataclass(slots=True)
class _Work:
    """One edit on the way. `marks`: the elements it made, in document order."""

    edit: Edit
    marks: list[Element] = field(default_factory=list)
    insertions: int = 0
    deletions: int = 0


def redline(
    source: Path, target: Path, edits: Sequence[Edit], *, author: str, date: str
) -> RedlineResult:
    """Write `source` with the edits as tracked changes of `author`, each with a comment.

    All edits are checked first; if one does not fit, nothing is written. Parts other than the main document
    and the comments keep their bytes. Changes of other authors stay as they are.

    Args:
        source: the contract.
        target: where the redline goes.
        edits: places as in the source; several may be in one paragraph but must not overlap.
        author: name of the reviewer.
        date: ISO date.

    Raises:
        ToolInputError: the source is unreadable or an edit does not fit; names edit and paragraph.
    """
    package = Package(source)
    main, root = open_body(package)
    paragraphs = body_paragraphs(root)
    marker = Marker([root], author, date)
    works = [_Work(edit) for edit in edits]
    by_paragraph: dict[int, list[tuple[int, int, str, _Work]]] = defaultdict(list)
    for number, work in enumerate(works, 1):
        _check(work.edit, number, paragraphs)
        if work.edit.find:
            by_paragraph[work.edit.paragraph].extend(_places(work, number, paragraphs))
    for index, changes in by_paragraph.items():
        _check_apart(index, changes)
    for index, changes in by_paragraph.items():
        _Paragraph(paragraphs[index - 1], marker).apply(changes)
    for work in reversed(works):
        if not work.edit.find:
            _insert_paragraphs(paragraphs[work.edit.paragraph - 1], work, marker)
    comments = CommentWriter(package, main, root, marker)
    for work in works:
        comments.add(work.marks, work.edit.reason, work.edit.reference)
    if works:
        package.write_xml(main, root)
        comments.save()
    package.save(target)
    return RedlineResult(
        applied=len(works),
        insertions=sum(work.insertions for work in works),
        deletions=sum(work.deletions for work in works),
        comments=len(works),
    )


def _check(edit: Edit, number: int, paragraphs: Sequence[Element]) -> None:
    place = f"Edit {number}"
    if not 1 <= edit.paragraph <= len(paragraphs):
        raise ToolInputError(
            f"{place}: there is no paragraph {edit.paragraph}; the document has {len(paragraphs)}."
        )
    if not edit.reason.strip():
        raise ToolInputError(f"{place} (paragraph {edit.paragraph}) has no reason.")
    if edit.find == edit.replace:
        raise ToolInputError(f"{place} (paragraph {edit.paragraph}) changes nothing.")
    if not edit.find:
        if not edit.replace.strip():
            raise ToolInputError(
                f"{place} (paragraph {edit.paragraph}) inserts an empty paragraph."
            )
        if child(paragraphs[edit.paragraph - 1], "pPr", "rPr", "del") is not None:
            raise ToolInputError(
                f"{place}: the end of paragraph {edit.paragraph} is deleted by a tracked change; "
                "insert after another paragraph."
            )


def _places(
    work: _Work, number: int, paragraphs: Sequence[Element]
) -> Iterator[tuple[int, int, str, _Work]]:
    """Yield (start, end, new text) for the words that an edit changes."""
    edit = work.edit
    text = accepted_text(paragraphs[edit.paragraph - 1])
    find = edit.find
    count = text.count(find)
    haystack = text
    forgiving = count == 0
    if forgiving:
        haystack, find = alike(text), alike(find)
        count = haystack.count(find)
    if count != 1:
        found = "does not occur" if count == 0 else f"occurs {count} times"
        raise ToolInputError(
            f"Edit {number}: {edit.find[:80]!r} {found} in paragraph {edit.paragraph}, "
            f"which reads {text[:160]!r}."
        )
    start = haystack.index(find)
    old = text[start : start + len(find)]
    for change in word_changes(old, edit.replace, forgiving=forgiving):
        yield start + change.start, start + change.end, change.text, work


def _check_apart(index: int, changes: list[tuple[int, int, str, _Work]]) -> None:
    changes.sort(key=lambda change: (change[0], change[1]))
    for before, after in pairwise(changes):
        if after[0] < before[1]:
            raise ToolInputError(f"Two edits of paragraph {index} overlap; join them into one.")


class _Paragraph:
    """Applies changes to one paragraph."""

    def __init__(self, node: Element, marker: Marker) -> None:
        self._node = node
        self._marker = marker
        self._segments: list[Segment] = []

    def apply(self, changes: Sequence[tuple[int, int, str, _Work]]) -> None:
        length = len(accepted_text(self._node))
        self._segments = cut(self._node, {place for c in changes for place in c[:2]})
        for start, end, _, work in changes:
            self._check(start, end, work.edit)
        for start, end, text, work in changes:
            marks: list[Element] = []
            inside = [s for s in self._segments if start <= s.start < s.end <= end and s.textual]
            properties = inside[0].run.find(RPR) if inside else None
            if start < end:
                marks = self._marker.delete([s.run for s in inside])
                work.deletions += 1
            if text:
                marks.append(self._insert(start, text, marks, properties))
                work.insertions += 1
            work.marks.extend(marks)
            if (start, end, text) == (0, length, "") and self._may_vanish():
                self._marker.mark_end(self._node, DEL)

    def _check(self, start: int, end: int, edit: Edit) -> None:
        for segment in self._segments:
            if segment.start < end and segment.end > start and not segment.textual:
                raise ToolInputError(
                    f"Paragraph {edit.paragraph}: {edit.find[:80]!r} runs through a formula or an object, "
                    "which a redline cannot change."
                )

    def _may_vanish(self) -> bool:
        """Say whether the whole paragraph goes: nothing but deleted text is in it, and one follows."""
        for run in self._node.iter(R):
            if run.getparent().tag != DEL and any(c.tag != RPR for c in run):
                return False
        after = next((n for n in self._node.itersiblings() if n.tag in (P, TBL, w("sdt"))), None)
        section = child(self._node, "pPr", "sectPr")
        return after is not None and after.tag == P and section is None

    def _insert(
        self, at: int, text: str, marks: Sequence[Element], properties: Element | None
    ) -> Element:
        if marks:
            mark = self._marker.insertion(self._node, runs_of(self._node, text, properties))
            self._lifted(marks[-1]).addnext(mark)
            return mark
        left = next((s for s in reversed(self._segments) if s.end == at and s.start < s.end), None)
        right = next((s for s in self._segments if s.start == at and s.start < s.end), None)
        near = left or right
        if (
            left is not None
            and right is not None
            and self._linked(left)
            and not self._linked(right)
        ):
            near = right
        properties = near.run.find(RPR) if near is not None else _mark_properties(self._node)
        mark = self._marker.insertion(self._node, runs_of(self._node, text, properties))
        if near is None:
            self._node.append(mark)
        elif near is right:
            self._first(right.run).addprevious(mark)
        else:
            self._last(near.run).addnext(mark)
        return mark

    def _linked(self, segment: Segment) -> bool:
        return next(segment.run.iterancestors(w("hyperlink"), w("fldSimple")), None) is not None

    def _lifted(self, node: Element) -> Element:
        """Return the node after which an insertion may stand: never inside another's insertion."""
        parent = node.getparent()
        while parent.tag in ADDED or (parent.tag == DEL and parent is not node):
            rest = list(node.itersiblings())
            if rest:
                second = parent.makeelement(parent.tag, dict(parent.attrib))
                self._marker.fresh_id(second)
                second.extend(rest)
                parent.addnext(second)
            node, parent = parent, parent.getparent()
        return node

    def _last(self, run: Element) -> Element:
        """Return the node to insert after: behind the end of a field or link whose last run this is."""
        node = self._lifted(run)
        while True:
            after = node.getnext()
            while after is not None and after.tag in MARKERS:
                after = after.getnext()
            if after is not None and after.tag == R and _ends_field(after):
                node = after
                continue
            if after is None and node.getparent().tag in {w("hyperlink"), w("fldSimple")}:
                node = node.getparent()
                continue
            return node

    def _first(self, run: Element) -> Element:
        node = run
        while node.getparent().tag in ADDED:
            before = node.getprevious()
            if before is None:
                node = node.getparent()
                continue
            return self._lifted(before).getnext()
        while (
            node.getparent().tag in {w("hyperlink"), w("fldSimple")} and node.getprevious() is None
        ):
            node = node.getparent()
        return node


def _ends_field(run: Element) -> bool:
    mark = child(run, "fldChar")
    return mark is not None and mark.get(w("fldCharType")) == "end"


def _mark_properties(paragraph: Element) -> Element | None:
    return child(paragraph, "pPr", "rPr")


def _insert_paragraphs(paragraph: Element, work: _Work, marker: Marker) -> None:
    """Put new paragraphs after one, in its style, so that rejecting them leaves it as it was."""
    lines = [line for line in work.edit.replace.split("\n") if line.strip()]
    held = segments(paragraph)
    longest = max(held, key=lambda s: s.end - s.start, default=None)
    look = longest.run.find(RPR) if longest is not None and longest.run.tag == R else None
    made = []
    for line in lines:
        node = paragraph.makeelement(P)
        properties = _properties_for_new(paragraph)
        if properties is not None:
            node.append(properties)
        mark = marker.insertion(node, runs_of(node, line, look))
        node.append(mark)
        made.append(node)
        work.marks.append(mark)
        work.insertions += 1
    at = paragraph.getparent().index(paragraph) + 1
    after = next((n for n in paragraph.itersiblings() if n.tag in (P, TBL, w("sdt"))), None)
    paragraph.getparent()[at:at] = made
    marked = made
    taken = child(paragraph, "pPr", "rPr", "ins") is not None
    if (after is None or after.tag != P) and not taken:
        # A container must end with an unmarked paragraph: the last new one takes over that part.
        marked = [paragraph, *made[:-1]]
    for node in marked:
        marker.mark_end(node, INS)


def _properties_for_new(paragraph: Element) -> Element | None:
    found = paragraph.find(PPR)
    if found is None:
        return None
    properties = clean(found)
    for name in ("sectPr", "pageBreakBefore"):
        for node in properties.findall(w(name)):
            properties.remove(node)
    return properties
