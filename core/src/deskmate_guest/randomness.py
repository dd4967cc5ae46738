"""Gives a copy of a frozen process its own random numbers."""

from __future__ import annotations

import ctypes
import os
import random
import sys
from typing import Any

_WORDS = 624
_LAST = 4 * _WORDS


def reseed() -> None:
    """Seed `random` and, if it is imported, numpy's old-style generator anew."""
    random.seed()
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4)))


class Reseeder:
    """Does what `reseed` does with far less code: an emulator translates code before it runs.

    numpy's generator (MT19937: 624 words and a position) is written to where it lies. Make it in the
    template, before any tool has run.
    """

    def __init__(self) -> None:
        reseed()
        self._generator, self._state = _numpy_state()

    def reseed(self) -> None:
        """Seed both anew."""
        if self._state is None:
            reseed()
            return
        random.seed()
        self._state[:_LAST] = os.urandom(_LAST)
        self._state[_LAST:] = _USED_UP


_USED_UP = _WORDS.to_bytes(4, sys.byteorder)
"""The position after which the generator makes its next 624 words."""


def _numpy_state() -> tuple[Any, memoryview | None]:
    """Return numpy's generator and its memory, None if it is not there or of another shape."""
    numpy_random: Any = sys.modules.get("numpy.random")
    generator: Any = getattr(getattr(numpy_random, "mtrand", None), "_rand", None)
    generator = getattr(generator, "_bit_generator", None)
    if type(generator).__name__ != "MT19937":
        return None, None
    address = generator.ctypes.state_address
    state = memoryview((ctypes.c_ubyte * (_LAST + 4)).from_address(address)).cast("B")
    told = generator.state["state"]
    expected = told["key"].astype("uint32").tobytes() + int(told["pos"]).to_bytes(4, sys.byteorder)
    return generator, state if bytes(state) == expected else None
