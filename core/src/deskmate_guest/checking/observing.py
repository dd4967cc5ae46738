"""Writes down, by Python's audit events, what code does outside its own memory, and denies what is not for it.

What native code does is not seen here; the machine confines it all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deskmate.types.probe import Observed, ObservedKind

_LIMIT = 200
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.link": 2, "os.symlink": 2,
    "os.truncate": 1, "os.chmod": 1, "os.chown": 1, "os.utime": 1,
}  # fmt: skip
_PROCESSES = {
    "subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.forkpty",
    "pty.spawn",
}  # fmt: skip
_NETWORK = {
    "socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr",
}  # fmt: skip
_OF_THE_HOST = {
    "agent", "changes", "cli", "connectors", "discovery", "formats", "host", "models", "ports", "protocol",
    "sandbox", "store", "testing", "web",
}  # fmt: skip
_ALWAYS_READ = ("/usr", "/lib", "/lib64", "/opt", "/proc", "/sys", "/dev", "/etc")
_ETC_NOT = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/etc/ssh", "/proc/1/")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/tty")


class Recorder:
    """One for a process, for good: audit hooks cannot be taken out. `active` only while plugin code runs."""

    def __init__(self) -> None:
        self._seen: dict[Observed, None] = {}
        self._writable: tuple[str, ...] = ()
        self._readable: tuple[str, ...] = ()
        self._programs = False
        self._active = False
        sys.addaudithook(self._hook)

    @contextmanager
    def watching(
        self, *, write: tuple[Path, ...], read: tuple[Path, ...], programs: bool
    ) -> Iterator[None]:
        """Write down and deny while the block runs what is not below these folders.

        `programs`: whether other programs may be started; that they were is written down either way.
        """
        self._writable = tuple(os.path.realpath(path) for path in write)
        self._readable = self._writable + tuple(os.path.realpath(path) for path in read)
        self._programs = programs
        self._active = True
        try:
            yield
        finally:
            self._active = False

    def take(self) -> tuple[Observed, ...]:
        """Return what was seen since the last time."""
        seen = tuple(self._seen)
        self._seen = {}
        return seen

    def note(self, kind: ObservedKind, what: str) -> None:
        """Write one thing down."""
        if len(self._seen) < _LIMIT:
            self._seen[Observed(kind=kind, what=" ".join(what.split())[:300])] = None

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active:
            return
        self._active = False  # what is done here is not the plugin's
        try:
            refused = self._judge(event, arguments)
        finally:
            self._active = True
        if refused:
            raise PermissionError(1, f"not allowed while a plugin is checked: {refused}")

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> str:
        """Return why the event is denied, empty if it may go on."""
        if event == "open":
            return self._open(arguments)
        if event in _CHANGES:
            found = [self._write(path) for path in arguments[: _CHANGES[event]]]
            return next(filter(None, found), "")
        if event in _NETWORK:
            return self._network(event, arguments)
        if event in _PROCESSES:
            return self._process(event, arguments)
        if event == "import":
            self._import(str(arguments[0]))
        return ""

    def _open(self, arguments: tuple[Any, ...]) -> str:
        path, _, flags = (*arguments, 0, 0, 0)[:3]
        if isinstance(path, int) or path is None:
            return ""
        if isinstance(flags, int) and flags & _WRITE_FLAGS:
            return self._write(path)
        real = _real(path)
        allowed = (*self._readable, *_ALWAYS_READ)
        if real in _DEVICES or (_below(real, allowed) and not real.startswith(_ETC_NOT)):
            return ""
        if not os.path.lexists(real):  # nothing of it can be read
            return ""
        self.note("read", real)
        return f"reading {real}"

    def _write(self, path: Any) -> str:
        if isinstance(path, int) or path is None:
            return ""
        real = _real(path)
        if real in _DEVICES or _below(real, self._writable):
            return ""
        self.note("write", real)
        return f"writing {real}"

    def _network(self, event: str, arguments: tuple[Any, ...]) -> str:
        place = (
            arguments[1]
            if event in ("socket.connect", "socket.bind", "socket.sendto")
            else arguments[0]
        )
        host = str(place[0]) if isinstance(place, tuple) and place else _text(place)
        self.note("network", host or "an unnamed host")
        return f"reaching {host}"

    def _process(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event in ("os.fork", "os.forkpty"):
            what = "a copy of itself"
        elif event == "subprocess.Popen":
            command = arguments[1]
            words = command if isinstance(command, list | tuple) else [command]
            what = _text(arguments[0] or (words[0] if words else ""))
        else:
            what = _text(arguments[1] if event == "os.spawn" else arguments[0])
        if what == sys.executable:
            what = Path(what).name  # this very Python, wherever it lies
        self.note("process", what)
        return "" if self._programs else f"starting {what}"

    def _import(self, name: str) -> None:
        top, _, rest = name.partition(".")
        if top == "deskmate" and rest.partition(".")[0] in _OF_THE_HOST:
            self.note("import", name)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _real(path: Any) -> str:
    return os.path.realpath(os.fsdecode(path))


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
