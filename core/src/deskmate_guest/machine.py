"""Makes a restored copy of the template a machine of its own: time, random bytes, names."""

from __future__ import annotations

import fcntl
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


def set_names(machine_id: str, hostname: str) -> None:
    """Set host name and machine id."""
    socket.sethostname(hostname)
    Path("/etc/machine-id").write_text(machine_id + "\n")
