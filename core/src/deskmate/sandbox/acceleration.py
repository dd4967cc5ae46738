"""Whether this host's hardware virtualization runs our guest, found out by booting one."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox.image import Image
from deskmate.sandbox.memory import copy_sparse, empty_ram
from deskmate.sandbox.qemu import Acceleration, Qemu, Shape
from deskmate.sandbox.template import VmFiles, console_end, running
from deskmate.sandbox.tsc import tsc_khz
from deskmate.types.places import Places
from deskmate.types.registry import Layer

KVM = Path("/dev/kvm")
PROBE_DEADLINE_S = 8.0
_PROBE_MEMORY_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a VM runs on here, and why."""

    acceleration: Acceleration
    why: str

    @property
    def isolation(self) -> str:
        """What `doctor` and the page say about the first wall."""
        return "hardware" if self.acceleration == "kvm" else "emulated (not a boundary)"


async def find_acceleration(places: Places, qemu: Qemu, image: Image) -> Verdict:
    """Return the verdict for this host and QEMU; probes once, at most 8 s, and remembers it."""
    if not KVM.exists():
        return Verdict(acceleration="tcg", why="there is no /dev/kvm")
    if not os.access(KVM, os.R_OK | os.W_OK):
        return Verdict(acceleration="tcg", why="/dev/kvm may not be used by this user")
    key = f"{platform.release()} {qemu.version} {image.digest[:16]} {os.geteuid() == 0}"
    path = places.cache / "acceleration.json"
    known = _read(path)
    if key not in known:
        known[key] = await _probe(qemu, image, places.cache)
        places.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({name: asdict(v) for name, v in known.items()}), "utf-8")
        part.replace(path)
    return known[key]


def _read(path: Path) -> dict[str, Verdict]:
    try:
        rows = json.loads(path.read_text("utf-8"))
        return {
            str(key): Verdict(
                acceleration="kvm" if row["acceleration"] == "kvm" else "tcg", why=str(row["why"])
            )
            for key, row in rows.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


async def _probe(qemu: Qemu, image: Image, cache: Path) -> Verdict:
    """Boot a guest whose layer holds no program: it works if the guest gets far enough to say so."""
    shape = Shape(
        memory_mib=_PROBE_MEMORY_MIB,
        cpus=1,
        acceleration="kvm",
        qemu=qemu.version,
        tsc_khz=await anyio.to_thread.run_sync(tsc_khz, cache),
    )
    layer = Layer(
        digest=image.digest, disk=str(image.file("base.erofs")), lock=image.digest,
        plugins=(), versions={}, manifests={},
    )  # fmt: skip
    ram = empty_ram(shape.memory_mib << 20)
    scratch = copy_sparse(image.file("scratch.ext4"), image.folder)
    parts = VmFiles(image=image, layer=layer, ram=ram, scratch=scratch)
    try:
        with anyio.fail_after(PROBE_DEADLINE_S):
            async with running(qemu, shape, parts, incoming=False) as vm:
                while not await console_end(vm):  # noqa: ASYNC110 - the console is polled
                    await anyio.sleep(0.1)
        return Verdict(acceleration="kvm", why="a guest booted on it")
    except TimeoutError:
        why = f"/dev/kvm is there, but the guest did not come up on it in {PROBE_DEADLINE_S:g} s"
    except SandboxUnavailable as error:
        why = f"/dev/kvm is there, but QEMU fails on it: {error.message[:200]}"
    finally:
        os.close(ram)
    return Verdict(acceleration="tcg", why=why)
