"""Figures of the sandbox on this machine, all from one run: cold boot, restore, call, memory."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio

from deskmate.ports import Progress, SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine, machine_of
from deskmate.sandbox.memory import copy_sparse, empty_ram
from deskmate.sandbox.qemu import find_qemu
from deskmate.sandbox.template import Template, VmFiles, ready, running
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

RATIO_TARGET = 40.0
RESTORE_TARGET_S = 0.25
POOL_TARGET_S = 0.02
MISS_TARGET_S = 5.0
CALL_TARGET_MS = 5.0
MEMORY_TARGET_MIB = 45.0
IDLE_TARGET_PERCENT = 5.0
_TOOL, _ARGUMENTS = "workspace__glob", {"pattern": "*"}
_CALL_S = 60.0
_SETTLE_S, _IDLE_S = 3.0, 10.0
_BETWEEN_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured. Times in seconds unless named otherwise; medians of `restores`.

    `cold_boot_s`, `restore_s`: from nothing to the first tool result, launcher, clock and random seed
    included. `launcher_s`: the launcher's share; its
    interpreter waits ready, as in a run. `pool_s`: the same out of the pool. `miss_s`: the same for a set
    of plugins that has no template yet, None without plugins. `memory_mib`: available
    memory an untouched VM takes. `awake_cpu_percent`: of one core, by all of `memory_vms` VMs together while
    they wait; `idle_cpu_percent`: after they were stopped for it. `wake_ms`: a stopped one's call, median.
    """

    isolation: str
    cold_boot_s: float
    restore_s: float
    restore_worst_s: float
    restores: int
    launcher_s: float
    first_call_s: float
    pool_s: float
    miss_s: float | None
    ratio: float
    call_ms: float
    memory_mib: float
    memory_vms: int
    awake_cpu_percent: float
    idle_cpu_percent: float
    wake_ms: float
    plugins: tuple[str, ...]
    targets_met: bool


async def bench_sandbox(
    sandbox: QemuSandbox,
    places: Places,
    plugins: tuple[str, ...],
    progress: Progress,
    *,
    restores: int = 20,
    vms: int = 4,
) -> Figures:
    """Measure and return the figures. Raises SandboxMissing, SandboxUnavailable."""
    await sandbox.registry(plugins, progress)  # as every run does; it settles which layer is meant
    template = await sandbox.template(plugins, progress)
    progress("cold boot")
    cold = await _cold(template, places)
    progress(f"{restores} restores")
    rows = []
    for _ in range(restores):
        rows.append(await _restore(sandbox, plugins, progress))
    totals, launchers, firsts = (sorted(column) for column in zip(*rows, strict=True))
    progress(f"{restores} machines out of the pool")
    pool = await _pool_s(sandbox, plugins, progress, restores)
    miss = None
    if template.booted is not None:
        progress("a set of plugins without a template")
        await sandbox.forget(template)
        miss, _, _ = await _restore(sandbox, plugins, progress)
    progress("small calls")
    call_ms = await _small_call_ms(sandbox, plugins, progress)
    progress(f"memory of {vms} virtual machines")
    crowd = await _crowd(sandbox, plugins, vms)
    restore = statistics.median(totals)
    met = restore <= RESTORE_TARGET_S and cold / restore >= RATIO_TARGET and pool <= POOL_TARGET_S
    return Figures(
        isolation="hardware" if template.shape.acceleration == "kvm" else "emulated",
        cold_boot_s=round(cold, 3),
        restore_s=round(restore, 4),
        restore_worst_s=round(totals[-1], 4),
        restores=restores,
        launcher_s=round(statistics.median(launchers), 4),
        first_call_s=round(statistics.median(firsts), 4),
        pool_s=round(pool, 4),
        miss_s=None if miss is None else round(miss, 3),
        ratio=round(cold / restore, 1),
        call_ms=round(call_ms, 2),
        memory_mib=round(crowd.memory_mib, 1),
        memory_vms=vms,
        awake_cpu_percent=round(crowd.awake_percent, 2),
        idle_cpu_percent=round(crowd.idle_percent, 2),
        wake_ms=round(crowd.wake_ms, 2),
        plugins=template.layer.plugins,
        targets_met=met
        and (miss is None or miss <= MISS_TARGET_S)
        and call_ms <= CALL_TARGET_MS
        and crowd.memory_mib <= MEMORY_TARGET_MIB
        and crowd.idle_percent <= IDLE_TARGET_PERCENT,
    )


async def _cold(template: Template, places: Places) -> float:
    """Boot the same image and layer from nothing to its first tool result."""
    ram = empty_ram(template.shape.memory_mib << 20)
    began = time.monotonic()
    scratch = copy_sparse(template.image.file("scratch.ext4"), places.machines)
    parts = VmFiles(image=template.image, layer=template.layer, ram=ram, scratch=scratch)
    try:
        async with running(find_qemu(), template.shape, parts, incoming=False) as vm:
            await ready(vm)
            async with machine_of(vm, template, places.machines) as machine:
                await machine.guest.open((), {}, "t-bench")
                await _call(machine, "cold")
                return time.monotonic() - began
    finally:
        os.close(ram)


async def _restore(
    sandbox: QemuSandbox, plugins: tuple[str, ...], progress: Progress
) -> tuple[float, float, float]:
    """Return seconds of restore to first result, of the launcher, and of the first call alone.

    The launcher for the next machine is started beside what comes between two of them; it has its time here too.
    """
    await anyio.sleep(_BETWEEN_S)
    began = time.monotonic()
    async with sandbox.open(_spec(plugins), progress) as machine:
        opened = time.monotonic()
        await _call(machine, "first")
        done = time.monotonic()
    return done - began, machine.process.launched_s, done - opened


async def _small_call_ms(
    sandbox: QemuSandbox, plugins: tuple[str, ...], progress: Progress, calls: int = 50
) -> float:
    async with sandbox.open(_spec(plugins), progress) as machine:
        times = []
        for number in range(calls):
            began = time.monotonic()
            await _call(machine, f"call-{number}")
            times.append(time.monotonic() - began)
    return statistics.median(times) * 1000


async def _pool_s(
    sandbox: QemuSandbox, plugins: tuple[str, ...], progress: Progress, times: int
) -> float:
    """Return the median seconds from asking to the first tool result, when a machine waits already."""
    taken = []
    async with sandbox.pooled():
        async with sandbox.open(_spec(plugins), progress):
            await _one_waits(sandbox)
        for _ in range(times):
            began = time.monotonic()
            async with sandbox.open(_spec(plugins), progress) as machine:
                await _call(machine, "first")
                taken.append(time.monotonic() - began)
            await _one_waits(sandbox)
    return statistics.median(taken)


async def _one_waits(sandbox: QemuSandbox) -> None:
    with anyio.fail_after(_CALL_S):
        while not sandbox.waiting:  # noqa: ASYNC110 - a pool tells nobody
            await anyio.sleep(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crowd:
    memory_mib: float
    awake_percent: float
    idle_percent: float
    wake_ms: float


async def _crowd(sandbox: QemuSandbox, plugins: tuple[str, ...], vms: int) -> _Crowd:
    """Measure machines that live at once: memory of each, processor of all, awake and stopped.

    Every one of them has to answer a call at the end.
    """
    async with AsyncExitStack() as stack:
        await anyio.sleep(0.5)
        before = _available_mib()
        machines = [
            await stack.enter_async_context(sandbox.open(_spec(plugins), lambda line: None))
            for _ in range(vms)
        ]
        async with AsyncExitStack() as busy:
            for machine in machines:
                await busy.enter_async_context(machine.awake())
            await anyio.sleep(_SETTLE_S)
            memory = (before - _available_mib()) / vms
            awake = await _percent(machines)
            for machine in machines:
                await _call(machine, "first")  # what it costs is another figure
        with anyio.fail_after(_CALL_S):
            while not all(machine.resting for machine in machines):  # noqa: ASYNC110 - tells nobody
                await anyio.sleep(0.1)
        idle = await _percent(machines)
        wakes = []
        for machine in machines:
            began = time.monotonic()
            await _call(machine, "alive")
            wakes.append(time.monotonic() - began)
    return _Crowd(
        memory_mib=memory,
        awake_percent=awake,
        idle_percent=idle,
        wake_ms=1000 * statistics.median(wakes),
    )


async def _percent(machines: Sequence[QemuMachine]) -> float:
    """Return what the machines take of one core, together, over some seconds."""
    began, used = time.monotonic(), sum(map(_cpu_s, machines))
    await anyio.sleep(_IDLE_S)
    used = max(0.0, sum(map(_cpu_s, machines)) - used)  # a thread that ended takes its share along
    return 100 * used / (time.monotonic() - began)


def _cpu_s(machine: QemuMachine) -> float:
    """Return the processor time that a machine's process has used."""
    tasks = Path(f"/proc/{machine.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text("utf-8").split()[0]) for task in tasks) / 1e9


async def _call(machine: QemuMachine, key: str) -> None:
    await machine.call(_TOOL, _ARGUMENTS, key=key, timeout_s=_CALL_S, on_progress=lambda line: None)


def _spec(plugins: tuple[str, ...]) -> SandboxSpec:
    return SandboxSpec(thread=ThreadId("t-bench"), plugins=plugins)


def _available_mib() -> float:
    text = Path("/proc/meminfo").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) / 1024
