"""QEMU's command line, the same for a template and for every VM restored from it, and its version."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from deskmate.errors import SandboxMissing

Acceleration = Literal["kvm", "tcg"]

PORTS = ("agent", "bulk", "egress")
DISKS = ("base", "layer", "scratch", "plugins", "files")
PARTS = ("kernel", "initrd", "ram", *DISKS, "qmp", *PORTS)
"""What a VM is handed: one open descriptor each, by these names."""

PLUGINS_DISK_BYTES = 4 << 30
"""What the guest takes the disk of later plugins for while it is empty: more than any layer's size."""
_TRANSLATION_CACHE_MIB = 128
_OVERHEAD_MIB = 1536
# The least that the libraries' wheels ask for (x86-64-v2). Emulating newer features, above all AVX and
# SMAP, costs more than it gives: with `max` a restore to the first result takes twice as long.
# `arat`: without a timer that survives idling the guest's kernel never stops its tick, 250 times a second.
_EMULATED_CPU = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand,+arat"
_SECCOMP = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What must be equal for a restore. `tsc_khz`: the host's time stamp counter."""

    memory_mib: int
    cpus: int
    acceleration: Acceleration
    qemu: str
    tsc_khz: int

    def to_json(self) -> dict[str, Any]:
        """Return the shape as JSON, as it enters a template's key."""
        return {**asdict(self), "command": 7}

    @property
    def memory_limit_bytes(self) -> int:
        """The most address space that QEMU may use for a VM of this shape."""
        return (self.memory_mib + _TRANSLATION_CACHE_MIB + _OVERHEAD_MIB) << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Qemu:
    """An installed QEMU."""

    binary: Path
    version: str

    @property
    def data(self) -> Path:
        """The folder of its firmware."""
        return self.binary.parent.parent / "share"


@functools.cache
def find_qemu() -> Qemu:
    """Return the installed QEMU. Raises SandboxMissing if there is none or it does not start."""
    found = shutil.which("qemu-system-x86_64")
    if found is None:
        raise SandboxMissing(
            "QEMU is not installed.",
            hint="Install the package qemu-system-x86 (or qemu-system-x86-core).",
        )
    binary = Path(found).resolve()
    try:
        text = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxMissing(f"{binary} does not start.", hint="Install QEMU again.") from error
    match = re.search(r"version (\S+)", text)
    return Qemu(binary=binary, version=match[1] if match else "unknown")


def kernel_arguments(shape: Shape) -> str:
    """Return what the guest's kernel is told."""
    words = [
        "quiet",
        "panic=-1",
        "reboot=t",
        "console=hvc0",
        "random.trust_cpu=on",
        "mitigations=off",
        "nowatchdog",
        "psi=0",
        "cpuidle.off=1",
        "audit=0",
        "lsm=landlock,yama",
    ]
    if shape.acceleration == "tcg":
        words.append("tsc=reliable")
        if shape.tsc_khz:
            words += [f"lpj={shape.tsc_khz * 4}", f"tsc_early_khz={shape.tsc_khz}"]
    return " ".join(words)


def command(
    qemu: Qemu, shape: Shape, fds: Mapping[str, int], *, incoming: bool, shared: bool
) -> list[str]:
    """Return the command line; `fds`: part of `PARTS` → descriptor that the process is handed.

    `shared`: what the guest writes to its memory is written to the file; else it is private to the VM.

    QEMU gets descriptors, never a path of the user's: it may run as a user who can reach none.
    """
    kvm = shape.acceleration == "kvm"
    memory = f"memory-backend-file,id=memory,size={shape.memory_mib}M,mem-path=/proc/self/fd/{fds['ram']}"
    words = [str(qemu.binary), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += ["-M", "microvm,memory-backend=memory,isa-serial=off,dump-guest-core=off"]
    words += ["-object", f"{memory},share={'on' if shared else 'off'}"]
    words += ["-accel", "kvm" if kvm else f"tcg,tb-size={_TRANSLATION_CACHE_MIB}"]
    words += ["-cpu", "host" if kvm else _EMULATED_CPU]
    words += ["-m", f"{shape.memory_mib}M", "-smp", str(shape.cpus)]
    words += [
        "-kernel",
        f"/proc/self/fd/{fds['kernel']}",
        "-initrd",
        f"/proc/self/fd/{fds['initrd']}",
    ]
    words += ["-append", kernel_arguments(shape), "-global", "virtio-mmio.force-legacy=false"]
    words += ["-serial", "none", "-nic", "none", "-sandbox", _SECCOMP]
    words += _disks(fds) + _channels(fds)
    words += ["-object", "rng-builtin,id=random", "-device", "virtio-rng-device,rng=random"]
    # a guest that panics at boot stays, so that its console can be read
    return [*words, *(["-incoming", "defer", "-S"] if incoming else ["-no-shutdown"])]


def _disks(fds: Mapping[str, int]) -> list[str]:
    words = []
    for number, name in enumerate(DISKS, 1):
        writable = name == "scratch"
        file = f"file.driver=file,file.filename=/dev/fdset/{number},file.locking=off"
        access = "read-only=off,discard=unmap,detect-zeroes=off" if writable else "read-only=on"
        words += ["-add-fd", f"fd={fds[name]},set={number}"]
        words += ["-blockdev", f"driver=raw,node-name={name},{access},{file}"]
        words += ["-device", f"virtio-blk-device,drive={name},serial={name}"]
    return words


def _channels(fds: Mapping[str, int]) -> list[str]:
    words = ["-chardev", f"socket,id=qmp,fd={fds['qmp']}", "-mon", "chardev=qmp,mode=control"]
    words += ["-device", "virtio-serial-device,max_ports=5"]
    words += ["-chardev", "ringbuf,id=console,size=65536", "-device", "virtconsole,chardev=console"]
    for number, name in enumerate(PORTS, 1):
        backend = f"socket,id={name},fd={fds[name]}" if name in fds else f"null,id={name}"
        words += ["-chardev", backend]
        words += ["-device", f"virtserialport,chardev={name},name={name},nr={number}"]
    return words
