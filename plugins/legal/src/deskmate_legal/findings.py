"""What a review finds: hits, deviations, the result for one category."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.playbook import Category, EditSpec

QUOTE_LIMIT = 320
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A replacement in one block: characters `start` to `end` become `text`."""

    block: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Where a contract leaves the playbook. `focus`: the words that matter, in the sentence's block."""

    category: Category
    rule: str
    says: str
    severity: str
    sentence: Sentence | None
    focus: tuple[int, int] | None = None
    changes: tuple[Change, ...] = ()
    edit_spec: tuple[EditSpec, ...] = ()


@dataclass(slots=True, kw_only=True)
class Result:
    """A category in one contract. `status`: ok, deviation, absent, blank or present (nothing to compare)."""

    category: Category
    status: str
    hits: tuple[Sentence, ...] = ()
    values: tuple[str, ...] = ()
    deviations: list[Deviation] = field(default_factory=list)


def quote(
    contract: Contract,
    sentence: Sentence,
    focus: tuple[int, int] | None = None,
    limit: int = QUOTE_LIMIT,
) -> str:
    """Return the sentence, or if it is long, whole words of it around the focus; verbatim."""
    text = contract.blocks[sentence.block].text
    start, end = sentence.start, sentence.end
    middle_start, middle_end = focus or (start, start)
    middle_end = min(middle_end, middle_start + limit)
    start, end = readable(text, start, end, middle_start)
    if end - start <= limit:
        return text[start:end].strip()
    room = limit - (middle_end - middle_start)
    left = max(start, min(middle_start - room // 2, end - limit))
    right = min(end, max(middle_end, left + limit))
    if left > start:
        left = _word_start(text, left, max(middle_start, left))
    if right < end:
        right = _word_end(text, right, middle_start)
    return text[left:right].strip()


def readable(text: str, start: int, end: int, middle: int) -> tuple[int, int]:
    """Narrow a span around `middle` to words without control characters, which PDFs leave at line ends."""
    for match in _CONTROL.finditer(text, start, end):
        if match.end() <= middle:
            start = _word_start(text, match.end(), middle)
        elif match.start() >= middle:
            return start, _word_end(text, match.start(), middle)
    return start, end


def _word_start(text: str, at: int, limit: int) -> int:
    if not text[at - 1].isspace():
        while at < limit and not text[at].isspace():
            at += 1
    return at


def _word_end(text: str, at: int, limit: int) -> int:
    if at < len(text) and not text[at].isspace():
        while at > limit and not text[at - 1].isspace():
            at -= 1
    return at
