"""A machine that nobody uses is stopped, runs again before its next use, and never stops under one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox.rest import Rest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Hours:
    """Time of the test's own: a sleep ends when the test says so."""

    def __init__(self) -> None:
        self.sleeping: anyio.Event | None = None

    async def sleep(self, seconds: float) -> None:
        assert seconds == 7
        self.sleeping = anyio.Event()
        await self.sleeping.wait()

    async def pass_by(self) -> None:
        """Let the sleep end, and everybody do what they then do."""
        await settle()
        assert self.sleeping is not None
        self.sleeping.set()
        await settle()


class Machine:
    """What is stopped and goes on. `slow`: stopping waits for it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gone = False
        self.slow: anyio.Event | None = None

    async def stop(self) -> None:
        if self.slow:
            await self.slow.wait()
        self._say("stop")

    async def go_on(self) -> None:
        await anyio.sleep(0)
        self._say("go on")

    def _say(self, what: str) -> None:
        if self.gone:
            raise SandboxUnavailable("it is gone")
        self.log.append(what)


async def settle() -> None:
    for _ in range(20):
        await anyio.sleep(0)


@asynccontextmanager
async def watched(machine: Machine, hours: Hours) -> AsyncIterator[Rest]:
    rest = Rest(machine.stop, machine.go_on, after_s=7, sleep=hours.sleep)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rest.watch)
        yield rest
        tasks.cancel_scope.cancel()


async def test_a_machine_that_was_never_used_is_left_alone() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        await settle()
        assert hours.sleeping is None
        assert not rest.resting


async def test_an_idle_machine_is_stopped_and_goes_on_before_its_next_use() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        for _ in range(3):
            async with rest.in_use():
                machine.log.append("use")
            await hours.pass_by()
            assert rest.resting
    assert machine.log == ["use", "stop", "go on", "use", "stop", "go on", "use", "stop"]


async def test_a_machine_in_use_is_never_stopped_however_long_it_takes() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        async with rest.in_use():
            await hours.pass_by()
            async with rest.in_use():
                pass
            await settle()
            assert machine.log == []
        await hours.pass_by()
        assert machine.log == ["stop"]


async def test_a_use_that_came_and_went_begins_the_wait_anew() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        async with rest.in_use():
            pass
        await settle()
        async with rest.in_use():
            pass
        await hours.pass_by()
        assert machine.log == []
        await hours.pass_by()
        assert machine.log == ["stop"]


async def test_a_use_that_begins_while_it_is_being_stopped_waits_for_it_to_go_on() -> None:
    machine, hours = Machine(), Hours()
    machine.slow = anyio.Event()
    async with watched(machine, hours) as rest, anyio.create_task_group() as tasks:
        async with rest.in_use():
            pass
        await hours.pass_by()

        async def use() -> None:
            async with rest.in_use():
                machine.log.append("use")

        tasks.start_soon(use)
        tasks.start_soon(use)
        await settle()
        assert machine.log == []
        machine.slow.set()
        await settle()
        assert machine.log == ["stop", "go on", "use", "use"]
        await hours.pass_by()
        assert machine.log[-1] == "stop"


async def test_a_machine_that_is_gone_is_told_to_whoever_uses_it() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        async with rest.in_use():
            pass
        await hours.pass_by()
        machine.gone = True
        for _ in range(2):
            with pytest.raises(SandboxUnavailable):
                async with rest.in_use():
                    pass


async def test_a_machine_that_cannot_be_stopped_is_not_watched_any_more() -> None:
    machine, hours = Machine(), Hours()
    machine.gone = True
    async with watched(machine, hours) as rest:
        async with rest.in_use():
            pass
        await hours.pass_by()
        assert not rest.resting


async def test_a_wake_up_is_whole_also_when_its_user_is_cancelled() -> None:
    machine, hours = Machine(), Hours()
    async with watched(machine, hours) as rest:
        async with rest.in_use():
            pass
        await hours.pass_by()
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with rest.in_use():
                await anyio.sleep(0)
        async with rest.in_use():
            pass
    assert machine.log == ["stop", "go on"]
