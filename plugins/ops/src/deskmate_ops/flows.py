"""The flow of a process: which activity follows which, how often, and which of that a map shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from deskmate.plugin import ToolInputError
from deskmate_ops.events import Event, Log

START, END = 0, 1
"""Where cases begin and end; activities are texts, so that none can be taken for these."""
Node = str | int
Move = tuple[Node, Node]
ACTIVITIES_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a map shows. `moves`: those shown, the most frequent first. `share`: of all moves, how many these are."""

    activities: Mapping[str, int]
    moves: Mapping[Move, int]
    all_moves: int
    share: Decimal


def flow_of(log: Log, coverage: Decimal) -> Flow:
    """Return the moves to show: the most frequent until their share is `coverage`, and what keeps all within reach.

    Raises:
        ToolInputError: the share is not above 0 and at most 1, or there are too many activities for a map.
    """
    if not 0 < coverage <= 1:
        raise ToolInputError("The coverage of a map is above 0 and at most 1, such as 0.9.")
    activities = Counter(event.activity for event in log.events)
    if len(activities) > ACTIVITIES_LIMIT:
        raise ToolInputError(
            f"The log has {len(activities)} activities; a map shows at most {ACTIVITIES_LIMIT}. Group them first."
        )
    counts = _moves(log.events)
    ranked = sorted(counts, key=lambda move: (-counts[move], str(move[0]), str(move[1])))
    whole, covered = sum(counts.values()), 0
    kept: set[Move] = set()
    for move in ranked:
        if covered >= coverage * whole:
            break
        kept.add(move)
        covered += counts[move]
    _reach(kept, ranked, activities, START)
    _reach(kept, [(b, a) for a, b in ranked], activities, END, turned=True)
    moves = {move: counts[move] for move in ranked if move in kept}
    return Flow(
        activities=dict(sorted(activities.items(), key=lambda item: (-item[1], item[0]))),
        moves=moves,
        all_moves=whole,
        share=(Decimal(100 * sum(moves.values())) / whole).quantize(Decimal("0.1")),
    )


def _moves(events: Sequence[Event]) -> Counter[Move]:
    traces: dict[str, list[str]] = {}
    for event in events:
        traces.setdefault(event.case, []).append(event.activity)
    counts: Counter[Move] = Counter()
    for trace in traces.values():
        counts.update(pairwise([START, *trace, END]))
    return counts


def _reach(
    kept: set[Move],
    ranked: Sequence[Move],
    activities: Iterable[str],
    root: int,
    turned: bool = False,
) -> None:
    """Add the most frequent moves that are needed so that every activity is reached from the root.

    `turned`: the moves are given backwards, and go into `kept` the right way round.
    """
    missing = set(activities)
    while missing:
        reached = _reached(((b, a) for a, b in kept) if turned else kept, root)
        missing -= reached
        if missing:
            a, b = next(m for m in ranked if m[0] in reached and m[1] in missing)
            kept.add((b, a) if turned else (a, b))


def _reached(moves: Iterable[Move], root: int) -> set[Node]:
    targets: dict[Node, list[Node]] = {}
    for a, b in moves:
        targets.setdefault(a, []).append(b)
    found: set[Node] = {root}
    waiting: list[Node] = [root]
    while waiting:
        for other in targets.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
