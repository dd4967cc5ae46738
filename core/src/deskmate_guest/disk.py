"""The workspace on the scratch disk: read-only base, overlay, home. Knows mounts, moves no content."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deskmate_guest.blocks import add_part, find_disk
from deskmate_guest.layout import AGENT_UID, GROUP, Layout

_GRANT_NAME = re.compile(r"[^/\0\n]{1,200}")
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND = 1, 2, 4, 32, 4096
_MNT_DETACH = 2
_BLKFLSBUF = 0x1261
_OVERLAY = "redirect_dir=off,metacopy=off,index=off,xino=off"


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount by the system call. Raises OSError that names the target."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), bytes(target), kind.encode(), flags, data.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"mount of {kind or source}: {os.strerror(number)}", str(target))


def unmount(target: Path) -> None:
    """Detach what is mounted at `target`. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(bytes(target), _MNT_DETACH):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def mount_plugins(layout: Layout) -> None:
    """Mount the disk of plugins that come after the boot. Raises OSError, also when there is none."""
    if not layout.plugins_disk:
        return
    device = find_disk(layout.plugins_disk)
    with device.open("rb") as file:  # it was empty when the kernel looked at it
        fcntl.ioctl(file, _BLKFLSBUF)
    layout.plugins.mkdir(parents=True, exist_ok=True)
    mount(str(device), layout.plugins, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV)


class WorkspaceDisk:
    """Lays out the scratch disk and mounts the overlay when it is first needed."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.ledger = layout.scratch / "ledger"
        """The ledger's file."""
        self._grants: dict[str, str] = {}
        self._images: list[Path] = []
        self._mounted = False
        self._prepared = False
        self.opened = False

    @property
    def lower(self) -> Path:
        """The base: where `put base` unpacks."""
        return self._layout.scratch / "lower"

    @property
    def upper(self) -> Path:
        """What changed: where the difference is read."""
        return self._layout.scratch / "upper"

    @property
    def spare(self) -> Path:
        """A folder for lists and archives under way."""
        return self._layout.scratch / "spare"

    def prepare(self) -> None:
        """Mount the scratch disk and make the folders, once: in the template, which keeps the disk too.

        Raises OSError.
        """
        if self._prepared:
            return
        layout = self._layout
        if layout.privileged and layout.scratch_device:
            layout.scratch.mkdir(exist_ok=True)
            mount(layout.scratch_device, layout.scratch, "ext4", MS_NOSUID | MS_NODEV)
        layout.scratch.mkdir(parents=True, exist_ok=True)
        layout.scratch.chmod(0o700)
        for folder in (self.lower, self.upper, layout.scratch / "work", self.spare):
            folder.mkdir(exist_ok=True)
        (layout.scratch / "home").mkdir(exist_ok=True)
        # the agent's alone: a plugin that may write here has its code run by the agent's next shell
        self._own(layout.scratch / "home", 0o700)
        for folder in (self.lower, self.upper):
            self._own(folder, 0o775)  # a thread without folders works at the top
        if layout.privileged:
            layout.home.mkdir(parents=True, exist_ok=True)
            mount(str(layout.scratch / "home"), layout.home, "", MS_BIND)
            self._mount_overlay()
            self.rehearse()
            os.sync()  # nothing is left for a restored copy to write back
        self._prepared = True

    def rehearse(self) -> None:
        """Mount an overlay once and take it away, so that the real one finds the way warm.

        Raises OSError.
        """
        if not self._layout.privileged:
            return
        target = self.spare / "practice"
        folders = [
            self.spare / name for name in ("practice-lower", "practice-upper", "practice-work")
        ]
        for folder in (target, *folders):
            folder.mkdir()
        lower, upper, work = folders
        options = f"lowerdir={lower},upperdir={upper},workdir={work},{_OVERLAY}"
        mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, options)
        unmount(target)
        for folder in (target, *folders):
            shutil.rmtree(folder)

    def open(self, grants: Sequence[Mapping[str, Any]]) -> None:
        """Lay out the granted folders. Raises OSError, also for a bad grant name."""
        if self.opened:
            raise OSError("the workspace is open already")
        self.prepare()
        if grants:
            self._take_down()
        for grant in grants:
            name = str(grant.get("name"))
            if not _GRANT_NAME.fullmatch(name) or name in (".", ".."):
                raise OSError(f"{name!r} is not a name for a granted folder")
            self._grants[name] = str(grant.get("mode"))
        if grants:
            for folder in (self.lower, self.upper):
                self._own(folder, 0o755, owner=0)  # the top belongs to nobody
        for name in self._grants:
            (self.lower / name).mkdir(exist_ok=True)
            self._own(self.lower / name, 0o775)
        self.opened = True

    def close(self) -> None:
        """Undo `open` of no folders: it was rehearsed."""
        self.opened = bool(self._grants)

    @property
    def grants(self) -> frozenset[str]:
        """Names of the granted folders."""
        return frozenset(self._grants)

    def ensure_mounted(self) -> None:
        """Mount the overlay if it is not, folders granted read-only once more on top. Raises OSError."""
        if self._mounted or not self.opened:
            return
        self._layout.workspace.mkdir(parents=True, exist_ok=True)
        if self._layout.privileged:
            self._mount_overlay()
        self._mounted = True

    def _mount_overlay(self) -> None:
        layout = self._layout
        # the last image on top: only it may have a file anew. What was unpacked is in no image.
        lowers = ":".join(map(str, (*reversed(self._images), self.lower)))
        options = (
            f"lowerdir={lowers},upperdir={self.upper},workdir={layout.scratch}/work,{_OVERLAY}"
        )
        mount("overlay", layout.workspace, "overlay", MS_NOSUID | MS_NODEV, options)
        for name in self._read_only:
            target = layout.workspace / name
            mount(str(target), target, "", MS_BIND)
            mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
        self._mounted = True

    def _take_down(self) -> None:
        """Unmount the overlay: the kernel does not allow what lies under it to change."""
        if self._mounted and self._layout.privileged:
            for name in self._read_only:
                unmount(self._layout.workspace / name)
            # detached: a file that a worker forgot to close must not keep the others from coming in
            unmount(self._layout.workspace)
        self._mounted = False

    @property
    def _read_only(self) -> list[str]:
        return [name for name, mode in self._grants.items() if mode == "ro"]

    def base_folder(self) -> Path:
        """Return where files of the base may be unpacked; the overlay over it is taken down for that.

        The kernel does not allow what lies under an overlay to change while it is mounted. The next
        call mounts it again. Raises OSError if the workspace is not open.
        """
        if not self.opened:
            raise OSError("the workspace is not open")
        if not self._layout.privileged:
            return self._layout.workspace
        self._take_down()
        return self.lower

    def add_image(self, start: int, size: int) -> None:
        """Take an EROFS image at this place of the disk `files` into the base, over what is there.

        Raises OSError, also if the workspace is not open.
        """
        self.base_folder()
        if not self._layout.privileged:
            raise OSError("there is no disk of files here")
        number = len(self._images) + 1
        target = self._layout.scratch / "images" / str(number)
        target.mkdir(parents=True)
        device = add_part(find_disk(self._layout.files_disk), number, start, size)
        mount(str(device), target, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV)
        self._images.append(target)

    def _own(self, folder: Path, mode: int, *, owner: int = AGENT_UID) -> None:
        folder.chmod(mode)
        if self._layout.privileged:
            os.chown(folder, owner, GROUP)
