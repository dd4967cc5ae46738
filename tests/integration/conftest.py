"""The command line as its users start it, and a model's server that misbehaves on request."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import pytest

NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "DESKMATE_MODEL_URL", "DESKMATE_MODEL")
Done = subprocess.CompletedProcess[str]


class Command(Protocol):
    """`deskmate` in a process of its own."""

    def __call__(self, *arguments: str | Path, **environ: str) -> Done: ...


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """DESKMATE_HOME of this test only: no image, so tools are off and no machine starts."""
    (tmp_path / "home/config").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def clean_environ(home: Path) -> dict[str, str]:
    """The environment of a user who has set nothing but where Deskmate lives."""
    environ = {name: value for name, value in os.environ.items() if name not in NAMES}
    return {**environ, "DESKMATE_HOME": str(home), "NO_PROXY": "*", "PATH": str(home / "nothing")}


@pytest.fixture
def deskmate(clean_environ: dict[str, str], tmp_path: Path) -> Command:
    """Run a command to its end; what it did not answer in two minutes is a failure."""

    def run(*arguments: str | Path, **environ: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "deskmate", *map(str, arguments)],
            env={**clean_environ, **environ},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A user's folder; after the test it must be what it was."""
    work = tmp_path / "contracts"
    (work / "sub").mkdir(parents=True)
    (work / "note.txt").write_text("Between us.\n")
    (work / "sub/b.bin").write_bytes(bytes(range(256)))
    before = digests(work)
    yield work
    assert digests(work) == before


def digests(folder: Path) -> Mapping[str, tuple[int, int, str]]:
    """Return path → mode, time of change, digest of every file and folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = status.st_mode, status.st_mtime_ns, hashlib.sha256(content).hexdigest()
    return found


@dataclass(slots=True, kw_only=True)
class Server:
    """A loopback server that answers every request in the same way."""

    url: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    requests: int = 0


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Start such a server: `body` is sent as it is, then the connection is closed; status 0 waits."""
    running: list[ThreadingHTTPServer] = []
    over = threading.Event()

    def start(status: int, body: str, headers: Mapping[str, str] | None = None) -> Server:
        answer = Server(status=status, body=body.encode(), headers=headers or {})

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer.requests += 1
                self.rfile.read(int(self.headers.get("content-length", "0")))
                if not answer.status:
                    over.wait(60)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:
                """Stay quiet."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(httpd)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        answer.url = f"http://127.0.0.1:{httpd.server_port}"
        return answer

    yield start
    over.set()
    for httpd in running:
        httpd.shutdown()
        httpd.server_close()
