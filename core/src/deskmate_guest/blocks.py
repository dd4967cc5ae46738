"""Block devices: found by what QEMU calls them, and cut into parts without a table on them."""

from __future__ import annotations

import ctypes
import fcntl
import os
from pathlib import Path

_BLKPG = 0x1269
_ADD = 1
_NAME_BYTES = 64


class _Part(ctypes.Structure):
    """The kernel's `struct blkpg_partition`."""

    _fields_ = (
        ("start", ctypes.c_longlong),
        ("length", ctypes.c_longlong),
        ("number", ctypes.c_int),
        ("name", ctypes.c_char * _NAME_BYTES),
        ("volume", ctypes.c_char * _NAME_BYTES),
    )


class _Request(ctypes.Structure):
    """The kernel's `struct blkpg_ioctl_arg`."""

    _fields_ = (
        ("operation", ctypes.c_int),
        ("flags", ctypes.c_int),
        ("length", ctypes.c_int),
        ("data", ctypes.c_void_p),
    )


def find_disk(serial: str, blocks: Path = Path("/sys/block")) -> Path:
    """Return the device of a disk. Raises OSError when there is none of that serial."""
    for block in blocks.iterdir():
        note = block / "serial"
        if note.exists() and note.read_text().strip() == serial:
            return Path("/dev", block.name)
    raise OSError(f"there is no disk {serial}")


def add_part(disk: Path, number: int, start: int, size: int) -> Path:
    """Make bytes of a disk a device of their own, and return it. Raises OSError.

    The device has a cache and a file system of its own: nothing that the kernel knows of the disk or of its
    other parts can be stale or in use there.
    """
    part = _Part(start, size, number, b"", b"")
    request = _Request(_ADD, 0, ctypes.sizeof(part), ctypes.addressof(part))
    device = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _BLKPG, request)
    finally:
        os.close(device)
    return disk.with_name(f"{disk.name}{number}")
