"""Makes a restored copy of the template a machine of its own: time, random bytes, names."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
import time
from pathlib import Path

_RNDADDENTROPY = 0x40085203
_RNDRESEEDCRNG = 0x5207
_ID_BYTES = 33
SEED_BYTES = 64
_SEED_HEAD = struct.pack("ii", SEED_BYTES * 8, SEED_BYTES)


def set_clock(time_ns: int) -> None:
    """Set the wall clock."""
    time.clock_settime_ns(time.CLOCK_REALTIME, time_ns)


class Identity:
    """Random bytes, host name, machine id. All is opened in the template: a copy has less left to do."""

    def __init__(
        self, machine_id: Path = Path("/etc/machine-id"), random: Path = Path("/dev/urandom")
    ) -> None:
        self._random = os.open(random, os.O_WRONLY | os.O_CLOEXEC)
        fd = os.open(machine_id, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o444)
        try:
            os.ftruncate(fd, _ID_BYTES)
            # written through memory: no file system's code has to run in a copy
            self._id = mmap.mmap(fd, _ID_BYTES)
        finally:
            os.close(fd)
        self._id.madvise(mmap.MADV_DONTFORK)  # no plugin's process has it
        self.name("0" * (_ID_BYTES - 1), "deskmate")

    def mix_random(self, seed: bytes) -> None:
        """Mix `seed`, 64 bytes, into the kernel's pool, credited in full, and reseed its generator now.

        Raises ValueError if it has another length.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError(f"the seed has {len(seed)} bytes, not {SEED_BYTES}")
        # what can be written to is taken as it is; bytes are taken after an error was made and dropped
        fcntl.ioctl(self._random, _RNDADDENTROPY, bytearray(_SEED_HEAD + seed))
        fcntl.ioctl(self._random, _RNDRESEEDCRNG)

    def name(self, machine_id: str, hostname: str) -> None:
        """Set both. `machine_id`: 32 hex digits."""
        socket.sethostname(hostname.encode())  # type: ignore[arg-type]  # bytes are taken at once
        self._id[:] = machine_id.encode() + b"\n"
