"""A Chromium of one's own and the pipe of its DevTools protocol: started, spoken to, ended, all within bounds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

from deskmate.plugin import ToolError

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
START_S = 180.0
"""A cold start under emulation reads some 200 MB."""
MESSAGE_LIMIT_BYTES = 48 << 20
_READ_BYTES = 1 << 16
_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--mute-audio",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--lang=en-US",
    "--renderer-process-limit=1",
    "--js-flags=--max-old-space-size=256",
    # whatever a page asks for is answered by the tool; these hold for what it is not asked about, such as WebSockets
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--disable-features=DialMediaRouteProvider,MediaRouter,OptimizationHints,Translate",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)
Event = Mapping[str, Any]
_ABSENT = (
    "There is no Chromium in this machine: it is part of the office image "
    "(`deskmate image build office`)."
)


class Gone(ToolError):
    """The browser ended, or says nothing any more."""


def find_browser() -> str:
    """Return the program's path.

    Raises:
        ToolError: there is none here.
    """
    for name in PROGRAMS:
        if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin"):
            return found
    raise ToolError(_ABSENT)


class Chromium:
    """One browser process; a context manager, gone with all its children at the end.

    `on_event`: called with each event, also while a command waits for its answer; it may `post`, and must not `call`.
    """

    def __init__(self, on_event: Callable[[Event], None], *, limit_s: float) -> None:
        self._on_event = on_event
        self._limit_s = limit_s
        self._deadline = time.monotonic() + START_S
        self._number = 0
        self._answers: dict[int, Event] = {}
        self._waiting: int | None = None
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        program = find_browser()
        self._home = Path(mkdtemp(prefix="deskmate-page-"))
        command_read, self._write = os.pipe()
        self._read, answer_write = os.pipe()
        try:
            self._pid = self._started(program, command_read, answer_write)
        except OSError as problem:
            self._close()
            raise ToolError(f"Chromium could not be started: {problem.strerror}.") from problem
        finally:
            os.close(command_read)
            os.close(answer_write)
        try:
            self.call("Browser.getVersion")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._deadline = time.monotonic() + self._limit_s
        return self

    def _started(self, program: str, commands: int, answers: int) -> int:
        options = [*_OPTIONS, f"--user-data-dir={self._home / 'profile'}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses root otherwise
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LD_LIBRARY_PATH", "FONTCONFIG_PATH")
        }
        # The protocol's descriptors are 3 and 4 by name; what stands for them meanwhile must be neither.
        high = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10) for number in (commands, answers)]
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)]
        try:
            return os.posix_spawn(
                program,
                [program, *options, "about:blank"],
                {**environment, "HOME": str(self._home), "TMPDIR": str(self._home), "TZ": "UTC"},
                file_actions=[*nothing, *pipes],
                setsid=True,
            )
        finally:
            for number in high:
                os.close(number)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._close()

    def _close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def left_s(self) -> float:
        """Seconds until its time is up."""
        return self._deadline - time.monotonic()

    def post(self, method: str, session: str = "", **parameters: Any) -> int:
        """Send a command whose answer nobody waits for; return its number."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                if not select.select([], [self._write], [], max(self.left_s, 0))[1]:
                    raise Gone("The browser takes no more commands; it was stopped.")
                data = data[os.write(self._write, data[:4096]) :]
        except BrokenPipeError as problem:
            raise Gone("The browser ended by itself.") from problem
        return self._number

    def call(self, method: str, session: str = "", **parameters: Any) -> Mapping[str, Any]:
        """Send a command and return its result.

        Raises:
            ToolError: the browser refused; its words are in the message.
            Gone: it ended, or took too long.
        """
        number = self.post(method, session, **parameters)
        self._waiting = number
        while number not in self._answers:
            if not self.pump(self.left_s):
                raise Gone(f"The page took more than {self._limit_s:.0f} seconds; it was stopped.")
        answer = self._answers.pop(number)
        if error := answer.get("error"):
            raise ToolError(f"Chromium refused {method}: {str(error.get('message'))[:200]}.")
        result: Mapping[str, Any] = answer.get("result", {})
        return result

    def pump(self, wait_s: float) -> bool:
        """Take in what the browser says next, within so many seconds; False if it says nothing.

        Raises:
            Gone: it ended, or its time is up.
        """
        if self.left_s <= 0:
            raise Gone(f"The page took more than {self._limit_s:.0f} seconds; it was stopped.")
        if not select.select([self._read], [], [], max(0.0, min(wait_s, self.left_s)))[0]:
            return False
        data = os.read(self._read, _READ_BYTES)
        if not data:
            raise Gone("The browser ended by itself, perhaps for want of memory.")
        self._buffer += data
        while b"\0" in data and (end := self._buffer.find(b"\0")) >= 0:
            raw = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._take(json.loads(raw))
        if len(self._buffer) > MESSAGE_LIMIT_BYTES:
            raise Gone("The browser said more at once than 48 MiB; it was stopped.")
        return True

    def _take(self, message: Event) -> None:
        if "method" in message:
            self._on_event(message)
        elif (number := message.get("id")) == self._waiting and number is not None:
            self._answers[number] = message  # answers to what was posted are not kept


def attached(browser: Chromium, methods: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Open a page, send it these commands, and return its session."""
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = str(browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
    for method, parameters in methods:
        browser.call(method, session, **parameters)
    return session
