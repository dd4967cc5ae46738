import random
from itertools import product
from typing import Any

import numpy as np
import pytest

from deskmate.plugin import ToolInputError
from deskmate_hr.linked import Figures, leaks, protect


def one_column(*sizes: int) -> Figures:
    """A column of groups and its total."""
    cells = tuple(1 << place for place in range(len(sizes)))
    total = sum(cells)
    return Figures(
        sizes=sizes,
        cells=frozenset({*cells, total}),
        families=(cells,),
        totals=frozenset({total}),
    )


def shown(figures: Figures, hidden: Any) -> list[int | None]:
    order = sorted(figures.cells)
    return [None if mask in hidden else figures.size(mask) for mask in order]


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert protect(one_column(10, 20, 5)) == frozenset()


def test_a_small_count_takes_a_second_one_with_it() -> None:
    figures = one_column(3, 9, 20)
    assert shown(figures, protect(figures)) == [None, None, 20, 32]


def test_hidden_counts_that_together_are_small_take_a_further_one() -> None:
    figures = one_column(1, 2, 30, 40)
    assert shown(figures, protect(figures)) == [None, None, None, 40, 73]


def test_hidden_counts_that_must_all_be_one_are_found() -> None:
    figures = one_column(1, 1, 1, 1, 1, 50)
    ones = {1 << place for place in range(5)}
    assert leaks(figures, figures.cells - ones)
    assert leaks(figures, figures.cells - protect(figures)) == []


def test_a_table_of_one_small_group_is_hidden_altogether() -> None:
    figures = one_column(3)
    assert shown(figures, protect(figures)) == [None]


def test_a_larger_threshold_hides_more() -> None:
    figures = Figures(
        sizes=(7, 30, 40),
        cells=frozenset({1, 2, 4, 7}),
        families=((1, 2, 4),),
        totals=frozenset({7}),
        least=10,
    )
    assert shown(figures, protect(figures)) == [None, None, 40, 77]


def test_two_tables_whose_groups_differ_by_a_few_people_are_not_both_shown() -> None:
    # Department Legal is 30 people; the role Counsel is 28 of them. Nothing here is small by itself.
    figures = Figures(
        sizes=(28, 2, 50, 40),
        cells=frozenset({0b0011, 0b1100, 0b0001, 0b0110, 0b1000, 0b1111}),
        families=((0b0011, 0b1100), (0b0001, 0b0110, 0b1000)),
        totals=frozenset({0b1111}),
    )
    assert any(leak.group == 0b0010 for leak in leaks(figures, figures.cells))
    hidden = protect(figures)
    assert hidden & {0b0011, 0b0001}
    assert leaks(figures, figures.cells - hidden) == []


def test_a_sum_over_several_tables_is_solved() -> None:
    # a+b, b+c and a+c are shown: half of their sum, less b+c, is a.
    figures = Figures(
        sizes=(2, 8, 9),
        cells=frozenset({0b001, 0b011, 0b110, 0b101}),
        families=((0b001,), (0b011,), (0b110,), (0b101,)),
        totals=frozenset(),
    )
    found = leaks(figures, {0b011, 0b110, 0b101})
    assert any(leak.group == 0b001 for leak in found)


def crossed(seed: int) -> Figures:
    """Two groupings over the same people, with their totals; some combinations are empty."""
    chance = random.Random(seed)
    sizes = tuple(chance.choice((1, 2, 3, 4, 6, 7)) for _ in range(4))
    rows, columns = (0b0011, 0b1100), (0b0101, 0b1010)
    return Figures(
        sizes=sizes,
        cells=frozenset({*rows, *columns, 0b1111, 0b0001, 0b0010, 0b0100, 0b1000}),
        families=(rows, columns, (1, 2, 4, 8)),
        totals=frozenset({0b1111}),
    )


@pytest.mark.parametrize("seed", range(25))
def test_no_small_group_can_be_found_by_trying_all_values(seed: int) -> None:
    figures = crossed(seed)
    try:
        hidden = protect(figures)
    except ToolInputError:
        return
    known = figures.cells - hidden
    fitting = [
        trial
        for trial in product(range(1, 10), repeat=4)
        if all(count(trial, mask) == figures.size(mask) for mask in known)
    ]
    assert figures.sizes in fitting
    for mask in figures.cells:
        if figures.is_small(mask):
            assert len({count(trial, mask) for trial in fitting}) > 1


def count(sizes: Any, mask: int) -> int:
    return sum(size for place, size in enumerate(sizes) if mask >> place & 1)


@pytest.mark.parametrize("seed", range(4))
def test_another_way_of_solving_finds_no_small_group(seed: int) -> None:
    """Singular values instead of elimination: a hidden count is given away if it lies in the span of the shown ones."""
    chance = random.Random(seed)
    people = [
        (chance.choice("AAAAABBC"), chance.choice("xxxyz"), chance.random() < 0.07)
        for _ in range(120)
    ]
    atoms = sorted(set(people))
    sizes = tuple(people.count(atom) for atom in atoms)

    def mask(keep: Any) -> int:
        return sum(1 << place for place, atom in enumerate(atoms) if keep(atom))

    columns = [lambda a: True, lambda a: a[2], lambda a: not a[2]]
    groups = [
        [lambda a, g=g, k=k: a[k] == g for g in names] for k, names in ((0, "ABC"), (1, "xyz"))
    ]
    families = [
        tuple(mask(lambda a, g=g, c=c: g(a) and c(a)) for g in own)
        for own in groups
        for c in columns
    ]
    totals = [mask(c) for c in columns]
    cells = frozenset({m for family in families for m in family} | set(totals))
    figures = Figures(sizes=sizes, cells=cells, families=tuple(families), totals=frozenset(totals))
    hidden = protect(figures)
    vectors = np.array([[m >> place & 1 for place in range(len(atoms))] for m in cells - hidden])
    _, values, basis = np.linalg.svd(vectors, full_matrices=False)
    basis = basis[values > 1e-9]
    secrets = [m for m in hidden if figures.is_small(m)]
    assert secrets
    for secret in secrets:
        wanted = np.array([secret >> place & 1 for place in range(len(atoms))])
        assert np.linalg.norm(wanted - basis.T @ (basis @ wanted)) > 1e-6
