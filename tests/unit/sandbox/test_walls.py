"""What an older kernel or another machine lacks is named, and a demand that is not met starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import ConfigError, SandboxMissing
from deskmate.sandbox import host_checks, launcher
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import Image
from deskmate.sandbox.process import probe_walls
from deskmate.sandbox.qemu import Qemu
from deskmate.sandbox.walls import LANDLOCK, check_demand, landlock_gaps, missing_walls, read_demand
from deskmate.types.places import find_places

ALL: dict[str, Any] = {
    "landlock": 7, "network": "none", "uid": 1, "no_new_privs": True, "seccomp": True, "processes": True,
}  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_nothing_is_missing_where_all_stand() -> None:
    assert missing_walls(ALL) == ()
    check_demand("strict", ALL, hardware=True)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"landlock": 0}, "no Landlock"),
        ({"seccomp": False}, "no filter of system calls"),
        ({"network": "host"}, "no empty network"),
        ({"no_new_privs": False}, "gain rights"),
        ({"processes": False}, "number of processes"),
        ({"landlock": 5, "seccomp": False}, "does not guard hidden sockets"),
        ({"landlock": 2, "seccomp": False}, "does not guard emptying files"),
    ],
)
def test_what_does_not_stand_is_named(change: dict[str, Any], word: str) -> None:
    assert any(word in line for line in missing_walls({**ALL, **change}))
    with pytest.raises(SandboxMissing, match="require_isolation is walls"):
        check_demand("walls", {**ALL, **change}, hardware=True)


@pytest.mark.parametrize("abi", LANDLOCK)
def test_what_an_older_landlock_lacks_is_refused_by_another_wall(abi: int) -> None:
    assert len(landlock_gaps(abi)) == 6 - abi
    assert missing_walls({**ALL, "landlock": abi}) == ()


def test_a_report_that_says_nothing_counts_as_no_wall() -> None:
    assert len(missing_walls({})) == 5


def test_strict_refuses_emulation_and_any_takes_it() -> None:
    with pytest.raises(SandboxMissing, match="not a boundary"):
        check_demand("strict", ALL, hardware=False)
    check_demand("walls", ALL, hardware=False)
    check_demand("any", {}, hardware=False)


def test_an_unknown_demand_is_refused() -> None:
    assert read_demand({}) == "any"
    assert read_demand({"require_isolation": "strict"}) == "strict"
    for wrong in ("Strict", True, 1, ["strict"]):
        with pytest.raises(ConfigError, match="require_isolation"):
            read_demand({"require_isolation": wrong})


@pytest.mark.anyio
async def test_the_walls_are_found_out_without_a_virtual_machine() -> None:
    walls = await probe_walls()
    assert walls["landlock"] == launcher.landlock_abi()
    assert walls["no_new_privs"] is True


@pytest.mark.anyio
async def test_a_sandbox_whose_demand_is_not_met_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = (lambda *given: None, lambda *given: None)
    sandbox = QemuSandbox(find_places({}, tmp_path), *parts, demand="strict")
    qemu = Qemu(binary=Path("/bin/true"), version="7.2")
    image: Any = Image
    monkeypatch.setattr("deskmate.sandbox.acceleration.KVM", tmp_path / "no-kvm")
    with pytest.raises(SandboxMissing, match="not a boundary"):
        await sandbox.shape(image, image, qemu)


def test_a_processor_whose_calls_are_not_listed_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "_MACHINES", {})
    check = host_checks.kernel_walls()
    assert check.state == "warn"
    assert "knows no system calls of" in check.cause
    assert launcher.filter_calls() is False
