"""A machine whose scratch disk finds no room on the host: QEMU pauses it, and we wait for room."""

from __future__ import annotations

import anyio

from deskmate.errors import SandboxUnavailable
from deskmate.ports import Progress
from deskmate.sandbox.process import Process

FULL = "the host's disk is full: the virtual machine could not write to its own disk"
CURE = "free some space on the disk of Deskmate's cache folder; the machine is restored by itself"
_ASK_S = 5.0
_TRY_S = 1.0


async def disk_is_full(vm: Process) -> bool:
    """Say whether QEMU paused the machine because a write found no room, or failed, on the host."""
    with anyio.move_on_after(_ASK_S, shield=True):
        try:
            status = await vm.qmp.execute("query-status", timeout_s=_ASK_S)
        except SandboxUnavailable:
            return False
        return bool(status.get("status") == "io-error")
    return False


async def wait_for_room(vm: Process, on_progress: Progress, wait_s: float) -> bool:
    """Let the machine try its write again, every second; False when there is no room for `wait_s`."""
    on_progress(f"{FULL}; it waits up to {wait_s:g} s for room")
    with anyio.move_on_after(wait_s):
        while await disk_is_full(vm):
            await anyio.sleep(_TRY_S)
            await vm.qmp.execute("cont")
            await anyio.sleep(_TRY_S)
        return True
    return False
