"""The bench of the agent measures what it says; how fast this machine is today is not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.testing.bench_agent import TURNS_A_RUN, bench_agent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_turns_are_counted_and_most_of_their_prompts_come_from_the_cache(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    figures = await bench_agent(tmp_path, lines.append, turns=3 * TURNS_A_RUN, first_token_ms=0)
    assert figures.turns == 3 * TURNS_A_RUN
    assert 0.8 < figures.read_share < 1
    assert figures.prompt_tokens > figures.turns * 1_000
    assert min(figures.bare_ms, figures.turn_ms, figures.first_ms, figures.bare_first_ms) > 0
    assert list(tmp_path.iterdir()) == [], "nothing of it stays"
    assert any("by the SDK alone" in line for line in lines)
