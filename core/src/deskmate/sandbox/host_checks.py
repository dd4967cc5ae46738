"""What `doctor` asks of the host before any virtual machine runs: system, memory, disk, folders, clock, limits."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deskmate.sandbox.launcher import calls_are_listed, landlock_abi
from deskmate.sandbox.qemu import Qemu
from deskmate.sandbox.walls import landlock_gaps
from deskmate.types.places import Places

State = Literal["ok", "warn", "fail"]

_MIN_QEMU = (7, 2)
_MEMORY_MIB = 1024
_DISK_MIB = 2048
_MACHINE_MIB = 512
_RECORD_MIB = 64
_OPEN_FILES = 512
_HELP_S = 20
_OURS = Path(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report. `cause`: what was found; `cure`: what to do, empty when all is well."""

    name: str
    state: State
    cause: str
    cure: str = ""


def machine() -> Check:
    """Say whether there is a sandbox for this system and processor."""
    what = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        return Check(name="machine", state="ok", cause=what)
    return Check(
        name="machine",
        state="fail",
        cause=f"{what}: virtual machines run on Linux on x86_64 only, so far",
        cure="use a Linux machine; threads and history work here without tools",
    )


def qemu_version(qemu: Qemu) -> Check:
    """Say whether QEMU is new enough and was built with what we need."""
    parts = qemu.version.split(".")
    version = tuple(int(part) for part in parts[:2] if part.isdigit())
    cure = "install the distribution's package qemu-system-x86 (7.2 or newer)"
    if version < _MIN_QEMU:
        cause = f"version {qemu.version} is older than 7.2"
        return Check(name="QEMU", state="fail", cause=cause, cure=cure)
    lacks = _lacking(qemu)
    if lacks:
        cause = f"version {qemu.version}, {qemu.binary}, lacks: {', '.join(lacks)}"
        return Check(name="QEMU", state="fail", cause=cause, cure=cure)
    return Check(name="QEMU", state="ok", cause=f"version {qemu.version}, {qemu.binary}")


def _lacking(qemu: Qemu) -> list[str]:
    """Return what this build of QEMU cannot do; distributions leave parts out."""
    machines, devices = _says(qemu, "-machine", "help"), _says(qemu, "-device", "help")
    wanted = [
        ("the machine microvm", "\nmicrovm " in machines),
        ("virtio disks", '"virtio-blk-device"' in devices),
        ("virtio channels", '"virtserialport"' in devices),
        ("a source of randomness", '"virtio-rng-device"' in devices),
        ("its own system call filter", "\n-sandbox on" in _says(qemu, "--help")),
    ]
    firmware = [
        folder / "bios-microvm.bin" for folder in (qemu.data / "qemu", qemu.data / "seabios")
    ]
    wanted.append(("the firmware bios-microvm.bin", any(file.is_file() for file in firmware)))
    return [name for name, there in wanted if not there]


def _says(qemu: Qemu, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [qemu.binary, *arguments], capture_output=True, text=True, timeout=_HELP_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"\n{done.stdout}"


def kernel_walls() -> Check:
    """Say which of the walls around QEMU this kernel can raise."""
    abi = landlock_abi()
    seccomp = "Seccomp:" in _read(Path("/proc/self/status"))
    listed = calls_are_listed()
    words = [f"Landlock {abi}" if abi else "no Landlock", "seccomp" if seccomp else "no seccomp"]
    missing = [] if abi else ["files are guarded by the user id only"]
    if not seccomp:
        missing.append("QEMU's system calls are not filtered")
    elif not listed:
        missing.append(
            f"the launcher knows no system calls of {platform.machine()}: only QEMU's own filter stands"
        )
    if missing:
        cause = f"{', '.join(words)}: {'; '.join(missing)}"
        return Check(
            name="second wall", state="warn", cause=cause, cure="use a kernel from 6.12 on"
        )
    if gaps := landlock_gaps(abi):
        words.append(f"by other means than this Landlock: {'; '.join(gaps)}")
    return Check(name="second wall", state="ok", cause=", ".join(words))


def available_mib() -> int | None:
    """Return how much memory may still be used, None where nothing tells it.

    What the machine has free, or less where this process's control group is limited.
    """
    found = []
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) >> 10)
    group = Path("/sys/fs/cgroup") / _own_group().lstrip("/")
    for folder in (group, *group.parents):
        if folder == Path("/sys/fs"):
            break
        limit, used = _read(folder / "memory.max").strip(), _read(folder / "memory.current").strip()
        if limit.isdigit() and used.isdigit():
            found.append(max(0, int(limit) - int(used)) >> 20)
    return min(found, default=None)


def _own_group() -> str:
    lines = _read(Path("/proc/self/cgroup")).splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def memory() -> Check:
    """Say whether a virtual machine and its template fit."""
    mib = available_mib()
    if mib is None:
        return Check(name="memory", state="warn", cause="the kernel does not tell how much is free")
    if mib < _MEMORY_MIB:
        cure = f"close programs; a virtual machine and its template want {_MEMORY_MIB} MiB"
        return Check(name="memory", state="warn", cause=f"{mib} MiB are free", cure=cure)
    return Check(name="memory", state="ok", cause=f"{mib} MiB are free")


def disk(places: Places) -> Check:
    """Say whether images, templates and a guest's files fit, and whether a thread can be recorded."""
    cache, data = nearest(places.cache), nearest(places.data)
    mib, record = (shutil.disk_usage(folder).free >> 20 for folder in (cache, data))
    if record < _RECORD_MIB:
        cause = f"{record} MiB are free under {data}: threads cannot be stored"
        cure = f"free some space under {data}, or set DESKMATE_HOME to a folder on a larger disk"
        return Check(name="disk", state="fail", cause=cause, cure=cure)
    cause = f"{mib} MiB are free under {cache}"
    cure = f"free some space under {cache}, or set DESKMATE_CACHE to a folder on a larger disk"
    if mib < _MACHINE_MIB:
        cause = f"{cause}: too little for a virtual machine"
        return Check(name="disk", state="fail", cause=cause, cure=cure)
    if mib < _DISK_MIB:
        return Check(name="disk", state="warn", cause=cause, cure=cure)
    return Check(name="disk", state="ok", cause=cause)


def folders(places: Places) -> Check:
    """Say whether Deskmate's folders can be written by this user and by nobody else."""
    wrong = []
    for folder in (places.data, places.cache, places.config):
        there = nearest(folder)
        if not there.is_dir():
            wrong.append(f"{there} is no folder")
        elif not os.access(there, os.W_OK | os.X_OK):
            wrong.append(f"{there} {_why_not(there)}")
        elif there == folder and folder.stat().st_mode & 0o022:
            wrong.append(f"{folder} can be written by others")
    if wrong:
        cure = (
            f"give them to user id {os.getuid()} with mode 700, or set DESKMATE_HOME to a folder "
            "that can be written"
        )
        return Check(name="folders", state="fail", cause="; ".join(dict.fromkeys(wrong)), cure=cure)
    return Check(name="folders", state="ok", cause=f"{places.data}, {places.cache}")


def _why_not(folder: Path) -> str:
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "cannot be written: its file system is read-only"
    return "cannot be written"


def nearest(folder: Path) -> Path:
    """Return the folder itself, or the first one above it that exists."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder


def clock() -> Check:
    """Say whether the host's clock can be right; the guests' clocks are set from it."""
    now = time.time()
    installed = _OURS.stat().st_mtime
    says = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    # wheels carry the time of their build or 1980; a checkout the time of its last change
    if now < installed - 86400:
        return Check(
            name="clock",
            state="warn",
            cause=f"it says {says}, which is before Deskmate's own files were made",
            cure="set the clock, for example: timedatectl set-ntp true",
        )
    return Check(name="clock", state="ok", cause=says)


def limits() -> Check:
    """Say whether this session's limits leave room for virtual machines."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    tight = []
    if 0 <= hard < _OPEN_FILES:
        tight.append(f"{hard} open files")
    for name, kind, least in (
        ("bytes of address space", resource.RLIMIT_AS, 4 << 30),
        ("bytes a file", resource.RLIMIT_FSIZE, 9 << 30),
        ("processes", resource.RLIMIT_NPROC, 64),
    ):
        most = resource.getrlimit(kind)[1]
        if 0 <= most < least:
            tight.append(f"{most} {name}")
    if tight:
        cure = "raise them: ulimit, /etc/security/limits.conf, or the service that starts Deskmate"
        cause = f"this session may have only {', '.join(tight)}"
        return Check(name="limits", state="fail", cause=cause, cure=cure)
    return Check(name="limits", state="ok", cause=f"{soft} open files")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
