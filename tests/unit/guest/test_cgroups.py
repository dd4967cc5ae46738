"""What a call left behind is found in its control group and killed; the worker is spared."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deskmate_guest.cgroups import Cgroup
from deskmate_guest.layout import Layout


def test_a_sweep_kills_all_but_the_worker(tmp_path: Path) -> None:
    folder = tmp_path / "deskmate-x"
    folder.mkdir()
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
