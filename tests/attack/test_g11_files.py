"""Another user of the same computer looks at a machine's files, memory and command line, running and frozen."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import anyio.to_thread
import pytest
from tests.attack.conftest import OpenMachine, output_of
from tests.attack.host import gone
from tests.attack.table import Attempts

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G11")]
OTHER_UID = 54322
PYTHON = Path("/usr/bin/python3")

PRY = """
import json, os, sys
found = {}
for path in json.loads(sys.argv[1]):
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            with open(path, "rb") as file:
                file.read(1)
        found[path] = True
    except OSError:
        found[path] = False
print(json.dumps(found))
"""


def pry(paths: list[str]) -> dict[str, bool]:
    """Have another user open each of the paths."""
    done = subprocess.run(
        [PYTHON, "-c", PRY, json.dumps(paths)], capture_output=True, check=True, cwd="/",
        user=OTHER_UID, group=OTHER_UID, extra_groups=[], env={}, timeout=60,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


async def test_templates_and_scratch_disks_are_for_their_owner_alone(
    sandbox: QemuSandbox, open_machine: OpenMachine, attempt: Attempts
) -> None:
    template = await sandbox.template((), lambda line: None)
    assert {path.name for path in template.folder.iterdir()} >= {"ram", "state", "scratch"}
    for path in (template.folder, template.folder.parent):
        mode = stat.S_IMODE(path.stat().st_mode)
        attempt(f"{path.name[:12]} has mode {mode:o}", blocked=mode & 0o077 == 0)
    for path in template.folder.iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        attempt(f"{path.name} has mode {mode:o}", blocked=mode & 0o077 == 0)
    async with open_machine() as machine:
        for path in Path(f"/proc/{machine.process.pid}/fd").iterdir():
            about = path.stat()
            name = str(path.readlink())
            if stat.S_ISREG(about.st_mode) and about.st_nlink == 0 and "memfd" not in name:
                attempt(f"{name} has mode {about.st_mode:o}", blocked=about.st_mode & 0o077 == 0)


async def test_another_user_reads_nothing_of_a_machine(
    sandbox: QemuSandbox, open_machine: OpenMachine, attempt: Attempts
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if not PYTHON.exists():
        pytest.skip(f"there is no {PYTHON} that another user could run")
    template = await sandbox.template((), lambda line: None)
    async with open_machine() as machine:
        process = f"/proc/{machine.process.pid}"
        paths = [str(path) for path in template.folder.iterdir()]
        paths += [f"{process}/{name}" for name in ("mem", "environ", "maps", "fd", "auxv")]
        paths += [str(path) for path in Path(f"{process}/fd").iterdir()]
        for path, opened in (await anyio.to_thread.run_sync(pry, paths)).items():
            attempt(f"another user opens {path}", blocked=not opened)
        control = await anyio.to_thread.run_sync(pry, ["/etc/hostname", "/"])
        assert control["/"], "the other user can open nothing at all"


async def test_nothing_of_a_machine_is_left_when_it_ends(
    open_machine: OpenMachine, places: Places, attempt: Attempts
) -> None:
    before = set(places.machines.iterdir()) if places.machines.exists() else set()
    async with open_machine() as machine:
        pid = machine.process.pid
        await output_of(machine, "echo secret > /workspace/file; sync")
        named = set(places.machines.iterdir()) - before
        attempt(f"its disk has a name: {named}", blocked=not named)
    attempt("QEMU lives on", blocked=await gone(pid, 5))
    left = set(places.machines.iterdir()) - before
    attempt(f"left: {left}", blocked=not left)
