"""What `doctor --fix` does about a check that did not pass; each cure says in one line what it did."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from deskmate.errors import DeskmateError
from deskmate.ports import Progress
from deskmate.sandbox.build import build_image
from deskmate.sandbox.host_checks import Check
from deskmate.sandbox.qemu import find_qemu
from deskmate.sandbox.storage import cut_templates, drop_stale, prune_images, prune_layers
from deskmate.sandbox.template_cache import CAP_BYTES, damaged_templates, prune_templates
from deskmate.sandbox.tools import missing_tools
from deskmate.types.places import Places

_QEMU_PACKAGES = ("qemu-system-x86",)
_INSTALL_S = 1800


def is_curable(check: Check) -> bool:
    """Say whether something can be done about a check from here."""
    return check.state != "ok" and check.name in _CURES


def cure(check: Check, places: Places, progress: Progress) -> str:
    """Try to cure one check; return what was done, "" if nothing can be done from here.

    Raises DeskmateError or OSError where a cure fails.
    """
    known = _CURES.get(check.name)
    return "" if known is None else known(places, progress)


def _install_tools(places: Places, progress: Progress) -> str:
    packages = sorted({name for name in missing_tools().values() if " " not in name})
    return _install(packages, progress)


def _install_qemu(places: Places, progress: Progress) -> str:
    done = _install(_QEMU_PACKAGES, progress)
    find_qemu.cache_clear()
    return done


def _install(packages: Sequence[str], progress: Progress) -> str:
    """Install system packages, where this user may and the system is a Debian."""
    apt = shutil.which("apt-get")
    if not packages or apt is None or os.geteuid() != 0:
        return ""
    progress(f"installing {' '.join(packages)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        try:
            done = subprocess.run(
                [apt, *words], env=environ, capture_output=True, text=True, timeout=_INSTALL_S,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise DeskmateError(f"apt-get {words[0]} took longer than {_INSTALL_S} s") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        raise DeskmateError(f"apt-get install {' '.join(packages)} failed: {said}")
    return f"installed {' '.join(packages)}"


def _build(places: Places, progress: Progress) -> str:
    image = build_image(places, progress, force=True)  # one that is there did not pass
    return f"built the image {image.recipe[:12]}"


def _protect(places: Places, progress: Progress) -> str:
    done = []
    for folder in (places.data, places.cache, places.config):
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            done.append(f"made {folder}")
        elif folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o022:
            folder.chmod(folder.stat().st_mode & ~0o022)
            done.append(f"took the right to write {folder} from others")
    return "; ".join(done)


def _drop_damaged(places: Places, progress: Progress) -> str:
    damaged = {*damaged_templates(places), *cut_templates(places)}
    for key in damaged:
        shutil.rmtree(places.templates / key)
    return f"removed {len(damaged)} damaged" if damaged else ""


def _free_disk(places: Places, progress: Progress) -> str:
    if not places.cache.is_dir():
        return ""
    stale = drop_stale(places)
    images = prune_images(places).removed
    templates = prune_templates(places, cap_bytes=CAP_BYTES // 4)
    prune_layers(places, cap_bytes=0)
    if not images and not templates and not stale:
        return ""
    what = f"{len(images)} old images, {len(templates)} templates"
    return f"removed {what} and {len(stale)} that were left half made"


def _start_over(places: Places, progress: Progress) -> str:
    """A machine that does not start may be due to what earlier ones left: all of it is made anew."""
    gone = prune_templates(places, cap_bytes=0)
    probe = places.cache / "acceleration.json"
    probe.unlink(missing_ok=True)
    return f"removed {len(gone)} templates and what was found out about acceleration"


_CURES: Mapping[str, Callable[[Places, Progress], str]] = {
    "QEMU": _install_qemu,
    "tools for building": _install_tools,
    "image": _build,
    "folders": _protect,
    "templates": _drop_damaged,
    "disk": _free_disk,
    "virtual machine": _start_over,
}
