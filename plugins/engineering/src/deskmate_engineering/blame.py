"""Wording that blames: people are no causes, and hindsight explains nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_WORDS = re.compile(
    r"\b(?:blam(?:e[ds]?|ing)|at fault|(?:\w+'s|their|his|her|my|your) fault|careless\w*|neglig\w+|incompeten\w+|stupid\w*|idiot\w*|lazy|sloppy|reckless\w*"
    r"|(?:human|operator|user|pilot) error|(?:should|could|ought to) (?:not )?have (?:known|seen|checked|tested|noticed|caught|asked|done|been more)|should've|shouldn't have"
    r"|forgot(?:ten)?|screw(?:ed)? up|mess(?:ed)? up|fat[- ]finger\w*|culprit|guilty|scapegoat|obvious(?:ly)?|simply had to|common sense)\b",
    re.IGNORECASE,
)
_DEEDS = r"(?:broke|caused|crashed|failed|ignored|missed|neglected|overlooked|took down|deleted the wrong|ran the wrong|pushed the wrong|did not (?:check|test|notice|read))"
HIDDEN = "(wording left out; see the source line)"


def blaming(text: str, people: Collection[str] = ()) -> Iterator[str]:
    """Yield the words of a text that blame; a person's name with what went wrong is one.

    Args:
        text: a line.
        people: names that the records know.
    """
    yield from (match[0] for match in _WORDS.finditer(text))
    for name in people:
        if len(name) > 1 and (
            match := re.search(
                rf"\b{re.escape(name)}\s+(?:\w+ly\s+)?{_DEEDS}\b|\b(?:because of|due to|caused by|thanks to)\s+{re.escape(name)}\b",
                text,
                re.IGNORECASE,
            )
        ):
            yield match[0]
