"""A template that another process is making for too long is a lost try, told as such."""

from __future__ import annotations

import fcntl
from pathlib import Path

import anyio
import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox import template_cache

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_waiting_too_long_for_another_process_is_a_sandbox_that_is_not_there_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_cache, "_LOCK_DEADLINE_S", 0.1)
    with (tmp_path / ".key.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SandboxUnavailable, match="longer than"):
            async with template_cache._file_lock(tmp_path, "key"):
                raise AssertionError


async def test_being_stopped_while_waiting_is_no_failure(tmp_path: Path) -> None:
    with (tmp_path / ".key.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with anyio.move_on_after(0.1) as scope:
            async with template_cache._file_lock(tmp_path, "key"):
                raise AssertionError
        assert scope.cancelled_caught
