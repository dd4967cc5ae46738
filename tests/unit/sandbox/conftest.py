"""Small images, as whole as real ones, without building any."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.ports import Flavour
from deskmate.sandbox.image import FILES, SOFTWARE, Image, file_rows, image_lock, install
from deskmate.sandbox.recipes import find_recipe
from deskmate.types.places import Places, find_places

MakeImage = Callable[..., Image]


@pytest.fixture
def home(tmp_path: Path) -> Places:
    """A home whose path has a space and letters beyond ASCII."""
    return find_places({"DESKMATE_HOME": str(tmp_path / "mein Büro ✓")}, tmp_path)


def write_image(
    folder: Path,
    *,
    content: str = "",
    flavour: Flavour = "base",
    recipe: str = "",
    architecture: str = "",
) -> Path:
    """Write an image's files and manifest; `content` makes it another image of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_bytes(f"{name} {content}".encode() * 300)
    with (folder / "scratch.ext4").open("r+b") as file:
        file.truncate(4 << 20)
        file.seek((2 << 20) + 77)
        file.write(b"inside a hole")
    row = {"kind": "deb", "name": "git", "version": "1", "licence": "GPL-2", "source": "git"}
    (folder / SOFTWARE).write_text(json.dumps([row]))
    about = {
        "recipe": recipe or find_recipe(flavour).digest, "flavour": flavour, "suite": "bookworm",
        "architecture": architecture or platform.machine(), "python": "3.11", "packages": 1,
        "built_at": "2026-01-01T00:00:00+00:00", "build_s": 1.5,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({**about, "files": file_rows(folder)}))
    return folder


@pytest.fixture
def make_image(home: Places, tmp_path: Path) -> MakeImage:
    """Installs small images into `home`."""

    def make(content: str = "", flavour: Flavour = "base", recipe: str = "") -> Image:
        made = write_image(tmp_path / "made", content=content, flavour=flavour, recipe=recipe)
        with image_lock(home):
            return install(home, made)

    return make
