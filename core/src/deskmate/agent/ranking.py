"""Finds skills by the user's words: BM25 over names and descriptions. The same words always give the same order."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from deskmate.types.registry import SkillSpec

_WORD = re.compile(r"[^\W_]+")
_NAME_WEIGHT = 3
_K, _B = 1.2, 0.75
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "can",
        "do",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "please",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "use",
        "used",
        "using",
        "user",
        "want",
        "was",
        "we",
        "what",
        "when",
        "which",
        "who",
        "will",
        "with",
        "you",
        "your",
        "das",
        "dem",
        "den",
        "der",
        "die",
        "ein",
        "eine",
        "einen",
        "einer",
        "es",
        "für",
        "ich",
        "im",
        "in",
        "ist",
        "mir",
        "mit",
        "nicht",
        "oder",
        "sich",
        "und",
        "von",
        "was",
        "wie",
        "wir",
        "zu",
        "zum",
        "zur",
    ]
)
_QUERY_LIMIT = 2_000


class SkillIndex:
    """Skills by their words."""

    def __init__(self, skills: Iterable[SkillSpec]) -> None:
        """`skills`: in any order; equal scores are in order of names."""
        self._skills = sorted(skills, key=lambda skill: (skill.name, skill.plugin))
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._lengths: list[int] = []
        for number, skill in enumerate(self._skills):
            counts = Counter(words_of(skill.description))
            for word in words_of(skill.name):
                counts[word] += _NAME_WEIGHT
            self._lengths.append(sum(counts.values()))
            for word, count in counts.items():
                self._postings[word].append((number, count))
        self._mean = sum(self._lengths) / max(len(self._lengths), 1) or 1.0

    def find(self, text: str) -> Sequence[SkillSpec]:
        """Return the skills that share words with a text, the best first."""
        scores: dict[int, float] = defaultdict(float)
        for word in sorted(set(words_of(text[:_QUERY_LIMIT]))):
            found = self._postings.get(word, ())
            rarity = math.log(1 + (len(self._skills) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                length = _K * (1 - _B + _B * self._lengths[number] / self._mean)
                scores[number] += rarity * count * (_K + 1) / (count + length)
        order = sorted(scores, key=lambda number: (-round(scores[number], 9), number))
        return tuple(self._skills[number] for number in order)


def words_of(text: str) -> list[str]:
    """Return the words that count, in lower case and without a plural's end."""
    return [_stem(word) for word in _WORD.findall(text.casefold()) if word not in _STOP]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    for end in ("ing", "es", "ed", "s"):
        if len(word) > len(end) + 3 and word.endswith(end) and not word.endswith("ss"):
            return word[: -len(end)].rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word
