"""The supervisor's side of a plugin's processes: one zygote, one worker, one job at a time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.errors import ProtocolError
from deskmate.types.frames import check_depth, encode_frame, parse_json
from deskmate_guest.cgroups import Cgroup
from deskmate_guest.layout import Layout, PluginPlace
from deskmate_guest.loop import Channel, Loop, Timer
from deskmate_guest.worker import serve_zygote

Message = dict[str, Any]
_RESTARTS = 3
_SWEEPS, _SWEEP_GAP_S = 25, 0.02


@dataclass(slots=True, kw_only=True)
class Job:
    """One thing for a worker to do. `done(reply, failure)`: called once, one of the two is empty."""

    message: Mapping[str, Any]
    timeout_s: float
    done: Callable[[Message, str], None]
    progress: Callable[[str], None] = lambda line: None
    timer: Timer | None = None
    number: int = 0


@dataclass(slots=True, kw_only=True)
class Setup:
    """What a worker is told before its first job, and again when it changes."""

    config: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)


class PluginProcesses:
    """Keeps a plugin's zygote and worker alive and gives the worker its jobs in order."""

    def __init__(
        self, loop: Loop, layout: Layout, place: PluginPlace, loaded: Callable[[Message], None]
    ) -> None:
        """`loaded(report)`: called once with `{"loaded": …}` or `{"broken": why}`."""
        self._loop, self._layout, self.place = loop, layout, place
        self._loaded: Callable[[Message], None] | None = loaded
        self._cgroup = Cgroup(layout, place.name, place.uid)
        self._jobs: deque[Job] = deque()
        self._current: Job | None = None
        self._setup = Setup()
        self._environment: Mapping[str, str] = {}
        self._told = False
        self._fresh = False
        self._number = 0
        self._zygote: Channel | None = None
        self._worker: Channel | None = None
        self._pid = 0
        self._zygote_pid = 0
        self._restarts = 0
        self._sweeping = False
        self.broken = ""
        self._start_zygote()

    @property
    def alive(self) -> bool:
        """Say whether the plugin can run jobs."""
        return not self.broken

    @property
    def busy(self) -> bool:
        """Say whether a job runs or waits."""
        return self._current is not None or bool(self._jobs)

    def setup(self, setup: Setup) -> None:
        """Have this and every later worker told the thread's settings before its next job."""
        known = self._setup
        if setup.config != known.config or setup.validation != known.validation:
            self._setup, self._told = setup, False

    def environment(self, variables: Mapping[str, str]) -> None:
        """Have this and every later worker set these variables before its next job."""
        self._environment, self._told = {**self._environment, **variables}, False

    def fresh(self) -> None:
        """Have the worker reseed before its next job; said after every restore."""
        self._fresh = True

    def run(self, job: Job) -> None:
        """Queue a job."""
        if self.broken:
            self._loop.soon(lambda: job.done({}, f"the plugin {self.place.name}: {self.broken}"))
            return
        self._jobs.append(job)
        self._next()

    # zygote

    def _start_zygote(self) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            try:
                ours.close()
                serve_zygote(self._layout, self.place, theirs)
            except BaseException:  # noqa: BLE001 - nobody else will ever tell why it died
                traceback.print_exc()
            finally:
                os._exit(70)
        theirs.close()
        self._zygote_pid = pid
        self._zygote = Channel(self._loop, ours.detach(), self._on_zygote, self._zygote_gone)

    def _on_zygote(self, line: bytes) -> None:
        try:
            message = _read(line)
        except ProtocolError as error:
            self._give_up(f"its process broke the rules: {error.message}")
            return
        if "pid" in message:
            self._adopt(message["pid"])
            return
        if "broken" in message:
            self.broken = str(message["broken"])
        if self._loaded:
            report, self._loaded = self._loaded, None
            report(message)
        if self.broken:
            self._give_up(self.broken)
        elif self._worker is None:
            self._start_worker()

    def _zygote_gone(self, reason: str) -> None:
        self._zygote = None
        self._restarts += 1
        if self._loaded or self._restarts > _RESTARTS:
            self._give_up("its process died")
        elif not self.broken:
            self._start_zygote()  # what it registers now is not asked: the registry stands

    def _give_up(self, why: str) -> None:
        self.broken = why
        if self._zygote:
            self._zygote.close()
            self._zygote = None
        if self._loaded:
            report, self._loaded = self._loaded, None
            report({"broken": why})
        self._drop_worker(why)
        while self._jobs:
            self._jobs.popleft().done({}, f"the plugin {self.place.name}: {why}")

    # worker

    def _start_worker(self) -> None:
        if self._zygote is None:
            return
        ours, theirs = socket.socketpair()
        with socket.socket(fileno=os.dup(self._zygote.fd)) as zygote:
            try:
                socket.send_fds(zygote, [b"w"], [theirs.fileno()])
            except OSError:
                ours.close()
                self._zygote.close()  # it is gone; that its channel ended is not known here yet
                self._zygote_gone("")
                return
            finally:
                theirs.close()
        self._pid = 0
        self._worker = Channel(self._loop, ours.detach(), self._on_worker, self._worker_gone)
        self._told = False
        self._fresh = True  # the zygote's random numbers are the template's

    def _adopt(self, pid: Any) -> None:
        """Take the pid that the zygote reports, if it is really one of this plugin's."""
        with contextlib.suppress(OSError, TypeError):
            if not self._layout.privileged or os.stat(f"/proc/{pid:d}").st_uid == self.place.uid:  # noqa: PTH116
                self._pid = pid
                self._cgroup.add(pid)
        self._next()

    def _on_worker(self, line: bytes) -> None:
        job = self._current
        try:
            message = _read(line)
        except ProtocolError as error:
            self._drop_worker(f"its process broke the rules: {error.message}")
            return
        if job is None or message.get("id") != job.number:
            return  # of a job that ended meanwhile
        if "progress" in message:
            job.progress(str(message["progress"]))
        elif "oversize" in message:
            self._finish({}, f"the answer is too large: {message['oversize']}")
        else:
            self._finish(message, "")

    def _worker_gone(self, reason: str) -> None:
        self._worker = None
        self._drop_worker("its process died")

    def _drop_worker(self, why: str) -> None:
        """Kill what is left of the worker, fail its job, and have a new one forked."""
        if self._worker:
            self._worker.close()
            self._worker = None
        self._kill()
        if self._zygote and not self.broken:
            self._start_worker()
        if self._current:
            self._finish({}, why)

    def _kill(self) -> None:
        self._cgroup.kill(self._zygote_pid)
        if self._pid > 1:
            with contextlib.suppress(OSError):
                os.killpg(self._pid, signal.SIGKILL)
        self._pid = 0

    def _next(self) -> None:
        if self._current or self._sweeping or not self._jobs or not self._worker or not self._pid:
            return
        job = self._current = self._jobs.popleft()
        self._number += 1
        job.number = self._number
        job.timer = self._loop.after(job.timeout_s, self._expire)
        if not self._told:
            self._tell(self._worker, self._setup_message())
            self._told = True
        fresh = {"fresh": True} if self._fresh else {}
        self._fresh = False
        self._tell(self._worker, {**job.message, **fresh, "id": job.number})

    def _expire(self) -> None:
        if self._current:
            self._drop_worker(f"timed out after {self._current.timeout_s:g} s")

    def _finish(self, reply: Message, failure: str) -> None:
        job, self._current = self._current, None
        if job is None:
            return
        if job.timer:
            job.timer.cancelled = True
        job.done(reply, failure)
        if self.place.keeps:
            self._next()
        else:
            self._sweep(_SWEEPS)

    def _sweep(self, tries: int) -> None:
        """Kill what the job left running, before the next one. What forks faster goes with the worker."""
        self._sweeping = False
        if self._pid and not self._cgroup.sweep(self._pid):
            if tries:
                self._sweeping = True
                self._loop.after(_SWEEP_GAP_S, lambda: self._sweep(tries - 1))
                return
            self._drop_worker("what it had started could not be ended")
        self._next()

    def _setup_message(self) -> Message:
        return {
            "op": "setup",
            "config": self._setup.config,
            "validation": self._setup.validation,
            "environment": self._environment,
        }

    def _tell(self, channel: Channel, message: Mapping[str, Any]) -> None:
        channel.send(encode_frame(message))


def _read(line: bytes) -> Message:
    """Return a worker's message. Bounded, but not as strict as the host, which checks all of it again."""
    check_depth(line)
    try:
        message = parse_json(line.decode())
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("not an object")
    return message
