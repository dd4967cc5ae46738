"""Runs the guest's supervisor as a process of this machine, with injected ports and folders.

Plain: no mounts, no users. `real`: in a mount namespace of its own, as root, with overlay and users.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deskmate_guest.layout import Layout
from deskmate_guest.loop import Loop
from deskmate_guest.supervisor import Supervisor


def main(root: Path, agent: int, bulk: int, real: bool) -> None:
    layout = Layout(
        layer=root / "layer",
        plugins=root / "plugins",
        plugins_disk="",
        workspace=root / "workspace",
        home=root / "home",
        clean=root / "clean",
        listing=root / "listing",
        results=root / "results",
        scratch=root / "scratch",
        scratch_device="",
        cgroups=root / "no-cgroups",
        privileged=real,
    )
    for folder in (layout.workspace, layout.home):
        folder.mkdir(exist_ok=True)
    loop = Loop()
    Supervisor(loop, layout, agent, bulk)
    loop.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "real")
