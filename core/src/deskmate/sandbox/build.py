"""Building an image: a Debian suite, a kernel and the document libraries become files that never vary."""

from __future__ import annotations

import csv
import datetime
import json
import shlex
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData, SandboxMissing, UserError
from deskmate.ports import Flavour, Progress
from deskmate.sandbox.image import (
    FILES,
    SOFTWARE,
    Image,
    file_rows,
    find_image,
    image_lock,
    install,
)
from deskmate.sandbox.initrd import extract_kernel, make_kernel, unpack
from deskmate.sandbox.recipes import (
    DEFAULT_SUITE,
    SCRATCH_BYTES,
    SOURCE_DATE,
    Recipe,
    find_recipe,
    recipe_part,
)
from deskmate.sandbox.software import debian_packages, extracted_packages, wheels
from deskmate.sandbox.storage import IMAGES_CAP_BYTES, drop_unfinished, prune_images
from deskmate.sandbox.tools import find_uv, require_tools, run_tool
from deskmate.types.places import Places
from deskmate.types.progress import Counted

_UNWANTED = ("usr/share/man", "usr/share/locale", "usr/share/info")
_DISK_ID = "6465736b-6d61-7465-2d62-617365000002"
_SCRATCH_ID = "b6d3a1f4-0f0e-4d5c-8f4b-1f6f7a1c9d20"
_STEPS = 4
_ROOM_MIB = {"base": 2500, "office": 7000}


def build_image(
    places: Places,
    progress: Progress,
    *,
    flavour: Flavour = "base",
    suite: str = DEFAULT_SUITE,
    force: bool = False,
) -> Image:
    """Build the image of today's recipe, unless it is there, and return it.

    An older build of the recipe stays beside it for those who use it, until it is pruned.
    Raises SandboxMissing where a tool is missing, UserError where a step fails or the disk is too full.
    """
    recipe = find_recipe(flavour, suite)
    with image_lock(places):
        with suppress(SandboxMissing, CorruptData):
            if not force:
                return find_image(places, suite, flavour)
        require_tools()
        drop_unfinished(places)
        free = shutil.disk_usage(places.images).free >> 20
        if free < _ROOM_MIB[flavour]:
            raise UserError(
                f"{places.images} has {free} MiB free; building {flavour} takes {_ROOM_MIB[flavour]}",
                hint="free some space, or set DESKMATE_CACHE to a folder on a larger disk",
            )
        with tempfile.TemporaryDirectory(prefix=".build-", dir=places.images) as name:
            work = Path(name)
            work.chmod(0o755)  # mmdebstrap's user namespace must pass through
            image = install(places, _build(work, recipe, progress))
    prune_images(places, cap_bytes=IMAGES_CAP_BYTES)
    return image


def _build(work: Path, recipe: Recipe, progress: Progress) -> Path:
    began = time.monotonic()

    def say(what: str, done: int) -> None:
        progress(Counted(f"{recipe.flavour}: {what}", done=done, total=_STEPS))

    out = work / "out"
    out.mkdir(mode=0o755)
    say("document libraries", 0)
    libraries = _install_libraries(work, recipe)
    say(f"Debian {recipe.suite}, {len(recipe.packages)} packages and what they need", 1)
    _debian(work, recipe)
    say("kernel and first program", 2)
    kernel = extract_kernel(work, recipe)
    make_kernel(kernel, recipe, out)
    software = [
        *debian_packages(work / "root"),
        *extracted_packages(kernel),
        *wheels(libraries),
    ]
    (out / SOFTWARE).write_text(json.dumps(software, indent=1, sort_keys=True), "utf-8")
    say(f"base disk, {len(software)} packages", 3)
    _disk(work / "root", out / "base.erofs")
    _scratch(out / "scratch.ext4")
    for name in FILES:
        (out / name).chmod(0o644)  # QEMU runs as another user and reopens what it is handed
    _manifest(recipe, out, len(software), time.monotonic() - began)
    return out


def _install_libraries(work: Path, recipe: Recipe) -> Path:
    target = work / f"libraries/usr/local/lib/python{recipe.python}/dist-packages"
    target.mkdir(parents=True)
    pins = work / "guest.txt"
    pins.write_bytes(recipe_part(recipe.wheels))
    uv = find_uv()
    assert uv is not None
    run_tool(
        [
            *(uv, "pip", "install", "-q", "--target", str(target), "--python", sys.executable),
            *("--python-platform", recipe.architecture.wheels, "--python-version", recipe.python),
            *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"),
            *("-r", str(pins)),
        ]
    )
    drop_programs(target)
    (target / ".lock").unlink(missing_ok=True)
    return target


def drop_programs(target: Path) -> None:
    """Remove the programs that wheels bring, and what their lists of files say of them.

    Their first lines name this machine's Python: two people's images would differ by it.
    """
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if not row[0].startswith("bin/")]
        with record.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _debian(work: Path, recipe: Recipe) -> None:
    tar = work / "root.tar"
    hooks = [f"sync-in {shlex.quote(str(work / 'libraries'))} /"]
    for name in recipe.scripts:
        # its text, not a path: in a plain user's namespace another user runs it, who reaches no folder of theirs
        hooks.append(recipe_part(name).decode())
    run_tool(
        [
            # the last script cleans up after apt; a second time fails in a plain user's namespace
            *("mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt"),
            f"--include={','.join(recipe.packages)}",
            *(f"--dpkgopt=path-exclude=/{folder}/*" for folder in _UNWANTED),
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            *(f"--customize-hook={hook}" for hook in hooks),
            *(recipe.suite, str(tar)),
        ]
    )
    unpack(tar, work / "root")


def _disk(root: Path, target: Path) -> None:
    """Write the read-only disk: root owns everything, and everything is of one time."""
    unwanted = [f"--exclude-path={path}" for path in _UNWANTED]
    run_tool(
        [
            *(
                "mkfs.erofs",
                "--quiet",
                "-zlz4hc",
                "--all-root",
                f"-T{SOURCE_DATE}",
                f"-U{_DISK_ID}",
            ),
            *unwanted,
            *(str(target), str(root)),
        ]
    )


def _scratch(path: Path) -> None:
    """Make an empty file system, without a journal: the disk lives no longer than its VM."""
    with path.open("wb") as file:
        file.truncate(SCRATCH_BYTES)
    options = f"hash_seed={_SCRATCH_ID},assume_storage_prezeroed=1,root_owner=0:0"
    run_tool(
        [
            *("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-i", "32768"),
            *("-U", _SCRATCH_ID, "-E", options, str(path)),
        ]
    )


def _manifest(recipe: Recipe, out: Path, packages: int, seconds: float) -> None:
    manifest: dict[str, Any] = {
        "recipe": recipe.digest,
        "flavour": recipe.flavour,
        "suite": recipe.suite,
        "architecture": recipe.architecture.name,
        "python": recipe.python,
        "built_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "build_s": round(seconds, 1),
        "packages": packages,
        "files": file_rows(out),
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True), "utf-8")
