"""The vendor's SDK alone, without an agent around it: what the agent's own cost is measured against."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.models.bounds import bounded_client


@dataclass(frozen=True, slots=True, kw_only=True)
class BareCall:
    """One call. `first_s`: until its first text; `whole_s`: until its end."""

    first_s: float
    whole_s: float


async def bare_calls(url: str, bodies: Sequence[Mapping[str, Any]]) -> tuple[BareCall, ...]:
    """Send these requests one after another, each as soon as the one before is answered, and time them."""
    import anthropic  # noqa: PLC0415 - heavy

    found: list[BareCall] = []
    client = anthropic.AsyncAnthropic(
        api_key="none", base_url=url, max_retries=0, http_client=bounded_client()
    )
    async with client:
        for body in bodies:
            sent: Any = {name: value for name, value in body.items() if name != "stream"}
            began = time.perf_counter()
            first = 0.0
            async with client.messages.stream(**sent) as stream:
                async for event in stream:
                    if event.type == "text" and not first:
                        first = time.perf_counter() - began
            found.append(BareCall(first_s=first, whole_s=time.perf_counter() - began))
    return tuple(found)
