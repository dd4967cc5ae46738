"""The conformance suite for sandboxes over real machines."""

from __future__ import annotations

import pytest

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.memory import MemoryBlobs
from deskmate.testing.sandbox_suite import CHECKS, Check

pytestmark = [pytest.mark.vm, pytest.mark.anyio]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_real_machine_conforms(
    check: Check, sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    await check(sandbox, blobs)
