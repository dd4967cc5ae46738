"""What doctor says of a sick host, and what its cures do."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import DeskmateError, SandboxMissing, SandboxUnavailable
from deskmate.sandbox import cures, doctor, host_checks
from deskmate.sandbox.acceleration import Verdict
from deskmate.sandbox.host_checks import Check
from deskmate.sandbox.image import FILES, SOFTWARE, file_rows
from deskmate.sandbox.qemu import Qemu
from deskmate.sandbox.recipes import SCRATCH_BYTES, recipe_digest
from deskmate.types.places import Places, find_places

pytestmark = pytest.mark.anyio

QEMU = """#!/bin/sh
case "$*" in
  *machine*) echo "Supported machines are:"; echo "MACHINE microvm (i386)";;
  *device*) echo 'name "virtio-blk-device", name "virtserialport", name "virtio-rng-device"';;
  *help*) echo; echo "-sandbox on[,obsolete=allow|deny]";;
esac
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return find_places({"DESKMATE_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def qemu(tmp_path: Path) -> Qemu:
    return make_qemu(tmp_path, QEMU.replace("MACHINE ", "microvm "))


def make_qemu(folder: Path, script: str) -> Qemu:
    binary = folder / "bin" / "qemu-system-x86_64"
    binary.parent.mkdir(exist_ok=True)
    binary.write_text(script)
    binary.chmod(0o755)
    firmware = folder / "share/qemu/bios-microvm.bin"
    firmware.parent.mkdir(parents=True, exist_ok=True)
    firmware.touch()
    return Qemu(binary=binary, version="7.2.22")


def make_image(places: Places) -> Path:
    folder = places.images / f"{recipe_digest('bookworm')[:32]}-0"
    folder.mkdir(parents=True)
    for name in (*FILES, SOFTWARE):
        (folder / name).write_bytes(name.encode())
    about = {"recipe": recipe_digest("bookworm"), "suite": "bookworm", "python": "3.11"}
    about |= {"flavour": "base", "architecture": "x86_64", "built_at": "now"}
    (folder / "manifest.json").write_text(json.dumps({**about, "files": file_rows(folder)}))
    return folder


def use(monkeypatch: pytest.MonkeyPatch, qemu: Qemu) -> None:
    async def probe(*_: Any) -> Verdict:
        return Verdict(acceleration="tcg", why="there is no /dev/kvm")

    monkeypatch.setattr(doctor, "find_qemu", lambda: qemu)
    monkeypatch.setattr(doctor, "find_acceleration", probe)


def by_name(checks: tuple[Check, ...]) -> Mapping[str, Check]:
    return {check.name: check for check in checks}


async def walls() -> Mapping[str, Any]:
    return {"uid": 1, "landlock": 7, "network": "none"}


async def test_a_sound_host_passes_every_check(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image(places)
    use(monkeypatch, qemu)
    checks = by_name(await doctor.examine(places, walls))
    assert {name for name, check in checks.items() if check.state == "fail"} == set()
    assert "no network at all" in checks["virtual machine"].cause
    assert all(check.cure for check in checks.values() if check.state != "ok")


@pytest.mark.parametrize(
    ("cut", "word"),
    [
        ("microvm ", "the machine microvm"),
        ('name "virtio-blk-device",', "virtio disks"),
        ('name "virtserialport",', "virtio channels"),
        ("-sandbox on", "its own system call filter"),
    ],
)
async def test_a_qemu_built_without_a_part_is_named(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str, word: str
) -> None:
    make_image(places)
    use(monkeypatch, make_qemu(tmp_path, QEMU.replace("MACHINE ", "microvm ").replace(cut, "")))
    checks = by_name(await doctor.examine(places, walls))
    assert checks["QEMU"].state == "fail"
    assert word in checks["QEMU"].cause
    assert "virtual machine" not in checks  # nothing is booted on what cannot work


async def test_an_old_qemu_and_one_that_does_not_start_fail(tmp_path: Path) -> None:
    qemu = make_qemu(tmp_path, "#!/bin/sh\nexit 1\n")
    old = Qemu(binary=qemu.binary, version="6.2.0")
    assert host_checks.qemu_version(old).state == "fail"
    assert host_checks.qemu_version(qemu).state == "fail"


async def test_an_image_of_another_size_is_found_at_once(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_image(places)
    use(monkeypatch, qemu)
    (folder / "vmlinuz").write_bytes(b"vm")
    check = by_name(await doctor.examine(places, None))["image"]
    assert (check.state, "vmlinuz" in check.cause) == ("fail", True)
    assert "--force" in check.cure


async def test_an_image_that_rotted_without_a_trace_is_found_by_reading_it(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_image(places)
    use(monkeypatch, qemu)
    assert by_name(await doctor.examine(places, walls))["image"].state == "ok"
    about = (folder / "vmlinuz").stat()
    (folder / "vmlinuz").write_bytes(b"vmlinux")
    os.utime(folder / "vmlinuz", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert by_name(await doctor.examine(places, None))["image"].state == "ok"
    check = by_name(await doctor.examine(places, walls))["image"]
    assert (check.state, "vmlinuz" in check.cause) == ("fail", True)
    assert "--force" in check.cure


async def test_nothing_installed_is_a_list_of_causes_and_cures(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Qemu:
        raise SandboxMissing("QEMU is not installed.", hint="Install the package.")

    monkeypatch.setattr(doctor, "find_qemu", none)
    monkeypatch.setattr(doctor, "missing_tools", lambda: {"mkfs.erofs": "erofs-utils"})
    checks = by_name(await doctor.examine(places, walls))
    for name in ("QEMU", "image", "tools for building"):
        assert (checks[name].state, bool(checks[name].cure)) == ("fail", True)
    assert "erofs-utils" in checks["tools for building"].cure


async def test_a_machine_that_does_not_start_is_told_with_its_reason(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Mapping[str, Any]:
        raise SandboxUnavailable("QEMU did not start: no", hint="")

    make_image(places)
    use(monkeypatch, qemu)
    check = by_name(await doctor.examine(places, broken))["virtual machine"]
    assert (check.state, check.cause) == ("fail", "QEMU did not start: no")


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "DESKMATE_CACHE"), (errno.EROFS, "DESKMATE_HOME")]
)
async def test_a_host_that_refuses_room_is_a_check_that_failed_not_the_end_of_the_report(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch, number: int, word: str
) -> None:
    async def refused(*_: Any) -> Mapping[str, Any]:
        raise OSError(number, os.strerror(number), "/some/where")

    make_image(places)
    use(monkeypatch, qemu)
    booted = by_name(await doctor.examine(places, refused))["virtual machine"]
    monkeypatch.setattr(doctor, "find_acceleration", refused)
    probed = by_name(await doctor.examine(places, walls))["isolation"]
    for check in (booted, probed):
        assert check.state == "fail"
        assert f"{os.strerror(number)} (/some/where)" in check.cause
        assert word in check.cure


@pytest.mark.parametrize(
    ("data_mib", "cache_mib", "state", "word"),
    [
        (10, 90_000, "fail", "threads cannot be stored"),
        (90_000, 200, "fail", "too little for a virtual machine"),
        (90_000, 1500, "warn", "DESKMATE_CACHE"),
        (90_000, 90_000, "ok", "90000 MiB"),
    ],
)
def test_both_disks_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    data_mib: int, cache_mib: int, state: str, word: str,
) -> None:  # fmt: skip
    places = Places(data=tmp_path / "d", cache=tmp_path / "c", config=tmp_path / "d")
    places.data.mkdir()
    places.cache.mkdir()

    def usage(folder: Path) -> Any:
        mib = data_mib if folder == places.data else cache_mib
        return shutil._ntuple_diskusage(0, 0, mib << 20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    check = host_checks.disk(places)
    assert check.state == state
    assert word in check.cause + check.cure
    assert bool(check.cure) == (state != "ok")


async def test_a_disk_without_room_is_not_booted_on(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_image(places)
    use(monkeypatch, qemu)
    full = Check(name="disk", state="fail", cause="full", cure="make room")
    monkeypatch.setattr(host_checks, "disk", lambda places: full)
    assert "virtual machine" not in by_name(await doctor.examine(places, walls))


def test_a_file_where_a_folder_should_be_and_open_folders_fail(places: Places) -> None:
    places.data.mkdir(parents=True)
    places.data.chmod(0o777)
    places.cache.write_text("")
    check = host_checks.folders(places)
    assert check.state == "fail"
    assert f"{places.data} can be written by others" in check.cause
    assert f"{places.cache} is no folder" in check.cause


def test_a_clock_before_the_installation_is_suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    check = host_checks.clock()
    assert check.state == "warn"
    assert "2001-09-09" in check.cause


def test_tight_limits_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = resource.getrlimit

    def tight(kind: int) -> tuple[int, int]:
        return (256, 256) if kind == resource.RLIMIT_NOFILE else real(kind)

    monkeypatch.setattr(resource, "getrlimit", tight)
    check = host_checks.limits()
    assert check.state == "fail"
    assert "256 open files" in check.cause


def test_a_control_group_counts_when_it_is_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "/proc/meminfo": "MemAvailable:   20480000 kB\n",
        "/proc/self/cgroup": "0::/user/desk\n",
        "/sys/fs/cgroup/user/memory.max": str(300 << 20),
        "/sys/fs/cgroup/user/memory.current": str(100 << 20),
        "/sys/fs/cgroup/user/desk/memory.max": "max",
    }
    monkeypatch.setattr(host_checks, "_read", lambda path: texts.get(str(path), ""))
    assert host_checks.available_mib() == 200
    assert host_checks.memory().state == "warn"


def sick(name: str) -> Check:
    return Check(name=name, state="fail", cause="")


def test_open_folders_are_closed_and_missing_ones_made(places: Places) -> None:
    places.data.mkdir(parents=True)
    places.data.chmod(0o777)
    done = cures.cure(sick("folders"), places, print)
    assert "took the right" in done
    assert "made" in done
    assert stat.S_IMODE(places.data.stat().st_mode) == 0o755
    assert stat.S_IMODE(places.cache.stat().st_mode) == 0o700


def make_template(places: Places, name: str) -> Path:
    folder = places.templates / name
    folder.mkdir(parents=True)
    (folder / "state").write_bytes(b"state")
    for part, size in (("ram", 384 << 20), ("scratch", SCRATCH_BYTES)):
        with (folder / part).open("wb") as file:
            file.truncate(size)
    about = {"state_sha256": hashlib.sha256(b"state").hexdigest(), "cold_boot_s": 1.0}
    (folder / "template.json").write_text(json.dumps({**about, "shape": {"memory_mib": 384}}))
    return folder


def test_damaged_templates_are_removed_and_others_stay(places: Places) -> None:
    for name in ("damaged", ".work.new"):
        (places.templates / name).mkdir(parents=True)
        (places.templates / name / "template.json").write_text("{")
    make_template(places, "whole")
    assert cures.cure(sick("templates"), places, print) == "removed 1 damaged"
    assert sorted(path.name for path in places.templates.iterdir()) == [".work.new", "whole"]


@pytest.mark.parametrize("part", ["ram", "scratch", "state"])
@pytest.mark.parametrize("cut", [True, False])
async def test_a_template_that_is_not_whole_is_named_and_removed(
    places: Places, qemu: Qemu, monkeypatch: pytest.MonkeyPatch, part: str, cut: bool
) -> None:
    make_image(places)
    use(monkeypatch, qemu)
    folder = make_template(places, "abcdef")
    assert by_name(await doctor.examine(places, None))["templates"].state == "ok"
    if cut:
        os.truncate(folder / part, 3)
    else:
        (folder / part).unlink()
    check = by_name(await doctor.examine(places, None))["templates"]
    assert (check.state, "1 damaged: abcdef" in check.cause) == ("warn", True)
    assert "--fix" in check.cure
    assert cures.cure(check, places, print) == "removed 1 damaged"
    assert not folder.exists()


def test_the_disk_s_cure_takes_what_was_left_half_made_too(places: Places) -> None:
    assert cures.cure(sick("disk"), places, print) == ""
    left = places.templates / ".abc.new"
    left.mkdir(parents=True)
    (left / "scratch").write_bytes(b"x")
    assert "1 that were left half made" in cures.cure(sick("disk"), places, print)
    assert not left.exists()


def test_an_image_that_did_not_pass_is_built_even_if_one_is_there(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = []

    class Built:
        recipe = "0123456789abcdef"

    def build(_places: Places, _progress: Any, *, force: bool) -> Built:
        forced.append(force)
        return Built()

    monkeypatch.setattr(cures, "build_image", build)
    assert cures.cure(sick("image"), places, print) == "built the image 0123456789ab"
    assert forced == [True]


def test_system_packages_are_installed_by_root_only(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(words)
        return subprocess.CompletedProcess(words, 100 if "install" in words else 0, "", "E: none")

    monkeypatch.setattr(cures, "missing_tools", lambda: {"cpio": "cpio", "uv": "uv (a package)"})
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cures.cure(sick("tools for building"), places, print) == ""
    assert calls == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(DeskmateError, match="E: none"):
        cures.cure(sick("tools for building"), places, print)
    assert calls[-1][-1] == "cpio"


def test_what_has_no_cure_is_left_alone(places: Places) -> None:
    assert cures.cure(sick("machine"), places, print) == ""
