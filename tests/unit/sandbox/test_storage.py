"""Pruning: what is in use stays, what is oldest goes first, and disk use is what it is."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest
from tests.unit.sandbox.conftest import MakeImage

from deskmate.sandbox.image import find_image, read_image
from deskmate.sandbox.storage import (
    disk_usage,
    drop_stale,
    drop_unfinished,
    hold_disks,
    in_use,
    prune_images,
    prune_layers,
)
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer


def _layer(home: Places, name: str, age_s: float = 0, kib: int = 64) -> Layer:
    home.layers.mkdir(parents=True, exist_ok=True)
    disk = home.layers / f"{name * 64}.erofs"
    disk.write_bytes(os.urandom(kib << 10))
    os.utime(disk, (time.time() - age_s,) * 2)
    (home.layers / "index").mkdir(exist_ok=True)
    (home.layers / "index" / name).write_text(json.dumps({"digest": disk.stem}))
    return Layer(
        digest=Digest(disk.stem), disk=str(disk), lock=Digest("0" * 64),
        plugins=(), versions={}, manifests={},
    )  # fmt: skip


def _template(home: Places, key: str, *, image: str = "", layer: str = "") -> Path:
    folder = home.templates / key
    folder.mkdir(parents=True)
    (folder / "template.json").write_text(json.dumps({"image": image, "layer": layer}))
    return folder


def test_pruning_keeps_today_s_images_and_removes_the_rest(
    home: Places, make_image: MakeImage
) -> None:
    base, office = make_image("b"), make_image("o", flavour="office")
    former = make_image("f", recipe="e" * 64)
    for name in (".build-left", ".pull-left"):
        (home.images / name).mkdir()
    stale = _template(home, "stale", image=former.digest)
    kept = _template(home, "kept", image=base.digest)
    done = prune_images(home)
    assert set(done.removed) == {former.folder.name, ".build-left", ".pull-left"}
    assert done.templates == ("stale",)
    assert (kept.is_dir(), stale.is_dir()) == (True, False)
    assert find_image(home).digest == base.digest
    assert find_image(home, flavour="office").digest == office.digest
    assert done.bytes > 0


def test_an_image_that_a_process_uses_stays_with_its_templates(
    home: Places, make_image: MakeImage
) -> None:
    old = make_image("old")
    held = hold_disks(old, _layer(home, "a"))
    make_image("new")
    template = _template(home, "t", image=old.digest)
    try:
        for everything in (False, True):
            done = prune_images(home, everything=everything)
            assert old.folder.name in done.kept
        assert read_image(old.folder).digest == old.digest
        assert template.is_dir()
    finally:
        for fd in held.values():
            os.close(fd)
    assert old.folder.name in prune_images(home, everything=True).removed
    assert not template.exists()


def test_a_lock_ends_with_its_process(home: Places, make_image: MakeImage) -> None:
    image, layer = make_image(), _layer(home, "a")
    near, far = os.pipe()
    pid = os.fork()
    if not pid:
        hold_disks(image, layer)
        os.write(far, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(near, 1)
    assert in_use(image.file("base.erofs"))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(near)
    os.close(far)
    assert not in_use(image.file("base.erofs"))


def test_below_the_cap_former_images_stay(home: Places, make_image: MakeImage) -> None:
    former = make_image("f", recipe="e" * 64)
    make_image("n")
    assert prune_images(home, cap_bytes=1 << 40).removed == ()
    assert prune_images(home, cap_bytes=0).removed == (former.folder.name,)


def test_layers_unused_for_longest_go_first(home: Places) -> None:
    old, new = _layer(home, "a", age_s=9000), _layer(home, "b", age_s=8000)
    gone = prune_layers(home, cap_bytes=Path(new.disk).stat().st_blocks * 512)
    assert gone == (old.digest,)
    assert Path(new.disk).exists()
    assert [path.name for path in (home.layers / "index").iterdir()] == ["b"]


def test_layers_that_are_used_or_new_stay(home: Places, make_image: MakeImage) -> None:
    held, template = _layer(home, "a", age_s=9000), _layer(home, "b", age_s=9000)
    fresh, named = _layer(home, "c", age_s=60), _layer(home, "d", age_s=9000)
    _template(home, "t", layer=template.digest)
    fds = hold_disks(make_image(), held)
    try:
        assert prune_layers(home, cap_bytes=0, keep=named.digest) == ()
    finally:
        for fd in fds.values():
            os.close(fd)
    assert set(prune_layers(home, cap_bytes=0)) == {held.digest, named.digest}
    assert Path(fresh.disk).exists()


def test_registries_go_with_their_layer_or_image(home: Places, make_image: MakeImage) -> None:
    image, layer = make_image(), _layer(home, "a")
    registries = home.cache / "registries"
    registries.mkdir()
    names = {
        "kept": f"{layer.digest[:32]}-{image.digest[:16]}.json",
        "no layer": f"{'f' * 32}-{image.digest[:16]}.json",
        "no image": f"{layer.digest[:32]}-{'f' * 16}.json",
    }
    for name in names.values():
        (registries / name).write_text("{}")
    prune_layers(home, cap_bytes=1 << 30)
    assert [path.name for path in registries.iterdir()] == [names["kept"]]


def test_disk_use_counts_blocks_not_holes(home: Places, make_image: MakeImage) -> None:
    make_image()
    usage = {part.name: part for part in disk_usage(home)}
    assert usage["images"].count == 1
    assert 0 < usage["images"].bytes < 4 << 20  # its scratch disk alone claims more
    assert usage["templates"].bytes == 0


def test_pruning_an_empty_cache_does_nothing(home: Places) -> None:
    assert prune_images(home).removed == ()
    assert prune_layers(home, cap_bytes=0) == ()
    assert not home.cache.exists()


@pytest.mark.parametrize("about", ["", "[]", "nonsense"])
def test_a_damaged_template_does_not_stop_pruning(
    home: Places, make_image: MakeImage, about: str
) -> None:
    make_image("f", recipe="e" * 64)
    (_template(home, "broken") / "template.json").write_text(about)
    assert len(prune_images(home).removed) == 1


def test_what_a_killed_process_left_is_removed_and_what_another_works_on_stays(
    home: Places,
) -> None:
    for key in ("left", "held"):
        work = home.templates / f".{key}.new"
        work.mkdir(parents=True)
        (work / "state").write_bytes(b"half")
        os.utime(work, (time.time() - 1e7,) * 2)  # age says nothing
    done = _template(home, "done")
    home.machines.mkdir(parents=True)
    scratch = home.machines / ".scratch-1-0a"
    scratch.write_bytes(b"x")
    with scratch.open("rb") as used, (home.templates / ".held.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert drop_stale(home) == (".left.new", ".scratch-1-0a")
        assert used.read() == b"x"
    assert (home.templates / ".held.new" / "state").read_bytes() == b"half"
    assert done.is_dir()
    assert drop_stale(home) == (".held.new",)


def test_nothing_is_made_where_nothing_was_left(home: Places) -> None:
    assert drop_stale(home) == ()
    assert not home.templates.exists()
    assert not home.machines.exists()


def test_a_download_that_nobody_goes_on_with_goes_and_another_stays(
    home: Places, make_image: MakeImage
) -> None:
    image = make_image("b")
    old, new = home.images / ".download-old", home.images / ".download-new"
    for part in (old, new):
        part.write_bytes(b"x" * 5000)
    os.utime(old, (time.time() - 4000,) * 2)
    prune_images(home, cap_bytes=1 << 40)  # after a build: only what is over the cap
    assert old.exists()
    assert prune_images(home).bytes >= 5000
    assert (old.exists(), new.exists(), image.folder.is_dir()) == (False, True, True)


def test_a_new_build_takes_away_what_a_killed_one_left(home: Places, make_image: MakeImage) -> None:
    image = make_image("b")
    for name in (".build-dead/root", ".pull-dead", ".old-17"):
        (home.images / name).mkdir(parents=True)
    (home.images / ".download-new").write_bytes(b"x")
    drop_unfinished(home)
    assert {path.name for path in home.images.glob("*")} >= {image.folder.name, ".download-new"}
    assert not [path for path in home.images.glob(".*") if path.is_dir()]
