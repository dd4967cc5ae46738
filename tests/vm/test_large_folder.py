"""A large folder in a real machine: every byte arrives, and work on it is told as it was done."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
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
from deskmate.types.files import Entry, Grant
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
        return Taken(entries=taken.entries, lost=taken.lost)

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
