"""What a caller is told when moving files fails: the host's own fault as itself, a lost VM as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from deskmate.errors import CorruptData, SandboxUnavailable
from deskmate.sandbox import fulldisk
from deskmate.sandbox.machine import QemuMachine
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
ENTRY = Entry(path="docs/a", kind="file", mode=0o644, size=1, sha256=Digest("0" * 64))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Monitor:
    """QEMU's monitor. `states`: what it says of the machine, one after the other, the last for ever."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.continued = 0

    async def execute(self, command: str, **arguments: Any) -> dict[str, Any]:
        if command == "cont":
            self.continued += 1
            return {}
        return {"status": self.states.pop(0) if len(self.states) > 1 else self.states[0]}


class NoDisk:
    """A disk that leaves everything to the channel."""

    def know(self, folders: Any) -> None:
        pass

    def takes(self, items: Any, *, more: bool) -> bool:
        return False


class Vm:
    killed = False

    def __init__(self, *states: str) -> None:
        self.qmp = Monitor(*(states or ("running",)))
        self.files = NoDisk()

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


async def test_a_failed_put_on_a_full_disk_names_the_disk() -> None:
    vm = Vm("io-error")
    parts: Any = (vm, Guest(), Bulk(TimeoutError()), None)
    blobs: Any = Blobs()
    entry = Entry(path="docs", kind="dir", mode=0o755)
    with pytest.raises(SandboxUnavailable, match="disk is full"):
        await QemuMachine(*parts).put_base([entry], blobs, lambda line: None)
    assert vm.killed


async def test_a_machine_that_found_no_room_goes_on_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fulldisk, "_TRY_S", 0.01)
    vm: Any = Vm("io-error", "io-error", "running")
    told: list[str] = []
    assert await fulldisk.disk_is_full(vm)
    assert await fulldisk.wait_for_room(vm, told.append, 20)
    assert vm.qmp.continued == 1
    assert "full" in told[0]


async def test_the_wait_for_room_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulldisk, "_TRY_S", 0.01)
    vm: Any = Vm("io-error")
    assert not await fulldisk.wait_for_room(vm, lambda line: None, 0.1)
