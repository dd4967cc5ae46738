"""Makes machines whose guest is `boot.py`: the host sees an ordinary machine that was taken over."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import find_image
from deskmate.sandbox.machine import QemuMachine, machine_of
from deskmate.sandbox.process import Process
from deskmate.sandbox.qemu import find_qemu
from deskmate.sandbox.template import Template, restored
from deskmate.sandbox.template_cache import Templates
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer

PROGRAM = Path(__file__).with_name("boot.py")


class EvilGuests:
    """One template of an evil guest, frozen at the first use, in folders of its own."""

    def __init__(self, sandbox: QemuSandbox, shared: Places, folder: Path) -> None:
        self._sandbox, self._shared, self._folder = sandbox, shared, folder
        self._templates: Templates | None = None
        self._template: Template | None = None

    async def template(self) -> Template:
        """Return the template."""
        if self._template is None:
            image, qemu = find_image(self._shared), find_qemu()
            layer = _layer(self._folder)
            own = Places(data=self._folder, cache=self._folder, config=self._folder)
            shape = await self._sandbox.shape(layer, image, qemu)
            self._templates = Templates(own, qemu)
            self._template = await self._templates.get(image, layer, shape, lambda line: None)
        return self._template

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        """Yield a bare process: nobody reads its channels but the test."""
        template = await self.template()
        async with restored(find_qemu(), template, self._folder / "machines") as vm:
            yield vm

    @asynccontextmanager
    async def machine(self) -> AsyncIterator[QemuMachine]:
        """Yield a machine as the product sees it."""
        template = await self.template()
        folder = self._folder / "machines"
        async with self.process() as vm, machine_of(vm, template, folder) as machine:
            yield machine

    def close(self) -> None:
        """Give the template back and remove its files."""
        if self._templates is not None:
            self._templates.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _layer(folder: Path) -> Layer:
    tree, disk = folder / "tree", folder / "evil.erofs"
    (tree / "lib/deskmate_guest").mkdir(parents=True)
    shutil.copy(PROGRAM, tree / "lib/deskmate_guest/boot.py")
    subprocess.run(["/usr/bin/mkfs.erofs", "--quiet", str(disk), str(tree)], check=True)
    return Layer(
        digest=Digest(hashlib.sha256(disk.read_bytes()).hexdigest()), disk=str(disk),
        lock=Digest("e" * 64), plugins=(), versions={}, manifests={},
    )  # fmt: skip


async def run_as_root(machine: QemuMachine, code: str, timeout_s: float = 60) -> str:
    """Have the guest's first process run Python code; returns what it printed."""
    outcome = await machine.call(
        "evil", {"code": code}, key="k", timeout_s=timeout_s, on_progress=lambda line: None
    )
    return outcome.text
