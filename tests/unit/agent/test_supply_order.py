"""Batches are read two at a time and laid in their order; the last says that it is the last."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from deskmate.agent import supply
from deskmate.agent.supply import Supplier
from deskmate.agent.world import Taken
from deskmate.ports import Machine
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry

WANTED = tuple(Entry(path=f"docs/{number}", kind="file", mode=0o644, size=1) for number in range(6))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Machine:
    def __init__(self) -> None:
        self.laid: list[tuple[str, bool]] = []

    async def put_content(self, entries: Sequence[Entry], *_: Any, more: bool) -> None:
        self.laid += [(entry.path, more) for entry in entries]


@pytest.mark.anyio
async def test_a_slow_batch_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "BATCH_FILES", 1)
    second = threading.Event()

    def take(entries: Sequence[Entry]) -> Taken:
        if entries[0].path == "docs/0":
            assert second.wait(20), "the second batch is not read beside the first"
        if entries[0].path == "docs/1":
            second.set()
        return Taken(entries=tuple(entries))

    machine = _Machine()
    supplier = Supplier(take_content=take, blobs=MemoryBlobs(), progress=lambda line: None)
    await supplier.bring(cast(Machine, machine), WANTED)
    assert machine.laid == [(entry.path, entry is not WANTED[-1]) for entry in WANTED]


@pytest.mark.anyio
async def test_what_the_reading_raises_is_raised_as_itself() -> None:
    def take(entries: Sequence[Entry]) -> Taken:
        raise PermissionError(entries[0].path)

    supplier = Supplier(take_content=take, blobs=MemoryBlobs(), progress=lambda line: None)
    with pytest.raises(PermissionError, match="docs/0"):
        await supplier.bring(cast(Machine, _Machine()), WANTED)
