"""A large folder in a real machine: every byte arrives, and work on it is told as it was done."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deskmate.agent.supply import Supplier
from deskmate.agent.world import Taken
from deskmate.changes.content import take_content
from deskmate.changes.scan import list_base
from deskmate.host.bench_files import make_files
from deskmate.ports import SandboxSpec, ToolOutcome
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.store.blobs import BlobStore
from deskmate.types.files import Change, Entry, Grant
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]

# each on its own files: what `ls` of the first parts shows
WORK = """
rm part-000/000000.txt
mv part-001/000001.pdf part-001/moved.pdf
truncate -s 5 part-002/000002.pdf
chmod +x part-003/000003.pdf
python3 -c "import os; os.truncate('part-004/000004.txt', 7)"
mv part-005 elsewhere
rm -r part-006
cp part-007/000007.pdf part-007/copy && mv part-007/copy part-007/000007.pdf
"""


async def _call(machine: QemuMachine, tool: str, key: str, **arguments: object) -> ToolOutcome:
    outcome = await machine.call(
        f"workspace__{tool}", arguments, key=key, timeout_s=500, on_progress=lambda line: None
    )
    assert not outcome.is_error, outcome.text
    return outcome


def _facts(root: Path) -> dict[str, str]:
    """Return path → digest and whether it runs, of every file."""
    return {
        "docs/" + path.relative_to(root).as_posix(): _fact(path.read_bytes(), path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file()
    }


def _fact(content: bytes, mode: int) -> str:
    return f"{hashlib.sha256(content).hexdigest()} {bool(mode & 0o100)}"


@pytest.mark.parametrize(
    ("files", "mib"),
    [
        (300, 20),
        pytest.param(10_000, 1024, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
async def test_all_of_a_large_folder_arrives_and_changes_are_the_truth(
    files: int, mib: int, sandbox: QemuSandbox, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    make_files(folder, files, mib << 20)
    grant = Grant(name="docs", folder=str(folder), mode="rw")
    blobs = BlobStore(tmp_path / "blobs")

    def take(wanted: Sequence[Entry]) -> Taken:
        with blobs.batch() as batch:
            taken = take_content((grant,), wanted, batch)
        return Taken(entries=taken.entries, lost=taken.lost, held=batch.held)

    supplier = Supplier(take_content=take, blobs=blobs, progress=lambda line: None)
    listed = list_base((grant,)).entries
    base = {entry.path: entry for entry in listed}
    spec = SandboxSpec(thread=ThreadId("t-large"), plugins=(), grants=(grant,))
    async with sandbox.open(spec, lambda line: None) as machine:
        await machine.put_base(listed, blobs, lambda line: None)
        names = await _call(machine, "glob", "k1", pattern="docs/part-00[0-9]*/*")
        assert '"files":[]' in names.text  # brackets are plain characters
        names = await _call(machine, "glob", "k2", pattern="docs/part-002/*")
        assert "docs/part-002/000002.pdf" in names.text
        nothing, _ = await machine.difference(listed, blobs)
        assert nothing.changes == ()
        one = "docs/part-004/000004.txt"
        first = await supplier.bring(machine, [base[one]])
        text = await _call(machine, "read", "k3", path=one, limit=1)
        assert "000000000004" in text.text
        rest = [entry for entry in listed if entry.kind == "file" and entry.path != one]
        everything = await supplier.bring(machine, rest)
        assert everything.lost == {}
        base |= {entry.path: entry for entry in (*first.entries, *everything.entries)}
        command = (
            "cd /workspace && find docs -type f -print0 | xargs -0 sha256sum | sort | sha256sum"
        )
        there = await _call(machine, "shell", "k4", command=command, timeout_s=500)
        before = _facts(folder)
        lines = sorted(f"{fact.split()[0]}  {path}\n" for path, fact in before.items())
        assert hashlib.sha256("".join(lines).encode()).hexdigest() in there.text
        await _call(machine, "shell", "k5", command=f"cd /workspace/docs; {WORK}")
        difference, _ = await machine.difference(tuple(base.values()), blobs)
    assert difference.refused == {}
    subprocess.run(["/bin/bash", "-c", WORK], cwd=folder, check=True)
    after = dict(before)
    for change in difference.changes:
        after.pop(change.path, None)
        if change.after is not None and change.after.sha256 is not None:
            runs = bool(change.after.mode & 0o100)
            after[change.path] = f"{change.after.sha256} {runs}"
    assert after == _facts(folder)


def _known(blobs: BlobStore, grant: str, count: int) -> tuple[Entry, ...]:
    entries = [
        Entry(path=f"{grant}/sub", kind="dir", mode=0o755, mtime_ns=1_600_000_000_000_000_000)
    ]
    for number in range(count):
        content = f"{grant} {number}\n".encode() * number
        path = f"{grant}/{'sub/' if number % 2 else ''}{number:03}.txt"
        entries.append(
            Entry(
                path=path,
                kind="file",
                mode=0o644,
                size=len(content),
                sha256=blobs.put(content),
                mtime_ns=1_500_000_000_987_654_321,
            )
        )
    return tuple(sorted(entries, key=lambda entry: entry.path))


# whole seconds: what is unpacked has no finer times
LOOK = r"""
cd /workspace
find . -type f -printf '%P %m %U:%G %Ts\n' | sort | sha256sum
find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
touch shelf/new shelf/sub/001.txt 2>&1 | grep -c 'Read-only file system'
stat -c '%a %Y' docs/sub shelf/sub
"""


async def test_images_and_unpacked_files_are_one_base_and_the_next_machine_goes_on(
    sandbox: QemuSandbox, tmp_path: Path
) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    grants = (
        Grant(name="docs", folder=str(tmp_path), mode="rw"),
        Grant(name="shelf", folder=str(tmp_path), mode="ro"),
    )
    spec = SandboxSpec(thread=ThreadId("t-two"), plugins=(), grants=grants)
    base = (*_known(blobs, "docs", 90), *_known(blobs, "shelf", 90))
    files = [entry for entry in base if entry.kind == "file"]
    listed = [replace(e, sha256=None) if e.kind == "file" else e for e in base]

    def quiet(line: str) -> None:
        pass

    async with sandbox.open(spec, quiet) as first:
        await first.put_base(listed, blobs, quiet)
        await first.put_content(files[:3], (), blobs, quiet)  # unpacked
        held = await _call(first, "shell", "k0", command="sleep 300 < docs/sub/001.txt & echo up")
        assert "up" in held.text
        await first.put_content(files[3:100], (), blobs, quiet)  # an image
        await first.put_content(files[100:101], (), blobs, quiet)  # unpacked again
        await first.put_content(files[101:], (), blobs, quiet)  # another image
        seen = await _call(first, "shell", "k1", command=LOOK)
        nothing, _ = await first.difference(base, blobs)
        assert nothing.changes == ()
        work = "cd docs; rm 000.txt; mv sub renamed; echo more >> 002.txt; chmod +x 004.txt; rm 008.txt; mkdir 008.txt"
        await _call(first, "shell", "k2", command=work)
        changes, home = await first.difference(base, blobs)
    async with sandbox.open(spec, quiet) as second:
        await second.put_base(base, blobs, quiet)  # all of it known: one image
        again = await _call(second, "shell", "k1", command=LOOK)
        assert again.text == seen.text
        await second.put_checkpoint(changes, home, blobs)
        told, _ = await second.difference(base, blobs)
    assert told.refused == changes.refused == {}
    assert [_without_time(one) for one in told.changes] == [
        _without_time(one) for one in changes.changes
    ]
    kinds = {one.path: one.operation for one in changes.changes}
    assert {
        path: kinds[f"docs/{path}"] for path in ("000.txt", "002.txt", "004.txt", "008.txt")
    } == {
        "000.txt": "delete",
        "002.txt": "modify",
        "004.txt": "mode",
        "008.txt": "modify",
    }
    moved = {path.rpartition("/")[2] for path, kind in kinds.items() if "renamed/" in path}
    assert moved == {f"{number:03}.txt" for number in range(1, 90, 2)}
    assert not any(path.startswith("shelf") for path in kinds)
    assert seen.structured is not None
    lines = str(seen.structured["output"]).splitlines()
    assert "2" in lines
    assert sum("775 1600000000" in line for line in lines) == 2


def _without_time(change: Change) -> Change:
    after = replace(change.after, mtime_ns=0) if change.after else None
    return replace(change, after=after)
