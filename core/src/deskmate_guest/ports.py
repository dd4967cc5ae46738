"""Finds the virtio-serial ports of this machine by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

_PORTS = Path("/sys/class/virtio-ports")
_PORT_WAIT_S = 10.0


def open_port(name: str) -> int:
    """Return the descriptor of the virtio port of that name, waiting for it to appear. Raises OSError."""
    deadline = time.monotonic() + _PORT_WAIT_S
    while time.monotonic() < deadline:
        for entry in _PORTS.glob("*"):
            if (entry / "name").exists() and (entry / "name").read_text().strip() == name:
                return os.open(f"/dev/{entry.name}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.01)
    raise FileNotFoundError(f"there is no virtio port {name}")
