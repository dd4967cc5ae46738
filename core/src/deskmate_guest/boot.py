"""The guest's initial program: mounts, preloads the document libraries, becomes the supervisor."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
from pathlib import Path

_LIB = str(Path(__file__).resolve().parent.parent)
if _LIB not in sys.path:
    sys.path.insert(0, _LIB)  # `-I` leaves it out

import deskmate_documents  # noqa: E402
from deskmate_guest.cgroups import prepare_cgroups  # noqa: E402
from deskmate_guest.disk import MS_BIND, MS_NODEV, MS_NOSUID, MS_REMOUNT, mount  # noqa: E402
from deskmate_guest.egress import raise_loopback  # noqa: E402
from deskmate_guest.layout import AGENT_UID, GROUP, Layout  # noqa: E402
from deskmate_guest.listener import await_office, launch_office  # noqa: E402
from deskmate_guest.loop import Loop  # noqa: E402
from deskmate_guest.ports import open_port  # noqa: E402
from deskmate_guest.supervisor import Supervisor  # noqa: E402

PRELOADED = (
    "json", "csv", "zipfile", "zlib", "decimal", "datetime", "random", "tempfile", "difflib", "uuid",
    "subprocess", "yaml", "lxml.etree", "defusedxml.ElementTree", "docx", "openpyxl", "pptx",
    "pypdfium2", "pdfplumber", "pypdf", "pandas", "rapidfuzz", "jsonschema", "deskmate.plugin",
)  # fmt: skip
"""Imported once, in the template: a restored guest and its workers share these pages."""
_IN_MEMORY = {
    "/dev/shm": "mode=3777,gid=0,size=5%,nr_inodes=10000",  # noqa: S108
    "/tmp": "mode=3777,gid=0,size=20%,nr_inodes=50000",  # noqa: S108
    "/run": "mode=755,size=15%,nr_inodes=50000",
}
"""File systems in the guest's memory. What they hold outlives the process that wrote it, so all of them,
filled to the brim, must leave enough for the next call."""

_QUIET = {"vm/compaction_proactiveness": "0", "vm/stat_interval": "600"}
"""What the kernel does again and again for machines that run for months: it wakes an idle guest, and in the
first moments of a copy it stands in the way of the first call."""


def main() -> None:
    """Never returns: the kernel panics when the initial program ends."""
    layout = Layout()
    _prepare(layout)
    office = launch_office(layout)
    preload()
    # before any fork: a collection later would write to, and so copy, every page of every library
    gc.collect()
    gc.freeze()
    await_office(office)
    # what is made while one message is served dies by itself: collections are left to long work
    gc.set_threshold(20_000, 20, 20)
    loop = Loop()
    Supervisor(loop, layout, open_port("agent"), open_port("bulk"))
    loop.run()


def preload() -> None:
    """Import the document libraries and our own; one that this image does not carry is said on the console."""
    own = pkgutil.walk_packages(deskmate_documents.__path__, f"{deskmate_documents.__name__}.")
    for name in (*PRELOADED, *(module.name for module in own)):
        try:
            importlib.import_module(name)
        except ImportError as error:
            sys.stderr.write(f"deskmate: not preloaded: {name}: {error}\n")


def _prepare(layout: Layout) -> None:
    os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LANG="C.UTF-8")
    os.environ.update(TMPDIR="/tmp")  # noqa: S108 — the guest's own, a tmpfs
    os.umask(0o022)
    _mount("devpts", Path("/dev/pts"), "devpts", MS_NOSUID, "gid=5,mode=620,ptmxmode=666")
    # set-gid: files get root's group, not the one that all plugins are in and that may write
    for place, options in _IN_MEMORY.items():
        _mount("tmpfs", Path(place), "tmpfs", MS_NOSUID | MS_NODEV, options)
    _mount("/tmp", Path("/var/tmp"), "", MS_BIND)  # noqa: S108 — and nothing else of the root may be written
    _mount("cgroup2", layout.cgroups, "cgroup2")
    _mount("proc", Path("/proc"), "proc", MS_REMOUNT | MS_NOSUID | MS_NODEV, "hidepid=invisible")
    prepare_cgroups(layout)
    try:
        raise_loopback()  # for programs that talk to each other; it leads nowhere else
    except OSError as error:
        sys.stderr.write(f"deskmate: no loopback: {error}\n")
    for name, value in _QUIET.items():
        with contextlib.suppress(OSError):  # a kernel without it has nothing to be kept from
            Path("/proc/sys", name).write_text(value)
    for folder in (layout.workspace, layout.home):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, AGENT_UID, GROUP)
    with contextlib.suppress(OSError):
        os.nice(-10)


def _mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount, or say on the console what stays without it."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        mount(source, target, kind, flags, data)
    except OSError as error:
        sys.stderr.write(f"deskmate: {error}\n")


if __name__ == "__main__":
    main()
