"""Work beside other work: what needs no machine beside one that waits for it, but not for ever; and several at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")
IDLE_S = 600.0
"""A machine that waits longer than this for a model or a person gives its memory back."""


class Beside:
    """Runs one thing at a time in a task of its own; open it before the machine, close it after."""

    def __init__(self, drop: Callable[[], Awaitable[None]], idle_s: float) -> None:
        """`drop`: gives the machine back. Called in the task that opened it, as machines need."""
        self._drop = drop
        self._idle_s = idle_s
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Be ready to run."""
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        """End what still runs. What was raised meanwhile is the caller's, not its own."""
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`, and drop the machine if that takes too long. Raises what `work` raises.

        Between batches of tools only: all that a machine did is in its checkpoint then, and the next use
        restores it.
        """
        done = anyio.Event()
        failure: list[BaseException] = []

        async def one() -> None:
            try:
                await work()
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, in the task that asked for it
                failure.append(error)
            finally:
                done.set()

        assert self._tasks is not None
        self._tasks.start_soon(one)
        with anyio.move_on_after(self._idle_s):
            await done.wait()
        if not done.is_set():
            await self._drop()
            await done.wait()
        if failure:
            raise failure[0]


async def together(one: Callable[[T], Coroutine[Any, Any, None]], batch: Iterable[T]) -> None:
    """Run all at once; an error comes out as itself, so that who must act is still known."""
    try:
        async with anyio.create_task_group() as group:
            for item in batch:
                group.start_soon(one, item)
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
