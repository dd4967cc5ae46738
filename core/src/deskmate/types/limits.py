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
