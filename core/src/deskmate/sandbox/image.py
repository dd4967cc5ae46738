"""The guest's image on the host: its recipe, where built images lie, and whether they are intact."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData, SandboxMissing, UserError
from deskmate.types.ids import Digest
from deskmate.types.places import Places

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian suite → version of its Python; these are the suites an image can be built from."""

DEFAULT_SUITE = "bookworm"
PACKAGES = (
    *("e2fsprogs", "file", "git", "jq", "poppler-utils", "procps", "python3", "ripgrep", "tar"),
    *("unzip", "xz-utils", "zip"),
)
KERNEL_PACKAGES = ("linux-image-cloud-amd64", "busybox-static")
MODULES = (
    *("virtio_mmio", "virtio_blk", "virtio_console", "virtio_rng", "erofs", "overlay", "ext4"),
)
FILES = ("base.erofs", "vmlinuz", "initrd", "scratch.ext4")
SCRATCH_BYTES = 8 << 30
_RECIPE_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image. `recipe` names its folder; `digest` covers the bytes of its files."""

    folder: Path
    recipe: Digest
    digest: Digest
    suite: str
    python: str
    built_at: str
    sizes: dict[str, int]

    def file(self, name: str) -> Path:
        """Return the absolute path of one of `FILES`."""
        return self.folder / name


def recipe_part(name: str) -> bytes:
    """Return a file of the recipe that ships with Deskmate."""
    return (files("deskmate.sandbox") / name).read_bytes()


def recipe_digest(suite: str) -> Digest:
    """Return the digest of all that decides what an image of this suite becomes."""
    recipe = {
        "format": _RECIPE_FORMAT,
        "suite": suite,
        "architecture": platform.machine(),
        "packages": PACKAGES,
        "kernel": KERNEL_PACKAGES,
        "modules": MODULES,
        "scratch": SCRATCH_BYTES,
        "parts": {
            name: hashlib.sha256(recipe_part(name)).hexdigest()
            for name in ("recipe/init.sh", "recipe/customize.sh", "guest.txt")
        },
    }
    return Digest(hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest())


def find_image(places: Places, suite: str = DEFAULT_SUITE) -> Image:
    """Return the built image of today's recipe. Raises SandboxMissing if there is none."""
    folder = places.images / recipe_digest(suite)
    if not (folder / "manifest.json").is_file():
        raise SandboxMissing(
            "The virtual machine's image has not been built.",
            hint="Build it once, in about a minute: deskmate image build",
        )
    return read_image(folder)


def read_image(folder: Path) -> Image:
    """Return the image in `folder`. Raises CorruptData where its manifest is not one of ours."""
    try:
        data = json.loads((folder / "manifest.json").read_text("utf-8"))
        sizes = {name: int(data["files"][name]["bytes"]) for name in FILES}
        hashes = [str(data["files"][name]["sha256"]) for name in FILES]
        missing = [name for name in FILES if not (folder / name).is_file()]
        image = Image(
            folder=folder,
            recipe=Digest(str(data["recipe"])),
            digest=Digest(hashlib.sha256("\n".join(hashes).encode()).hexdigest()),
            suite=str(data["suite"]),
            python=str(data["python"]),
            built_at=str(data["built_at"]),
            sizes=sizes,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptData(
            f"the image in {folder} has no usable manifest",
            hint="remove it with `deskmate image prune --all` and build it again",
        ) from error
    if missing:
        raise CorruptData(
            f"the image in {folder} lacks {', '.join(missing)}",
            hint="build it again with `deskmate image build --force`",
        )
    return image


def list_images(places: Places) -> tuple[Image, ...]:
    """Return all readable images, newest first."""
    if not places.images.is_dir():
        return ()
    found = []
    for folder in places.images.iterdir():
        if (folder / "manifest.json").is_file():
            try:
                found.append(read_image(folder))
            except CorruptData:
                continue
    return tuple(sorted(found, key=lambda image: image.built_at, reverse=True))


def verify_image(image: Image) -> tuple[str, ...]:
    """Hash every file anew and return the names of those that are not what was built."""
    manifest: dict[str, Any] = json.loads((image.folder / "manifest.json").read_text("utf-8"))
    return tuple(
        name
        for name in FILES
        if sparse_digest(image.file(name)) != manifest["files"][name]["sha256"]
    )


def prune_images(places: Places, *, keep: Digest | None) -> tuple[Path, ...]:
    """Remove images and unfinished builds except the one of recipe `keep`; return what went."""
    if not places.images.is_dir():
        return ()
    with image_lock(places):
        gone = [path for path in places.images.iterdir() if path.is_dir() and path.name != keep]
        for path in gone:
            shutil.rmtree(path)
    return tuple(sorted(gone))


@contextmanager
def image_lock(places: Places) -> Iterator[None]:
    """Hold the one lock for building and removing images. Raises UserError if another holds it."""
    places.images.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (places.images / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "another Deskmate process is building an image", hint="wait until it is done"
            ) from error
        yield


def sparse_digest(path: Path) -> Digest:
    """Return the sha256 over the size and every data extent of a file; holes cost nothing."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(f"{size}\n".encode())
        for start, end in data_extents(file.fileno(), size):
            file.seek(start)
            left = end - start
            while left and (chunk := file.read(min(left, 1 << 20))):
                left -= len(chunk)
                if chunk.strip(b"\0"):
                    digest.update(f"{file.tell() - len(chunk)}\n".encode() + chunk)
    return Digest(digest.hexdigest())


def data_extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the stretches of a file that hold data."""
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError:  # only holes are left
            return
        position = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, position
