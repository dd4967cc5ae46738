"""Starts a server from a folder of the workspace for as long as a page of it is looked at, on a copy that nobody keeps."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from urllib.parse import urlsplit

from deskmate.plugin import ToolError, ToolInputError
from deskmate_engineering.testing import unwatched

START_S = 90.0
"""Until the server takes connections; without hardware help an interpreter alone takes seconds."""
END_S = 10.0
PORTS = (1024, 65_535)
BYTES_LIMIT, FILES_LIMIT = 64 << 20, 20_000
COMMAND_LIMIT = 500
_SAID = 20_000
_SKIPPED = frozenset({".git", "__pycache__"})
Tree = Mapping[str, Path]
"""Path below the server's folder → the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server to be started. `folder`: workspace folder in which `command` runs."""

    command: str
    folder: str
    port: int

    @property
    def origin(self) -> str:
        """The address that it is asked at."""
        return f"http://localhost:{self.port}"


def server_of(command: str, folder: str, page: str) -> tuple[Server, str]:
    """Return the server that a command starts, and the address of its page.

    Raises:
        ToolInputError: no command of one line, or no address of this machine with a port.
    """
    command = command.strip()
    if not command or len(command) > COMMAND_LIMIT or not command.isprintable():
        raise ToolInputError(f"`serve` is one line of at most {COMMAND_LIMIT} characters.")
    try:
        parts = urlsplit(page)
        port = parts.port or 0
    except ValueError:
        parts, port = urlsplit(""), 0
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    if not here or not PORTS[0] <= port <= PORTS[1]:
        raise ToolInputError(
            f"With `serve` the page is an address such as http://localhost:8000/, its port {PORTS[0]} to {PORTS[1]}; not {page[:80]!r}."
        )
    server = Server(command=command, folder=folder, port=port)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return server, server.origin + path


def tree_of(folder: Path) -> Tree:
    """Return the files below a folder; links and what git keeps are left out."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not _SKIPPED & set(path.relative_to(folder).parts)
    }


def below(files: Tree, folder: str) -> Tree:
    """Return, of files by workspace path, those below a folder, as `tree_of` does."""
    found = {}
    for name, file in files.items():
        path = PurePosixPath(name)
        if folder in ("", ".") or path.is_relative_to(folder):
            part = path.relative_to(folder or ".")
            if not _SKIPPED & set(part.parts):
                found[part.as_posix()] = file
    return found


@contextlib.contextmanager
def serving(server: Server, tree: Tree) -> Iterator[None]:
    """Have the server run on a copy of its files, gone afterwards with all that it started.

    Raises:
        ToolInputError: there are no files, or too many.
        ToolError: its port is taken, it ended, or took no connection in time; its last words are in the message.
    """
    sizes = [file.stat().st_size for file in tree.values()]
    if not sizes or len(sizes) > FILES_LIMIT or sum(sizes) > BYTES_LIMIT:
        raise ToolInputError(
            f"{server.folder or 'The workspace'} has {len(sizes)} files of {sum(sizes) >> 20} MiB; a server is started from 1 to {FILES_LIMIT:,} files of at most {BYTES_LIMIT >> 20} MiB."
        )
    if _answers(server.port):
        raise ToolError(f"Port {server.port} is taken in this machine; name another.")
    top = Path(mkdtemp(prefix="deskmate-serve-"))
    try:
        _lay(tree, top / "work")
        (top / "home").mkdir()
        with unwatched(), (top / "said").open("wb") as output:
            process = _started(server, top, output.fileno())
            try:
                _await(server, process, top / "said")
                yield
            finally:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                _await_end(server.port)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _lay(tree: Tree, work: Path) -> None:
    work.mkdir()
    for name, file in tree.items():
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = file.read_bytes()
        target.write_bytes(data)
        # rights do not travel to a clean room; programs say what they are
        target.chmod(0o755 if data.startswith(b"#!") else 0o644)


def _started(server: Server, top: Path, output: int) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(top / "home"),
        "TMPDIR": str(top / "home"),
        "PORT": str(server.port),
        "HOST": "127.0.0.1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        ["/bin/sh", "-c", server.command],
        cwd=top / "work",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _await(server: Server, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + START_S
    while not _answers(server.port):
        if process.poll() is not None:
            raise ToolError(
                f"The server ended with code {process.returncode} before it took a connection. {_words(said)}"
            )
        if time.monotonic() > until:
            raise ToolError(
                f"The server took no connection at port {server.port} within {START_S:.0f} s. {_words(said)}"
            )
        time.sleep(0.05)


def _await_end(port: int) -> None:
    """Wait until what the shell had started is gone, too: the next look wants the port."""
    until = time.monotonic() + END_S
    while _answers(port) and time.monotonic() < until:
        time.sleep(0.02)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _words(said: Path) -> str:
    with said.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _SAID))
        last = " ".join(stream.read().decode("utf-8", "replace").split())[-400:]
    return f"It said last: {last}" if last else "It said nothing."
