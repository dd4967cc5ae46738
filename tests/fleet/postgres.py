"""Debian's PostgreSQL for tests: a server of its own on a free port of 127.0.0.1, under a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",  # these tests kill processes, not power
    "unix_socket_directories": "",
    "log_min_messages": "fatal",
}


def program(name: str) -> str:
    """Return a program of the newest PostgreSQL here. A machine without one fails the test: `make setup` brings it."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, "PostgreSQL is not installed: make setup"
    return str(found[-1])


class PostgresServer:
    """One server; `start` and `stop_hard` may follow each other."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self._folder, self.address = folder, address
        self._owner = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def make(self) -> None:
        os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._run(
            "initdb",
            "-D",
            "data",
            "-A",
            "trust",
            "-U",
            "deskmate",
            "-N",
            "--no-instructions",
            "--locale=C.UTF-8",
            "-E",
            "UTF8",
        )

    def start(self) -> None:
        settings = {**_SETTINGS, "listen_addresses": self.address}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", "data", "-p", str(self.port), *given],
                stdout=subprocess.DEVNULL,
                stderr=log,
                **self._as_owner(),
            )
        deadline = time.monotonic() + 60
        while subprocess.call(
            [program("pg_isready"), "-q", "-h", self.address, "-p", str(self.port)]
        ):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)

    def stop_hard(self) -> None:
        """Stop it at once, as a crash of the server would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None

    def new_database(self) -> str:
        """Return the address of a database that is new and empty."""
        name = f"d{os.urandom(6).hex()}"
        self._run("createdb", "-h", self.address, "-p", str(self.port), "-U", "deskmate", name)
        return f"postgresql://deskmate@{self.address}:{self.port}/{name}"

    def _run(self, name: str, *words: str) -> None:
        done = subprocess.run(
            [program(name), *words],
            capture_output=True,
            timeout=120,
            check=False,
            **self._as_owner(),
        )
        assert done.returncode == 0, done.stderr.decode()

    def _as_owner(self) -> dict[str, Any]:
        own: dict[str, Any] = {"cwd": self._folder}
        if os.getuid() == 0:
            own |= {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return own


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="deskmate-postgres-"))
    server = PostgresServer(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop_hard()
        shutil.rmtree(folder, ignore_errors=True)
