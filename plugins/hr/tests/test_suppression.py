from itertools import product
from typing import Any

import pytest

from deskmate.plugin import ToolInputError
from deskmate_hr.suppression import exposures, suppressed

FLAGS = (1, -1, -1)


def totalled(rows: Any) -> Any:
    return [*rows, [sum(column) for column in zip(*rows, strict=True)]]


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    counts = totalled([[10, 5, 5], [20, 0, 20]])
    assert suppressed(counts, FLAGS) == counts


def test_a_small_count_takes_a_second_one_in_its_column_with_it() -> None:
    grid = suppressed(totalled([[3], [9], [20]]), ())
    assert grid == [[None], [None], [20], [32]]


def test_small_counts_that_are_the_only_hidden_ones_of_a_sum_below_five_take_more() -> None:
    grid = suppressed(totalled([[1], [2], [30], [40]]), ())
    assert grid == [[None], [None], [None], [40], [73]]


def test_hidden_cells_that_must_all_be_one_are_found() -> None:
    ones = totalled([[1], [1], [1], [1], [1], [50]])
    grid = [[None]] * 5 + [[50], [55]]
    assert exposures(grid, ())
    assert exposures(suppressed(ones, ()), ()) == []


@pytest.mark.parametrize("seed", range(30))
def test_no_small_count_can_be_found_by_trying_all_values(seed: Any) -> None:
    counts = totalled([[(seed * k * 7 + k + seed) % 11] for k in (1, 2, 3)])
    try:
        grid = suppressed(counts, ())
    except ToolInputError:
        return
    fitting = [
        trial
        for trial in product(range(12), repeat=3)
        if all(
            shown in (None, value)
            for (shown,), value in zip(grid, (*trial, sum(trial)), strict=True)
        )
    ]
    for place, ((shown,), (count,)) in enumerate(zip(grid[:3], counts, strict=False)):
        if 0 < count < 5:
            assert shown is None
            assert len({trial[place] for trial in fitting}) > 1


def test_a_hidden_cell_that_its_row_gives_away_is_found() -> None:
    grid: list[list[int | None]] = [[80, None, 78], [60, None, 51], [140, 11, 129]]
    assert {cells for cells, _ in exposures(grid, FLAGS)} == {((0, 1),)}


def test_a_table_of_one_small_group_is_hidden_altogether() -> None:
    assert suppressed(totalled([[3]]), ()) == [[None], [None]]
