"""Which lines of two texts belong together: patience first, and never more work than the budget."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_GAP_LINES = 100
_BUDGET = 30_000_000


class Block(NamedTuple):
    """Lines `start:end` of the old text that lines `to_start:to_end` of the new one replace."""

    start: int
    end: int
    to_start: int
    to_end: int


def changed_blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Return what differs, in order, no two blocks touching; between them the lines are equal.

    Lines that occur once on both sides are matched first; small gaps between them are compared in
    full. A text made to be slow gets larger blocks, not more time.
    """
    finder = _Finder(old, new)
    finder.run()
    return _joined(sorted(finder.blocks))


def _joined(blocks: Sequence[Block]) -> list[Block]:
    found: list[Block] = []
    for block in blocks:
        last = found[-1] if found else None
        if last and last.end == block.start and last.to_end == block.to_start:
            found[-1] = Block(last.start, block.end, last.to_start, block.to_end)
        else:
            found.append(block)
    return found


class _Finder:
    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self.blocks: list[Block] = []
        self._old, self._new = old, new
        self._open = [Block(0, len(old), 0, len(new))]  # a stack: texts can be made to nest deeply
        self._budget = _BUDGET

    def run(self) -> None:
        """Split until every part is equal or a block of its own."""
        while self._open:
            part = self._trimmed(self._open.pop())
            if part.start == part.end and part.to_start == part.to_end:
                continue
            if part.start == part.end or part.to_start == part.to_end:
                self.blocks.append(part)
            elif not self._split(part, self._anchors(part)):
                self._compare(part)

    def _trimmed(self, part: Block) -> Block:
        start, end, to_start, to_end = part
        while start < end and to_start < to_end and self._old[start] == self._new[to_start]:
            start, to_start = start + 1, to_start + 1
        while start < end and to_start < to_end and self._old[end - 1] == self._new[to_end - 1]:
            end, to_end = end - 1, to_end - 1
        return Block(start, end, to_start, to_end)

    def _anchors(self, part: Block) -> list[tuple[int, int]]:
        """Return the longest rising chain of lines that are unique on both sides."""
        once = Counter(self._new[part.to_start : part.to_end])
        places = {
            self._new[at]: at
            for at in range(part.to_start, part.to_end)
            if once[self._new[at]] == 1
        }
        twice = Counter(self._old[part.start : part.end])
        pairs = [
            (at, places[self._old[at]])
            for at in range(part.start, part.end)
            if self._old[at] in places and twice[self._old[at]] == 1
        ]
        return _rising(pairs)

    def _split(self, part: Block, anchors: Sequence[tuple[int, int]]) -> bool:
        start, to_start = part.start, part.to_start
        for at, to_at in anchors:
            self._open.append(Block(start, at, to_start, to_at))
            start, to_start = at + 1, to_at + 1
        if anchors:
            self._open.append(Block(start, part.end, to_start, part.to_end))
        return bool(anchors)

    def _compare(self, part: Block) -> None:
        lines, to_lines = part.end - part.start, part.to_end - part.to_start
        cost = lines * to_lines * min(lines, to_lines)
        if max(lines, to_lines) > _GAP_LINES or cost > self._budget:
            self.blocks.append(part)
            return
        self._budget -= cost
        old, new = self._old[part.start : part.end], self._new[part.to_start : part.to_end]
        for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind != "equal":
                self.blocks.append(
                    Block(part.start + i1, part.start + i2, part.to_start + j1, part.to_start + j2)
                )


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    tails: list[int] = []
    at_tail: list[int] = []
    before: list[int] = []
    for number, (_, to_at) in enumerate(pairs):
        place = bisect_left(tails, to_at)
        before.append(at_tail[place - 1] if place else -1)
        tails[place : place + 1] = [to_at]
        at_tail[place : place + 1] = [number]
    chain = []
    number = at_tail[-1] if at_tail else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]
