"""Limits of a run, and what was used of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. None means no limit of that kind. `max_calls`: of tools."""

    max_turns: int = 60
    max_calls: int = 2_000
    max_tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None
    max_repairs: int = 3
    max_result_bytes: int = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model calls, and their price in US dollars (None: price unknown)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the whole prompt, wherever they came from."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


def add_usage(left: Usage, right: Usage) -> Usage:
    """Return the sum; the price is None only as long as nothing priced was added.

    An unknown price stays out of the sum: a money limit is refused for such a model.
    """
    prices = [usage.cost_usd for usage in (left, right) if usage.cost_usd is not None]
    return Usage(
        input_tokens=left.input_tokens + right.input_tokens,
        output_tokens=left.output_tokens + right.output_tokens,
        cache_read_tokens=left.cache_read_tokens + right.cache_read_tokens,
        cache_write_tokens=left.cache_write_tokens + right.cache_write_tokens,
        cost_usd=sum(prices) if prices else None,
    )
