"""What a call left behind is found in its control group and killed; the worker is spared."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deskmate_guest.cgroups import Cgroup, bound_memory, prepare_cgroups
from deskmate_guest.layout import Layout


def test_a_sweep_kills_all_but_the_worker(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "x"
    folder.mkdir(parents=True)
    members = folder / "cgroup.procs"
    for path in (tmp_path / "cgroup.procs", members):
        path.write_text("")
    group = Cgroup(Layout(cgroups=tmp_path, privileged=True), "x", 1000)
    left = subprocess.Popen(["sleep", "60"])
    try:
        members.write_text(f"{os.getpid()}\n{left.pid}\n")
        assert not group.sweep(os.getpid())
        assert left.wait(10) == -9
        members.write_text(f"{os.getpid()}\n")
        assert group.sweep(os.getpid())
    finally:
        left.kill()
        left.wait()


def test_without_control_groups_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    group = Cgroup(Layout(cgroups=tmp_path, privileged=False), "x", 1000)
    assert group.sweep(os.getpid())


def test_all_plugins_together_get_what_is_there_and_never_the_reserve(tmp_path: Path) -> None:
    layout = Layout(cgroups=tmp_path, privileged=True)
    (tmp_path / "cgroup.subtree_control").write_text("")
    everyone = tmp_path / "plugins"
    everyone.mkdir()
    (everyone / "memory.current").write_text("1048576")
    assert prepare_cgroups(layout)
    bound = int((everyone / "memory.max").read_text())
    lines = Path("/proc/meminfo").read_text().splitlines()
    there = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    assert 64 << 20 <= bound < there + (64 << 20)  # other programs of this machine come and go
    (everyone / "memory.current").write_text(str(1 << 50))
    bound_memory(layout)
    assert int((everyone / "memory.max").read_text()) > 1 << 49


def test_a_guest_without_groups_has_nothing_to_bound(tmp_path: Path) -> None:
    layout = Layout(cgroups=tmp_path, privileged=True)
    assert not prepare_cgroups(layout)
    bound_memory(layout)
    assert not list(tmp_path.iterdir())
