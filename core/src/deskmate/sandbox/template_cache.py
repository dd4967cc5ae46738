"""The templates of this machine: found on disk, made where they are missing, pruned by their last use."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from deskmate.errors import CorruptData, SandboxUnavailable
from deskmate.ports import Progress
from deskmate.sandbox.image import Image, require_intact
from deskmate.sandbox.memory import copy_sparse, empty_ram, load_ram, save_ram, seal
from deskmate.sandbox.qemu import Qemu, Shape
from deskmate.sandbox.storage import (
    LAYERS_CAP_BYTES,
    TEMPLATES_CAP_BYTES,
    hold_disks,
    prune_layers,
)
from deskmate.sandbox.template import Template, VmFiles, freeze, graft, within
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer

CAP_BYTES = TEMPLATES_CAP_BYTES
OPEN_TEMPLATES = 4
"""How many a process keeps open beside those in use: each holds its memory, some 150 MiB."""
_TRIES = 3
_LOCK_DEADLINE_S = 600.0
_READ = os.O_RDONLY | os.O_CLOEXEC


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
        self._open: OrderedDict[Digest, Template] = OrderedDict()
        self._lock = anyio.Lock()

    async def get(
        self,
        image: Image,
        layer: Layer,
        shape: Shape,
        progress: Progress,
        *,
        booted: Layer | None = None,
    ) -> Template:
        """Return the template for these, making it at the first call.

        `booted`: the layer of Deskmate's own code and plugins. With it, the plugins of `layer` are loaded into
        a copy of its template, which takes seconds; without it, a VM boots from `layer`, which takes many.
        Raises SandboxUnavailable if the VM does not get ready in three tries.
        """
        wanted = _Wanted(image, layer, shape, booted)
        async with self._lock:
            return await self._get(wanted, progress)

    async def _get(self, wanted: _Wanted, progress: Progress) -> Template:
        key = wanted.key
        template = self._open.get(key)
        if template is None:
            async with _file_lock(self._places.templates, key):
                template = await self._load_or_make(wanted, progress)
        self._open[key] = template
        self._open.move_to_end(key)
        while len(self._open) > OPEN_TEMPLATES:
            self._open.popitem(last=False)
        return template

    async def forget(self, template: Template) -> None:
        """Have a template made anew at the next call. Who uses this one goes on with it."""
        async with self._lock, _file_lock(self._places.templates, template.key):
            if self._open.get(template.key) is template:
                del self._open[template.key]
                await anyio.to_thread.run_sync(shutil.rmtree, template.folder, True)

    async def _load_or_make(self, wanted: _Wanted, progress: Progress) -> Template:
        folder = self._places.templates / wanted.key
        try:
            about = read_about(folder)
            size = wanted.shape.memory_mib << 20
            ram = await anyio.to_thread.run_sync(load_ram, folder / "ram", size)
            # another process may remove it at any moment, as the one unused for longest
            return _opened(wanted, folder, ram, about)
        except (FileNotFoundError, CorruptData):
            ram, about = await self._make(folder, wanted, progress)
        prune_templates(self._places, cap_bytes=CAP_BYTES, keep=wanted.key)
        prune_layers(self._places, cap_bytes=LAYERS_CAP_BYTES, keep=wanted.layer.digest)
        return _opened(wanted, folder, ram, about)

    async def _make(
        self, folder: Path, wanted: _Wanted, progress: Progress
    ) -> tuple[int, dict[str, Any]]:
        base: Template | None = None
        if wanted.booted is not None:
            base = await self._get(
                _Wanted(wanted.image, wanted.booted, wanted.shape, None), progress
            )
            progress("loading this set of plugins into a virtual machine and freezing it (once)")
        else:
            progress("booting a virtual machine and freezing it (once)")
            await anyio.to_thread.run_sync(require_intact, wanted.image)
        work = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700, parents=True)
        try:
            for attempt in range(1, _TRIES + 1):
                try:
                    return await self._made_in(work, folder, wanted, base)
                except SandboxUnavailable:
                    if attempt == _TRIES:
                        raise
        finally:  # on a full disk above all: half a template is as large as a whole one
            shutil.rmtree(work, ignore_errors=True)
        raise AssertionError

    async def _made_in(
        self, work: Path, folder: Path, wanted: _Wanted, base: Template | None
    ) -> tuple[int, dict[str, Any]]:
        with ExitStack() as stack:
            ram = empty_ram(wanted.shape.memory_mib << 20)
            stack.callback(os.close, ram)
            seconds = await self._frozen(wanted, base, ram, work)
            await anyio.to_thread.run_sync(seal, ram)
            await anyio.to_thread.run_sync(save_ram, ram, work / "ram")
            about = _put_in_place(wanted, seconds, work, folder)
            stack.pop_all()
        return ram, about

    async def _frozen(self, wanted: _Wanted, base: Template | None, ram: int, work: Path) -> float:
        """Freeze a VM to `ram` and the folder `work`; return the seconds of the boot that it goes back to."""
        if base is not None:
            await graft(self._qemu, base, wanted.layer, ram, work)
            return base.cold_boot_s
        scratch = copy_sparse(wanted.image.file("scratch.ext4"), work)
        parts = VmFiles(image=wanted.image, layer=wanted.layer, ram=ram, scratch=scratch)
        return await freeze(self._qemu, parts, wanted.shape, work)

    def close(self) -> None:
        """Give the templates' memory back as soon as nobody uses them. VMs that run keep theirs."""
        self._open.clear()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What makes a template: everything that a restore needs to be equal."""

    image: Image
    layer: Layer
    shape: Shape
    booted: Layer | None

    @property
    def key(self) -> Digest:
        return template_key(self.image, self.layer, self.shape, booted=self.booted)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (self.layer, self.booted) if self.booted else (self.layer,)


def _opened(wanted: _Wanted, folder: Path, ram: int, about: Mapping[str, Any]) -> Template:
    """Return the template in a folder with all that it needs open; it can be removed then. Takes `ram`."""
    with ExitStack() as stack:
        stack.callback(os.close, ram)
        os.utime(folder / "template.json")
        for layer in wanted.layers:
            os.utime(layer.disk)
        state = os.open(folder / "state", _READ)
        stack.callback(os.close, state)
        scratch = os.open(folder / "scratch", _READ)
        stack.callback(os.close, scratch)
        template = Template(
            key=wanted.key, folder=folder, image=wanted.image, layer=wanted.layer, shape=wanted.shape,
            booted=wanted.booted, ram=ram, state_fd=state, scratch_fd=scratch,
            cold_boot_s=float(about["cold_boot_s"]),
            disks=hold_disks(wanted.image, wanted.layer, wanted.booted),
        )  # fmt: skip
        stack.pop_all()
    return template


def _put_in_place(wanted: _Wanted, seconds: float, work: Path, folder: Path) -> dict[str, Any]:
    about = {
        "shape": wanted.shape.to_json(),
        "image": wanted.image.digest,
        "layer": wanted.layer.digest,
        "booted": wanted.booted.digest if wanted.booted else "",
        "plugins": list(wanted.layer.plugins),
        "cold_boot_s": round(seconds, 3),
        "state_sha256": hashlib.sha256((work / "state").read_bytes()).hexdigest(),
    }
    (work / "template.json").write_text(json.dumps(about, sort_keys=True), "utf-8")
    for file in work.iterdir():  # a guest's memory, as it was, in plain sight
        file.chmod(0o600)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return about


def template_key(
    image: Image, layer: Layer, shape: Shape, *, booted: Layer | None = None
) -> Digest:
    """Return the digest of everything that a restore needs to be equal."""
    parts = {"image": image.digest, "layer": layer.digest, "shape": shape.to_json()}
    if booted is not None:
        parts["booted"] = booted.digest
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


@asynccontextmanager
async def _file_lock(folder: Path, key: str) -> AsyncIterator[None]:
    """Hold the lock of one template, so that two processes make it once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f".{key}.lock").open("w") as file:
        with within(_LOCK_DEADLINE_S, "waiting for another process that freezes"):
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await anyio.sleep(0.05)
        yield


def list_templates(places: Places) -> tuple[StoredTemplate, ...]:
    """Return the templates on disk, last used first; one under way is none of them, so nobody prunes it."""
    found = []
    folders = places.templates.iterdir() if places.templates.is_dir() else ()
    for folder in folders:
        if folder.name.startswith("."):
            continue
        # another process may remove it at any moment
        with suppress(OSError, CorruptData):
            found.append(_stored(folder))
    return tuple(sorted(found, key=lambda template: template.used_at, reverse=True))


def _stored(folder: Path) -> StoredTemplate:
    about = read_about(folder)
    return StoredTemplate(
        key=folder.name,
        bytes=sum(file.stat().st_blocks * 512 for file in folder.iterdir()),
        used_at=(folder / "template.json").stat().st_mtime,
        plugins=tuple(about.get("plugins", ())),
        shape=dict(about.get("shape", {})),
        cold_boot_s=about["cold_boot_s"],
    )


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
