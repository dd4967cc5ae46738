"""Random work on random trees: what the guest hands over equals what the same commands do elsewhere."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Difference, Entry, Grant
from deskmate.types.ids import Digest, ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio]
_SPEC = SandboxSpec(
    thread=ThreadId("t-files"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
)
_NAMES = ["a", "b.txt", "c d", "ü.md", "n" * 120, "-rf", "x'y"]


def _seed(root: Path, chance: random.Random) -> None:
    for _ in range(25):
        folder = root / "/".join(chance.choices("pqr", k=chance.randint(0, 3)))
        folder.mkdir(parents=True, exist_ok=True)
        name = folder / chance.choice(_NAMES)
        if not name.exists():
            name.write_bytes(chance.randbytes(chance.choice([0, 3, 700, 20_000])))
            name.chmod(0o644)
    (root / "p").mkdir(exist_ok=True)
    if not (root / "p/link").exists():
        (root / "p/link").symlink_to("../a")


def _script(chance: random.Random) -> str:
    def path() -> str:
        parts = [*chance.choices("pqr", k=chance.randint(0, 3)), chance.choice(_NAMES)]
        return "'./" + "/".join(parts).replace("'", "'\\''") + "'"

    lines = []
    for _ in range(60):
        one, other = path(), path()
        text = str(chance.random())
        lines.append(
            chance.choice(
                [
                    f"echo {text} > {one}",
                    f"echo {text} >> {one}",
                    f"rm -rf {one}",
                    f"rm -rf ./{chance.choice('pqr')}",
                    f"mkdir -p {one}",
                    f"mv -T {one} {other}",
                    f"cp -rT {one} {other}",
                    f"ln -sfn {text} {one}",
                    f"cp {one} {one}.tmp && mv {one}.tmp {one}",
                    f"[ -f {one} ] && chmod 755 {one}",
                    f"rm -rf ./p; mkdir -p ./p/q; echo {text} > ./p/q/new",
                ]
            )
        )
    return "\n".join(lines) + "\ntrue\n"


def _walk(root: Path, blobs: MemoryBlobs) -> dict[str, Entry]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            real = Path(folder) / name
            path = "docs/" + real.relative_to(root).as_posix()
            if real.is_symlink():
                entry = Entry(path=path, kind="symlink", mode=0o777, target=str(real.readlink()))
            elif real.is_dir():
                entry = Entry(path=path, kind="dir", mode=0o755)
            else:
                content = real.read_bytes()
                digest = blobs.put(content)
                mode = real.stat().st_mode & 0o777
                size = len(content)
                entry = Entry(path=path, kind="file", mode=mode, size=size, sha256=digest)
            found[path] = entry
    return found


def _facts(entries: dict[str, Entry]) -> dict[str, tuple[str, Digest | None, str, bool]]:
    return {
        path: (e.kind, e.sha256, e.target, e.kind == "file" and bool(e.mode & 0o100))
        for path, e in entries.items()
    }


def _applied(base: dict[str, Entry], difference: Difference) -> dict[str, Entry]:
    result = dict(base)
    for change in difference.changes:
        assert change.before == base.get(change.path)
        result.pop(change.path, None)
        if change.after is not None:
            result[change.path] = change.after
    return result


@pytest.mark.parametrize("seed", range(4))
async def test_the_difference_is_the_truth_and_survives_a_checkpoint(
    seed: int, sandbox: QemuSandbox, blobs: MemoryBlobs, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    _seed(tmp_path, chance)
    base = _walk(tmp_path, blobs)
    script = _script(chance)
    async with sandbox.open(_SPEC, lambda line: None) as machine:
        await machine.put_base(tuple(base.values()), blobs, lambda line: None)
        arguments = {"command": f"cd /workspace/docs && {{ {script} }} 2>/dev/null"}
        outcome = await machine.call(
            "workspace__shell", arguments, key="k", timeout_s=90, on_progress=lambda line: None
        )
        assert not outcome.is_error, outcome.text
        difference, home = await machine.difference(tuple(base.values()), blobs)
    subprocess.run(["/bin/bash", "-c", script], cwd=tmp_path, capture_output=True, timeout=60)
    truth = _walk(tmp_path, MemoryBlobs())
    assert difference.refused == {}
    assert _facts(_applied(base, difference)) == _facts(truth)
    for change in difference.changes:
        if change.after is not None and change.after.sha256 is not None:
            content = blobs.read(change.after.sha256)
            assert hashlib.sha256(content).hexdigest() == change.after.sha256
            assert len(content) == change.after.size
    async with sandbox.open(_SPEC, lambda line: None) as second:
        await second.put_base(tuple(base.values()), blobs, lambda line: None)
        await second.put_checkpoint(difference, home, blobs)
        again, _ = await second.difference(tuple(base.values()), blobs)
    assert _facts(_applied(base, again)) == _facts(truth)
