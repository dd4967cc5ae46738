"""How many templates a process keeps open: the last few, those in use, and no descriptor of any other."""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import shutil
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deskmate.sandbox import template_cache
from deskmate.sandbox.memory import load_ram
from deskmate.sandbox.template import Template
from deskmate.sandbox.template_cache import (
    OPEN_TEMPLATES,
    Templates,
    list_templates,
    prune_templates,
    read_about,
)
from deskmate.types.ids import Digest
from deskmate.types.places import find_places

pytestmark = pytest.mark.anyio


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Templates:
    """A cache whose templates are made of nothing; which one is wanted is said by the layer."""
    anything: Any = None

    async def make(self: Templates, wanted: Any, progress: Any) -> Template:
        fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
        return Template(
            key=wanted.key, folder=tmp_path, image=anything, layer=wanted.layer, shape=anything,
            ram=fds[0], state_fd=fds[1], scratch_fd=fds[2], cold_boot_s=1.0, disks={"base": fds[3]},
        )  # fmt: skip

    monkeypatch.setattr(Templates, "_load_or_make", make)
    monkeypatch.setattr(
        template_cache, "template_key", lambda image, layer, shape, booted=None: Digest(layer)
    )
    return Templates(find_places({}, tmp_path), anything)


async def get(templates: Templates, name: str) -> Template:
    anything: Any = None
    layer: Any = name
    return await templates.get(anything, layer, anything, lambda line: None)


async def test_the_last_few_stay_open_and_the_others_give_everything_back(
    templates: Templates,
) -> None:
    seen: dict[str, weakref.ref[Template]] = {}
    for number in range(OPEN_TEMPLATES + 2):
        seen[str(number)] = weakref.ref(await get(templates, str(number)))
        await get(templates, "0")  # is used all the time
    still = {name for name, template in seen.items() if template() is not None}
    assert still == {"0", *map(str, range(3, OPEN_TEMPLATES + 2))}


async def test_one_that_somebody_uses_stays_open_for_them(templates: Templates) -> None:
    used = await get(templates, "used")
    for number in range(OPEN_TEMPLATES + 1):
        await get(templates, str(number))
    templates.close()
    assert is_open(used.ram)
    ram = used.ram
    del used
    assert not is_open(ram)


async def test_a_disk_that_fills_up_keeps_nothing_of_half_a_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rams: list[int] = []

    async def fill(self: Templates, wanted: Any, base: Any, ram: int, work: Path) -> float:
        rams.append(ram)
        (work / "state").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(work / "state"))

    monkeypatch.setattr(Templates, "_frozen", fill)
    monkeypatch.setattr(template_cache, "require_intact", lambda image: None)
    monkeypatch.setattr(
        template_cache, "template_key", lambda image, layer, shape, booted=None: Digest(layer)
    )
    anything: Any = None
    places = find_places({}, tmp_path)
    shape: Any = SimpleNamespace(memory_mib=1)
    layer: Any = "full"
    with pytest.raises(OSError, match="No space left"):
        await Templates(places, anything).get(anything, layer, shape, lambda line: None)
    assert [path.name for path in places.templates.iterdir()] == [".full.lock"]
    assert len(rams) == 1
    assert not is_open(rams[0])


def put(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("ram", "state", "scratch"):
        (folder / name).write_bytes(bytes(1 << 20) if name == "ram" else b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    about = {"cold_boot_s": 1.0, "state_sha256": digest}
    (folder / "template.json").write_text(json.dumps(about), "utf-8")


def test_one_that_another_process_makes_is_not_listed_and_not_pruned(tmp_path: Path) -> None:
    places = find_places({}, tmp_path)
    under_way = places.templates / ".aaa.new"
    put(under_way)
    put(places.templates / "bbb")
    assert [row.key for row in list_templates(places)] == ["bbb"]
    assert prune_templates(places, cap_bytes=-1) == ("bbb",)
    assert under_way.is_dir()


def test_one_that_another_process_removes_while_all_are_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = find_places({}, tmp_path)
    put(places.templates / "aaa")
    put(places.templates / "bbb")

    def read(folder: Path) -> dict[str, Any]:
        about = read_about(folder)
        if folder.name == "aaa":
            shutil.rmtree(folder)
        return about

    monkeypatch.setattr(template_cache, "read_about", read)
    assert [row.key for row in list_templates(places)] == ["bbb"]


async def test_one_that_another_process_removes_while_it_is_opened_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anything: Any = None
    places = find_places({}, tmp_path)
    disk = tmp_path / "layer.erofs"
    disk.write_bytes(b"layer")
    layer: Any = SimpleNamespace(digest=Digest("1" * 64), disk=str(disk), plugins=())
    image: Any = SimpleNamespace(digest="2" * 64)
    shape: Any = SimpleNamespace(memory_mib=1, to_json=dict)
    made: list[str] = []
    rams: list[int] = []

    def load(path: Path, size: int) -> int:
        rams.append(load_ram(path, size))
        shutil.rmtree(path.parent)
        return rams[-1]

    async def make(self: Templates, folder: Path, wanted: Any, progress: Any) -> tuple[int, Any]:
        put(folder)
        made.append(folder.name)
        return os.open(os.devnull, os.O_RDONLY), read_about(folder)

    monkeypatch.setattr(template_cache, "template_key", lambda *_, **__: Digest("3" * 64))
    monkeypatch.setattr(template_cache, "load_ram", load)
    monkeypatch.setattr(template_cache, "hold_disks", lambda *_: {})
    monkeypatch.setattr(Templates, "_make", make)
    put(places.templates / ("3" * 64))
    before = set(Path("/proc/self/fd").iterdir())
    template = await Templates(places, anything).get(image, layer, shape, lambda line: None)
    assert made == [template.key]
    assert os.pread(template.state_fd, 10, 0) == b"x"
    assert len(rams) == 1
    del template
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) == before
