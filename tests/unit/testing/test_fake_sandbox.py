import pytest

from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.memory import MemoryBlobs
from deskmate.testing.sandbox_suite import CHECKS, Check


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_fake_sandbox_conforms(check: Check) -> None:
    await check(FakeSandbox(), MemoryBlobs())
