"""Figures of a large folder on this machine, all from one run: listing, first answer, full copy-in."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from deskmate.agent.supply import Supplier
from deskmate.agent.world import Taken
from deskmate.changes.content import take_content
from deskmate.changes.digests import Digests
from deskmate.changes.scan import list_base
from deskmate.errors import DeskmateError
from deskmate.ports import Machine, Progress, Sandbox, SandboxSpec
from deskmate.store.blobs import BlobStore, make_folder
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId

FIRST_TARGET_S = 2.0
RATIO_TARGET = 5.0
_CALL_S = 120.0
_FOLDERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFigures:
    """What was measured, in seconds, over a folder of `files` files and `size_mib`.

    `list_s`: names, sizes and times on the host. `glob_s`, `read_s`: from a machine that is up to the
    first listing that a tool gives, and to the content of one file. `full_copy_s`: everything, into blobs
    and machine. `again_s`: everything into a new machine, nothing read anew. `tar_s`: `tar` of the same
    into a file, the median of three. `copy_ratio`: `full_copy_s` by `tar_s`.
    """

    files: int
    size_mib: int
    list_s: float
    list_again_s: float
    glob_s: float
    read_s: float
    full_copy_s: float
    again_s: float
    tar_s: float
    copy_ratio: float
    targets_met: bool


async def bench_files(
    sandbox: Sandbox, data: Path, progress: Progress, *, files: int = 10_000, size_mib: int = 1024
) -> FileFigures:
    """Measure in a folder of its own below `data`, which is removed. Raises SandboxMissing and such."""
    await anyio.to_thread.run_sync(make_folder, data)
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=data))
    try:
        progress(f"making {files:,} files, {size_mib:,} MiB")
        await anyio.to_thread.run_sync(make_files, folder / "docs", files, size_mib << 20)
        return await _measure(sandbox, folder, progress, files=files, size_mib=size_mib)
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder)


def make_files(folder: Path, count: int, size: int) -> None:
    """Make files of equal size, a quarter of them text and the rest as dense as PDFs and pictures."""
    chance = random.Random(1)  # noqa: S311 - the same files every time
    words = [f"{chance.getrandbits(20):x}" for _ in range(5000)]
    text = " ".join(chance.choices(words, k=100_000)).encode()
    each = max(16, size // count)
    for number in range(count):
        place = folder / f"part-{number % _FOLDERS:03}"
        place.mkdir(parents=True, exist_ok=True)
        head = b"%012d\n" % number
        if number % 4:
            (place / f"{number:06}.pdf").write_bytes(head + chance.randbytes(each - len(head)))
        else:
            start = chance.randrange(len(text) // 2)
            body = (text[start:] * (each // len(text) + 2))[: each - len(head)]
            (place / f"{number:06}.txt").write_bytes(head + body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    grant: Grant
    blobs: BlobStore
    digests: Digests

    def listed(self) -> tuple[Entry, ...]:
        return list_base((self.grant,), digests=self.digests, blobs=self.blobs).entries

    def take(self, wanted: Sequence[Entry]) -> Taken:
        with self.blobs.batch() as batch:
            taken = take_content((self.grant,), wanted, batch, digests=self.digests)
        return Taken(entries=taken.entries, lost=taken.lost, held=batch.held)


async def _measure(
    sandbox: Sandbox, folder: Path, progress: Progress, *, files: int, size_mib: int
) -> FileFigures:
    desk = _Desk(
        grant=Grant(name="docs", folder=str(folder / "docs"), mode="ro"),
        blobs=BlobStore(folder / "blobs"),
        digests=Digests(folder / "digests.sqlite"),
    )
    progress("tar")
    times = [await anyio.to_thread.run_sync(_tar, folder) for _ in range(3)]
    tar = sorted(times)[1]
    progress("listing")
    began = time.monotonic()
    entries = await anyio.to_thread.run_sync(desk.listed)
    listing = time.monotonic() - began
    progress("first answers and full copy-in")
    glob, read, copy_in = await _first_machine(sandbox, desk, entries, progress)
    began = time.monotonic()
    known = await anyio.to_thread.run_sync(desk.listed)
    listing_again = time.monotonic() - began
    progress("the same into a new machine")
    again = await _second_machine(sandbox, desk, known, progress)
    ratio = copy_in / tar
    return FileFigures(
        files=files,
        size_mib=size_mib,
        list_s=round(listing, 3),
        list_again_s=round(listing_again, 3),
        glob_s=round(glob, 3),
        read_s=round(read, 3),
        full_copy_s=round(copy_in, 2),
        again_s=round(again, 2),
        tar_s=round(tar, 2),
        copy_ratio=round(ratio, 2),
        targets_met=glob <= FIRST_TARGET_S and read <= FIRST_TARGET_S and ratio <= RATIO_TARGET,
    )


async def _first_machine(
    sandbox: Sandbox, desk: _Desk, entries: Sequence[Entry], progress: Progress
) -> tuple[float, float, float]:
    """Return seconds to a listing, to one file's content, and of everything else."""
    spec = SandboxSpec(thread=ThreadId("t-bench"), plugins=(), grants=(desk.grant,))
    supplier = Supplier(take_content=desk.take, blobs=desk.blobs, progress=progress)
    one, *rest = [entry for entry in entries if entry.kind == "file"]
    async with sandbox.open(spec, progress) as machine:
        began = time.monotonic()
        await machine.put_base(entries, desk.blobs, progress)
        await _call(machine, "glob", {"pattern": "docs/part-00*/*"})
        glob = time.monotonic() - began
        began = time.monotonic()
        await supplier.bring(machine, [one])
        await _call(machine, "shell", {"command": f"head -c 10 /workspace/{one.path}"})
        read = time.monotonic() - began
        began = time.monotonic()
        await supplier.bring(machine, rest)
        await _call(machine, "shell", {"command": "ls /workspace/docs"})
        return glob, read, time.monotonic() - began


async def _second_machine(
    sandbox: Sandbox, desk: _Desk, known: Sequence[Entry], progress: Progress
) -> float:
    """Return seconds of bringing everything, as known, into a machine that lacks all of it."""
    spec = SandboxSpec(thread=ThreadId("t-bench"), plugins=(), grants=(desk.grant,))
    supplier = Supplier(take_content=desk.take, blobs=desk.blobs, progress=progress)
    async with sandbox.open(spec, progress) as machine:
        listed = [replace(entry, sha256=None) for entry in known]
        await machine.put_base(listed, desk.blobs, progress)
        began = time.monotonic()
        await supplier.bring(machine, [entry for entry in known if entry.kind == "file"])
        await _call(machine, "shell", {"command": "ls /workspace/docs"})
        return time.monotonic() - began


async def _call(machine: Machine, tool: str, arguments: dict[str, str]) -> None:
    outcome = await machine.call(
        f"workspace__{tool}",
        arguments,
        key=os.urandom(8).hex(),
        timeout_s=_CALL_S,
        on_progress=lambda line: None,
    )
    if outcome.is_error:
        raise DeskmateError(f"The measurement failed: {outcome.text}")


def _tar(folder: Path) -> float:
    """Return seconds that `tar` takes for the same folder; into a file, or it would read nothing."""
    began = time.monotonic()
    subprocess.run(["tar", "-cf", folder / "out.tar", "-C", folder, "docs"], check=True)
    took = time.monotonic() - began
    (folder / "out.tar").unlink()
    return took
