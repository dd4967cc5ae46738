"""Finds quotations in sources, forgiving what typesetting changes and nothing else."""

from __future__ import annotations

import bisect
import re
import unicodedata

from deskmate_documents.text import Passage, SourceText

_SAME = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»〝〞", '"'),
    **dict.fromkeys("‐‑‒–−﹘﹣", "-"),
    **dict.fromkeys("—―", " - "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f", ""),
    "…": "...",
}
_TABLE = str.maketrans(_SAME)
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-[ \t]*\r?\n\s*(?=[^\W\d_])")
_DASHES = re.compile(r"\s+-{1,3}\s+|-{2,}")
_SPACE = re.compile(r"\s+")
_INNER_HYPHEN = re.compile(r"(?<=[^\W\d_])- ?(?=[^\W\d_])")
_ELLIPSIS = re.compile(r"\[\s*(?:\.{3}|…)\s*\]|…|\.(?:\s?\.){2,}")
_INSERTED = re.compile(r"\w*\[[^\]]{0,80}\]\w*")


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
    return QuoteFinder(source).find(quote)


class QuoteFinder:
    """Looks up many quotations in one source."""

    def __init__(self, source: SourceText) -> None:
        """`source`: its text is normalised once."""
        self._starts: list[int] = []
        self._passages: list[Passage] = []
        parts: list[str] = []
        length = 0
        for passage in source.passages:
            key = _key(passage.text)
            if key:
                self._starts.append(length)
                self._passages.append(passage)
                parts.append(key)
                length += len(key) + 1
        self._text = " ".join(parts)

    def find(self, quote: str) -> tuple[Passage, ...]:
        """Return the passages where these words begin."""
        wanted = _key(quote)
        places = self._places(wanted) if wanted else []
        found = [self._passages[bisect.bisect_right(self._starts, at) - 1] for at in places]
        return tuple(dict.fromkeys(found))

    def find_shortened(self, quote: str) -> tuple[Passage, ...]:
        """Return the same for a quotation in which … stands for words left out and [ ] for words put in.

        What is left must follow one another, verbatim, within 2,000 characters.
        """
        pieces = [_key(p) for p in _INSERTED.split(_ELLIPSIS.sub(" [] ", quote))]
        pieces = [piece for piece in pieces if any(c.isalnum() for c in piece)]
        if not pieces:
            return ()
        found = []
        for at in self._places(pieces[0]):
            end = at + len(pieces[0])
            for piece in pieces[1:]:
                follows = [p for p in self._places(piece, end) if p - end < 2_000]
                if not follows:
                    break
                end = follows[0] + len(piece)
            else:
                found.append(self._passages[bisect.bisect_right(self._starts, at) - 1])
        return tuple(dict.fromkeys(found))

    def _places(self, wanted: str, start: int = 0) -> list[int]:
        places = []
        at = self._text.find(wanted, start)
        while at >= 0:
            if _whole_words(self._text, at, len(wanted)):
                places.append(at)
            at = self._text.find(wanted, at + 1)
        return places


def _key(text: str) -> str:
    # A hyphen at a line's end may belong to the word, so hyphens between letters do not count.
    return _INNER_HYPHEN.sub("", normalise(text))


def _whole_words(text: str, at: int, length: int) -> bool:
    """Say whether the match does not begin or end inside a word."""
    end = at + length
    begins = at == 0 or not (text[at - 1].isalnum() and text[at].isalnum())
    ends = end >= len(text) or not (text[end].isalnum() and text[end - 1].isalnum())
    return begins and ends
