"""The office listener's service: keeps LibreOffice warm, and converts one document a connection.

Runs as a user of its own, in guests of flavour `office`. Plugins reach this service only, never LibreOffice:
who may talk to LibreOffice may have it run programs. A job comes as one line of JSON and two descriptors, the
document and where the result goes.
"""

from __future__ import annotations

import json
import os
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

JOB_S = 150.0
FRESH_S = 240.0
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
    """`source`: suffix of the document. `to`: pdf, or docx, xlsx, pptx to recalculate and save anew."""

    source: str
    to: str


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
        while not self._child(soffice.connect, 20.0):
            if self._office.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Refused("LibreOffice did not start")
            time.sleep(0.2)

    def stop(self) -> None:
        """End LibreOffice and all that it started."""
        if self._office is not None:
            for signal_ in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._office.pid, signal_)
                    self._office.wait(3)
                except (OSError, subprocess.TimeoutExpired):
                    continue
            self._office = None

    def warm(self) -> None:
        """Do every kind of work once, so that the frozen machine has it loaded."""
        work = self._work()
        try:
            self._child(lambda: soffice.make_samples(work), 120.0)
            for path in sorted(work.iterdir()):
                self.convert(path, work / "warm.pdf", Job(path.suffix[1:], "pdf"))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def convert(self, source: Path, target: Path, job: Job) -> str:
        """Convert and return how: by the listener, or by a program started for it. Raises Refused."""
        if self._office is None or self._office.poll() is not None:
            self._restart()
        if self._office is not None:
            reason = self._attempt(source, target, job)
            if not reason and target.is_file():
                return "listener"
            if reason and self._office.poll() is None and self._child(soffice.connect, 20.0):
                raise Refused(reason)  # LibreOffice lives and says no: no other way would help
        self.stop()  # it hangs or died over this document; once more in a process of its own
        profile = self._folder / "fresh-profile"
        try:
            soffice.convert_afresh(source, target, job.to, profile, FRESH_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise Refused(f"LibreOffice cannot convert it: {_line(error)}") from error
        finally:
            shutil.rmtree(profile, ignore_errors=True)
        return "fresh start"

    def _restart(self) -> None:
        try:
            self.start()
        except Refused as error:
            sys.stderr.write(f"deskmate: office: {error}\n")

    def _attempt(self, source: Path, target: Path, job: Job) -> str:
        """Return why it failed, empty if it did not."""
        failure = self._folder / "failure"
        failure.unlink(missing_ok=True)

        def work() -> None:
            try:
                soffice.convert(source, target, job.to)
            except BaseException as error:
                failure.write_text(_line(error), "utf-8")
                raise

        if self._child(work, JOB_S):
            return ""
        return failure.read_text("utf-8") if failure.exists() else "it did not end in time"

    def _child(self, work: Callable[[], object], limit_s: float) -> bool:
        """Do the work in a child, which can be ended; say whether it was done. UNO calls have no deadline."""
        pid = os.fork()
        if not pid:
            try:
                work()
                os._exit(0)
            except BaseException:  # noqa: BLE001 - a child that must not return
                os._exit(1)
        deadline = time.monotonic() + limit_s
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status == 0
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return False
            time.sleep(0.005)

    def _work(self) -> Path:
        work = self._folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        return work

    def answer(self, line: bytes, fds: list[int]) -> dict[str, Any]:
        """Do one job and return the reply."""
        began = time.monotonic()
        try:
            job = read_job(line)
            if len(fds) != 2:
                raise Refused("a job comes with two descriptors")
            work = self._work()
            source, target = work / f"document.{job.source}", work / f"result.{job.to}"
            copy_bounded(fds[0], source, INPUT_LIMIT_BYTES)
            by = self.convert(source, target, job)
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
        job = Job(str(data["source"]).lower(), str(data["to"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("a job is a line of JSON: source and to") from error
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
                reply = service.answer(line, fds)
                peer.send(json.dumps(reply).encode())
            except OSError:
                pass
            finally:
                for fd in fds:
                    os.close(fd)


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
