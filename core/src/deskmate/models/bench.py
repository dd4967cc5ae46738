"""The vendor's SDK alone, without an agent around it: what the agent's own cost is measured against."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deskmate.models.bounds import bounded_client

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic


@dataclass(frozen=True, slots=True, kw_only=True)
class BareCall:
    """One call. `first_s`: until its first text; `whole_s`: until its end."""

    first_s: float
    whole_s: float


class BareSdk:
    """Sends requests as they are, over one connection."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client
        self.calls: list[BareCall] = []

    async def send(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Send these one after another, each as soon as the one before is answered, and time them."""
        for body in bodies:
            sent: Any = {name: value for name, value in body.items() if name != "stream"}
            began = time.perf_counter()
            first = 0.0
            async with self._client.messages.stream(**sent) as stream:
                async for event in stream:
                    if event.type == "text" and not first:
                        first = time.perf_counter() - began
            self.calls.append(BareCall(first_s=first, whole_s=time.perf_counter() - began))


@asynccontextmanager
async def bare_sdk(url: str) -> AsyncIterator[BareSdk]:
    """Open the SDK for a server."""
    import anthropic  # noqa: PLC0415 - heavy

    client = anthropic.AsyncAnthropic(
        api_key="none", base_url=url, max_retries=0, http_client=bounded_client()
    )
    async with client:
        yield BareSdk(client)
