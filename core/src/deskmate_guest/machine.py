"""Makes a restored copy of the template a machine of its own: time, random bytes, names."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import time
from pathlib import Path

_RNDADDENTROPY = 0x40085203
_RNDRESEEDCRNG = 0x5207


def set_clock(time_ns: int) -> None:
    """Set the wall clock."""
    time.clock_settime_ns(time.CLOCK_REALTIME, time_ns)


def mix_random(seed: bytes) -> None:
    """Mix `seed` into the kernel's pool, credited in full, and reseed its generator now."""
    with Path("/dev/urandom").open("wb", buffering=0) as device:
        request = struct.pack("ii", len(seed) * 8, len(seed)) + seed
        fcntl.ioctl(device, _RNDADDENTROPY, request)
        fcntl.ioctl(device, _RNDRESEEDCRNG)


class Names:
    """Host name and machine id. Its file is opened in the template: a copy has less left to do."""

    def __init__(self, path: Path = Path("/etc/machine-id")) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)

    def set(self, machine_id: str, hostname: str) -> None:
        """Set both. `machine_id`: 32 hex digits."""
        socket.sethostname(hostname)
        os.pwrite(self._fd, machine_id.encode() + b"\n", 0)
