"""Lines up two sequences: what stayed, what was changed into what, what went and what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

PAIRS_LIMIT = 250_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `left` and `right` are places, or None where there is nothing. `same`: equal keys."""

    left: int | None
    right: int | None
    same: bool = False


def opcodes(
    left: Sequence[Hashable], right: Sequence[Hashable]
) -> list[tuple[str, int, int, int, int]]:
    """Return difflib's opcodes, with the common beginning and end taken off first."""
    head = 0
    while head < min(len(left), len(right)) and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < min(len(left), len(right)) - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    ends = len(left) - tail, len(right) - tail
    codes = [("equal", 0, head, 0, head)] if head else []
    matcher = SequenceMatcher(None, left[head : ends[0]], right[head : ends[1]], autojunk=False)
    codes += [
        (kind, i1 + head, i2 + head, j1 + head, j2 + head)
        for kind, i1, i2, j1, j2 in matcher.get_opcodes()
    ]
    return [*codes, ("equal", ends[0], len(left), ends[1], len(right))] if tail else codes


def align(
    left: Sequence[Hashable],
    right: Sequence[Hashable],
    likeness: Callable[[int, int], float],
    *,
    force_last: bool = False,
) -> list[Step]:
    """Return the steps from left to right.

    Args:
        left: keys of the left items.
        right: keys of the right items.
        likeness: of a left and a right place whose keys differ; 0: never pair them, up to 1.
        force_last: where both sequences end in changed items, pair the last two if they are alike at all.
    """
    steps: list[Step] = []
    for kind, i1, i2, j1, j2 in opcodes(left, right):
        if kind == "equal":
            steps += [Step(i, j, True) for i, j in zip(range(i1, i2), range(j1, j2), strict=True)]
            continue
        at_end = force_last and i2 == len(left) and j2 == len(right) and i1 < i2 and j1 < j2
        if at_end and likeness(i2 - 1, j2 - 1) > 0:
            steps += _pair(range(i1, i2 - 1), range(j1, j2 - 1), likeness)
            steps.append(Step(i2 - 1, j2 - 1))
        else:
            steps += _pair(range(i1, i2), range(j1, j2), likeness)
    return steps


def _pair(left: range, right: range, likeness: Callable[[int, int], float]) -> list[Step]:
    """Pair like items in order so that their likeness adds up to the most."""
    if not left or not right or len(left) * len(right) > PAIRS_LIMIT:
        return [Step(i, None) for i in left] + [Step(None, j) for j in right]
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    like = [[likeness(i, j) for j in right] for i in left]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            paired = like[i][j] + best[i + 1][j + 1] if like[i][j] > 0 else 0.0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    steps: list[Step] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if like[i][j] > 0 and best[i][j] == like[i][j] + best[i + 1][j + 1]:
            steps.append(Step(left[i], right[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            steps.append(Step(left[i], None))
            i += 1
        else:
            steps.append(Step(None, right[j]))
            j += 1
    return steps + [Step(k, None) for k in left[i:]] + [Step(None, k) for k in right[j:]]


def overlap(left: Counter[str], right: Counter[str]) -> float:
    """Return how much two bags of words share, from 0 to 1."""
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 1.0
