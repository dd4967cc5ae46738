from __future__ import annotations

import random
import subprocess
import sys
from importlib.util import find_spec

import pytest

from deskmate_guest.randomness import Reseeder

_NUMPY = """
import random, numpy.random
from deskmate_guest.randomness import Reseeder
numpy.random.seed(7); numpy.random.standard_normal(1)
reseeder = Reseeder()
assert reseeder._state is not None
drawn = set()
for _ in range(50):
    numpy.random.seed(7); random.seed(7)
    reseeder.reseed()
    drawn.add((random.random(), numpy.random.rand(), float(numpy.random.standard_normal(1)[0])))
assert len({row[0] for row in drawn}) == len({row[1] for row in drawn}) == 50
assert len({row[2] for row in drawn}) == 50
"""


def test_two_copies_of_one_state_draw_different_numbers() -> None:
    reseeder = Reseeder()
    random.seed(7)
    same = random.random()
    random.seed(7)
    reseeder.reseed()
    assert random.random() != same


@pytest.mark.skipif(find_spec("numpy") is None, reason="numpy is the guest's; not needed here")
def test_numpy_draws_anew_where_its_generator_is_written_to_directly() -> None:
    """In a process of its own: other tests put a stand-in for numpy into this one."""
    subprocess.run([sys.executable, "-c", _NUMPY], check=True, timeout=120)
