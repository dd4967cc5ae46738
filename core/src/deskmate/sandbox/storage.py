"""What the cache holds and how it is kept small: nothing that a running machine or a template uses is removed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import CorruptData
from deskmate.sandbox.image import Image, image_lock, list_images, newest, read_image
from deskmate.sandbox.memory import SCRATCH_PREFIX
from deskmate.sandbox.recipes import FLAVOURS, SCRATCH_BYTES, recipe_digest, suites
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Layer

IMAGES_CAP_BYTES = 8 << 30
LAYERS_CAP_BYTES = 1 << 30
TEMPLATES_CAP_BYTES = 4 << 30
_FRESH_S = 3600.0
"""So long after its last use a layer or a part of a download stays: somebody may be about to go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of the disk one part of the cache takes. `cap_bytes`: 0 where it has none of its own."""

    name: str
    folder: Path
    bytes: int
    count: int
    cap_bytes: int = 0


def disk_usage(places: Places) -> tuple[Usage, ...]:
    """Return what the parts of the cache take on disk, holes not counted."""
    parts = (
        ("images", places.images, IMAGES_CAP_BYTES),
        ("layers", places.layers, LAYERS_CAP_BYTES),
        ("templates", places.templates, TEMPLATES_CAP_BYTES),
        ("registries", places.cache / "registries", 0),
        ("wheels", places.wheels, 0),
        ("machines", places.machines, 0),
    )
    return tuple(
        Usage(name=name, folder=folder, bytes=taken(folder), count=_count(folder), cap_bytes=cap)
        for name, folder, cap in parts
    )


def taken(folder: Path) -> int:
    """Return the bytes that a folder takes on disk."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(root) / name).stat(follow_symlinks=False).st_blocks * 512
    return total


def _count(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(
        1 for path in folder.iterdir() if not path.name.startswith(".") and path.name != "index"
    )


def hold_disks(image: Image, layer: Layer, booted: Layer | None = None) -> dict[str, int]:
    """Return descriptors of a template's read-only disks, locked for as long as anyone has them, QEMU too.

    `booted`: the layer that the VM booted from, where it loaded the plugins of `layer` afterwards.
    """
    held: dict[str, int] = {}
    paths = {"base": image.file("base.erofs"), "layer": Path((booted or layer).disk)}
    if booted is not None:
        paths["plugins"] = Path(layer.disk)
    with ExitStack() as stack:
        for name, path in paths.items():
            held[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, held[name])
            fcntl.flock(held[name], fcntl.LOCK_SH)
        stack.pop_all()
    return held


def in_use(path: Path) -> bool:
    """Say whether a process holds a disk, as `hold_disks` does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def current_images(places: Places) -> frozenset[str]:
    """Return the folders' names of the images that a restore would take now, one a flavour and suite."""
    found = (
        newest(places, recipe_digest(suite, flavour)) for suite in suites() for flavour in FLAVOURS
    )
    return frozenset(folder.name for folder in found if folder is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, by name, and what had to stay because it is in use."""

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    bytes: int = 0


def prune_images(places: Places, *, everything: bool = False, cap_bytes: int = -1) -> Pruned:
    """Remove images that are not today's, their templates, and what unfinished builds left.

    An image whose disk a process holds stays, and its templates with it.

    Args:
        places: where the images are.
        everything: also today's.
        cap_bytes: stop as soon as the images fit in so many bytes; -1: remove all that may go.

    Raises:
        UserError: an image is being built.
    """
    if not places.images.is_dir():
        return Pruned()
    removed, kept, digests, freed = [], [], set(), 0
    with image_lock(places):
        if cap_bytes < 0:
            freed += _drop_downloads(places)
        current = frozenset() if everything else current_images(places)
        folders = [path for path in places.images.iterdir() if path.is_dir()]
        left = sum(taken(path) for path in folders)
        for path in sorted(folders, key=lambda path: path.stat().st_mtime):
            if path.name in current or (cap_bytes >= 0 and left <= cap_bytes):
                continue
            if in_use(path / "base.erofs"):
                kept.append(path.name)
                continue
            with suppress(CorruptData):
                digests.add(read_image(path).digest)
            size = taken(path)
            shutil.rmtree(path)
            removed.append(path.name)
            left, freed = left - size, freed + size
    gone = _templates_of(places, digests)
    return Pruned(
        removed=tuple(removed),
        kept=tuple(kept),
        templates=gone,
        bytes=freed,
    )


def drop_unfinished(places: Places) -> None:
    """Remove what killed builds and pulls left among the images. Call it with the `image_lock`."""
    for kind in (".build-*", ".pull-*", ".old-*"):
        for folder in places.images.glob(kind):
            shutil.rmtree(folder, ignore_errors=True)


def _drop_downloads(places: Places) -> int:
    """Remove downloads that broke off and that nobody goes on with; return their bytes."""
    freed = 0
    for part in places.images.glob(".download-*"):
        with suppress(OSError):
            about = part.stat()
            if time.time() - about.st_mtime > _FRESH_S:  # one that goes on is written all the time
                part.unlink()
                freed += about.st_blocks * 512
    return freed


def _templates_of(places: Places, images: Iterable[Digest]) -> tuple[str, ...]:
    wanted = frozenset(images)
    gone = []
    for folder in _folders(places.templates):
        if _about(folder).get("image") in wanted:
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return tuple(gone)


def prune_layers(places: Places, *, cap_bytes: int, keep: str = "") -> tuple[str, ...]:
    """Remove the layers unused for longest until the rest fits `cap_bytes`, and the registries of those gone.

    A layer stays while a process holds it, while a template is made of it, and an hour after its last use.
    Returns the digests that went.
    """
    if not places.layers.is_dir():
        return ()
    with (places.layers / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # one is being built; next time
            return ()
        gone = _prune_layers(places, cap_bytes, {keep, *_layers_of_templates(places)})
    _drop_strays(places)
    return gone


def _prune_layers(places: Places, cap_bytes: int, keep: set[str]) -> tuple[str, ...]:
    gone = []
    left = cap_bytes
    rows = [(path.stat(), path) for path in places.layers.glob("*.erofs")]
    for about, path in sorted(rows, key=lambda row: row[0].st_mtime, reverse=True):
        left -= about.st_blocks * 512
        fresh = time.time() - about.st_mtime < _FRESH_S and cap_bytes >= 0
        if left >= 0 or path.stem in keep or fresh or in_use(path):
            continue
        path.unlink(missing_ok=True)
        gone.append(path.stem)
    return tuple(gone)


def _layers_of_templates(places: Places) -> set[str]:
    return {
        str(_about(folder).get(which, ""))
        for folder in _folders(places.templates)
        for which in ("layer", "booted")
    }


def _drop_strays(places: Places) -> None:
    """Remove entries of the layers' index, and registries, whose layer or image is gone."""
    stems = {path.stem for path in places.layers.glob("*.erofs")}
    heads = {stem[:32] for stem in stems}
    images = {image.digest[:16] for image in list_images(places)}
    for entry in (places.layers / "index").glob("*"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(entry.read_bytes())["digest"] not in stems:
                entry.unlink()
    for path in (places.cache / "registries").glob("*.json"):
        layer, _, image = path.stem.partition("-")
        if layer not in heads or image not in images:
            path.unlink(missing_ok=True)


def drop_stale(places: Places) -> tuple[str, ...]:
    """Remove what a killed process left half made: templates under way, scratch disks. Returns names.

    Who still works on a template holds its lock; neither age nor process id says anything.
    """
    gone = []
    for work in places.templates.glob(".*.new"):
        with (places.templates / f"{work.name.removesuffix('.new')}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(work, ignore_errors=True)
        gone.append(work.name)
    for scratch in places.machines.glob(f"{SCRATCH_PREFIX}*"):
        # its name goes at once where it is made; a machine that has it open keeps it
        scratch.unlink(missing_ok=True)
        gone.append(scratch.name)
    return tuple(sorted(gone))


def cut_templates(places: Places) -> tuple[str, ...]:
    """Return the keys of templates whose memory or disk is gone or not whole, by their sizes."""
    return tuple(sorted(path.name for path in _folders(places.templates) if not _is_whole(path)))


def _is_whole(template: Path) -> bool:
    shape = _about(template).get("shape")
    if not isinstance(shape, dict):
        return False
    try:
        scratch = (template / "scratch").stat().st_size
        ram = (template / "ram").stat().st_size
    except OSError:
        return False
    return scratch == SCRATCH_BYTES and ram == shape.get("memory_mib", 0) << 20


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _about(template: Path) -> dict[str, object]:
    try:
        return dict(json.loads((template / "template.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
