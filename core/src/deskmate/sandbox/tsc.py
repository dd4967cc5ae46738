"""The frequency of the host's time stamp counter: a guest cannot measure it under emulation, it is told."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import re
import threading
import time
from pathlib import Path

_WINDOW_S = 0.05
# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_COUNTER = bytes.fromhex("0f3148c1e2204809d0c3")


def tsc_khz(cache: Path) -> int:
    """Return the frequency in kHz, the same in every process of this machine; 0 where nothing tells it.

    It is part of a template's key, so it may not waver: it is measured once and kept in `cache`. What
    /proc/cpuinfo says is the clock of this moment on many machines, which is another figure.
    """
    if platform.machine() != "x86_64":
        return 0
    path, machine = cache / "counter.json", _machine()
    try:
        known = json.loads(path.read_text("utf-8"))
        if known["machine"] == machine and int(known["khz"]) > 0:
            return int(known["khz"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    khz = _measured() or _told()
    if khz:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")  # threads measure too
        part.write_text(json.dumps({"machine": machine, "khz": khz}), "utf-8")
        part.replace(path)
    return khz


def _machine() -> str:
    """Return what tells this machine's counter from another's."""
    model = re.search(r"model name\s*: (.*)", _text("/proc/cpuinfo"))
    return f"{_text('/etc/machine-id').strip()} {platform.node()} {model[1] if model else ''}"


def _measured() -> int:
    """Count for 50 ms; 0 where memory may not be executed."""
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return 0
    code.write(_READ_COUNTER)
    buffer = (ctypes.c_char * mmap.PAGESIZE).from_buffer(code)
    counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(buffer))
    began, first = time.monotonic_ns(), counter()
    time.sleep(_WINDOW_S)
    ended, last = time.monotonic_ns(), counter()
    del counter, buffer
    code.close()
    return int((last - first) * 1_000_000 // (ended - began))


def _told() -> int:
    if match := re.search(r"model name.*@ ([\d.]+)GHz", _text("/proc/cpuinfo")):
        return int(float(match[1]) * 1_000_000)
    if match := re.search(r"cpu MHz\s*: ([\d.]+)", _text("/proc/cpuinfo")):
        return int(float(match[1]) * 1000)
    return 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
