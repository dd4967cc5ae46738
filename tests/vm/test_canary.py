"""Secrets of the host never reach a machine: looked for from inside and from outside; and no way out exists."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deskmate.host import Host, RunOrder
from deskmate.ports import Delta, ModelReply, ModelRequest, SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, ToolFinished
from deskmate.types.files import Grant
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
_CHUNK = 4 << 20
_OVERLAP = 64

SEARCH = """
pattern=$(python3 -c 'print("{reversed}"[::-1])')-[a-z]+
grep -raoE --devices=skip --exclude-dir=proc "$pattern" / 2>/dev/null
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/cmdline /proc/mounts 2>/dev/null \\
    | tr '\\0' '\\n' | grep -aoE "$pattern"
env | grep -oE "$pattern"
for disk in /dev/vd? /dev/mem /dev/kmsg; do
    timeout 20 dd if=$disk iflag=nonblock 2>/dev/null | grep -aoE "$pattern"
done
echo searched
"""
"""Looks through all that the agent's user may read; the pattern is spelled backwards, so as not to be found itself."""

NETWORK = """
import os, socket
print("interfaces", *sorted(os.listdir("/sys/class/net")))
def attempt(name, call):
    try:
        call()
        print("open", name)
    except OSError as error:
        print("closed", name, type(error).__name__)
for host in ("127.0.0.1", "10.0.2.2", "10.0.2.3", "169.254.169.254", "192.0.2.1", "::1"):
    attempt(host, lambda: socket.create_connection((host, 80), timeout=3).close())
def vsock(cid):
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as stream:
        stream.settimeout(3)
        stream.connect((cid, 1024))
for cid in (0, 1, 2):
    attempt(f"vsock {cid}", lambda: vsock(cid))
attempt("dns", lambda: socket.getaddrinfo("example.com", 443))
attempt("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
"""


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


def quiet(item: Event | Delta) -> None:
    """Show nothing."""


class Watcher(ScriptedModel):
    """A scripted model that looks at the running machine before each of its answers."""

    def __init__(self, lines: list[Line], look: Callable[[int], None]) -> None:
        super().__init__(lines)
        self._look = look

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Look, then answer."""
        for pid in machines_of(os.getpid()):
            self._look(pid)
        return await super().reply(request, on_text)


@dataclass(slots=True)
class Canaries:
    """Secrets that look alike: one pattern finds all. `seen`: kind → where it was found."""

    stem: str = field(default_factory=lambda: "zq" + secrets.token_hex(12))
    seen: dict[str, set[str]] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)

    def make(self, kind: str) -> str:
        """Return the secret of a kind."""
        return f"{self.stem}-{kind}"

    def look(self, where: str, data: bytes) -> None:
        """Note what is in `data`."""
        self.looked_at[where] = self.looked_at.get(where, 0) + len(data)
        for kind in re.findall(re.escape(self.stem.encode()) + rb"-([a-z]+)", data):
            self.seen.setdefault(kind.decode(), set()).add(where)

    def look_at_file(self, where: str, path: Path) -> None:
        """Note what is in a file, holes skipped."""
        with path.open("rb") as file:
            for start, end in extents(file.fileno()):
                for chunk in chunks(file.fileno(), start, end):
                    self.look(where, chunk)

    def look_at_process(self, pid: int) -> None:
        """Note what is in a machine's memory, environment, command line and scratch disk."""
        process = Path(f"/proc/{pid}")
        for name in ("environ", "cmdline"):
            self.look(name, (process / name).read_bytes())
        with (process / "mem").open("rb", buffering=0) as memory:
            for line in (process / "maps").read_text().splitlines():
                span, rights = line.split()[:2]
                start, end = (int(part, 16) for part in span.split("-"))
                if rights.startswith("r"):
                    for chunk in chunks(memory.fileno(), start, end):
                        self.look("memory", chunk)
        for link in (process / "fd").iterdir():
            if "#" in os.readlink(link) or "scratch" in os.readlink(link):  # noqa: PTH115
                self.look_at_file("scratch", link)


def machines_of(parent: int) -> list[int]:
    """Return the process ids of QEMU below a process."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = file.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if name.startswith("qemu") and int(rest.split()[1]) == parent:
            found.append(int(file.parent.name))
    return found


def chunks(fd: int, start: int, end: int) -> Iterator[bytes]:
    """Yield what can be read of a range, in pieces that overlap."""
    while start < end:
        try:
            data = os.pread(fd, min(_CHUNK, end - start), start)
        except OSError:
            return
        if not data:
            return
        yield data
        start += len(data)
        if start < end:
            start -= min(_OVERLAP, len(data) - 1)


def extents(fd: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a file that hold data."""
    size, end = os.fstat(fd).st_size, 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """Plant one secret everywhere, and one in the folder that will be granted."""
    planted = Canaries()
    for name in ("home", "cwd", "shared/docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home/.netrc").write_text(planted.make("home"))
    (tmp_path / "cwd/notes.txt").write_text(planted.make("cwd"))
    (tmp_path / "shared/beside.txt").write_text(planted.make("beside"))
    (tmp_path / "shared/docs/inside.txt").write_text(planted.make("inside") + "\n")
    (tmp_path / "shared/docs/link.txt").symlink_to("../beside.txt")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SOME_TOKEN", planted.make("environ"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", planted.make("key"))
    monkeypatch.chdir(tmp_path / "cwd")
    return planted


async def test_a_secret_of_the_host_is_nowhere_in_a_machine_or_in_the_record(
    sandbox: QemuSandbox, places: Places, canaries: Canaries, tmp_path: Path
) -> None:
    own = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    search = SEARCH.format(reversed=canaries.stem[::-1])
    lines: list[Line] = [
        (("workspace__shell", {"command": "cat docs/inside.txt docs/link.txt | wc -c"}),),
        (("workspace__shell", {"command": search, "timeout_s": 300}),),
        "Done.",
    ]
    model = Watcher(lines, canaries.look_at_process)
    grant = Grant(name="docs", folder=str(tmp_path / "shared/docs"))
    host = Host(own, sandbox=sandbox, model=model)
    order = RunOrder(text="Look around.", grants=(grant,))
    result = await host.run(order, None, observer=quiet, approver=Nobody())
    assert result.reason == "done", result
    async with open_thread(own.threads, result.thread, write=False) as store:
        events = await store.events()
    found = [e.payload.text for e in events if isinstance(e.payload, ToolFinished)][-1]
    assert "searched" in found
    canaries.look("inside the machine", found.encode())
    canaries.look("record", repr(events).encode())
    look_at_record(canaries, own)
    template = await sandbox.template((), lambda line: None)
    for file in (*template.folder.iterdir(), Path(template.layer.disk)):
        canaries.look_at_file("template", file)
    wanted = {"environ", "cmdline", "memory", "scratch", "inside the machine", "record", "template"}
    assert canaries.looked_at.keys() == wanted
    assert canaries.looked_at["memory"] > 100 << 20
    assert canaries.seen.keys() == {"inside"}, canaries.seen
    assert {"memory", "inside the machine", "record"} <= canaries.seen["inside"]
    assert not canaries.seen["inside"] & {"environ", "cmdline", "template"}


def look_at_record(canaries: Canaries, places: Places) -> None:
    """Look through the thread's files, and through the blobs as they read."""
    blobs = BlobStore(places.blobs)
    for path in places.data.rglob("*"):
        if path.suffix == ".zst":
            canaries.look("record", blobs.read(Digest(path.stem)))
        elif path.is_file():
            canaries.look_at_file("record", path)


async def test_there_is_no_way_out_of_a_machine(sandbox: QemuSandbox) -> None:
    spec = SandboxSpec(thread=ThreadId("t-network"), plugins=())
    async with sandbox.open(spec, lambda line: None) as machine:
        outcome = await machine.call(
            "workspace__python",
            {"code": NETWORK},
            key="k",
            timeout_s=120,
            on_progress=lambda line: None,
        )
    assert isinstance(outcome.structured, dict), outcome.text
    said = str(outcome.structured["output"]).splitlines()
    assert said[0] in ("interfaces lo", "interfaces")
    assert len(said) == 12
    assert [line for line in said[1:] if not line.startswith("closed ")] == []
