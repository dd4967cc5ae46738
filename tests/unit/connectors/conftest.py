"""What tests of connectors share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deskmate.testing.fake_internet import FakeInternet


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def net() -> AsyncIterator[FakeInternet]:
    """An internet in this process."""
    async with FakeInternet() as found:
        yield found
