"""Images on the host: where built ones lie, which is today's, and whether they are what was built."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData, SandboxMissing, UserError
from deskmate.ports import Flavour
from deskmate.sandbox.recipes import DEFAULT_SUITE, recipe_digest
from deskmate.types.ids import Digest
from deskmate.types.places import Places

FILES = ("base.erofs", "vmlinuz", "initrd", "scratch.ext4")
SOFTWARE = "software.json"
"""The list of packages, beside the files that a machine is made of."""

_BLOCK = 1 << 20
_IDENTITY = ("recipe", "flavour", "suite", "architecture", "python")
_CURE = "build it again with `deskmate image build {flavour} --force`, or pull it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image. `recipe`: what it was made by. `digest`: of that and of the bytes of its files."""

    folder: Path
    recipe: Digest
    digest: Digest
    suite: str
    python: str
    built_at: str
    sizes: Mapping[str, int]
    flavour: Flavour = "base"
    architecture: str = "x86_64"
    build_s: float = 0.0

    def file(self, name: str) -> Path:
        """Return the absolute path of one of `FILES`."""
        return self.folder / name

    @property
    def bytes(self) -> int:
        """What it takes on disk: the scratch disk is nearly all holes."""
        return sum(size for name, size in self.sizes.items() if name != "scratch.ext4")

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.recipe[:32]}-{self.digest[:16]}"


def find_image(places: Places, suite: str = DEFAULT_SUITE, flavour: Flavour = "base") -> Image:
    """Return the newest image of today's recipe. Its files' sizes and times are what they were.

    Raises SandboxMissing if there is none, CorruptData if a file changed since it was built.
    """
    folder = newest(places, recipe_digest(suite, flavour))
    if folder is None:
        name = "" if flavour == "base" else f" {flavour}"
        state = "has not been built"
        if any(image.flavour == flavour for image in list_images(places)):
            state = "is of another version of Deskmate"
        raise SandboxMissing(
            f"The virtual machine's{name} image {state}.",
            hint=f"Build it once, in a few minutes: deskmate image build{name}",
        )
    image = read_image(folder)
    require_unchanged(image)
    return image


def newest(places: Places, recipe: Digest) -> Path | None:
    """Return the folder of the image of a recipe that came last, None if there is none."""
    found = [
        path / "manifest.json"
        for path in places.images.glob(f"{recipe[:32]}-*")
        if (path / "manifest.json").is_file()
    ]
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent if found else None


def read_manifest(folder: Path) -> Image:
    """Return the image that a folder's manifest describes. Raises CorruptData where it is not one of ours."""
    try:
        return _image(folder, json.loads((folder / "manifest.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptData(
            f"the image in {folder} has no usable manifest",
            hint="remove it with `deskmate image prune --all` and build it again",
        ) from error


def read_image(folder: Path) -> Image:
    """Return the image in `folder`. Raises CorruptData where it is not whole, by its manifest and sizes."""
    image = read_manifest(folder)
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise _damaged(image, f"lacks {', '.join(missing)}")
    for name, size in image.sizes.items():
        real = image.file(name).stat().st_size if image.file(name).is_file() else 0
        if real != size:
            raise _damaged(image, f"is damaged: {name} has {real} bytes instead of {size}")
    return image


def _image(folder: Path, data: Mapping[str, Any]) -> Image:
    identity = {name: str(data[name]) for name in _IDENTITY}
    hashes = {name: str(data["files"][name]["sha256"]) for name in (*FILES, SOFTWARE)}
    whole = json.dumps({**identity, "files": hashes}, sort_keys=True)
    if identity["flavour"] not in ("base", "office"):
        raise ValueError(identity["flavour"])
    return Image(
        folder=folder,
        recipe=Digest(identity["recipe"]),
        digest=Digest(hashlib.sha256(whole.encode()).hexdigest()),
        suite=identity["suite"],
        python=identity["python"],
        architecture=identity["architecture"],
        flavour="office" if identity["flavour"] == "office" else "base",
        built_at=str(data["built_at"]),
        build_s=float(data.get("build_s", 0)),
        sizes={name: int(data["files"][name]["bytes"]) for name in (*FILES, SOFTWARE)},
    )


def list_images(places: Places) -> tuple[Image, ...]:
    """Return all readable images, newest first."""
    if not places.images.is_dir():
        return ()
    found = []
    for folder in places.images.iterdir():
        if not folder.name.startswith(".") and (folder / "manifest.json").is_file():
            try:
                found.append(read_image(folder))
            except CorruptData:
                continue
    return tuple(sorted(found, key=lambda image: image.built_at, reverse=True))


def damaged_images(places: Places) -> Mapping[str, str]:
    """Return what lies among the images and is none that can be read: folder's name → what is wrong."""
    wrong = {}
    for folder in sorted(places.images.iterdir()) if places.images.is_dir() else ():
        if not folder.name.startswith(".") and folder.is_dir():
            try:
                read_image(folder)
            except CorruptData as error:
                wrong[folder.name] = error.message
    return wrong


def software_of(image: Image) -> list[dict[str, Any]]:
    """Return the packages of an image: kind, name, version, source, licence. Raises CorruptData."""
    try:
        rows = json.loads(image.file(SOFTWARE).read_text("utf-8"))
        return [dict(row) for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(image, f"has no readable {SOFTWARE}") from error


def file_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name → size and digest of an image's files."""
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sparse_digest(folder / name)}
        for name in (*FILES, SOFTWARE)
    }


def verify_image(image: Image) -> tuple[str, ...]:
    """Hash every file anew and return the names of those that are not what was built."""
    manifest: dict[str, Any] = json.loads((image.folder / "manifest.json").read_text("utf-8"))
    damaged = tuple(
        name
        for name in (*FILES, SOFTWARE)
        if sparse_digest(image.file(name)) != manifest["files"][name]["sha256"]
    )
    if not damaged:
        _write_stamp(image)
    return damaged


def require_intact(image: Image) -> None:
    """Hash every file anew. Raises CorruptData, naming the file and the cure."""
    if damaged := verify_image(image):
        raise _damaged(image, f"is damaged: {', '.join(damaged)} changed since it was built")


def require_unchanged(image: Image) -> None:
    """Compare sizes and times with those of the last full check, and check in full where they differ.

    Raises CorruptData. Costs a few calls of the system where nothing changed.
    """
    try:
        stamp = json.loads((image.folder / ".stamp").read_text("utf-8"))
    except (OSError, ValueError):
        stamp = None
    if stamp != _stamp(image):
        require_intact(image)


def _damaged(image: Image, what: str) -> CorruptData:
    return CorruptData(
        f"the {image.flavour} image {image.digest[:12]} {what}",
        hint=_CURE.format(flavour=image.flavour),
    )


def _stamp(image: Image) -> dict[str, list[int]]:
    about = {name: image.file(name).stat() for name in (*FILES, SOFTWARE)}
    return {name: [about.st_size, about.st_mtime_ns] for name, about in about.items()}


def _write_stamp(image: Image) -> None:
    part = image.folder / f".stamp-{os.getpid()}"
    part.write_text(json.dumps(_stamp(image)), "utf-8")
    part.replace(image.folder / ".stamp")


def require_architecture(image: Image) -> None:
    """Raise UserError if this machine has another processor than the image is for."""
    if image.architecture != platform.machine():
        raise UserError(
            f"the image is for {image.architecture}; this machine is {platform.machine()}",
            hint="take the image for this machine's architecture",
        )


def install(places: Places, made: Path) -> Image:
    """Move a complete image, checked by its maker, to its place; older ones stay beside it.

    Call it with the `image_lock`. Raises CorruptData where the folder is no whole image, UserError where it is
    of another processor.
    """
    image = read_image(made)
    require_architecture(image)
    _write_stamp(image)
    for path in made.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    target = places.images / image.name
    if target.exists():  # the same image, perhaps damaged since
        old = places.images / f".old-{os.getpid()}"
        target.rename(old)
        made.rename(target)
        shutil.rmtree(old)
    else:
        made.rename(target)
    target.chmod(0o755)
    os.utime(target / "manifest.json")
    return read_image(target)


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
    """Return the sha256 over a file's size and its blocks of 1 MiB that are not all zero; holes cost nothing.

    It does not depend on where a file system keeps holes.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(f"{size}\n".encode())
        done = 0
        for start, end in data_extents(file.fileno(), size):
            for offset in range(max(done, start - start % _BLOCK), end, _BLOCK):
                block = os.pread(file.fileno(), _BLOCK, offset)
                done = offset + _BLOCK
                if block.strip(b"\0"):
                    digest.update(f"{offset}\n".encode() + block)
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
