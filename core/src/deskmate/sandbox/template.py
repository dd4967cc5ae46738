"""Templates: a VM is booted once, frozen warm, and every later VM is a private copy of it."""

from __future__ import annotations

import json
import os
import secrets
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from deskmate.errors import ProtocolError, SandboxUnavailable
from deskmate.protocol.client import GuestClient, connect_guest
from deskmate.sandbox import process
from deskmate.sandbox.files_disk import FilesDisk
from deskmate.sandbox.image import Image
from deskmate.sandbox.launching import Launchers
from deskmate.sandbox.memory import (
    copy_beside,
    copy_sparse,
    empty_disk,
    file_head,
    fill_ram,
    save_sparse,
)
from deskmate.sandbox.process import Process
from deskmate.sandbox.qemu import PLUGINS_DISK_BYTES, Qemu, Shape
from deskmate.sandbox.recipes import find_recipe
from deskmate.types.ids import Digest
from deskmate.types.registry import Layer
from deskmate.types.wire import FILES_DISK_BYTES

BOOT_DEADLINE_S = 120.0
_HEAD_BYTES = 1 << 16
_READ = os.O_RDONLY | os.O_CLOEXEC
_READY_LIMIT_BYTES = 1 << 16
_ARRIVING = ("inmigrate", "postmigrate")
FIRST_PRACTICE_ID = -(1 << 30)
FIRST_GRAFT_ID = -(3 << 28)
"""Of a copy that loads more plugins and is frozen again: greater than those of the template it comes from."""
FIRST_SPARE_ID = -(1 << 29)
"""Of the practice of a restored machine that nobody uses yet: greater than all before the freeze."""
_PRACTICE_ROUNDS = 20
_GRAFT_SETTLE_S = 0.3
_PRACTICE_TOOL = "workspace__glob"
_PRACTICE_S = 60.0
WARM_S = 300.0
"""How long a program may take over its first start."""
_SETTLE_S = 1.0
"""What the guest's kernel puts off is done in this time."""
_IGNORE_SHARED = [{"capability": "x-ignore-shared", "state": True}]


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Template:
    """A frozen VM: descriptors of its sealed memory, its devices' state and its scratch disk.

    They are closed with its last user; who removes the folder meanwhile takes nothing away. `layer`: the set
    of plugins. `booted`: the layer that it booted from and that has Deskmate's code, where that is another one.
    """

    key: Digest
    folder: Path
    image: Image
    layer: Layer
    shape: Shape
    ram: int
    state_fd: int
    scratch_fd: int
    cold_boot_s: float
    booted: Layer | None = None
    disks: Mapping[str, int] = field(default_factory=dict)
    """The read-only disks, open and locked: they are pruned by nobody meanwhile."""

    def __post_init__(self) -> None:
        """Tie the descriptors to the object: a process keeps as many templates open as it uses."""
        fds = (self.ram, self.state_fd, self.scratch_fd, *self.disks.values())
        weakref.finalize(self, _close_all, fds)

    @property
    def state(self) -> Path:
        """The file with the devices' state."""
        return Path(f"/proc/self/fd/{self.state_fd}")

    @property
    def scratch(self) -> Path:
        """The file with the scratch disk as it was at the freeze."""
        return Path(f"/proc/self/fd/{self.scratch_fd}")

    def files(self, scratch: int) -> VmFiles:
        """Return what a private copy is made of. `scratch`: its own disk."""
        return VmFiles(
            image=self.image,
            layer=self.booted or self.layer,
            plugins=self.layer if self.booted else None,
            ram=self.ram,
            scratch=scratch,
            disks=self.disks,
        )


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


async def freeze(qemu: Qemu, parts: VmFiles, shape: Shape, folder: Path) -> float:
    """Boot a VM until it is ready, stop it, write its devices' state and its scratch disk to `folder`.

    `parts.ram`: takes the guest's memory. The guest has the scratch disk mounted: memory and disk belong
    together, and every copy starts with both. Returns the boot's seconds.
    """
    began = time.monotonic()
    scratch = os.dup(parts.scratch)
    try:
        async with running(qemu, shape, parts, incoming=False) as vm:
            image = parts.image
            await ready(vm, find_recipe(image.flavour, image.suite).boot_deadline_s)
            seconds = time.monotonic() - began
            # its end of the channel stays open: a guest that sees its host go has more to do at the restore
            async with connect_guest(vm.agent, FIRST_PRACTICE_ID) as guest:
                await practise(guest)
                await _write_down(vm, folder / "state")
            await _end(vm)
            await anyio.to_thread.run_sync(save_sparse, scratch, folder / "scratch")
    finally:
        os.close(scratch)
    return seconds


async def graft(qemu: Qemu, base: Template, plugins: Layer, ram: int, folder: Path) -> None:
    """Restore a copy of `base`, have it load more plugins, and freeze it as `freeze` does.

    `ram`: an empty memory file that takes the copy's memory. No thread's VM: nothing of a user was ever in
    it. Raises SandboxUnavailable.
    """
    await anyio.to_thread.run_sync(fill_ram, base.ram, ram)
    scratch = copy_sparse(base.scratch, folder)
    kept = os.dup(scratch)
    parts = replace(base.files(scratch), plugins=plugins, ram=ram, shared=True)
    try:
        async with arriving(qemu, base, parts) as vm:
            async with connect_guest(vm.agent, FIRST_GRAFT_ID) as guest:
                await practise(
                    guest, rounds=1, settle_s=0
                )  # it has a clock before it runs plugins' code
                try:
                    await guest.load()
                except ProtocolError as error:
                    raise SandboxUnavailable(
                        f"the plugins did not load: {error.message}"
                    ) from error
                await _warm(guest, plugins.warm)
                await practise(guest, settle_s=_GRAFT_SETTLE_S)
                await _write_down(vm, folder / "state")
            await _end(vm)
            await anyio.to_thread.run_sync(save_sparse, kept, folder / "scratch")
    finally:
        os.close(kept)


async def _end(vm: Process) -> None:
    with anyio.move_on_after(10):
        while vm.running:  # noqa: ASYNC110 - a process has no event to wait for
            await anyio.sleep(0.005)


async def _write_down(vm: Process, state: Path) -> None:
    """Stop a VM, write its devices' state to a file, and end it."""
    await vm.qmp.execute("stop")
    await _migrate(vm, "migrate", state, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    with within(60, "freezing"):
        while (status := await vm.qmp.execute("query-migrate")).get("status") != "completed":
            if status.get("status") == "failed":
                raise SandboxUnavailable(f"freezing failed: {status.get('error-desc', '')}")
            await anyio.sleep(0.005)
    await vm.qmp.execute("quit")


async def practise(
    guest: GuestClient, *, rounds: int = _PRACTICE_ROUNDS, settle_s: float = _SETTLE_S
) -> None:
    """Have a guest do what every copy of it does first, so often that nothing is new to it.

    What a process writes to for the first time after a fork is copied page by page; code of Python that
    ran often is in its fast form. Both are better done once, before the freeze.
    """
    try:
        for number in range(rounds):
            await _arrive(guest)
            await guest.call(
                _PRACTICE_TOOL, {"pattern": "*"}, key=f"practice-{number}",
                timeout_s=_PRACTICE_S, on_progress=lambda line: None,
            )  # fmt: skip
        await _arrive(guest)  # which forgets the practice's calls: a copy has nothing to forget
    except ProtocolError as error:
        raise SandboxUnavailable(
            f"the virtual machine failed before its freeze: {error.message}"
        ) from error
    await anyio.sleep(settle_s)


async def _warm(guest: GuestClient, warm: Mapping[str, Mapping[str, Any]]) -> None:
    """Have programs loaded once; one that cannot be is no reason to have no template: its start will say why."""
    for plugin, arguments in warm.items():
        await _arrive(guest)
        try:
            await guest.call(
                f"{plugin}__warm", arguments, key=f"warm-{plugin}",
                timeout_s=WARM_S, on_progress=lambda line: None,
            )  # fmt: skip
        except ProtocolError as error:
            raise SandboxUnavailable(
                f"the virtual machine failed before its freeze: {error.message}"
            ) from error


async def _arrive(guest: GuestClient) -> None:
    await guest.resume(
        time_ns=time.time_ns(),
        seed=secrets.token_bytes(64),
        machine_id="0" * 32,
        hostname="template",
    )
    await guest.open((), {}, "template")


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Give the work in the block so long. Raises SandboxUnavailable, which callers answer by another try."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise SandboxUnavailable(
            f"{what} a virtual machine took longer than {seconds:g} s"
        ) from error


@asynccontextmanager
async def restored(
    qemu: Qemu, template: Template, scratch_folder: Path, launchers: Launchers | None = None
) -> AsyncIterator[Process]:
    """Yield a running private copy of a template; on exit it is gone."""
    with closing(FilesDisk(scratch_folder)) as disk:
        scratch, copied = copy_beside(template.scratch, scratch_folder)  # while QEMU starts
        parts = replace(template.files(scratch), files=disk)
        async with arriving(qemu, template, parts, launchers, copied) as vm:
            vm.files = disk
            yield vm


@asynccontextmanager
async def arriving(
    qemu: Qemu,
    template: Template,
    parts: VmFiles,
    launchers: Launchers | None = None,
    copied: Future[None] | None = None,
) -> AsyncIterator[Process]:
    """Yield a VM that goes on where the template stopped, made of `parts`.

    `copied`: done when its scratch disk is whole; it does not run before. Raises OSError if that failed.
    """
    async with running(qemu, template.shape, parts, incoming=True, launchers=launchers) as vm:
        await _migrate(vm, "migrate-incoming", template.state, os.O_RDONLY)
        with within(20, "restoring"):
            while (await vm.qmp.execute("query-status"))["status"] in _ARRIVING:  # noqa: ASYNC110
                await anyio.sleep(0.001)
        if copied is not None:
            await anyio.to_thread.run_sync(copied.result)
        await vm.qmp.execute("cont")
        yield vm


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFiles:
    """What one VM is made of. `ram`, `disks`: stay the caller's. `scratch`: given away, closed with the VM.

    `layer`: what it boots from. `plugins`: the layer whose plugins it loads after that, if any. `disks`:
    read-only disks that are open already; the others are opened by their paths. `shared`: what the VM
    writes to its memory is written to `ram`, also in a copy of a template. `files`: the disk that the host
    writes; without it the VM has an empty one.
    """

    image: Image
    layer: Layer
    ram: int
    scratch: int
    plugins: Layer | None = None
    disks: Mapping[str, int] = field(default_factory=dict)
    shared: bool = False
    files: FilesDisk | None = None


@asynccontextmanager
async def running(
    qemu: Qemu,
    shape: Shape,
    parts: VmFiles,
    *,
    incoming: bool,
    launchers: Launchers | None = None,
) -> AsyncIterator[Process]:
    """Open the VM's files, start it, and close them again: QEMU holds its own."""
    with ExitStack() as stack:
        stack.callback(os.close, parts.scratch)
        files = {"ram": parts.ram, "scratch": parts.scratch}
        for name, path in (
            ("kernel", parts.image.file("vmlinuz")),
            ("initrd", parts.image.file("initrd")),
            ("base", parts.image.file("base.erofs")),
            ("layer", Path(parts.layer.disk)),
            ("plugins", Path(parts.plugins.disk) if parts.plugins else None),
        ):
            files[name] = _open_part(name, path, parts, unused=incoming)
            stack.callback(os.close, files[name])
        files["files"] = parts.files.reader() if parts.files else empty_disk(FILES_DISK_BYTES)
        stack.callback(os.close, files["files"])
        shared = parts.shared or not incoming
        async with process.start(
            qemu, shape, files, incoming=incoming, shared=shared, launchers=launchers
        ) as vm:
            if (
                incoming and not parts.shared
            ):  # a template still needs its scratch disk when it is frozen
                stack.close()
            yield vm


def _open_part(name: str, path: Path | None, parts: VmFiles, *, unused: bool) -> int:
    if name in parts.disks:  # the same file, opened anew: no VM may set another one's flags
        return os.open(f"/proc/self/fd/{parts.disks[name]}", _READ)
    if path is None:
        return empty_disk(PLUGINS_DISK_BYTES)
    if unused and name in ("kernel", "initrd"):
        # a copy has the kernel in its memory already: QEMU gets no more than it insists on
        return file_head(path, _HEAD_BYTES)
    return os.open(path, _READ)


async def ready(vm: Process, deadline_s: float = BOOT_DEADLINE_S) -> None:
    """Wait for the guest's first line. Raises SandboxUnavailable with the console's end."""
    buffer = b""
    try:
        with anyio.fail_after(deadline_s):
            while b"\n" not in buffer and len(buffer) < _READY_LIMIT_BYTES:
                with anyio.move_on_after(1.0):
                    buffer += await vm.agent.receive(4096)
                if (await vm.qmp.execute("query-status"))["status"] == "shutdown":
                    raise SandboxUnavailable(
                        "the virtual machine did not boot: it gave up", hint=await console_end(vm)
                    )
        message = json.loads(buffer)
        if message.get("method") == "deskmate/ready":
            return
        why = "its first line was something else"
    except TimeoutError:
        why = f"it was not ready after {deadline_s:g} s"
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        why = "it ended: " + vm.last_words()
    except ValueError:
        why = "its first line was not JSON"
    raise SandboxUnavailable(f"the virtual machine did not boot: {why}", hint=await console_end(vm))


async def console_end(vm: Process) -> str:
    """Return the last lines of the guest's console before a panic, empty if it said nothing."""
    try:
        text = await vm.console()
    except SandboxUnavailable:
        return ""
    text = text.partition("Kernel panic")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "console: " + " | ".join(lines[-8:])[-1500:] if lines else ""


async def _migrate(vm: Process, direction: str, path: Path, flags: int) -> None:
    await vm.qmp.execute("migrate-set-capabilities", capabilities=_IGNORE_SHARED)
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        await vm.qmp.execute("getfd", fd=fd, fdname="state")
    finally:
        os.close(fd)
    await vm.qmp.execute(direction, uri="fd:state")
