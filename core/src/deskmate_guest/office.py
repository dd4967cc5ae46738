"""The office listener's service: keeps LibreOffice warm, and converts one document a connection.

Runs as a user of its own, in guests of flavour `office`. Plugins reach this service only, never LibreOffice:
who may talk to LibreOffice may have it run programs. A job comes as one line of JSON and two descriptors, the
document and where the result goes.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LIB = str(Path(__file__).resolve().parent.parent)
if _LIB not in sys.path:
    sys.path.insert(0, _LIB)  # `-I` leaves it out

from deskmate.types.wire import OFFICE_SOCKET  # noqa: E402
from deskmate_guest import soffice  # noqa: E402

JOB_S = (10.0, 540.0)
"""Least and most seconds that a job may take; who asks says how many."""
_WARM_S = 240.0
INPUT_LIMIT_BYTES = 64 << 20
_START_S = 240.0
_SUFFIXES = frozenset(
    {"csv", "doc", "docm", "docx", "fodp", "fods", "fodt", "html", "odg", "odp", "ods", "odt", "pot", "potx",
     "pps", "ppsx", "ppt", "pptm", "pptx", "rtf", "txt", "xls", "xlsb", "xlsm", "xlsx"}
)  # fmt: skip
_REQUEST_BYTES = 4096


class Refused(Exception):
    """The job cannot be done; the message is for who asked."""


@dataclass(frozen=True, slots=True)
class Job:
    """`source`: suffix of the document. `to`: pdf, or docx, xlsx, pptx to recalculate and save anew.

    `limit_s`: for all of it, since `asked_s`, a time of the machine's clock that never goes back.
    """

    source: str
    to: str
    limit_s: float
    asked_s: float


class Patience:
    """How long a job is worked on: until its time is over, or until nobody waits for it any more."""

    def __init__(
        self, limit_s: float, peer: socket.socket | None = None, asked_s: float | None = None
    ) -> None:
        """`peer`: who waits; None where nobody can go away. `asked_s`: since when; None for now."""
        self.limit_s = limit_s
        self._ends = (time.monotonic() if asked_s is None else asked_s) + limit_s
        self._peer = peer

    @property
    def left_s(self) -> float:
        """Seconds that are left; none once the peer is gone."""
        if self._peer is not None:
            hung_up = select.poll()
            hung_up.register(self._peer, select.POLLRDHUP)
            if hung_up.poll(0):
                return 0.0
        return max(self._ends - time.monotonic(), 0.0)


class Service:
    """LibreOffice's keeper."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._office: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start LibreOffice and wait until it answers. Raises Refused if it does not."""
        self.stop()
        self._office = soffice.start_listener(self._folder / "profile")
        deadline = time.monotonic() + _START_S
        while not self._child(soffice.connect, Patience(20)):
            if self._office.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Refused("LibreOffice did not start")
            time.sleep(0.2)

    def stop(self) -> None:
        """End LibreOffice and all that it started."""
        if self._office is not None:
            soffice.end(self._office)
            self._office = None

    def warm(self) -> None:
        """Do every kind of work once, so that the frozen machine has it loaded."""
        work = self._work()
        try:
            self._child(lambda: soffice.make_samples(work), Patience(120))
            for path in sorted(work.iterdir()):
                job = Job(path.suffix[1:], "pdf", _WARM_S, time.monotonic())
                self.convert(path, work / "warm.pdf", job, Patience(_WARM_S))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def convert(self, source: Path, target: Path, job: Job, patience: Patience) -> str:
        """Convert and return how: by the listener, or by a program started for it. Raises Refused."""
        self.ready()
        if self._office is not None:
            reason = self._attempt(source, target, job, patience)
            if not reason and target.is_file():
                return "listener"
            if not patience.left_s:
                self.stop()  # it is still at the document, and would be for the next one
                raise Refused(_too_long(patience))
            if (
                reason
                and self._office.poll() is None
                and self._child(soffice.connect, Patience(20))
            ):
                raise Refused(reason)  # LibreOffice lives and says no: no other way would help
        self.stop()  # it died over this document; once more in a process of its own
        return self._afresh(source, target, job, patience)

    def ready(self) -> None:
        """Start LibreOffice where it is not running; without it documents are converted by one of their own."""
        if self._office is None or self._office.poll() is not None:
            try:
                self.start()
            except Refused as error:
                sys.stderr.write(f"deskmate: office: {error}\n")

    def _afresh(self, source: Path, target: Path, job: Job, patience: Patience) -> str:
        profile = self._folder / "fresh-profile"
        try:
            soffice.convert_afresh(source, target, job.to, profile, lambda: patience.left_s > 0)
        except TimeoutError as error:
            raise Refused(_too_long(patience)) from error
        except OSError as error:
            raise Refused(f"LibreOffice cannot convert it: {_line(error)}") from error
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        return "fresh start"

    def _attempt(self, source: Path, target: Path, job: Job, patience: Patience) -> str:
        """Return why it failed, empty if it did not."""
        failure = self._folder / "failure"
        failure.unlink(missing_ok=True)

        def work() -> None:
            try:
                soffice.convert(source, target, job.to)
            except BaseException as error:
                failure.write_text(_line(error), "utf-8")
                raise

        if self._child(work, patience):
            return ""
        return failure.read_text("utf-8") if failure.exists() else "it did not end in time"

    def _child(self, work: Callable[[], object], patience: Patience) -> bool:
        """Do the work in a child, which can be ended; say whether it was done. UNO calls have no deadline."""
        pid = os.fork()
        if not pid:
            try:
                work()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child that must not return
                os._exit(1)
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status == 0
            if not patience.left_s:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return False
            time.sleep(0.005)

    def _work(self) -> Path:
        work = self._folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        return work

    def answer(
        self, line: bytes, fds: list[int], peer: socket.socket | None = None
    ) -> dict[str, Any]:
        """Do one job for `peer` and return the reply."""
        began = time.monotonic()
        try:
            job = read_job(line)
            if len(fds) != 2:
                raise Refused("a job comes with two descriptors")
            work = self._work()
            source, target = work / f"document.{job.source}", work / f"result.{job.to}"
            copy_bounded(fds[0], source, INPUT_LIMIT_BYTES)
            by = self.convert(source, target, job, Patience(job.limit_s, peer, job.asked_s))
            with target.open("rb") as file:
                shutil.copyfileobj(file, open(fds[1], "wb", closefd=False), 1 << 20)  # noqa: SIM115
            return {"by": by, "seconds": round(time.monotonic() - began, 3)}
        except Refused as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": f"the files of the job: {_line(error)}"}
        finally:
            shutil.rmtree(self._folder / "work", ignore_errors=True)


def read_job(line: bytes) -> Job:
    """Return the job that a line asks for. Raises Refused."""
    try:
        data = json.loads(line)
        limit_s = min(max(float(data["limit_s"]), JOB_S[0]), JOB_S[1])
        asked_s = min(float(data["asked_s"]), time.monotonic())
        job = Job(str(data["source"]).lower(), str(data["to"]), limit_s, asked_s)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("a job is a line of JSON: source, to, limit_s and asked_s") from error
    if job.source not in _SUFFIXES:
        raise Refused(f"files that end in .{job.source[:20]} are not converted")
    if job.to not in soffice.TARGETS:
        raise Refused(f"results are {', '.join(sorted(soffice.TARGETS))}, not {job.to[:20]}")
    return job


def copy_bounded(fd: int, target: Path, limit: int) -> None:
    """Copy a descriptor's content to a new file. Raises Refused over `limit` bytes."""
    left = limit
    with target.open("wb") as file:
        while chunk := os.read(fd, 1 << 20):
            left -= len(chunk)
            if left < 0:
                raise Refused(f"the document is larger than {limit >> 20} MiB")
            file.write(chunk)


def serve(service: Service, server: socket.socket) -> None:
    """Answer one connection after another, for ever. A peer that says nothing is left after some seconds."""
    while True:
        peer, _ = server.accept()
        with peer:
            peer.settimeout(5.0)
            fds: list[int] = []
            try:
                line, fds, _, _ = socket.recv_fds(peer, _REQUEST_BYTES, 4)
                reply = service.answer(line, fds, peer)
                peer.send(json.dumps(reply).encode())
            except OSError:
                pass
            finally:
                for fd in fds:
                    os.close(fd)
        service.ready()  # a document may have been its end: the next one finds it warm again


def _too_long(patience: Patience) -> str:
    return f"LibreOffice did not end within {patience.limit_s:g} s"


def main(ready_fd: int) -> None:
    """Warm LibreOffice, open the service's socket, say so on `ready_fd`, and serve."""
    os.umask(0o077)
    folder = Path(OFFICE_SOCKET).parent
    service = Service(folder)
    try:
        service.start()
        service.warm()
        word = b"ready\n"
    except Refused as error:  # the machine is not frozen like this: whoever builds it is told
        word = f"{error}\n".encode()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(OFFICE_SOCKET)
    os.chmod(OFFICE_SOCKET, 0o666)  # noqa: PTH101, S103 - every plugin may ask
    server.listen(16)
    os.write(ready_fd, word)
    os.close(ready_fd)
    serve(service, server)


def _line(error: BaseException) -> str:
    text = getattr(error, "Message", "") or str(error) or type(error).__name__
    return " ".join(str(text).split())[:300]


if __name__ == "__main__":
    main(int(sys.argv[1]))
