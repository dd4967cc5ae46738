"""Real images: a machine keeps the one it runs on, the next takes the newer; two builds are the same image."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.vm.conftest import make_sandbox

from deskmate.ports import SandboxSpec
from deskmate.sandbox.build import build_image
from deskmate.sandbox.exchange import export_image, import_image
from deskmate.sandbox.image import SOFTWARE, Image, file_rows, find_image, image_lock, install
from deskmate.sandbox.machine import QemuMachine
from deskmate.sandbox.memory import save_sparse
from deskmate.sandbox.storage import prune_images
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
_SPEC = SandboxSpec(thread=ThreadId("t-image"), plugins=())


def silent(line: str) -> None:
    """Drop progress."""


@pytest.fixture
def own(places: Places, tmp_path: Path) -> Places:
    """A home with a copy of the base image and nothing else, in a path with a space."""
    own = Places(data=tmp_path / "d", cache=tmp_path / "groß er", config=tmp_path / "c")
    with image_lock(own):
        install(own, _copy(find_image(places), tmp_path / "copy"))
    return own


def _copy(image: Image, target: Path, software: str = "") -> Path:
    target.mkdir()
    for path in image.folder.glob("[!.]*"):
        fd = os.open(path, os.O_RDONLY)
        save_sparse(fd, target / path.name)
        os.close(fd)
        (target / path.name).chmod(0o644)
    if software:
        (target / SOFTWARE).write_text(software)
        manifest = json.loads((target / "manifest.json").read_text())
        (target / "manifest.json").write_text(json.dumps({**manifest, "files": file_rows(target)}))
    return target


async def _says(machine: QemuMachine, key: str) -> str:
    outcome = await machine.call(
        "workspace__shell", {"command": f"ls /usr/share | md5sum; echo {key}"},
        key=key, timeout_s=60, on_progress=silent,
    )  # fmt: skip
    assert not outcome.is_error, outcome.text
    return outcome.text


@pytest.mark.slow
async def test_a_running_machine_keeps_its_image_and_the_next_takes_the_newer(
    own: Places, tmp_path: Path
) -> None:
    sandbox = make_sandbox(own)
    try:
        old = find_image(own)
        async with sandbox.open(_SPEC, silent) as machine:
            with image_lock(own):
                new = install(own, _copy(old, tmp_path / "newer", software="[]"))
            assert new.digest != old.digest
            done = prune_images(own)
            assert (done.removed, done.kept) == ((), (old.folder.name,))
            assert "running" in await _says(machine, "running")
            shutil.rmtree(old.folder)  # not by us; even then the machine has all it needs
            shutil.rmtree(own.templates)
            assert "still" in await _says(machine, "still")
            async with sandbox.open(_SPEC, silent) as next_one:
                assert "newer" in await _says(next_one, "newer")
                assert next_one.template != machine.template
    finally:
        sandbox.close()
    assert find_image(own).digest == new.digest


@pytest.mark.slow
async def test_an_image_that_was_pulled_boots(own: Places, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    export_image(find_image(own), archive, silent)
    other = Places(data=tmp_path / "e", cache=tmp_path / "other", config=tmp_path / "f")
    image = import_image(archive, other, silent, digest=find_image(own).digest)
    assert image.digest == find_image(own).digest
    sandbox = make_sandbox(other)
    try:
        async with sandbox.open(_SPEC, silent) as machine:
            assert "pulled" in await _says(machine, "pulled")
    finally:
        sandbox.close()


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("flavour", ["base", "office"])
def test_two_builds_are_the_same_image(flavour: str, tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "zwei ß"):
        own = Places(data=tmp_path / "d", cache=tmp_path / name, config=tmp_path / "c")
        image = build_image(own, silent, flavour="office" if flavour == "office" else "base")
        digests.add(image.digest)
        shutil.rmtree(own.images)
    assert len(digests) == 1
