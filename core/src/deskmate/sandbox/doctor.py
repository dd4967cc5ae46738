"""What of the sandbox works on this machine, what does not, and the cure."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio.to_thread

from deskmate.errors import DeskmateError, SandboxMissing
from deskmate.sandbox import host_checks as host
from deskmate.sandbox.acceleration import find_acceleration
from deskmate.sandbox.host_checks import Check
from deskmate.sandbox.image import Image, find_image, verify_image
from deskmate.sandbox.qemu import Qemu, find_qemu
from deskmate.sandbox.storage import cut_templates, disk_usage
from deskmate.sandbox.template_cache import CAP_BYTES, damaged_templates, list_templates
from deskmate.sandbox.tools import missing_tools
from deskmate.sandbox.walls import missing_walls
from deskmate.types.places import Places

T = TypeVar("T")
Boot = Callable[[], Awaitable[Mapping[str, Any]]]
"""Starts a real VM, has it answer, and returns the walls that its launcher reported."""


async def examine(places: Places, boot: Boot | None) -> tuple[Check, ...]:
    """Return all checks in reading order. `boot`: None leaves out what takes seconds (a real VM)."""
    checks = [host.machine()]
    qemu, image = _found(find_qemu, "QEMU"), _found(lambda: find_image(places), "image")
    checks.append(qemu if isinstance(qemu, Check) else host.qemu_version(qemu))
    checks.append(host.kernel_walls())
    if isinstance(image, Check):
        checks.append(image)
    else:
        checks.append(await anyio.to_thread.run_sync(_image, image, boot is not None))
    checks.append(await anyio.to_thread.run_sync(_office, places, boot is not None))
    checks.append(_tools(image_missing=isinstance(image, Check)))
    checks += [host.memory(), host.disk(places), host.folders(places), host.clock(), host.limits()]
    checks += [_templates(places), _cache(places)]
    works = {check.name for check in checks if check.state != "fail"}
    if isinstance(qemu, Check) or isinstance(image, Check):
        return tuple(checks)
    if {"machine", "QEMU", "image", "disk", "folders"} <= works:
        checks.append(await _isolation(places, qemu, image))
        if boot is not None:
            checks.append(await _boot(boot))
    return tuple(checks)


def _found(find: Callable[[], T], name: str) -> T | Check:
    try:
        return find()
    except DeskmateError as error:
        return Check(name=name, state="fail", cause=error.message, cure=error.hint)


def _image(image: Image, thorough: bool) -> Check:
    """Finding it compared sizes and times; what rotted without a trace is found by reading all of it."""
    try:
        wrong = verify_image(image) if thorough else ()
    except OSError as error:
        cause = f"{image.folder} cannot be read: {error.strerror or error}"
        cure = "look at the disk itself; then: deskmate image build --force"
        return Check(name="image", state="fail", cause=cause, cure=cure)
    if wrong:
        cause = f"damaged: {', '.join(wrong)} in {image.folder}"
        cure = "deskmate image build --force"
        return Check(name="image", state="fail", cause=cause, cure=cure)
    cause = f"{image.suite}, built {image.built_at}, {image.bytes >> 20} MiB, {image.digest[:12]}"
    return Check(name="image", state="ok", cause=cause)


def _office(places: Places, thorough: bool) -> Check:
    """Say whether documents can be rendered and recalculated; without that everything else works."""
    cure = "deskmate image build office"
    try:
        image = find_image(places, flavour="office")
        wrong = verify_image(image) if thorough else ()
    except SandboxMissing:
        cause = "not built: nothing is rendered, recalculated by a second engine, or recognized"
        return Check(name="office image", state="warn", cause=cause, cure=cure)
    except (DeskmateError, OSError) as error:
        return Check(name="office image", state="warn", cause=str(error), cure=f"{cure} --force")
    if wrong:
        cause = f"damaged: {', '.join(wrong)} in {image.folder}"
        return Check(name="office image", state="warn", cause=cause, cure=f"{cure} --force")
    cause = f"{image.suite}, built {image.built_at}, {image.bytes >> 20} MiB, {image.digest[:12]}"
    return Check(name="office image", state="ok", cause=cause)


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


def _templates(places: Places) -> Check:
    templates = list_templates(places)
    size = sum(template.bytes for template in templates)
    cause = f"{len(templates)} of {size >> 20} MiB, at most {CAP_BYTES >> 20} MiB"
    if damaged := sorted({*damaged_templates(places), *cut_templates(places)}):
        cause = f"{cause}; {len(damaged)} damaged: {', '.join(name[:12] for name in damaged)}"
        cure = "deskmate doctor --fix removes them; they are made anew when they are needed"
        return Check(name="templates", state="warn", cause=cause, cure=cure)
    return Check(name="templates", state="ok", cause=cause)


def _cache(places: Places) -> Check:
    parts = disk_usage(places)
    named = [f"{part.name} {part.bytes >> 20}" for part in parts if part.bytes >> 20]
    cause = f"{places.cache} takes {sum(part.bytes for part in parts) >> 20} MiB"
    cause = f"{cause} ({', '.join(named)})" if named else cause
    if over := [part.name for part in parts if 0 < part.cap_bytes < part.bytes]:
        cure = "deskmate image prune; or set DESKMATE_CACHE to a folder on a larger disk"
        return Check(name="cache", state="warn", cause=f"{cause}: too much of {over[0]}", cure=cure)
    return Check(name="cache", state="ok", cause=cause)


async def _isolation(places: Places, qemu: Qemu, image: Image) -> Check:
    try:
        verdict = await find_acceleration(places, qemu, image)
    except OSError as error:
        return _not_possible("isolation", "finding out what a machine would run on", error)
    cause = f"{verdict.isolation}; {verdict.why}"
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
    except OSError as error:
        return _not_possible("virtual machine", "starting one", error)
    stand = [f"own user id {walls.get('uid')}" if os.geteuid() == 0 else "your user id"]
    stand += [f"Landlock {walls['landlock']}"] if walls.get("landlock") else []
    stand += ["no network at all"] if walls.get("network") == "none" else []
    stand += ["system calls filtered"] if walls.get("seccomp") else []
    stand += ["processes bounded"] if walls.get("processes") else []
    stand += ["no new privileges", "memory and files bounded", "clean environment"]
    seconds = time.monotonic() - began
    cause = f"answered after {seconds:.1f} s; walls around QEMU: {', '.join(stand)}"
    if missing := missing_walls(walls):
        cure = (
            'a newer kernel, or another machine; require_isolation = "walls" refuses to start here'
        )
        cause += f"; missing: {'; '.join(missing)}"
        return Check(name="virtual machine", state="warn", cause=cause, cure=cure)
    return Check(name="virtual machine", state="ok", cause=cause)


def _not_possible(name: str, what: str, error: OSError) -> Check:
    """Say that the host itself refused something, such as room on its disk."""
    where = f" ({error.filename})" if error.filename else ""
    cause = f"{what} failed: {error.strerror or error}{where}"
    cure = "try again; then report the message"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        cure = "free some space, or set DESKMATE_CACHE to a folder on a larger disk"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        cure = "let this user write there, or set DESKMATE_HOME to a folder that can be written"
    return Check(name=name, state="fail", cause=cause, cure=cure)
