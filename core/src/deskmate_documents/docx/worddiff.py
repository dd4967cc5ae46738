"""The smallest change of words that turns one text into another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"\d+(?:[.,]\d+)*|\w+(?:['’]\w+)*|\s|[^\w\s]")
_ALIKE = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ", "‑": "-", "–": "-"}
)


@dataclass(frozen=True, slots=True)
class WordChange:
    """Replace characters `start` to `end` by `text`; one of the two may be empty."""

    start: int
    end: int
    text: str


def alike(text: str) -> str:
    """Return text of the same length with one kind of quotes, hyphens and spaces."""
    return text.translate(_ALIKE)


def words(text: str) -> list[str]:
    """Return the words, single spaces and single signs that make up a text."""
    return _WORDS.findall(text)


def word_changes(old: str, new: str, *, forgiving: bool = False) -> tuple[WordChange, ...]:
    """Return the changes, in order, as places in `old`; `forgiving`: typographic variants are the same."""
    before, after = words(old), words(new)
    starts = [0]
    for word in before:
        starts.append(starts[-1] + len(word))
    changes: list[WordChange] = []
    keys = ([alike(w) for w in side] if forgiving else side for side in (before, after))
    for i1, i2, j1, j2 in _operations(*keys):
        changes.append(WordChange(starts[i1], starts[i2], "".join(after[j1:j2])))
    return _joined(changes, old)


def _operations(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int, int, int]]:
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    matcher = SequenceMatcher(
        None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False
    )
    return [
        (i1 + head, i2 + head, j1 + head, j2 + head)
        for kind, i1, i2, j1, j2 in matcher.get_opcodes()
        if kind != "equal"
    ]


def _joined(changes: Sequence[WordChange], old: str) -> tuple[WordChange, ...]:
    """Join replacements that only white space keeps apart: "thirty days" → "ten weeks" is one change."""
    out: list[WordChange] = []
    for change in changes:
        gap = old[out[-1].end : change.start] if out else ""
        both = out and (out[-1].end > out[-1].start) and (change.end > change.start)
        both = both and bool(out[-1].text) == bool(change.text)
        if both and gap.isspace():
            last = out.pop()
            text = last.text + gap + change.text if last.text else ""
            change = WordChange(last.start, change.end, text)
        out.append(change)
    return tuple(out)
