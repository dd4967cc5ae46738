"""What a caller is told when moving files fails: the host's own fault as itself, a lost VM as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from deskmate.errors import CorruptData, SandboxUnavailable
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
ENTRY = Entry(path="docs/a", kind="file", mode=0o644, size=1, sha256=Digest("0" * 64))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Vm:
    killed = False

    async def kill(self) -> None:
        self.killed = True


class Guest:
    async def put(self, *arguments: Any, **options: Any) -> int:
        await anyio.sleep_forever()
        raise AssertionError


class Bulk:
    def __init__(self, error: Exception | None = None) -> None:
        self.lock = anyio.Lock()
        self.error = error

    async def send(self, chunks: Iterator[bytes]) -> None:
        if self.error:
            raise self.error
        for _ in chunks:
            pass


class Blobs:
    def chunks(self, digest: Digest) -> Iterator[bytes]:
        raise CorruptData("Blob is missing.")


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, CorruptData), (anyio.EndOfStream(), SandboxUnavailable)],
)
async def test_a_failed_put_kills_the_machine_and_says_whose_fault_it_was(
    error: Exception | None, expected: type[Exception]
) -> None:
    vm = Vm()
    parts: Any = (vm, Guest(), Bulk(error), None)
    machine = QemuMachine(*parts)
    blobs: Any = Blobs()
    with pytest.raises(expected):
        await machine.put_base([ENTRY], blobs, lambda line: None)
    assert vm.killed
