"""The pool hands each machine out once, and its faults are nobody's business."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox import pool as pools
from deskmate.sandbox.pool import Pool
from deskmate.sandbox.template import Template

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "REFILL_GAP_S", 0)


def template(key: str) -> Template:
    return cast("Template", SimpleNamespace(key=key))


A, B, C = template("a"), template("b"), template("c")


class Machine:
    def __init__(self, key: str) -> None:
        self.key, self.fit, self.awake, self.wakes = key, True, False, True

    async def wake(self) -> None:
        if not self.wakes:
            raise SandboxUnavailable("gone")
        self.awake = True


class Farm:
    """Makes machines and counts those that live."""

    def __init__(self) -> None:
        self.made: list[Machine] = []
        self.living: list[Machine] = []
        self.error: Exception | None = None

    @asynccontextmanager
    async def restore(self, wanted: Template) -> AsyncIterator[Machine]:
        if self.error:
            raise self.error
        machine = Machine(wanted.key)
        self.made.append(machine)
        self.living.append(machine)
        try:
            yield machine
        finally:
            self.living.remove(machine)


async def use(
    work: Callable[[Pool[Machine], Farm], Any], *, enough: Callable[[Any], bool] = lambda _: True
) -> Farm:
    farm = Farm()
    async with anyio.create_task_group() as tasks:
        await work(Pool(tasks, farm.restore, enough), farm)
        tasks.cancel_scope.cancel()
    return farm


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not true():
            await anyio.sleep(0.001)


async def test_a_machine_is_made_once_and_handed_out_once_awake() -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        async with pool.take(A) as nothing:
            assert nothing is None
        pool.want(A)
        pool.want(A)
        await until(lambda: pool.waiting == 1)
        async with pool.take(A) as machine:
            assert machine is not None
            assert machine.awake
            assert pool.waiting == 0
            async with pool.take(A) as second:
                assert second is None
            assert farm.living == [machine]
        assert farm.living == []  # it never comes back
        assert len(farm.made) == 1

    await use(work)


async def test_machines_of_other_templates_are_not_mixed_up_and_the_oldest_goes() -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        for wanted in (A, B, C):
            pool.want(wanted)
            await until(lambda: bool(farm.living) and farm.living[-1].key == wanted.key)  # noqa: B023
        await until(lambda: len(farm.living) == pools.WAITING_MACHINES)
        async with pool.take(A) as gone:
            assert gone is None
        async with pool.take(C) as machine:
            assert machine is not None
            assert machine.key == "c"

    await use(work)


@pytest.mark.parametrize("fault", ["dead", "does not wake"])
async def test_a_machine_that_died_waiting_is_not_handed_out(fault: str) -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        pool.want(A)
        await until(lambda: pool.waiting == 1)
        farm.living[0].fit, farm.living[0].wakes = fault != "dead", False
        async with pool.take(A) as machine:
            assert machine is None
        assert farm.living == []

    await use(work)


@pytest.mark.parametrize("error", [SandboxUnavailable("no"), OSError(28, "No space left")])
async def test_a_machine_that_cannot_be_made_is_not_missed(error: Exception) -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        farm.error = error
        pool.want(A)
        await anyio.sleep(0.02)
        assert pool.waiting == 0
        farm.error = None
        pool.want(A)
        await until(lambda: pool.waiting == 1)

    await use(work)


async def test_without_enough_memory_nothing_is_made_ahead() -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        pool.want(A)
        await anyio.sleep(0.02)
        assert farm.made == []

    await use(work, enough=lambda _: False)


async def test_the_end_of_the_pool_is_the_end_of_its_machines() -> None:
    async def work(pool: Pool[Machine], farm: Farm) -> None:
        pool.want(A)
        await until(lambda: pool.waiting == 1)

    assert (await use(work)).living == []
