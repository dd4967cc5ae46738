"""Moves content over the `bulk` port: native tar and dd do the work, one transfer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate_guest.difference import write_difference
from deskmate_guest.disk import WorkspaceDisk
from deskmate_guest.layout import AGENT_UID, GROUP, Layout
from deskmate_guest.loop import Loop

Reply = dict[str, Any]
Done = Callable[[Reply, str], None]
_PEER_WAIT_S = 20.0
_PEER_STEP_S = 0.005
_TAKE_LIMIT_BYTES = 8 << 30
_SETPRIV = f"setpriv --reuid={AGENT_UID} --regid={GROUP} --clear-groups --no-new-privs"

_PIPE_BYTES = 1 << 20
# $1 folder, $2 list of names (out). The rest of a stream that tar refused is read and thrown away: the
# next one must begin at its beginning. Large records: each one is a change of process, dear when emulated.
_UNPACK = """cd "$1" || exit 1
umask 022; {user} tar -xpv --no-same-owner --delay-directory-restore --quoting-style=escape -b 128 \
-f - > "$2"; code=$?; cat > /dev/null; [ $code = 0 ] || exit $code
"""
# only what lies in the upper already: a chmod copies a file up
_OVERLAY = """cd "$3" && find . -mindepth 1 \\( -type f -o -type d \\) -print0 |
{ cd "$1" && xargs -0 -r chmod g=u,ug-s; }
"""
_HOME = "find . -mindepth 1 ! -type l -exec chmod g=u,ug-s {} +\n"
_ROOTS_OWN = ("clean", "listing", "results")
_CLEAN = "find . -mindepth 1 ! -type l -exec chmod a=rX {} +\n"
_DELETE = """cd "$1" && xargs -0 -r {user} rm -rf -- < "$4" || exit 1
"""


class Transfers:
    """Puts, takes and differences, queued: the port carries one stream at a time."""

    def __init__(self, loop: Loop, layout: Layout, bulk_fd: int) -> None:
        self._loop, self._layout, self._bulk = loop, layout, bulk_fd
        os.set_blocking(bulk_fd, True)  # native programs use it
        self.disk = WorkspaceDisk(layout)
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False

    @property
    def busy(self) -> bool:
        """Say whether a transfer is under way."""
        return self._busy

    def put(self, params: Mapping[str, Any], done: Done) -> None:
        """Unpack the stream of `bytes` that follows."""
        self._enqueue(lambda finish: self._put(params, finish), done)

    def lay(self, params: Mapping[str, Any], done: Done) -> None:
        """Take an image on the disk `files` into the base; strike what it holds from the listing."""

        def mount(finish: Done) -> None:
            if params["bytes"]:
                self.disk.add_image(params["start"], params["bytes"])
            if params["delete"]:
                self._strike(params["delete"])
            finish({}, "")
            self._next()

        self._enqueue(mount, done)

    def take(self, params: Mapping[str, Any], done: Done) -> None:
        """Pack the files asked for, answer with the size, then send it."""
        self._enqueue(
            lambda finish: self._produce(lambda out: self._pack(params["paths"], out), finish), done
        )

    def difference(self, params: Mapping[str, Any], done: Done) -> None:
        """Write down what changed, answer with the size, then send it."""
        self._enqueue(lambda finish: self._produce(self._difference, finish), done)

    # one at a time

    def _enqueue(self, start: Callable[[Done], None], done: Done) -> None:
        def finish(reply: Reply, failure: str) -> None:
            done(reply, failure)

        def run() -> None:
            try:
                start(finish)
            except OSError as error:
                finish({}, str(error))
                self._next()

        self._queue.append(run)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._queue)
        if self._queue:
            self._queue.popleft()()

    def _with_peer(self, action: Callable[[], None], late: Callable[[], None]) -> None:
        """Call `action` when the host holds the other end: a port without one reads as empty."""
        deadline = time.monotonic() + _PEER_WAIT_S
        poll = select.poll()
        poll.register(self._bulk, select.POLLIN)

        def look() -> None:
            if not any(events & select.POLLHUP for _, events in poll.poll(0)):
                action()
            elif time.monotonic() > deadline:
                late()
            else:
                self._loop.after(_PEER_STEP_S, look)

        look()

    # in

    def _put(self, params: Mapping[str, Any], done: Done) -> None:
        what, size = params["what"], params["bytes"]
        if what not in (*_ROOTS_OWN, "base", "overlay", "home") or size < 0:
            raise OSError(f"put {what!r} of {size} bytes is not a thing")
        folder, script, extra = self._put_plan(what)
        spare = self._spare()
        names, gone = spare / "names", spare / "delete"
        gone.write_bytes(b"\0".join(_inside(path) for path in params["delete"]))
        user = _SETPRIV if self._layout.privileged and what not in _ROOTS_OWN else ""
        head = _DELETE.format(user=user) if what == "overlay" else ""
        text = head + _UNPACK.format(user=user) + script
        argv = ["/bin/sh", "-c", text, "put", *map(str, (folder, names, extra, gone))]

        def ended(code: int) -> None:
            if code:
                done({}, f"the {what} could not be unpacked (tar's code {code})")
            else:
                if what == "base" and params["delete"]:
                    self._strike(params["delete"])
                lines = names.read_bytes().splitlines()
                done({"files": sum(not line.endswith(b"/") for line in lines)}, "")
            self._next()

        def late() -> None:
            done({}, "nobody is at the other end of bulk")
            self._next()

        self._with_peer(lambda: self._start(argv, size, ended), late)

    def _put_plan(self, what: str) -> tuple[Path, str, Path]:
        """Return the folder, the script that follows, and its fourth argument."""
        if what == "base":
            return self.disk.base_folder(), "", self.disk.lower
        if what == "listing":
            self._layout.listing.mkdir(parents=True, exist_ok=True, mode=0o755)
            return self._layout.listing, "", self._layout.listing
        if what in ("clean", "results"):
            # root's own and read-only: a plugin must not touch what another one looks at
            folder = self._layout.clean if what == "clean" else self._layout.results
            folder.mkdir(parents=True, exist_ok=True)
            return folder, _CLEAN, folder
        if not self.disk.opened:
            raise OSError("the workspace is not open")
        self.disk.ensure_mounted()
        if what == "home":
            return self._layout.scratch / "home", _HOME, self._layout.home
        return self._layout.workspace, _OVERLAY if self._layout.privileged else "", self.disk.upper

    def _strike(self, paths: list[Any]) -> None:
        """Note that these files are no longer listed only: they came in, or are gone."""
        folder = self._layout.listing
        if not (folder / "0.json").exists():
            return
        number = sum(1 for _ in folder.glob("*.json"))
        part = folder / f".{number}"
        part.write_text(json.dumps([str(path) for path in paths]))
        part.chmod(0o644)
        part.rename(folder / f"{number}.json")

    def _start(self, argv: list[str], size: int, ended: Callable[[int], None]) -> None:
        """Have `dd` cut the stream out of the port, and the script unpack it."""
        reader, writer = os.pipe()
        try:
            with contextlib.suppress(OSError):  # as large as it is, where this is not allowed
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            count = ["bs=256k", f"count={size}", "iflag=fullblock,count_bytes", "status=none"]
            self._loop.spawn(["/bin/dd", *count], _nothing, stdin=self._bulk, stdout=writer)
            self._loop.spawn(argv, ended, stdin=reader)
        finally:
            os.close(reader)
            os.close(writer)

    def _spare(self) -> Path:
        """Return a folder that only the supervisor sees."""
        spare = self.disk.spare if self.disk.opened else Path("/run/deskmate")
        spare.mkdir(parents=True, exist_ok=True, mode=0o700)
        return spare

    # out

    def _produce(self, write: Callable[[Path], str], done: Done) -> None:
        """Have a child write a file, answer with its size, then send the file."""
        out, why = self._spare() / "out", self._spare() / "why"

        def work() -> int:
            why.write_text(write(out))
            return 0

        def written(code: int) -> None:
            failure = why.read_text() if code == 0 else "the guest could not write it down"
            if failure:
                done({}, failure)
                self._next()
                return
            done({"bytes": out.stat().st_size}, "")
            self._with_peer(
                lambda: self._send(out, sent),
                lambda: sent(1),
            )

        def sent(code: int) -> None:
            with contextlib.suppress(OSError):
                out.unlink()
            self._next()

        self._loop.fork(work, written)

    def _send(self, path: Path, sent: Callable[[int], None]) -> None:
        self._loop.spawn(["/bin/cat", str(path)], sent, stdout=self._bulk)

    def _difference(self, out: Path) -> str:
        if not self.disk.opened:
            return "the workspace is not open"
        if not self._layout.privileged:
            return "there is no overlay here"
        with out.open("wb") as stream:
            write_difference(
                stream,
                self.disk.upper,
                self._layout.scratch / "home",
                self.disk.grants,
            )
        return ""

    def _pack(self, paths: list[Any], out: Path) -> str:
        total = 0
        for path in paths:
            real = Path(str(path))
            roots = (self._layout.workspace, self._layout.home)
            if not any(real.is_relative_to(root) for root in roots) or ".." in real.parts:
                return f"{path} is not in the workspace or the home folder"
            if real.parent.resolve() != real.parent or not os.path.lexists(real):
                return f"{path} is not there"
            status = real.lstat()
            if not stat.S_ISREG(status.st_mode):
                return f"{path} is not a regular file"
            total += status.st_size
        if total > _TAKE_LIMIT_BYTES:
            return f"the files asked for have {total} bytes, over the limit of {_TAKE_LIMIT_BYTES}"
        names = out.with_name("take")
        names.write_bytes(b"".join(os.fsencode(str(path)) + b"\0" for path in paths))
        argv = ["/bin/tar", "-cPf", str(out), "--no-recursion", "--hard-dereference"]
        argv += ["--numeric-owner", "--null", "--verbatim-files-from", "-T", str(names)]
        pid = os.posix_spawn(argv[0], argv, os.environ)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        # 1: a file changed while it was read; its digest will tell the host
        return "" if code in (0, 1) else f"tar failed with code {code}"


def _nothing(code: int) -> None:
    """What `dd` did is seen by who reads its pipe."""


def _inside(path: Any) -> bytes:
    """Return a workspace path to delete as bytes. Raises OSError if it could lead outside."""
    parts = PurePosixPath(str(path)).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in str(path):
        raise OSError(f"{path!r} is not a path in the workspace")
    return os.fsencode("./" + str(path))
