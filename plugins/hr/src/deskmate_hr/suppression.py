"""Keeps small counts secret in a table with totals, also against people who subtract.

A grid is a list of rows of counts, the last row being the sums; None is a cell that is not published.
A `law` is one coefficient per column whose weighted sum is 0 in each row, such as (1, -1, -1) for
headcount − left − stayed; empty if columns do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deskmate.plugin import ToolInputError

SMALLEST = 5
Cell = tuple[int, int]
Grid = Sequence[Sequence[int | None]]
Equation = dict[Cell, int]

_PRIME = 2**61 - 1


def suppressed(counts: Sequence[Sequence[int]], law: Sequence[int]) -> list[list[int | None]]:
    """Return the grid with every count from 1 to 4 hidden, and further cells until none is derivable.

    Raises:
        ToolInputError: no choice of hidden cells protects the small ones.
    """
    grid: list[list[int | None]] = [
        [None if 0 < count < SMALLEST else count for count in row] for row in counts
    ]
    for _ in range(len(counts) * (len(counts[0]) if counts else 0) + 1):
        exposed = exposures(grid, law)
        if not exposed:
            return _relaxed(grid, counts, law)
        for cells, _ in exposed:
            further = _cheapest(grid, law, cells)
            if further is not None:
                grid[further[0]][further[1]] = None
                break
        else:
            break
    raise ToolInputError(
        "Small groups cannot be protected in this table; group by something coarser."
    )


def _relaxed(
    grid: list[list[int | None]], counts: Sequence[Sequence[int]], law: Sequence[int]
) -> list[list[int | None]]:
    """Publish again, largest first, what turned out not to be needed."""
    spare = [
        (count, r, c)
        for r, row in enumerate(counts)
        for c, count in enumerate(row)
        if grid[r][c] is None and not 0 < count < SMALLEST
    ]
    for count, r, c in sorted(spare, reverse=True):
        grid[r][c] = count
        if exposures(grid, law):
            grid[r][c] = None
    return grid


def _cheapest(grid: Grid, law: Sequence[int], cells: Sequence[Cell]) -> Cell | None:
    """Return the published count to hide next: of the barest sum that leads to an exposed cell, the smallest.

    Sums lead to a cell also through other hidden cells. Zeros and totals come last.
    """
    sums = list(equations(grid, law))
    reached = set(cells)
    for _ in sums:
        for equation in sums:
            unknown = {cell for cell in equation if grid[cell[0]][cell[1]] is None}
            if unknown & reached:
                reached |= unknown
    candidates = []
    for equation in sums:
        unknown = {cell for cell in equation if grid[cell[0]][cell[1]] is None}
        if not unknown & reached:
            continue
        for row, column in equation:
            count = grid[row][column]
            if count is not None:
                is_sum = row == len(grid) - 1
                candidates.append((len(unknown), is_sum, count == 0, count, row, column))
    return min(candidates)[4:] if candidates else None


def equations(grid: Grid, law: Sequence[int]) -> Iterator[Equation]:
    """Yield the sums that a reader knows: each column adds up to its last row, each row obeys the law."""
    last = len(grid) - 1
    for column in range(len(grid[0]) if grid else 0):
        yield {(row, column): 1 if row < last else -1 for row in range(len(grid))}
    if law:
        for row in range(len(grid)):
            yield {(row, column): factor for column, factor in enumerate(law) if factor}


def exposures(grid: Grid, law: Sequence[int]) -> list[tuple[tuple[Cell, ...], str]]:
    """Return hidden cells that a reader can work out to be small, with the reason."""
    found: list[tuple[tuple[Cell, ...], str]] = []
    hidden = [(r, c) for r, row in enumerate(grid) for c, count in enumerate(row) if count is None]
    for equation in equations(grid, law):
        unknown = tuple(cell for cell in equation if cell in set(hidden))
        rest = sum(factor * (grid[r][c] or 0) for (r, c), factor in equation.items())
        one_sign = len({equation[cell] for cell in unknown}) == 1
        if unknown and one_sign and 0 < abs(rest) < SMALLEST:
            found.append((unknown, f"together they count {abs(rest)}"))
    found += [
        (((r, c),), f"it works out as {value}")
        for (r, c), value in {**_solved(grid, law, hidden), **_pinned(grid, law, hidden)}.items()
        if 0 < value < SMALLEST
    ]
    return found


def _solved(grid: Grid, law: Sequence[int], hidden: Sequence[Cell]) -> dict[Cell, int]:
    """Return the hidden cells that the equations determine. Exact: all factors are 1 or −1."""
    place = {cell: index for index, cell in enumerate(hidden)}
    rows: list[list[int]] = []
    for equation in equations(grid, law):
        line = [0] * (len(hidden) + 1)
        for (r, c), factor in equation.items():
            if (r, c) in place:
                line[place[(r, c)]] = factor % _PRIME
            else:
                line[-1] = (line[-1] - factor * (grid[r][c] or 0)) % _PRIME
        if any(line[:-1]):
            rows.append(line)
    solved = {}
    for line in _reduced(rows, len(hidden)):
        filled = [index for index, factor in enumerate(line[:-1]) if factor]
        if len(filled) == 1:
            value = line[-1]
            solved[hidden[filled[0]]] = value if value < _PRIME // 2 else value - _PRIME
    return solved


def _reduced(rows: list[list[int]], unknowns: int) -> list[list[int]]:
    """Return the reduced echelon form, modulo the prime."""
    done = 0
    for column in range(unknowns):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        inverse = pow(rows[done][column], -1, _PRIME)
        rows[done] = [x * inverse % _PRIME for x in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                factor = row[column]
                rows[i] = [(x - factor * y) % _PRIME for x, y in zip(row, rows[done], strict=True)]
        done += 1
    return rows[:done]


def _pinned(grid: Grid, law: Sequence[int], hidden: Sequence[Cell]) -> dict[Cell, int]:
    """Return hidden cells whose smallest and largest possible values meet; each is at least 1."""
    low = dict.fromkeys(hidden, 1)
    high = dict.fromkeys(hidden, 10**9)
    for _ in range(len(hidden) + 1):
        before = (dict(low), dict(high))
        for equation in equations(grid, law):
            _tighten(equation, grid, low, high)
        if before == (low, high):
            break
    return {cell: low[cell] for cell in hidden if low[cell] == high[cell]}


def _tighten(equation: Equation, grid: Grid, low: dict[Cell, int], high: dict[Cell, int]) -> None:
    known = sum(f * (grid[r][c] or 0) for (r, c), f in equation.items() if (r, c) not in low)
    for cell, factor in equation.items():
        if cell not in low:
            continue
        least = most = known
        for other, weight in equation.items():
            if other != cell and other in low:
                ends = (weight * low[other], weight * high[other])
                least, most = least + min(ends), most + max(ends)
        # factor * value = −(all the rest), and the rest lies between least and most.
        ends = (-least * factor, -most * factor)
        low[cell] = max(low[cell], min(ends))
        high[cell] = min(high[cell], max(ends))
