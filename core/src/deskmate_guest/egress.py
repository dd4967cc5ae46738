"""The guest's end of its way out: a loopback proxy that hands every connection to the host, unread.

It parses nothing and decides nothing; the host's broker is the proxy. Started only if the host has opened
the `egress` port for this thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from deskmate.errors import ProtocolError
from deskmate.types.muxing import (
    FRAME_LIMIT_BYTES,
    MAX_STREAMS,
    WINDOW_BYTES,
    Frame,
    FrameKind,
    MuxBuffer,
    credit,
    encode_frame,
)
from deskmate_guest.layout import GROUP, Layout
from deskmate_guest.loop import Loop
from deskmate_guest.ports import open_port

ADDRESS = ("127.0.0.1", 3128)
EGRESS_UID = 1999
TRUST = Path("/run/deskmate-egress.pem")
NODE_PROXY = Path(__file__).with_name("proxy.cjs")
_BACKLOG = 64
_READ_BYTES = 1 << 16
_OUT_LIMIT_BYTES = 4 * FRAME_LIMIT_BYTES
_CREDIT_STEP = WINDOW_BYTES // 4
_PR_SET_NO_NEW_PRIVS = 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def environment(trust: Path, address: tuple[str, int] = ADDRESS) -> Mapping[str, str]:
    """Return what makes the usual programs use the proxy and trust the broker."""
    proxy = f"http://{address[0]}:{address[1]}"
    none = "localhost,127.0.0.1,::1"
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    trusting = dict.fromkeys(
        (*names, "PIP_CERT", "GIT_SSL_CAINFO", "npm_config_cafile"), str(trust)
    )
    return {
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), none),
        **trusting,
        "NODE_USE_ENV_PROXY": "1",
        "NODE_OPTIONS": f"--require={NODE_PROXY}",  # Debian's versions do not know the variable above
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",  # the home folder is part of every checkpoint
    }


class WayOut:
    """The supervisor's side: opens the way once, in a process that is nobody and knows nothing."""

    def __init__(self, loop: Loop, layout: Layout) -> None:
        self._loop, self._layout = loop, layout
        self._pid = 0

    def open(self, trust: str) -> Mapping[str, str]:
        """Start the proxy and return the tools' environment. Raises OSError."""
        if self._pid:
            raise FileExistsError(errno.EEXIST, "the way out is open already")
        port = open_port("egress")
        try:
            listener = socket.create_server(ADDRESS, backlog=_BACKLOG)
        except OSError:
            os.close(port)
            raise
        TRUST.write_text(trust, "ascii")
        TRUST.chmod(0o644)
        self._pid = self._loop.fork(lambda: _become_proxy(port, listener), lambda code: None)
        os.close(port)
        listener.close()
        return environment(TRUST)


def raise_loopback() -> None:
    """Bring the interface `lo` up. It is the only one there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(handle, _SIOCGIFFLAGS, request))
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _become_proxy(port: int, listener: socket.socket) -> NoReturn:
    """Give up all that belongs to the supervisor, then serve for ever."""
    os.setsid()
    low, high = sorted((port, listener.fileno()))
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, 4096)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.chdir("/")
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(EGRESS_UID)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    loop = Loop()
    Proxy(loop, port, listener)
    loop.run()
    raise SystemExit


class _Client:
    """One connection of a program. `credit`: bytes that the host has room for."""

    __slots__ = ("credit", "ending", "finished", "inbox", "number", "sock", "taken", "watched")

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number, self.sock = number, sock
        self.credit = WINDOW_BYTES
        self.inbox = bytearray()
        self.taken = 0
        self.finished = False  # it has said all it will
        self.ending = False  # the host has
        self.watched = -1


class Proxy:
    """Carries bytes between programs and the port; holds a window of each at most."""

    def __init__(self, loop: Loop, port: int, listener: socket.socket) -> None:
        self._loop, self._port, self._listener = loop, port, listener
        self._clients: dict[int, _Client] = {}
        self._number = 0
        self._frames = MuxBuffer()
        self._out = bytearray()
        os.set_blocking(port, False)
        listener.setblocking(False)
        self._edge = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
        loop.watch(port, self._edge, self._on_port)
        loop.watch(listener.fileno(), select.EPOLLIN, self._on_listener)
        loop.now_and_then.append(lambda: self._on_port(0))

    # programs

    def _on_listener(self, events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._clients) >= MAX_STREAMS:
            sock.close()
            return
        sock.setblocking(False)
        self._number += 1
        client = self._clients[self._number] = _Client(self._number, sock)
        self._send(Frame(FrameKind.OPEN, client.number))
        self._watch(client)

    def _on_client(self, client: _Client, events: int) -> None:
        if events & select.EPOLLOUT:
            self._to_program(client)
        if events & ~select.EPOLLOUT and client.number in self._clients:
            self._from_program(client)
        self._settle(client)

    def _from_program(self, client: _Client) -> None:
        if client.finished or not client.credit or len(self._out) > _OUT_LIMIT_BYTES:
            return
        try:
            data = client.sock.recv(min(FRAME_LIMIT_BYTES, client.credit))
        except BlockingIOError:
            return
        except OSError:
            self._drop(client, "the program is gone")
            return
        if data:
            client.credit -= len(data)
            self._send(Frame(FrameKind.DATA, client.number, data))
        else:
            client.finished = True
            self._send(Frame(FrameKind.END, client.number))

    def _to_program(self, client: _Client) -> None:
        try:
            while client.inbox:
                size = client.sock.send(client.inbox[:_READ_BYTES])
                del client.inbox[:size]
                client.taken += size
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client, "the program is gone")
            return
        if client.taken >= _CREDIT_STEP and not client.ending:
            taken, client.taken = client.taken, 0
            self._send(credit(client.number, taken))

    def _settle(self, client: _Client) -> None:
        """Close what is done, and watch for what is still to come."""
        if client.number not in self._clients:
            return
        if client.ending and not client.inbox:
            if client.finished:
                self._drop(client)
                return
            try:
                client.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._drop(client, "the program is gone")
                return
        self._watch(client)

    def _watch(self, client: _Client) -> None:
        reads = not client.finished and client.credit and len(self._out) <= _OUT_LIMIT_BYTES
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if client.inbox else 0)
        if events != client.watched:
            client.watched = events
            self._loop.watch(
                client.sock.fileno(), events, lambda found: self._on_client(client, found)
            )

    def _drop(self, client: _Client, reason: str = "") -> None:
        if self._clients.pop(client.number, None) is None:
            return
        self._loop.forget(client.sock.fileno())
        client.sock.close()
        if reason:
            self._send(Frame(FrameKind.RESET, client.number, reason.encode()))

    # the port

    def _send(self, frame: Frame) -> None:
        self._out += encode_frame(frame)
        self._flush()

    def _flush(self) -> None:
        full = len(self._out) > _OUT_LIMIT_BYTES
        try:
            while self._out:
                del self._out[: os.write(self._port, self._out[:_READ_BYTES])]
        except OSError:  # full, or nobody there now: told when that changes
            pass
        if full and len(self._out) <= _OUT_LIMIT_BYTES:
            for client in tuple(self._clients.values()):
                self._watch(client)

    def _on_port(self, events: int) -> None:
        self._flush()
        while True:
            try:
                data = os.read(self._port, _READ_BYTES)
            except OSError:
                return
            if not data:
                return
            try:
                frames = self._frames.feed(data)
            except ProtocolError as error:
                raise SystemExit(f"deskmate: egress: {error.message}") from error
            for frame in frames:
                if client := self._clients.get(frame.stream):
                    self._take(client, frame)

    def _take(self, client: _Client, frame: Frame) -> None:
        match frame.kind:
            case FrameKind.DATA:
                client.inbox += frame.payload
            case FrameKind.CREDIT:
                client.credit += frame.count
            case FrameKind.END:
                client.ending = True
            case _:  # the host is done with it: what it said before is still passed on
                client.ending = client.finished = True
        if client.inbox:
            self._to_program(client)
        self._settle(client)
