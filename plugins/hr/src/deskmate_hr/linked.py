"""Keeps small groups secret in all published figures together, also against people who subtract.

People are sorted into atoms: all who are alike in everything that is published. A published figure counts some atoms;
it is written as a mask, one bit an atom. Whoever reads the figures can add and subtract them, over rows, columns and
tables; here that is tried first. The reader is taken to know which atoms are empty, which is more than most know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from deskmate.plugin import ToolInputError

SMALLEST = 5
"""No smaller count is ever shown; a setting may ask for more."""
Mask = int
# Products of two residues, summed over ten thousand atoms, stay exact in a float of 53 bits.
_PRIME = 524_287
_RELAX_LIMIT = 60
_ROUNDS_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A small group that the shown figures give away. `by`: the figures that do it, any of which may be hidden."""

    group: Mask
    by: tuple[Mask, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What may be published.

    `sizes`: people of each atom. `cells`: the masks of all counts. `families`: masks that do not overlap, such as a
    column of a table. `totals`: masks that are hidden last. `least`: the smallest count that may be shown.
    """

    sizes: tuple[int, ...]
    cells: frozenset[Mask]
    families: tuple[tuple[Mask, ...], ...]
    totals: frozenset[Mask]
    least: int = SMALLEST
    _known: dict[Mask, int] = field(default_factory=dict)

    def size(self, mask: Mask) -> int:
        """Return how many people a mask counts."""
        if mask not in self._known:
            self._known[mask] = sum(self.sizes[place] for place in bits(mask))
        return self._known[mask]

    def is_small(self, mask: Mask) -> bool:
        """Say whether it counts somebody, but too few."""
        return 0 < self.size(mask) < self.least


def bits(mask: Mask) -> Iterator[int]:
    """Yield the places of a mask."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def protect(figures: Figures, also: Collection[Mask] = ()) -> frozenset[Mask]:
    """Return the masks to hide: all that count too few, and further ones until no small group can be worked out.

    Args:
        figures: what may be published.
        also: masks that are hidden anyway.

    Raises:
        ToolInputError: no choice protects the small groups.
    """
    hidden = {mask for mask in figures.cells if figures.is_small(mask)} | set(also)
    for _ in range(_ROUNDS_LIMIT):
        found = leaks(figures, figures.cells - hidden)
        if not found:
            return _relaxed(figures, hidden, frozenset(also))
        fresh: set[Mask] = set()
        for leak in found:
            if not fresh.intersection(leak.by):
                fresh.add(min(leak.by, key=lambda m: (m in figures.totals, figures.size(m), m)))
        hidden |= fresh
    raise ToolInputError(
        "Small groups cannot be protected in these tables; group by something coarser."
    )


def _relaxed(figures: Figures, hidden: set[Mask], kept: frozenset[Mask]) -> frozenset[Mask]:
    """Publish again, largest first, what turned out not to be needed."""
    spare = [mask for mask in hidden - kept if not figures.is_small(mask)]
    for mask in sorted(spare, key=lambda m: (-figures.size(m), m))[:_RELAX_LIMIT]:
        if not leaks(figures, figures.cells - (hidden - {mask})):
            hidden.discard(mask)
    return frozenset(hidden)


def leaks(figures: Figures, shown: Collection[Mask]) -> list[Leak]:
    """Return the small groups that follow from the shown figures: one by one, by differences, by solving all sums."""
    there = sorted(
        {mask for mask in shown if figures.size(mask)}, key=lambda m: (figures.size(m), m)
    )
    found = [
        Leak(group=m, by=(m,), why=f"it counts {figures.size(m)}")
        for m in there
        if figures.is_small(m)
    ]
    found += _differences(figures, there)
    found += _remainders(figures, there)
    # Solving is dearer; what subtraction gives away is settled first.
    return found or _solved(figures, there)


def _differences(figures: Figures, there: Sequence[Mask]) -> list[Leak]:
    """Return groups that are one figure less another one which it contains."""
    found = []
    for place, larger in enumerate(there):
        for smaller in reversed(there[:place]):
            gap = figures.size(larger) - figures.size(smaller)
            if gap >= figures.least:
                break
            if gap and smaller & larger == smaller:
                why = f"{figures.size(larger)} less {figures.size(smaller)} is {gap}"
                found.append(Leak(group=larger & ~smaller, by=(smaller, larger), why=why))
    return found


def _remainders(figures: Figures, there: Sequence[Mask]) -> list[Leak]:
    """Return groups that are left of a figure when all its shown parts in one column are taken off."""
    found = []
    known = set(there)
    for family in figures.families:
        parts = [mask for mask in family if mask in known]
        rest_of = [mask for mask in family if mask not in known and figures.size(mask)]
        for whole in there:
            inside = [mask for mask in parts if mask & whole == mask and mask != whole]
            rest = figures.size(whole) - sum(map(figures.size, inside))
            unseen = [mask for mask in rest_of if mask & whole == mask]
            # As many hidden groups as people: each of them is one person.
            single = 1 < len(unseen) == rest == sum(map(figures.size, unseen))
            if (len(inside) > 1 and 0 < rest < figures.least) or single:
                group = whole
                for mask in inside:
                    group &= ~mask
                why = f"{figures.size(whole)} less its shown parts is {rest}"
                found.append(Leak(group=group, by=(*inside, whole), why=why))
    return found


def _solved(figures: Figures, there: Sequence[Mask]) -> list[Leak]:
    """Return small groups that some combination of the shown figures counts, found by solving them all at once."""
    secrets = _secrets(figures)
    if not there or not secrets:
        return []
    import numpy as np  # noqa: PLC0415 - heavy

    count = len(figures.sizes)
    # Beside each sum stands which figures it is made of.
    rows = np.hstack([_matrix(there, count), np.eye(len(there))])
    pivots: list[int] = []
    for column in range(count):
        at = len(pivots)
        below = np.flatnonzero(rows[at:, column])
        if not len(below):
            continue
        first = at + int(below[0])
        rows[[at, first]] = rows[[first, at]]
        rows[at] = rows[at] * pow(int(rows[at, column]), -1, _PRIME) % _PRIME
        factors = rows[:, column].copy()
        factors[at] = 0
        rows = (rows - np.outer(factors, rows[at])) % _PRIME
        pivots.append(column)
        if len(pivots) == len(there):
            break
    solved = rows[: len(pivots)]
    return [
        *_sums(figures, there, solved[:, :count], solved[:, count:]),
        *_reached(figures, there, secrets, solved, pivots),
    ]


def _matrix(masks: Sequence[Mask], count: int) -> Any:
    import numpy as np  # noqa: PLC0415 - heavy

    made = np.zeros((len(masks), count))
    for row, mask in enumerate(masks):
        made[row, list(bits(mask))] = 1
    return made


def _secrets(figures: Figures) -> list[Mask]:
    """Return the small groups: cells, atoms, and what two cells have in common."""
    small = {mask for mask in figures.cells if figures.is_small(mask)}
    small |= {1 << place for place, size in enumerate(figures.sizes) if 0 < size < figures.least}
    columns = [family for family in figures.families if len(family) > 1][:12]
    for number, one in enumerate(columns):
        for other in columns[:number]:
            small |= {a & b for a in one for b in other if figures.is_small(a & b)}
    return sorted(small)


def _reached(
    figures: Figures, there: Sequence[Mask], secrets: Sequence[Mask], solved: Any, pivots: list[int]
) -> Iterator[Leak]:
    """Yield the secrets that are sums and differences of shown figures."""
    count = len(figures.sizes)
    wanted = _matrix(secrets, count)
    parts = wanted[:, pivots]
    rest = (wanted - parts @ solved[:, :count]) % _PRIME
    used = parts @ solved[:, count:] % _PRIME
    for mask, left, row in zip(secrets, rest, used, strict=True):
        if not left.any():
            by = tuple(there[int(place)] for place in row.nonzero()[0])
            yield Leak(group=mask, by=by, why=f"the figures together give {figures.size(mask)}")


def _sums(figures: Figures, there: Sequence[Mask], sums: Any, made_of: Any) -> Iterator[Leak]:
    """Yield solved sums of few people."""
    for row, used in zip(sums, made_of, strict=True):
        places = [int(place) for place in row.nonzero()[0]]
        factors = [int(row[place]) for place in places]
        if not places or max(factors) > 16:
            continue  # something is subtracted: more people may stand on either side
        total = sum(f * figures.sizes[p] for f, p in zip(factors, places, strict=True))
        if total < figures.least:
            by = tuple(there[int(place)] for place in used.nonzero()[0])
            group = sum(1 << place for place in places)
            yield Leak(group=group, by=by, why=f"the figures together give {total}")
