"""Finds quotations in sources, forgiving what typesetting changes and nothing else."""

from __future__ import annotations

import bisect
import re
import unicodedata

from deskmate_documents.text import Passage, SourceText

_SAME = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»〝〞", '"'),
    **dict.fromkeys("‐‑‒–—―−﹘﹣", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f", ""),
    "…": "...",
}
_TABLE = str.maketrans(_SAME)
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-[ \t]*\r?\n\s*(?=[^\W\d_])")
_DASHES = re.compile(r"\s*--?-?\s+|\s+--?-?\s*|--+")
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """Return text for comparison: NFKC, one kind of quotes and dashes, no line-end hyphenation, single spaces."""
    text = text.replace("''", '"').translate(_TABLE)
    text = unicodedata.normalize("NFKC", text).translate(_TABLE)
    text = _BROKEN_WORD.sub("", text)
    text = _DASHES.sub(" - ", text)
    return _SPACE.sub(" ", text).strip()


def find_quote(source: SourceText, quote: str) -> tuple[Passage, ...]:
    """Return the passages where the quotation begins, in order; empty if it occurs nowhere.

    The quotation may run over adjacent passages. Differences in upper and lower case count.
    """
    wanted = _key(quote)
    if not wanted:
        return ()
    text, starts, passages = _joined(source)
    found: list[Passage] = []
    at = text.find(wanted)
    while at >= 0:
        passage = passages[bisect.bisect_right(starts, at) - 1]
        if passage not in found and _whole_words(text, at, len(wanted)):
            found.append(passage)
        at = text.find(wanted, at + 1)
    return tuple(found)


def _key(text: str) -> str:
    # A hyphen at a line's end may belong to the word, so hyphens inside words do not count.
    return re.sub(r"(?<=\w)-(?=\w)", "", normalise(text))


def _joined(source: SourceText) -> tuple[str, list[int], list[Passage]]:
    out: list[str] = []
    starts: list[int] = []
    passages: list[Passage] = []
    length = 0
    for passage in source.passages:
        key = _key(passage.text)
        if not key:
            continue
        starts.append(length)
        passages.append(passage)
        out.append(key)
        length += len(key) + 1
    return " ".join(out), starts, passages


def _whole_words(text: str, at: int, length: int) -> bool:
    """Say whether the match does not begin or end inside a word."""
    end = at + length
    begins = at == 0 or not (text[at - 1].isalnum() and text[at].isalnum())
    ends = end >= len(text) or not (text[end].isalnum() and text[end - 1].isalnum())
    return begins and ends
