"""Joins a VM's `egress` port to what serves it, for as long as the VM lives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from deskmate.errors import DeskmateError, ProtocolError, SandboxUnavailable
from deskmate.ports import Egress
from deskmate.sandbox.machine import QemuMachine


@asynccontextmanager
async def way_out(machine: QemuMachine, egress: Egress | None) -> AsyncIterator[None]:
    """Open the VM's way out while the context lasts; without `egress` the port stays closed.

    A guest that breaks the rules of the port is killed. Raises SandboxUnavailable if the guest cannot
    open its end.
    """
    if egress is None:
        yield
        return
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_serve, machine, egress)
            try:
                await machine.guest.egress(egress.trust, egress.stand_ins)
                yield
            except ProtocolError as error:
                raise SandboxUnavailable(error.message) from error
            finally:
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None  # the caller's own, or the host's


async def _serve(machine: QemuMachine, egress: Egress) -> None:
    try:
        await egress.serve(machine.process.egress)
    except DeskmateError:
        # a rule was broken, or facts cannot be stored: nothing may pass any more
        await machine.process.kill()
