"""A QEMU that was taken over is driven by its monitor against the host, started by root and by a plain user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.attack.conftest import OpenMachine
from tests.attack.table import Attempts
from tests.attack.takeover import ACTIONS, five_actions, listener

from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.template import Template
from deskmate.types.codec import to_json

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G13")]
ROOT = Path(__file__).parents[2]
PLAIN_UID, NAMELESS_UID = 54321, 65534
"""Inside a user namespace without a mapping every user is the second."""
PYTHON = Path("/usr/bin/python3")


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that everybody may reach, with a file of the user's."""
    folder = Path(tempfile.mkdtemp(prefix="deskmate-ground-"))
    folder.chmod(0o755)
    (folder / "user").mkdir()
    (folder / "user").chmod(0o777)
    (folder / "user/user.docx").write_text("the user's own")
    (folder / "user/user.docx").chmod(0o666)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def judge(attempt: Attempts, who: str, tried: dict[str, str], ground: Path) -> None:
    """Count each action, and look whether the host is as it was."""
    for name in ACTIONS:
        attempt(f"as {who}: {name}", blocked=bool(tried[name]))
    assert [path.name for path in (ground / "user").iterdir()] == ["user.docx"]
    assert (ground / "user/user.docx").read_text() == "the user's own"


async def test_a_taken_over_qemu_does_nothing_to_the_host(
    open_machine: OpenMachine, ground: Path, attempt: Attempts
) -> None:
    with listener() as server:
        async with open_machine() as machine:
            tried = await five_actions(machine, ground / "user", server.getsockname()[1])
        judge(attempt, "root" if os.geteuid() == 0 else "a plain user", tried, ground)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.slow
async def test_the_same_holds_when_a_plain_user_starts_it(
    sandbox: QemuSandbox, ground: Path, attempt: Attempts
) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other test runs as a plain user already")
    if not PYTHON.exists():
        pytest.skip(f"there is no {PYTHON} that another user could run")
    template = await sandbox.template((), lambda line: None)
    await anyio.to_thread.run_sync(lay_out, template, ground)
    with listener() as server:
        outcome = await anyio.to_thread.run_sync(run_as_user, ground, server.getsockname()[1])
        judge(attempt, "a plain user", outcome["tried"], ground)
        assert outcome["walls"]["uid"] in (PLAIN_UID, NAMELESS_UID)
        with pytest.raises(TimeoutError):
            server.accept()


def lay_out(template: Template, home: Path) -> None:
    """Copy image, layer and template to a folder of the plain user's, and the code that runs them."""
    files = [
        *((path, f"images/{template.image.folder.name}/{path.name}") for path in template.image.folder.iterdir()),
        *((path, f"templates/{template.key}/{path.name}") for path in template.folder.iterdir()),
        (Path(template.layer.disk), "layers/layer.erofs"),
    ]  # fmt: skip
    for source, name in files:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", source, home / name], check=True)
    layer = {**to_json(template.layer), "disk": str(home / "layers/layer.erofs")}
    (home / "layer.json").write_text(json.dumps(layer))
    (home / "shape.json").write_text(json.dumps(to_json(template.shape)))
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "core/src/deskmate", home / "code/deskmate", ignore=skip)
    shutil.copytree(ROOT / "tests/attack", home / "code/tests/attack", ignore=skip)
    packages = Path(anyio.__file__).parents[1]
    for name in ("anyio", "idna", "sniffio", "typing_extensions.py"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, home / "code" / name, ignore=skip)
        elif (packages / name).exists():
            shutil.copy(packages / name, home / "code" / name)
    for path in (home, *home.rglob("*")):
        os.chown(path, PLAIN_UID, PLAIN_UID, follow_symlinks=False)


def run_as_user(home: Path, port: int) -> dict[str, Any]:
    """Run the takeover as the plain user, and return what it reports."""
    done = subprocess.run(
        [PYTHON, "-m", "tests.attack.takeover", home, str(port)], cwd=home / "code", timeout=200,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home)},
        capture_output=True, user=PLAIN_UID, group=PLAIN_UID, extra_groups=[], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return dict(json.loads(done.stdout))
