"""The clause tree: every character of a contract belongs to exactly one clause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from deskmate_legal.labels import Label, labels_at

_LINE = re.compile(r"\n[ \t\r]*(?=\S)")
_INLINE = re.compile(
    r"(?<=[.;:”\"\]])\s+(?=(?:\d{1,2}\.\d{1,2}\.?\s|\d{1,2}\.\s|(?:Section|SECTION|Article|ARTICLE)\s+[\dIVXLC]+[.:]?\s)\s*[A-Z“\"(\[])"
)
_FURNITURE = re.compile(
    r"\s*(?:-+\s*\d{1,4}\s*-+|\d{1,4}|page\s+\d+(?:\s+of\s+\d+)?|source:.{0,120}|<page>)\s*",
    re.IGNORECASE,
)
_RUN_IN = re.compile(
    r"\s*(?P<heading>[A-Z“\"][^.:\n]{1,80}?)(?:\.(?=\s|$)|:(?=\s|$)|\s+[-–—]\s|\s*(?=\n|$))"
)
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "not",
        "of",
        "on",
        "or",
        "other",
        "out",
        "the",
        "to",
        "under",
        "upon",
        "with",
        "without",
    ]
)
_SENTENCE_VERB = re.compile(
    r"\b(?:shall|will|is|are|means|mean|agrees?|may|has|have|must|hereby)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A paragraph of the source. `label`, `number`: as the document computes them, "" where typed.

    `start`: its offset in the contract's text. `paragraph`, `page`: as the source counts them.
    """

    text: str
    start: int
    paragraph: int
    page: int | None = None
    number: str = ""
    label: str = ""
    level: int | None = None
    in_table: bool = False


@dataclass(slots=True, kw_only=True)
class Clause:
    """A node of the tree. `start`, `end`: its own text, without its children, in the contract's text.

    `number`: full, such as "4.2(a)"; "" where it has none. `parent`: index of the parent or None.
    """

    id: str
    number: str
    heading: str
    level: int
    start: int
    end: int
    parent: int | None = None
    paragraphs: tuple[int, ...] = ()
    page: int | None = None


@dataclass(slots=True)
class _Open:
    """A clause that later ones may belong to."""

    kind: str
    ordinal: int
    key: str
    index: int


@dataclass(slots=True)
class _Builder:
    clauses: list[Clause] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)

    def open(self, at: int, label: Label, heading: str, number: str, page: int | None) -> None:
        while self.stack and self.stack[-1].kind != label.kind and self._known(label.kind):
            self.stack.pop()
        if self.stack and self.stack[-1].kind == label.kind:
            self.stack.pop()
        parent = self.stack[-1].index if self.stack else None
        if not number:
            number = self._full(label, parent)
        if self.clauses:
            self.clauses[-1].end = at
        self.stack.append(_Open(label.kind, label.ordinal, label.key, len(self.clauses)))
        self.clauses.append(
            Clause(
                id=f"c{len(self.clauses) + 1}",
                number=number,
                heading=heading,
                level=len(self.stack),
                start=at,
                end=at,
                parent=parent,
                page=page,
            )
        )

    def without_empty_start(self) -> list[Clause]:
        """Return the clauses; the one before the first label only if it holds text."""
        if len(self.clauses) == 1 or self.clauses[0].end:
            return self.clauses
        for clause in self.clauses[1:]:
            clause.parent = None if clause.parent is None else clause.parent - 1
        return self.clauses[1:]

    def _known(self, kind: str) -> bool:
        return any(entry.kind == kind for entry in self.stack)

    def _full(self, label: Label, parent: int | None) -> str:
        if label.kind == "heading":
            return ""
        if label.kind.startswith(("decimal", "section", "article", "integer", "exhibit")):
            return label.key
        above = self.clauses[parent].number if parent is not None else ""
        joint = "" if label.key.startswith("(") or not above else "."
        return f"{above}{joint}{label.key}"

    def follows(self, label: Label, before: str) -> bool:
        """Say whether a label inside a block goes on with what is open; `before` is what precedes it."""
        for entry in reversed(self.stack):
            if entry.kind == label.kind:
                same = label.parent == entry.key.rpartition(".")[0]
                return label.ordinal == entry.ordinal + 1 and (not label.parent or same)
        if label.parent:
            opened = [e for e in self.stack if e.key == label.parent]
            return label.ordinal == 1 and bool(opened)
        lists = before.rstrip().endswith((".", ":", ";")) and before.endswith("\n")
        return label.ordinal == 1 and (lists or label.kind in {"integer", "section", "article"})

    def choose(self, labels: Sequence[Label]) -> Label:
        """Return the likelier reading of an ambiguous label."""
        for label in labels:
            if any(e.kind == label.kind and e.ordinal + 1 == label.ordinal for e in self.stack):
                return label
        numerals = [label for label in labels if "roman" in label.kind]
        if numerals and (numerals[0].ordinal == 1 or len(labels) == 1):
            return numerals[0]
        return labels[0]


def clause_tree(blocks: Sequence[Block], length: int) -> tuple[Clause, ...]:
    """Return the clauses in order of the text; their own spans cover 0 to `length` without a gap.

    Source: house. Numbering by label style: a style seen before closes what is nested below it.
    """
    builder = _Builder()
    start = Label(kind="heading", key="", ordinal=0, end=0)
    builder.open(0, start, "", "", blocks[0].page if blocks else None)
    builder.stack.clear()
    for block in blocks:
        _read_block(builder, block)
    builder.clauses[-1].end = length
    return tuple(_placed(builder.without_empty_start(), blocks))


def _read_block(builder: _Builder, block: Block) -> None:
    text = block.text
    lead = len(text) - len(text.lstrip())
    if block.label:
        found = labels_at(block.label.strip() + " ") or (
            Label(kind=f"auto {len(block.number)}", key=block.label, ordinal=0, end=0),
        )
        builder.open(
            block.start, builder.choose(found), run_in_heading(text), block.number, block.page
        )
    elif not block.in_table and (found := labels_at(text, lead)) and _may_open(builder, found):
        label = builder.choose(found)
        builder.open(block.start, label, run_in_heading(text[label.end :]), "", block.page)
    elif _is_heading(block):
        level = f"heading{block.level}" if block.level else "heading"
        label = Label(kind=level, key="", ordinal=0, end=0)
        builder.open(block.start, label, " ".join(text.split()), "", block.page)
    for at in _inner(text, lead):
        found = labels_at(text, at)
        before = text[:at].rstrip(" \t\r")
        if found and builder.follows(label := builder.choose(found), before):
            heading = run_in_heading(text[label.end :])
            builder.open(block.start + at, label, heading, "", block.page)


def _may_open(builder: _Builder, labels: Sequence[Label]) -> bool:
    # "2019. " or "12." alone is a page number or the end of a sentence, not a clause
    return not (labels[0].kind == "integer" and labels[0].ordinal > 99)


def _inner(text: str, lead: int) -> Iterator[int]:
    places = {m.end() for m in _LINE.finditer(text)} | {m.end() for m in _INLINE.finditer(text)}
    return iter(sorted(place for place in places if place > lead))


def _is_heading(block: Block) -> bool:
    text = block.text.strip()
    if not text or len(text) > 90 or "\n" in text or _FURNITURE.fullmatch(text):
        return False
    if block.level and not _SENTENCE_VERB.search(text):
        return True
    if block.in_table or text.endswith((",", ";")) or "___" in text or text.startswith("/s/"):
        return False
    words = re.findall(r"[A-Za-z]{2,}", text)
    if not words or not text[0].isalpha():
        return False
    centred = len(block.text) - len(block.text.lstrip(" \t")) >= 8
    return text.isupper() or (centred and is_title(text))


def is_title(text: str) -> bool:
    """Say whether every word but the small ones begins with a capital."""
    words = re.findall(r"[A-Za-z][\w’'&-]*", text)
    return bool(words) and all(w[0].isupper() or w in _SMALL for w in words)


def run_in_heading(text: str) -> str:
    """Return the heading that a clause's text begins with ("Term. This Agreement …"), or ""."""
    match = _RUN_IN.match(text)
    if match is None:
        return ""
    heading = " ".join(match["heading"].split())
    if len(heading.split()) > 12 or _SENTENCE_VERB.search(heading):
        return ""
    return heading if is_title(heading) or heading.isupper() else ""


def _placed(clauses: list[Clause], blocks: Sequence[Block]) -> Iterator[Clause]:
    """Fill in the paragraphs that each clause touches."""
    at = 0
    for clause in clauses:
        while at < len(blocks) and blocks[at].start + len(blocks[at].text) <= clause.start:
            at += 1
        here = at
        numbers = []
        while here < len(blocks) and blocks[here].start < clause.end:
            numbers.append(blocks[here].paragraph)
            here += 1
        clause.paragraphs = tuple(numbers)
        yield clause
