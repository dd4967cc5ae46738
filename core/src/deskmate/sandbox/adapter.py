"""`QemuSandbox`: the port `Sandbox` over templates and restored VMs. Tools never run on the host."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from deskmate.errors import CorruptData, ProtocolError, SandboxMissing, SandboxUnavailable
from deskmate.ports import Flavour, Progress, SandboxSpec
from deskmate.sandbox.acceleration import find_acceleration
from deskmate.sandbox.host_checks import available_mib
from deskmate.sandbox.image import Image, find_image
from deskmate.sandbox.launching import Launchers
from deskmate.sandbox.machine import QemuMachine, machine_of, spare_of
from deskmate.sandbox.pool import Pool
from deskmate.sandbox.process import probe_walls
from deskmate.sandbox.qemu import Qemu, Shape, find_qemu
from deskmate.sandbox.recipes import FLAVOURS, find_recipe, flavour_for
from deskmate.sandbox.storage import drop_stale
from deskmate.sandbox.template import Template, restored
from deskmate.sandbox.template_cache import Templates
from deskmate.sandbox.tsc import tsc_khz
from deskmate.sandbox.walls import Demand, check_demand
from deskmate.sandbox.way_out import way_out
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer, Registry
from deskmate.types.wire import REGISTRY_LIMIT_BYTES

LayerFor = Callable[[Sequence[str], Progress], Layer]
"""Makes or finds the layer of a set of plugins; blocks, so it is called in a thread."""
CheckRegistry = Callable[[Mapping[str, Any], Layer], Registry]
"""Returns what of a guest's report the layer's manifests allow."""

MEMORY_CLASSES_MIB = (384, 512, 1024)
OFFICE_MACHINES = 2
"""How many machines of flavour `office` one process has at once; more wait their turn."""
KEPT_FREE_MIB = 1024
"""No machine is made ahead of need that would leave less memory to everything else."""
FAILURE_KEPT_S = 600.0
"""After so long a plugin that did not load is tried again: a kill or a slow boot heals."""


class QemuSandbox:
    """Restores one VM a thread, and a pristine one a validation."""

    def __init__(
        self,
        places: Places,
        layer_for: LayerFor,
        check_registry: CheckRegistry,
        *,
        memory_mib: int | None = None,
        demand: Demand = "any",
    ) -> None:
        """`memory_mib`: overrides the memory class that the plugins' manifests ask for.

        `demand`: what must stand, or nothing is started.
        """
        self._places = places
        self._layer_for = layer_for
        self._check_registry = check_registry
        self._memory_mib = memory_mib
        self._demand = demand
        self._templates: Templates | None = None
        self._layers: dict[tuple[str, ...], Layer] = {}
        self._office = anyio.Semaphore(OFFICE_MACHINES)
        self._rooms = anyio.Semaphore(
            OFFICE_MACHINES
        )  # of their own: a thread keeps its machine meanwhile
        self._pool: Pool[QemuMachine] | None = None
        self._launchers = Launchers()

    async def registry(self, plugins: Sequence[str], progress: Progress) -> Registry:
        """Return what the plugins bring, asked of a guest once per layer.

        Raises SandboxMissing, SandboxUnavailable, ProtocolError (the guest's report is no registry).
        """
        await anyio.to_thread.run_sync(self._installed)  # without them no layer is worth building
        self._layers.pop((), None)  # Deskmate's own code may have changed since
        layer = await self._layer(plugins, progress, anew=True)
        image, qemu = await anyio.to_thread.run_sync(self._installed, flavour_of(layer))
        path = self._places.cache / "registries" / f"{layer.digest[:32]}-{image.digest[:16]}.json"
        report = _read_report(path, layer)
        if report is None:
            report = await self._ask(layer, await self._template(layer, image, qemu, progress))
            if silent_plugins(report, layer):
                # perhaps its process was only killed or too slow; the template has that frozen in
                progress("a plugin did not load; trying once more in a new virtual machine")
                await self.forget(await self._template(layer, image, qemu, progress))
                report = await self._ask(layer, await self._template(layer, image, qemu, progress))
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(report), "utf-8")
            part.replace(path)
        code = Digest(hashlib.sha256(f"{layer.digest} {image.digest}".encode()).hexdigest())
        return replace(self._check_registry(report, layer), code=code)

    async def _ask(self, layer: Layer, template: Template) -> dict[str, Any]:
        async with self._restored(template, self._office) as machine:
            report: dict[str, Any] = to_json(await machine.guest.registry())
        return report

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[QemuMachine]:
        """Restore a VM for a thread; on exit it is gone."""
        async with self._machine(spec.plugins, progress, spec.flavour, self._office) as machine:
            await machine.open(spec)
            async with way_out(machine, spec.egress):
                yield machine

    @asynccontextmanager
    async def clean_room(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour = "base"
    ) -> AsyncIterator[QemuMachine]:
        """Restore a pristine VM without grants for one validation. `flavour`: the least that its image has."""
        async with self._machine(plugins, progress, flavour, self._rooms) as machine:
            yield machine

    @asynccontextmanager
    async def _machine(
        self,
        plugins: Sequence[str],
        progress: Progress,
        flavour: Flavour,
        turns: anyio.Semaphore,
    ) -> AsyncIterator[QemuMachine]:
        template = await self.template(plugins, progress, flavour)
        if template.image.flavour == "office" and not turns.value:
            progress(f"{OFFICE_MACHINES} machines with LibreOffice are in use; waiting for one")
        async with self._restored(template, turns) as machine:
            yield machine

    async def lacks(self, flavour: Flavour) -> str:
        """Return in one line why there can be no machine of this flavour, with the cure; "" if there can."""
        try:
            await anyio.to_thread.run_sync(self._installed, flavour)
        except (SandboxMissing, CorruptData) as error:
            return f"{error.message.rstrip('.')}. {error.hint}"
        return ""

    @asynccontextmanager
    async def pooled(self) -> AsyncIterator[None]:
        """While this lasts, a machine of each template in use is restored ahead of need."""
        if self._pool is not None:
            yield
            return
        try:
            async with anyio.create_task_group() as tasks:
                self._pool = Pool(tasks, self._spare, room_for)
                try:
                    yield
                finally:
                    self._pool = None
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None  # the caller's own: the pool never raises

    @property
    def waiting(self) -> int:
        """How many machines wait to be taken."""
        return self._pool.waiting if self._pool is not None else 0

    @asynccontextmanager
    async def _restored(
        self, template: Template, turns: anyio.Semaphore
    ) -> AsyncIterator[QemuMachine]:
        """Yield a machine that is a thread's or a clean room's own: a waiting one, else a new one."""
        if self._pool is None or template.image.flavour == "office":
            async with self._new(template, turns) as machine:
                yield machine
            return
        async with AsyncExitStack() as stack:
            waiting = await self._waiting(stack, self._pool, template)
            self._pool.want(template)
            if waiting is None:
                waiting = await stack.enter_async_context(self._new(template, turns))
            yield waiting

    async def _waiting(
        self, stack: AsyncExitStack, pool: Pool[QemuMachine], template: Template
    ) -> QemuMachine | None:
        """Return a machine out of the pool, resumed; None if none is there that works."""
        machine = await stack.enter_async_context(pool.take(template))
        if machine is not None:
            try:
                await machine.resume()
            except (ProtocolError, SandboxUnavailable):
                return None
        return machine

    @asynccontextmanager
    async def _new(self, template: Template, turns: anyio.Semaphore) -> AsyncIterator[QemuMachine]:
        async with (
            turns if template.image.flavour == "office" else nullcontext(),
            restored(find_qemu(), template, self._places.machines, self._launchers) as vm,
            machine_of(vm, template, self._places.machines) as machine,
        ):
            yield machine
        self._launchers.prepare()

    @asynccontextmanager
    async def _spare(self, template: Template) -> AsyncIterator[QemuMachine]:
        async with (
            restored(find_qemu(), template, self._places.machines, self._launchers) as vm,
            spare_of(vm, template, self._places.machines) as machine,
        ):
            yield machine

    async def template(
        self, plugins: Sequence[str], progress: Progress, flavour: Flavour = "base"
    ) -> Template:
        """Return the template of a set of plugins, making it at the first call.

        `flavour`: the least that its image has; more where a plugin needs more of the system.
        It is of the layer whose registry was asked for last: a plugin that is installed anew meanwhile
        must not put other tools or rules under a run.
        """
        layer = await self._layer(plugins, progress)
        flavour = max(flavour, flavour_of(layer), key=FLAVOURS.index)
        image, qemu = await anyio.to_thread.run_sync(self._installed, flavour)
        return await self._template(layer, image, qemu, progress)

    async def _layer(
        self, plugins: Sequence[str], progress: Progress, *, anew: bool = False
    ) -> Layer:
        """Return the layer of a set of plugins; files are compared the first time only, or if `anew`."""
        key = tuple(plugins)
        if anew or key not in self._layers:
            self._layers[key] = await anyio.to_thread.run_sync(self._layer_for, key, progress)
        return self._layers[key]

    async def _template(
        self, layer: Layer, image: Image, qemu: Qemu, progress: Progress
    ) -> Template:
        shape = await self.shape(layer, image, qemu)
        self._launchers.prepare()
        if self._templates is None:
            await anyio.to_thread.run_sync(drop_stale, self._places)
            self._templates = self._templates or Templates(self._places, qemu)
        own = await self._layer((), progress)
        booted = own if own.digest != layer.digest else None
        return await self._templates.get(image, layer, shape, progress, booted=booted)

    async def forget(self, template: Template) -> None:
        """Have a template made anew at its next use."""
        if self._templates is not None:
            await self._templates.forget(template)

    async def shape(self, layer: Layer, image: Image, qemu: Qemu) -> Shape:
        """Return the shape of a layer's VMs on this host. Raises SandboxMissing if too few walls stand."""
        verdict = await find_acceleration(self._places, qemu, image)
        if self._demand != "any":
            hardware = verdict.acceleration == "kvm"
            check_demand(self._demand, await probe_walls(), hardware=hardware)
            self._demand = "any"  # it is met
        return Shape(
            memory_mib=self._memory_mib or memory_class(layer, image.flavour),
            cpus=1,
            acceleration=verdict.acceleration,
            qemu=qemu.version,
            tsc_khz=await anyio.to_thread.run_sync(tsc_khz, self._places.cache),
        )

    def _installed(self, flavour: Flavour = "base") -> tuple[Image, Qemu]:
        """Return image and QEMU. Raises SandboxMissing with the cure."""
        qemu = find_qemu()
        return find_image(self._places, flavour=flavour), qemu

    def close(self) -> None:
        """Give the templates' memory back. VMs that run keep theirs."""
        self._launchers.close()
        if self._templates is not None:
            self._templates.close()
            self._templates = None


def room_for(template: Template) -> bool:
    """Say whether memory is left for a machine that only waits."""
    free = available_mib()
    return free is not None and free >= template.shape.memory_mib + KEPT_FREE_MIB


def flavour_of(layer: Layer) -> Flavour:
    """Return the smallest flavour that has what every plugin's manifest needs of the system."""
    needed = {
        name for manifest in layer.manifests.values() for name in manifest.guest_system_packages
    }
    return flavour_for(tuple(sorted(needed)))


def memory_class(layer: Layer, flavour: Flavour = "base") -> int:
    """Return the smallest memory class in MiB that satisfies the flavour and every plugin's manifest."""
    wanted = max((manifest.memory_mib for manifest in layer.manifests.values()), default=0)
    wanted = max(wanted, find_recipe(flavour).memory_mib)
    return next((size for size in MEMORY_CLASSES_MIB if size >= wanted), MEMORY_CLASSES_MIB[-1])


def silent_plugins(report: Mapping[str, Any], layer: Layer) -> tuple[str, ...]:
    """Return the plugins that promise something in their manifest and of which a report has nothing."""
    heard = {
        row["plugin"]
        for kind in ("prompts", "tools", "skills", "rules")
        for row in report.get(kind, ())
    }
    return tuple(
        name
        for name, manifest in layer.manifests.items()
        if name not in heard and (manifest.tools or manifest.skills or manifest.validators)
    )


def _read_report(path: Path, layer: Layer) -> Mapping[str, Any] | None:
    """Return a cached report, None if there is none to go by: a plugin that failed has another try."""
    try:
        about = path.stat()
        if about.st_size > 2 * REGISTRY_LIMIT_BYTES:
            return None
        report = json.loads(path.read_bytes())
        from_json(Registry, report)
        if silent_plugins(report, layer) and time.time() - about.st_mtime > FAILURE_KEPT_S:
            return None
    except (OSError, ValueError, CorruptData):
        return None
    return dict(report)
