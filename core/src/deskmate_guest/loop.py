"""The supervisor's event loop: one thread, epoll, timers, child processes. Nothing here may block."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deskmate.errors import ProtocolError
from deskmate.types.frames import LineBuffer

_READ_BYTES = 1 << 16
_BUFFER = memoryview(bytearray(_READ_BYTES))
_BUFFERS = (_BUFFER,)
"""What was read is copied out at once. A new buffer for every read has the kernel map and unmap memory."""
_OUT_LIMIT_BYTES = 8 << 20
_LONGEST_SLEEP_S = 1.0
"""Ports are read at least this often, should a driver ever miss to wake us."""

Done = Callable[[int], None]


@dataclass(slots=True)
class Timer:
    """A call at a time. Set `cancelled` to drop it."""

    action: Callable[[], None]
    cancelled: bool = False


class Loop:
    """Waits for file descriptors, timers and children, and calls whoever asked for them."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._children: dict[int, Done] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._rested_at = 0.0
        self.now_and_then: list[Callable[[], None]] = []
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_in.fileno(), warn_on_full_buffer=False)
        self.watch(self._wake_out.fileno(), select.EPOLLIN, self._on_signal)

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` when `fd` is ready; a second watch changes the events."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching; must come before `fd` is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` once, later."""
        timer = Timer(action)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
        return timer

    def soon(self, action: Callable[[], None]) -> None:
        """Call `action` after the current handler."""
        self._soon.append(action)

    def spawn(self, argv: list[str], done: Done, *, stdin: int = -1, stdout: int = -1) -> int:
        """Start a native program and call `done(exit code)` when it ends."""
        actions: list[Any] = []
        if stdin >= 0:
            actions.append((os.POSIX_SPAWN_DUP2, stdin, 0))
        if stdout >= 0:
            actions.append((os.POSIX_SPAWN_DUP2, stdout, 1))
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
        self._children[pid] = done
        return pid

    def fork(self, work: Callable[[], int], done: Done) -> int:
        """Run `work` in a child of this process and call `done(exit code)` when it ends."""
        if pid := os.fork():
            self._children[pid] = done
            return pid
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = work()
        finally:
            os._exit(code)

    def run(self) -> None:
        """Serve for ever."""
        while True:
            self.step(_LONGEST_SLEEP_S)
            if time.monotonic() - self._rested_at >= _LONGEST_SLEEP_S:
                self._rested_at = time.monotonic()
                for action in self.now_and_then:
                    action()

    def step(self, longest_s: float) -> None:
        """Wait once, at most `longest_s`, and call what is due."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        wait = longest_s
        if self._timers:
            wait = min(wait, max(0.0, self._timers[0][0] - time.monotonic()))
        for fd, events in self._epoll.poll(0 if self._soon else wait):
            if handler := self._handlers.get(fd):
                handler(events)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.action()
        while self._soon:
            self._soon.popleft()()

    def _on_signal(self, events: int) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if done := self._children.pop(pid, None):
                done(os.waitstatus_to_exitcode(status))


class Channel:
    """JSON lines over one non-blocking descriptor. `port`: reading nothing means no peer, not the end."""

    def __init__(
        self,
        loop: Loop,
        fd: int,
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], None],
        *,
        port: bool = False,
    ) -> None:
        """`on_end(reason)`: called once when the peer is gone or breaks the bounds."""
        self._loop, self.fd, self._on_line, self._on_end = loop, fd, on_line, on_end
        self._port = port
        self._lines = LineBuffer()
        self._out = bytearray()
        self._open = True
        self._watching_out = False
        self._events = 0
        os.set_blocking(fd, False)
        if port:
            loop.now_and_then.append(self.read)
        self._watch()

    @property
    def waiting_bytes(self) -> int:
        """How much is written and not yet taken."""
        return len(self._out)

    def send(self, line: bytes) -> None:
        """Write `line`, now or when the peer takes it."""
        if not self._open:
            return
        if not self._out:
            line = self._write(line)
        if not line or not self._open:
            return
        if len(self._out) + len(line) > _OUT_LIMIT_BYTES:
            self._end("does not read")
            return
        self._out += line
        self._flush()

    def close(self) -> None:
        """Stop, without telling `on_end`."""
        if self._open:
            self._open = False
            self._loop.forget(self.fd)
            os.close(self.fd)

    def _watch(self) -> None:
        self._watching_out = bool(self._out)
        self._events = select.EPOLLIN | (select.EPOLLOUT if self._out else 0)
        # a port without a peer is for ever "hung up": told once, on the edge, it costs nothing
        self._events |= select.EPOLLET if self._port else 0
        self._loop.watch(self.fd, self._events, self._ready)

    def _ready(self, events: int) -> None:
        if self._out:
            self._flush()
        if events & ~select.EPOLLOUT:
            self.read()

    def read(self) -> None:
        """Take all that is there."""
        while self._open:
            try:
                count = os.readv(self.fd, _BUFFERS)
            except BlockingIOError:
                return
            except OSError as error:
                return self._end(f"read failed: {error.strerror}")
            if not count:
                if self._port:
                    return self._lines.clear()
                return self._end("closed")
            self._take(bytes(_BUFFER[:count]))
            if count < _READ_BYTES:
                if self._port and self._open:
                    # a port tells but once: asked anew, it tells of what is left. To read on until
                    # there is nothing is an exception each time.
                    self._loop.watch(self.fd, self._events, self._ready)
                return

    def _take(self, data: bytes) -> None:
        try:
            lines = self._lines.feed(data)
        except ProtocolError as error:
            self._lines.clear()
            if not self._port:
                self._end(error.message)
            return
        for line in lines:
            if self._open:
                self._on_line(line)

    def _write(self, data: bytes) -> bytes:
        """Write what the peer takes now; return the rest."""
        try:
            while data:
                data = data[os.write(self.fd, data[:_READ_BYTES]) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if not self._port:
                self._end(f"write failed: {error.strerror}")
        return data

    def _flush(self) -> None:
        waiting = self._watching_out
        try:
            while self._out:
                del self._out[: os.write(self.fd, self._out[:_READ_BYTES])]
        except BlockingIOError:
            pass
        except OSError as error:
            if not self._port:
                return self._end(f"write failed: {error.strerror}")
        if waiting != bool(self._out):
            self._watch()

    def _end(self, reason: str) -> None:
        if self._open:
            self.close()
            self._on_end(reason)
