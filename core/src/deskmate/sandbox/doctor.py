"""What of the sandbox works on this machine, what does not, and the cure."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from deskmate.errors import DeskmateError
from deskmate.sandbox.acceleration import find_acceleration
from deskmate.sandbox.build import missing_tools
from deskmate.sandbox.image import Image, find_image
from deskmate.sandbox.launcher import landlock_abi
from deskmate.sandbox.qemu import Qemu, find_qemu
from deskmate.sandbox.template import CAP_BYTES, list_templates
from deskmate.types.places import Places

T = TypeVar("T")
State = Literal["ok", "warn", "fail"]
Boot = Callable[[], Awaitable[Mapping[str, Any]]]
"""Starts a real VM, has it answer, and returns the walls that its launcher reported."""

_MIN_QEMU = (7, 2)
_MEMORY_MIB = 1024
_DISK_MIB = 2048
_NETWORK_ABI = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report. `cause`: what was found; `cure`: what to do, empty when all is well."""

    name: str
    state: State
    cause: str
    cure: str = ""


async def examine(places: Places, boot: Boot | None) -> tuple[Check, ...]:
    """Return all checks in reading order. `boot`: None leaves the real VM out (it takes seconds)."""
    checks = [_machine()]
    qemu, image = _found(find_qemu, "QEMU"), _found(lambda: find_image(places), "image")
    checks.append(qemu if isinstance(qemu, Check) else _qemu(qemu))
    checks.append(_kernel_walls())
    checks.append(image if isinstance(image, Check) else _image(image))
    checks.append(_tools(image_missing=isinstance(image, Check)))
    checks += [_memory(), _disk(places), _permissions(places), _templates(places)]
    if not isinstance(qemu, Check) and not isinstance(image, Check):
        checks.append(await _isolation(places, qemu, image))
        if boot is not None:
            checks.append(await _boot(boot))
    return tuple(checks)


def _found(find: Callable[[], T], name: str) -> T | Check:
    try:
        return find()
    except DeskmateError as error:
        return Check(name=name, state="fail", cause=error.message, cure=error.hint)


def _machine() -> Check:
    what = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        return Check(name="machine", state="ok", cause=what)
    return Check(
        name="machine",
        state="fail",
        cause=f"{what}: virtual machines run on Linux on x86_64 only, so far",
        cure="use a Linux machine; threads and history work here without tools",
    )


def _qemu(qemu: Qemu) -> Check:
    parts = qemu.version.split(".")
    version = tuple(int(part) for part in parts[:2] if part.isdigit())
    if version < _MIN_QEMU:
        return Check(
            name="QEMU",
            state="fail",
            cause=f"version {qemu.version} is older than 7.2",
            cure="upgrade the package qemu-system-x86",
        )
    return Check(name="QEMU", state="ok", cause=f"version {qemu.version}, {qemu.binary}")


def _kernel_walls() -> Check:
    abi = landlock_abi()
    seccomp = "Seccomp:" in _read(Path("/proc/self/status"))
    words = [f"Landlock {abi}" if abi else "no Landlock", "seccomp" if seccomp else "no seccomp"]
    missing = [] if abi else ["files are guarded by the user id only"]
    if 0 < abi < _NETWORK_ABI:
        missing.append("this Landlock knows no network rules; the empty network namespace must do")
    if not seccomp:
        missing.append("QEMU's system calls are not filtered")
    if missing:
        cause = f"{', '.join(words)}: {'; '.join(missing)}"
        return Check(name="second wall", state="warn", cause=cause, cure="use a kernel from 6.7 on")
    return Check(name="second wall", state="ok", cause=", ".join(words))


def _image(image: Image) -> Check:
    cause = f"{image.suite}, built {image.built_at}, {image.recipe[:12]}"
    return Check(name="image", state="ok", cause=cause)


def _tools(*, image_missing: bool) -> Check:
    missing = missing_tools()
    if not missing:
        return Check(name="tools for building", state="ok", cause="all there")
    return Check(
        name="tools for building",
        state="fail" if image_missing else "warn",
        cause=f"missing: {', '.join(sorted(missing))}",
        cure=f"install: {' '.join(sorted(set(missing.values())))}",
    )


def _memory() -> Check:
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            mib = int(line.split()[1]) >> 10
            if mib < _MEMORY_MIB:
                cure = f"close programs; a virtual machine and its template want {_MEMORY_MIB} MiB"
                return Check(name="memory", state="warn", cause=f"{mib} MiB are free", cure=cure)
            return Check(name="memory", state="ok", cause=f"{mib} MiB are free")
    return Check(name="memory", state="warn", cause="the kernel does not tell how much is free")


def _disk(places: Places) -> Check:
    folder = places.cache
    while not folder.exists():
        folder = folder.parent
    mib = shutil.disk_usage(folder).free >> 20
    if mib < _DISK_MIB:
        cure = f"free some space under {folder}, or set DESKMATE_HOME to a larger disk"
        return Check(name="disk", state="warn", cause=f"{mib} MiB are free", cure=cure)
    return Check(name="disk", state="ok", cause=f"{mib} MiB are free under {folder}")


def _permissions(places: Places) -> Check:
    wrong = []
    for folder in (places.data, places.cache, places.config):
        nearest = folder
        while not nearest.exists():
            nearest = nearest.parent
        if not os.access(nearest, os.W_OK | os.X_OK):
            wrong.append(f"{nearest} cannot be written")
        elif nearest == folder and folder.stat().st_mode & 0o022:
            wrong.append(f"{folder} can be written by others")
    if wrong:
        cure = f"chown and chmod 700 them for user id {os.getuid()}"
        return Check(name="folders", state="fail", cause="; ".join(wrong), cure=cure)
    return Check(name="folders", state="ok", cause=f"{places.data}, {places.cache}")


def _templates(places: Places) -> Check:
    templates = list_templates(places)
    size = sum(template.bytes for template in templates)
    cause = f"{len(templates)} of {size >> 20} MiB, at most {CAP_BYTES >> 20} MiB"
    return Check(name="templates", state="ok", cause=cause)


async def _isolation(places: Places, qemu: Qemu, image: Image) -> Check:
    verdict = await find_acceleration(places, qemu, image)
    cause = f"isolation: {verdict.isolation}; {verdict.why}"
    if verdict.acceleration == "kvm":
        return Check(name="isolation", state="ok", cause=cause)
    cure = "hardware virtualization would make it fast and a boundary; until then the second wall counts"
    return Check(name="isolation", state="warn", cause=cause, cure=cure)


async def _boot(boot: Boot) -> Check:
    began = time.monotonic()
    try:
        walls = await boot()
    except DeskmateError as error:
        cure = error.hint or "try again; then report the message"
        return Check(name="virtual machine", state="fail", cause=error.message, cure=cure)
    stand = [f"own user id {walls.get('uid')}" if os.geteuid() == 0 else "your user id"]
    stand += [f"Landlock {walls['landlock']}"] if walls.get("landlock") else []
    stand += ["no network at all"] if walls.get("network") == "none" else []
    stand += ["seccomp", "no new privileges", "clean environment"]
    seconds = time.monotonic() - began
    return Check(
        name="virtual machine",
        state="ok",
        cause=f"answered after {seconds:.1f} s; walls around QEMU: {', '.join(stand)}",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
