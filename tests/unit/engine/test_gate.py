"""A worker's gate: slots, memory, the urgent first, and nothing lost when who waits goes away."""

from __future__ import annotations

import anyio
import pytest

from deskmate.engine.gate import Gate
from deskmate.ports.engines import BULK, INTERACTIVE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Guests:
    """Those who come to a gate: each stays until told to leave."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.inside: list[str] = []
        self._leave: dict[str, anyio.Event] = {}

    async def come(self, name: str, priority: int = BULK) -> None:
        self._leave[name] = anyio.Event()
        async with self._gate.room(priority):
            self.inside.append(name)
            await self._leave[name].wait()
            self.inside.remove(name)

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await anyio.wait_all_tasks_blocked()


async def test_slots_hold_and_the_urgent_come_first_then_who_waited_longest() -> None:
    gate = Gate(2)
    guests = Guests(gate)
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b", "c", "d"):
            tasks.start_soon(guests.come, name)
            await anyio.wait_all_tasks_blocked()
        tasks.start_soon(guests.come, "urgent", INTERACTIVE)
        await anyio.wait_all_tasks_blocked()
        assert guests.inside == ["a", "b"]
        assert (gate.running, gate.waiting) == (2, 3)
        await guests.leave("a")
        assert guests.inside == ["b", "urgent"]
        await guests.leave("b")
        assert guests.inside == ["urgent", "c"]
        tasks.cancel_scope.cancel()
    assert (gate.running, gate.waiting) == (0, 0), "who is cancelled leaves, and who waits, too"


async def test_memory_is_counted_and_what_the_machine_lacks_is_waited_for_unless_nothing_runs() -> (
    None
):
    free = 100
    gate = Gate(8, memory_mib=1_500, each_mib=500, free_mib=lambda: free)
    guests = Guests(gate)
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b", "c", "d"):
            tasks.start_soon(guests.come, name)
            await anyio.wait_all_tasks_blocked()
        assert guests.inside == ["a"], "one runs, however little is free"
        free = 600
        gate.look()
        await anyio.wait_all_tasks_blocked()
        assert guests.inside == ["a", "b", "c"], "three take what all may take"
        await guests.leave("a")
        assert guests.inside == ["b", "c", "d"]
        for name in ("b", "c", "d"):
            await guests.leave(name)
    assert gate.running == 0
