"""Runs the guest's supervisor as a process of this machine: injected ports, no mounts, no users."""

from __future__ import annotations

import sys
from pathlib import Path

from deskmate_guest.layout import Layout
from deskmate_guest.loop import Loop
from deskmate_guest.supervisor import Supervisor


def main(root: Path, agent: int, bulk: int) -> None:
    layout = Layout(
        layer=root / "layer",
        workspace=root / "workspace",
        home=root / "home",
        clean=root / "clean",
        scratch=root / "scratch",
        scratch_device="",
        cgroups=root / "no-cgroups",
        privileged=False,
    )
    for folder in (layout.workspace, layout.home):
        folder.mkdir(exist_ok=True)
    loop = Loop()
    Supervisor(loop, layout, agent, bulk)
    loop.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
