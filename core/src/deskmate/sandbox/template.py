"""Templates: a VM is booted once, frozen warm, and every later VM is a private copy of it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from deskmate.errors import CorruptData, ProtocolError, SandboxUnavailable
from deskmate.ports import Progress
from deskmate.protocol.client import GuestClient, connect_guest
from deskmate.sandbox import process
from deskmate.sandbox.image import Image, require_intact
from deskmate.sandbox.memory import (
    copy_sparse,
    empty_ram,
    file_head,
    load_ram,
    save_ram,
    save_sparse,
    seal,
)
from deskmate.sandbox.process import Process
from deskmate.sandbox.qemu import Qemu, Shape
from deskmate.sandbox.recipes import find_recipe
from deskmate.sandbox.storage import (
    LAYERS_CAP_BYTES,
    TEMPLATES_CAP_BYTES,
    hold_disks,
    prune_layers,
)
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer

CAP_BYTES = TEMPLATES_CAP_BYTES
BOOT_DEADLINE_S = 120.0
_BOOT_TRIES = 3
_LOCK_DEADLINE_S = 600.0
_HEAD_BYTES = 1 << 16
_READ = os.O_RDONLY | os.O_CLOEXEC
_READY_LIMIT_BYTES = 1 << 16
_ARRIVING = ("inmigrate", "postmigrate")
FIRST_PRACTICE_ID = -(1 << 30)
FIRST_SPARE_ID = -(1 << 29)
"""Of the practice of a restored machine that nobody uses yet: greater than all before the freeze."""
_PRACTICE_ROUNDS = 20
_PRACTICE_TOOL = "workspace__glob"
_PRACTICE_S = 60.0
_SETTLE_S = 1.0
"""What the guest's kernel puts off is done in this time."""
_IGNORE_SHARED = [{"capability": "x-ignore-shared", "state": True}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A frozen VM: descriptors of its sealed memory, its devices' state and its scratch disk.

    They are owned by the `Templates` that gave it; who removes the folder meanwhile takes nothing away.
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
    disks: Mapping[str, int] = field(default_factory=dict)
    """The read-only disks `base` and `layer`, open and locked: they are pruned by nobody meanwhile."""

    @property
    def state(self) -> Path:
        """The file with the devices' state."""
        return Path(f"/proc/self/fd/{self.state_fd}")

    @property
    def scratch(self) -> Path:
        """The file with the scratch disk as it was at the freeze."""
        return Path(f"/proc/self/fd/{self.scratch_fd}")

    def close(self) -> None:
        """Give the descriptors back. VMs that run keep theirs."""
        for fd in (self.ram, self.state_fd, self.scratch_fd, *self.disks.values()):
            os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """A template on disk, as `deskmate template list` shows it."""

    key: str
    bytes: int
    used_at: float
    plugins: tuple[str, ...]
    shape: dict[str, Any]
    cold_boot_s: float


class Templates:
    """The cache of templates of one process. Close it to give the memory back."""

    def __init__(self, places: Places, qemu: Qemu) -> None:
        self._places = places
        self._qemu = qemu
        self._open: dict[Digest, Template] = {}
        self._forgotten: list[Template] = []
        self._lock = anyio.Lock()

    async def get(self, image: Image, layer: Layer, shape: Shape, progress: Progress) -> Template:
        """Return the template for these three, making it at the first call.

        Raises SandboxUnavailable if the VM does not get ready in three tries.
        """
        key = template_key(image, layer, shape)
        async with self._lock:
            if found := self._open.get(key):
                return found
            async with _file_lock(self._places.templates, key):
                template = await self._load_or_build(key, image, layer, shape, progress)
            self._open[key] = template
        return template

    async def forget(self, template: Template) -> None:
        """Have a template made anew at the next call. Who uses this one goes on with it."""
        async with self._lock, _file_lock(self._places.templates, template.key):
            if self._open.get(template.key) is template:
                self._forgotten.append(self._open.pop(template.key))
                await anyio.to_thread.run_sync(shutil.rmtree, template.folder, True)

    async def _load_or_build(
        self, key: Digest, image: Image, layer: Layer, shape: Shape, progress: Progress
    ) -> Template:
        folder = self._places.templates / key
        try:
            about = read_about(folder)
            ram = await anyio.to_thread.run_sync(load_ram, folder / "ram", shape.memory_mib << 20)
            os.utime(folder / "template.json")
        except (FileNotFoundError, CorruptData):
            progress("freezing a virtual machine for this set of plugins (once)")
            await anyio.to_thread.run_sync(require_intact, image)
            ram, about = await self._build(folder, image, layer, shape)
            prune_templates(self._places, cap_bytes=CAP_BYTES, keep=key)
            prune_layers(self._places, cap_bytes=LAYERS_CAP_BYTES, keep=layer.digest)
        os.utime(layer.disk)
        return Template(
            key=key, folder=folder, image=image, layer=layer, shape=shape, ram=ram,
            state_fd=os.open(folder / "state", _READ), scratch_fd=os.open(folder / "scratch", _READ),
            cold_boot_s=float(about["cold_boot_s"]), disks=hold_disks(image, layer),
        )  # fmt: skip

    async def _build(
        self, folder: Path, image: Image, layer: Layer, shape: Shape
    ) -> tuple[int, dict[str, Any]]:
        work = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700, parents=True)
        for attempt in range(1, _BOOT_TRIES + 1):
            ram = empty_ram(shape.memory_mib << 20)
            try:
                seconds = await freeze(self._qemu, image, layer, shape, ram=ram, folder=work)
                break
            except SandboxUnavailable:
                os.close(ram)
                if attempt == _BOOT_TRIES:
                    shutil.rmtree(work, ignore_errors=True)
                    raise
        seal(ram)
        await anyio.to_thread.run_sync(save_ram, ram, work / "ram")
        about = {
            "shape": shape.to_json(),
            "image": image.digest,
            "layer": layer.digest,
            "plugins": list(layer.plugins),
            "cold_boot_s": round(seconds, 3),
            "state_sha256": hashlib.sha256((work / "state").read_bytes()).hexdigest(),
        }
        (work / "template.json").write_text(json.dumps(about, sort_keys=True), "utf-8")
        for file in work.iterdir():  # a guest's memory, as it was, in plain sight
            file.chmod(0o600)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
        return ram, about

    def close(self) -> None:
        """Give the templates' memory back."""
        for template in (*self._open.values(), *self._forgotten):
            template.close()
        self._open.clear()
        self._forgotten.clear()


def template_key(image: Image, layer: Layer, shape: Shape) -> Digest:
    """Return the digest of everything that a restore needs to be equal."""
    parts = {"image": image.digest, "layer": layer.digest, "shape": shape.to_json()}
    return Digest(hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())


def read_about(folder: Path) -> dict[str, Any]:
    """Return a template's description. Raises FileNotFoundError or CorruptData."""
    try:
        about = json.loads((folder / "template.json").read_text("utf-8"))
        state = hashlib.sha256((folder / "state").read_bytes()).hexdigest()
        damaged = state != about["state_sha256"]
        about["cold_boot_s"] = float(about["cold_boot_s"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"the template in {folder} has no usable description") from error
    if damaged:
        raise CorruptData(f"the template in {folder} is damaged")
    return dict(about)


async def freeze(
    qemu: Qemu, image: Image, layer: Layer, shape: Shape, *, ram: int, folder: Path
) -> float:
    """Boot a VM until it is ready, stop it, write its devices' state and its scratch disk to `folder`.

    The guest has the scratch disk mounted: memory and disk belong together, and every copy starts
    with both. Returns the boot's seconds.
    """
    began = time.monotonic()
    scratch = copy_sparse(image.file("scratch.ext4"), folder)
    files = VmFiles(image=image, layer=layer, ram=ram, scratch=scratch)
    async with running(qemu, shape, files, incoming=False) as vm:
        await ready(vm, find_recipe(image.flavour, image.suite).boot_deadline_s)
        seconds = time.monotonic() - began
        # its end of the channel stays open: a guest that sees its host go has more to do at the restore
        async with connect_guest(vm.agent, FIRST_PRACTICE_ID) as guest:
            await practise(guest)
            await _write_down(vm, folder / "state")
        with anyio.move_on_after(10):
            while vm.running:  # noqa: ASYNC110 - a process has no event to wait for
                await anyio.sleep(0.005)
        await anyio.to_thread.run_sync(save_sparse, scratch, folder / "scratch")
    return seconds


async def _write_down(vm: Process, state: Path) -> None:
    """Stop a VM, write its devices' state to a file, and end it."""
    await vm.qmp.execute("stop")
    await _migrate(vm, "migrate", state, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    with _within(60, "freezing"):
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
            await guest.resume(
                time_ns=time.time_ns(),
                seed=secrets.token_bytes(64),
                machine_id="0" * 32,
                hostname="template",
            )
            await guest.open((), {}, "template")
            await guest.call(
                _PRACTICE_TOOL, {"pattern": "*"}, key=f"practice-{number}",
                timeout_s=_PRACTICE_S, on_progress=lambda line: None,
            )  # fmt: skip
    except ProtocolError as error:
        raise SandboxUnavailable(
            f"the virtual machine failed before its freeze: {error.message}"
        ) from error
    await anyio.sleep(settle_s)


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    """Give the work in the block so long. Raises SandboxUnavailable, which callers answer by another try."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise SandboxUnavailable(
            f"{what} a virtual machine took longer than {seconds:g} s"
        ) from error


@asynccontextmanager
async def restored(qemu: Qemu, template: Template, scratch_folder: Path) -> AsyncIterator[Process]:
    """Yield a running private copy of a template; on exit it is gone."""
    files = VmFiles(
        image=template.image,
        layer=template.layer,
        ram=template.ram,
        scratch=copy_sparse(template.scratch, scratch_folder),
        disks=template.disks,
    )
    async with running(qemu, template.shape, files, incoming=True) as vm:
        await _migrate(vm, "migrate-incoming", template.state, os.O_RDONLY)
        with _within(20, "restoring"):
            while (await vm.qmp.execute("query-status"))["status"] in _ARRIVING:  # noqa: ASYNC110
                await anyio.sleep(0.001)
        await vm.qmp.execute("cont")
        yield vm


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFiles:
    """What one VM is made of. `ram`, `disks`: stay the caller's. `scratch`: given away, closed with the VM.

    `disks`: read-only disks that are open already; the others are opened by their paths.
    """

    image: Image
    layer: Layer
    ram: int
    scratch: int
    disks: Mapping[str, int] = field(default_factory=dict)


@asynccontextmanager
async def running(
    qemu: Qemu, shape: Shape, parts: VmFiles, *, incoming: bool
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
        ):
            if name in parts.disks:  # the same file, opened anew: no VM may set another one's flags
                path = Path(f"/proc/self/fd/{parts.disks[name]}")
            # a copy has the kernel in its memory already: QEMU gets no more than it insists on
            unused = incoming and name in ("kernel", "initrd")
            files[name] = file_head(path, _HEAD_BYTES) if unused else os.open(path, _READ)
            stack.callback(os.close, files[name])
        async with process.start(qemu, shape, files, incoming=incoming) as vm:
            if incoming:  # a template still needs its scratch disk when it is frozen
                stack.close()
            yield vm


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


@asynccontextmanager
async def _file_lock(folder: Path, key: str) -> AsyncIterator[None]:
    """Hold the lock of one template, so that two processes make it once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f".{key}.lock").open("w") as file:
        with _within(_LOCK_DEADLINE_S, "waiting for another process that freezes"):
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await anyio.sleep(0.05)
        yield


def list_templates(places: Places) -> tuple[StoredTemplate, ...]:
    """Return the templates on disk, last used first."""
    found = []
    folders = places.templates.iterdir() if places.templates.is_dir() else ()
    for folder in folders:
        try:
            about = read_about(folder)
        except (OSError, CorruptData):
            continue
        found.append(
            StoredTemplate(
                key=folder.name,
                bytes=sum(file.stat().st_blocks * 512 for file in folder.iterdir()),
                used_at=(folder / "template.json").stat().st_mtime,
                plugins=tuple(about.get("plugins", ())),
                shape=dict(about.get("shape", {})),
                cold_boot_s=about["cold_boot_s"],
            )
        )
    return tuple(sorted(found, key=lambda template: template.used_at, reverse=True))


def damaged_templates(places: Places) -> tuple[str, ...]:
    """Return the keys of finished templates that cannot be used."""
    damaged = []
    for folder in sorted(places.templates.iterdir()) if places.templates.is_dir() else ():
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            read_about(folder)
        except (OSError, CorruptData):
            damaged.append(folder.name)
    return tuple(damaged)


def prune_templates(places: Places, *, cap_bytes: int, keep: str = "") -> tuple[str, ...]:
    """Remove the templates unused for longest until the rest fits `cap_bytes`; return their keys.

    A running VM keeps the memory it was restored from, so removing its template harms nothing.
    """
    left = cap_bytes
    gone = []
    for template in list_templates(places):
        left -= template.bytes
        if left < 0 and template.key != keep:
            shutil.rmtree(places.templates / template.key, ignore_errors=True)
            gone.append(template.key)
    return tuple(gone)
