"""A plugin's own processes: a zygote that has it loaded, and the worker it forks to run its tools.

Both run as the plugin's user, with nothing open but the console and their socket to the supervisor.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from typing import Any

from deskmate.errors import ProtocolError
from deskmate.types.codec import to_json
from deskmate.types.frames import LineBuffer, encode_frame, parse_json
from deskmate_guest.layout import GROUP, Layout, PluginPlace
from deskmate_guest.loading import LoadedPlugin, PluginBroken, load_plugin
from deskmate_guest.randomness import Reseeder
from deskmate_guest.running import Runner

_PR_SET_NO_NEW_PRIVS = 38
_MAX_PROCESSES = 512
_FORK_TRIES = 200
_MAX_FILE_BYTES = 4 << 30


def serve_zygote(layout: Layout, place: PluginPlace, channel: socket.socket) -> None:
    """Load the plugin, report it, then fork a worker for every socket that arrives. Never returns.

    Called in a fresh child of the supervisor.
    """
    _own_process(layout, place, channel)
    try:
        plugin = load_plugin(place)
    except PluginBroken as error:
        channel.sendall(encode_frame({"broken": str(error)}))
        os._exit(0)
    channel.sendall(encode_frame({"loaded": report_of(plugin)}))
    gc.collect()  # of the plugin's own objects; what the supervisor had loaded is frozen already
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not fds:
            os._exit(0)
        if pid := _fork():
            os.close(fds[0])
            channel.sendall(encode_frame({"pid": pid}))
            continue
        channel.close()
        _serve_worker(layout, plugin, socket.socket(fileno=fds[0]))


def _fork() -> int:
    """Fork, waiting for room if what the last worker left is still being killed."""
    for _ in range(_FORK_TRIES):
        try:
            return os.fork()
        except BlockingIOError:
            time.sleep(0.05)
    os._exit(1)


def report_of(plugin: LoadedPlugin) -> Mapping[str, Any]:
    """Return all that a plugin registered, as the supervisor and the probe are told."""
    return {
        "prompts": to_json(plugin.prompts),
        "tools": to_json(tuple(loaded.spec for loaded in plugin.tools.values())),
        "skills": to_json(plugin.skills),
        "rules": to_json(tuple(spec for _, spec in plugin.rules.values())),
        "problems": list(plugin.problems),
    }


def _own_process(layout: Layout, place: PluginPlace, channel: socket.socket) -> None:
    """Give up everything that belongs to the supervisor: signals, descriptors, user, session."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    keep = channel.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    home = layout.home_of(place)
    if home != layout.home:
        # what lies in $HOME or $TMPDIR may run code: git's settings, Python's user site, a shell's files
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chown(home, place.uid, GROUP)
        os.environ.update(TMPDIR=str(home))
        tempfile.tempdir = None
    os.umask(0o002)
    os.chdir("/")
    os.environ.update(HOME=str(home), USER=place.name, LANG="C.UTF-8")
    os.environ.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if layout.privileged:
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # the supervisor's own is better
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
        os.setgroups([])
        os.setgid(GROUP)
        os.setuid(place.uid)
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _serve_worker(layout: Layout, plugin: LoadedPlugin, channel: socket.socket) -> None:
    """Run what the supervisor asks, one thing after the other, until it closes the socket."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if layout.privileged:
        # not in the zygote: it must be able to fork while the old worker's children die
        resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))
    os.register_at_fork(after_in_child=channel.close)  # also in children of children
    runner = Runner(layout, plugin, lambda message: _send(channel, message))
    reseeder = Reseeder()
    lines = LineBuffer()
    while data := channel.recv(1 << 16):
        for line in lines.feed(data):
            _serve_line(
                runner, reseeder, channel, parse_json(line.decode())
            )  # the supervisor's own words
    os._exit(0)


def _serve_line(
    runner: Runner, reseeder: Reseeder, channel: socket.socket, message: dict[str, Any]
) -> None:
    if message.pop("fresh", False):
        reseeder.reseed()
    try:
        reply = runner.serve(message)
    except BaseException:  # noqa: BLE001 — any state is possible now: say why on the console, and end
        traceback.print_exc()
        os._exit(1)
    if reply is not None:
        _send(channel, reply)
    sys.stdout.flush()


def _send(channel: socket.socket, message: Mapping[str, Any]) -> None:
    try:
        channel.sendall(encode_frame(message))
    except ProtocolError as error:
        channel.sendall(encode_frame({"id": message["id"], "oversize": error.message}))
