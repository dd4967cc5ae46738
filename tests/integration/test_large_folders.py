"""A folder of many files: listed at once, read where needed, applied and read again through the whole house."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from deskmate.host import Host, RunOrder
from deskmate.ports import Delta
from deskmate.store.blobs import BlobStore
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, ToolFinished
from deskmate.types.files import Grant
from deskmate.types.ids import Digest
from deskmate.types.places import Places

pytestmark = pytest.mark.anyio
COUNT = 400


def quiet(item: Event | Delta) -> None:
    """Show nothing."""


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


def make_folder(root: Path) -> Path:
    work = root / "work"
    for number in range(COUNT):
        real = work / f"{number % 5}" / f"{number:03}.txt"
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(f"text {number}\n")
        os.utime(real, (1_700_000_000, 1_700_000_000))
    return work


async def run(root: Path, *lines: Line) -> list[ToolFinished]:
    """Run a script over the folder in a thread of its own, changes applied; return the tools' results."""
    seen: list[ToolFinished] = []

    def note(item: Event | Delta) -> None:
        if isinstance(item, Event) and isinstance(item.payload, ToolFinished):
            seen.append(item.payload)

    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    model = ScriptedModel([*lines, "Done."])
    host = Host(places, sandbox=FakeSandbox({"proof": FakePlugin()}), model=model)
    order = RunOrder(
        text="Do it.", grants=(Grant(name="work", folder=str(root / "work")),), apply="all"
    )
    result = await host.run(order, await host.create_thread("T"), observer=note, approver=Nobody())
    assert result.reason == "done"
    return seen


def is_kept(root: Path, content: bytes) -> bool:
    """Say whether the content is among the blobs."""
    blobs = BlobStore(root / "data" / "blobs")
    return blobs.has(Digest(hashlib.sha256(content).hexdigest()))


async def test_only_what_is_named_is_read_and_changes_are_applied(tmp_path: Path) -> None:
    work = make_folder(tmp_path)
    done = await run(
        tmp_path,
        (("workspace__glob", {"pattern": "work/*"}),),
        (("workspace__read", {"path": "work/1/001.txt"}),),
        (("workspace__write", {"path": "work/2/002.txt", "content": "changed\n"}),),
    )
    assert [item.outcome for item in done] == ["ok"] * 3
    assert "text 1\n" in done[1].text.encode().decode("unicode_escape")
    assert (work / "2" / "002.txt").read_text() == "changed\n"
    assert len(list(work.rglob("*.txt"))) == COUNT
    assert is_kept(tmp_path, b"text 1\n")
    assert is_kept(tmp_path, b"text 2\n")  # the original, for an undo
    assert not is_kept(tmp_path, b"text 3\n")


async def test_a_program_has_every_file(tmp_path: Path) -> None:
    work = make_folder(tmp_path)
    done = await run(
        tmp_path, (("workspace__shell", {"command": "mv work/0/000.txt work/moved.txt"}),)
    )
    assert [item.outcome for item in done] == ["ok"]
    assert (work / "moved.txt").read_text() == "text 0\n"
    assert (work / "0" / "000.txt").exists()  # a deletion waits for the person
    assert len(list(work.rglob("*.txt"))) == COUNT + 1
    assert all(is_kept(tmp_path, f"text {number}\n".encode()) for number in range(COUNT))
