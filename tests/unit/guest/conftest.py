"""A guest as a process of this machine, and plugins to load into it."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import pytest

from deskmate.protocol.client import GuestClient, PutKind, connect_guest
from deskmate.sandbox.channel import Channel
from deskmate.types.files import Grant

SOURCES = Path(__file__).parents[3] / "core" / "src"
HOST_GUEST = Path(__file__).with_name("host_guest.py")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class RunningGuest:
    """A guest with its client; `bulk` is the host's end of that port."""

    root: Path
    client: GuestClient
    bulk: Channel
    process: subprocess.Popen[bytes]

    async def put(
        self, what: PutKind, files: Mapping[str, bytes | str], delete: Sequence[str] = ()
    ) -> int:
        data = make_tar(files, shared=what == "base")
        counts: list[int] = []

        async def ask() -> None:
            counts.append(await self.client.put(what, len(data), delete=delete, timeout_s=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await self.bulk.send(data)
        return counts[0]

    async def receive(self, size: int) -> bytes:
        data = b""
        with anyio.fail_after(30):
            while len(data) < size:
                data += await self.bulk.receive(size - len(data))
        return data

    async def difference(self) -> dict[str, Any]:
        size = await self.client.difference(30)
        found: dict[str, Any] = json.loads(await self.receive(size))
        return found

    async def call(self, tool: str, key: str = "", timeout_s: float = 30, **arguments: Any) -> Any:
        key = key or os.urandom(8).hex()
        return await self.client.call(
            tool, arguments, key=key, timeout_s=timeout_s, on_progress=lambda line: None
        )

    async def open(self, *modes: str) -> None:
        names = {"rw": "docs", "ro": "shelf"}
        grants = [Grant(name=names[mode], folder="/x", mode=mode) for mode in modes]  # type: ignore[arg-type]
        await self.client.open(grants, {}, "t-test")


def make_tar(files: Mapping[str, bytes | str], *, shared: bool = False) -> bytes:
    """Bytes are a file, text ending in `/` in the name a folder, other text a link's target.

    `shared`: the group may do what the owner may, as the host sends a base.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.mtime, info.uid, info.gid = 0o644, 1_700_000_000, 1000, 3000
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o775 if shared else 0o755
                tar.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                info.mode = 0o755 if name.endswith(".sh") else 0o640 if "private" in name else 0o644
                info.mode |= (info.mode & 0o700) >> 3 if shared else 0
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write_plugin(
    root: Path, name: str, code: str, manifest: str = "", disk: str = "layer"
) -> dict[str, Any]:
    """Write a plugin into the layer, or the disk of later ones; returns its row of lock.json."""
    package = f"acme_{name}"
    folder = root / disk / "plugins" / name / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(dedent(code))
    (folder / "plugin.toml").write_text(dedent(manifest))
    place = f"plugins/{name}"
    return {"name": name, "package": package, "version": "1", "order": 100, "root": place}


WORKSPACE = {
    "name": "workspace",
    "package": "deskmate_guest.workspace",
    "version": "1",
    "order": 0,
    "root": "lib",
}


def python_for_everybody() -> str | None:
    """A Python of our version that another user may run too; the venv's own may lie in /root."""
    for candidate in (Path(sys.executable).resolve(), Path("/usr/bin/python3").resolve()):
        readable = all(parent.stat().st_mode & 0o005 == 0o005 for parent in candidate.parents)
        if (
            readable
            and f"python{sys.version_info.major}.{sys.version_info.minor}" in candidate.name
        ):
            return str(candidate)
    return None


StartGuest = Callable[..., AbstractAsyncContextManager[RunningGuest]]


@pytest.fixture
def start_guest(public_tmp_path: Path) -> StartGuest:
    """`start_guest(rows, real=False)`: run a guest with these plugins. `first_id` below nought: not frozen yet."""
    tmp_path = public_tmp_path  # a plugin's process has a user of its own

    @asynccontextmanager
    async def start(
        *rows: dict[str, Any], real: bool = False, first_id: int = 1
    ) -> AsyncIterator[RunningGuest]:
        layer = tmp_path / "layer"
        layer.mkdir(exist_ok=True)
        (layer / "lib").symlink_to(SOURCES)
        (layer / "lock.json").write_text(
            json.dumps({"lock": "0" * 64, "code": "c" * 64, "plugins": list(rows)})
        )
        agent, theirs = socket.socketpair()
        bulk, their_bulk = socket.socketpair()
        python = python_for_everybody() if real else sys.executable
        command = [str(python), str(HOST_GUEST), str(tmp_path)]
        command += [str(theirs.fileno()), str(their_bulk.fileno()), "real" if real else "plain"]
        environment = dict(os.environ)
        if real:
            environment["PYTHONPATH"] = os.pathsep.join(sys.path)
            command = ["unshare", "--mount", "--propagation", "private", *command]
        fds = [theirs.fileno(), their_bulk.fileno()]
        process = subprocess.Popen(command, pass_fds=fds, env=environment)
        theirs.close()
        their_bulk.close()
        try:
            async with Channel(bulk) as bulk_stream, connect_guest(Channel(agent)) as client:
                await client.wait_ready(60)
                client.number_from(first_id)
                if first_id > 0:  # why a plugin is missing, if it is: shown when the test fails
                    print("problems at the start:", (await client.registry()).problems)
                yield RunningGuest(tmp_path, client, bulk_stream, process)
        finally:
            process.kill()
            process.wait(10)

    return start


@pytest.fixture
def start_real_guest(start_guest: StartGuest) -> StartGuest:
    """The same with overlay and users, in a mount namespace of its own."""
    if os.geteuid() != 0 or "overlay" not in Path("/proc/filesystems").read_text():
        pytest.skip("mounts an overlay: needs root and the overlay file system")
    if python_for_everybody() is None:
        pytest.skip("there is no Python of this version that other users may run")
    return partial(start_guest, real=True)


@pytest.fixture
def workspace_row() -> dict[str, Any]:
    return dict(WORKSPACE)


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`plugin(name, code, manifest)`: write a plugin; returns its row of lock.json."""
    return partial(write_plugin, tmp_path)
