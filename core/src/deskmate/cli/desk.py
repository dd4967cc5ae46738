"""What the turns of one command have in common: a host, and an event loop that goes on between them."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from deskmate.host import Host

T = TypeVar("T")
_LOOK_S = 1.0


class Run(Protocol):
    """Carries work out to its end; Ctrl-C stops it for good and raises KeyboardInterrupt."""

    def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`host`: what carries orders out. `run`: where its coroutines run."""

    host: Host
    run: Run


@contextmanager
def kept_desk(host: Host) -> Iterator[Desk]:
    """Yield a desk whose loop runs in a thread of its own, so that machines are restored between turns.

    The terminal stays with the main thread. On exit no machine is left.
    """
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - not for --help

    with start_blocking_portal() as portal:
        pool = portal.wrap_async_context_manager(host.pooled())
        pool.__enter__()
        try:
            yield Desk(host=host, run=lambda work: _run(portal, work))
        finally:
            pool.__exit__(None, None, None)  # whatever ended the turns is not the pool's


def _run(portal: BlockingPortal, work: Callable[[], Awaitable[T]]) -> T:
    from concurrent.futures import wait  # noqa: PLC0415

    import anyio  # noqa: PLC0415 - not for --help

    ended = threading.Event()
    begun: list[anyio.CancelScope] = []

    async def carried_out() -> T:
        with anyio.CancelScope() as scope:
            begun.append(scope)
            try:
                return await work()
            finally:
                ended.set()
        raise anyio.ClosedResourceError  # it was stopped; nobody waits for what it returns

    async def stop() -> bool:
        for scope in begun:
            scope.cancel()  # every further wait ends too
        return bool(begun)

    try:  # Ctrl-C may come before there is anything to wait for
        future = portal.start_task_soon(carried_out)
        while not future.done():
            # a signal that comes just before the wait begins is heard when the wait ends
            wait([future], timeout=_LOOK_S)
        return future.result()
    except KeyboardInterrupt:
        if portal.call(stop):  # what was handed over before has begun by now
            ended.wait()
        raise
