"""What a connector's program keeps: back in its next machine, its own alone, held by one run, bounded; copies never come back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.fake_program import program_entry

from deskmate.errors import ToolError
from deskmate.host import kept
from deskmate.host.adapters import Adapters
from deskmate.host.kept import files_of, forget_kept, grants_of, kept_folder, placed
from deskmate.ports import SandboxSpec
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin, FakeSandbox
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


def entry_of(tmp_path: Path, **more: Any) -> ConnectorEntry:
    entry = program_entry(tmp_path / "program")
    assert entry.program is not None
    return replace(entry, program=replace(entry.program, **more))


def write(tree: Any, arguments: Any) -> str:
    tree.write(arguments["path"], arguments["text"].encode())
    return "written"


def delete(tree: Any, arguments: Any) -> str:
    tree.remove(arguments["path"])
    return "gone"


def read(tree: Any, arguments: Any) -> str:
    return str(tree.read(arguments["path"]).decode())


@asynccontextmanager
async def machine_of(places: Places, entry: ConnectorEntry) -> AsyncIterator[Any]:
    """Yield a machine with a program's files, and what keeps them."""
    tools = {
        f"p__{work.__name__}": (
            ToolSpec(
                plugin="p", name=f"p__{work.__name__}", title="", description="", input_schema={}, risk="write"
            ),
            work,
        )
        for work in (write, delete, read)
    }  # fmt: skip
    sandbox = FakeSandbox({"p": FakePlugin(tools=tools)})
    assert entry.program is not None
    spec = SandboxSpec(thread=ThreadId("c-p"), plugins=("p",), grants=grants_of(entry.program))
    with files_of(places, entry) as files:
        assert files is not None
        async with sandbox.open(spec, lambda line: None) as machine:
            await files.lay(machine, Adapters(places, environ={}), lambda line: None)
            yield machine, files


async def call(machine: FakeMachine, tool: str, **arguments: Any) -> str:
    key = f"{tool} {arguments}"
    outcome = await machine.call(
        f"p__{tool}", arguments, key=key, timeout_s=5, on_progress=lambda line: None
    )
    return outcome.text


async def test_what_a_call_left_is_there_in_the_next_machine_until_it_is_deleted(
    places: Places, tmp_path: Path
) -> None:
    entry = entry_of(tmp_path, keeps=True)
    async with machine_of(places, entry) as (machine, files):
        await call(machine, "write", path="kept/notes.db", text="one")
        await files.keep(machine)
        await call(machine, "write", path="kept/later.db", text="never settled")
    async with machine_of(places, entry) as (machine, files):
        assert "one" in await call(machine, "read", path="kept/notes.db")
        assert "never" not in await call(machine, "read", path="kept/later.db")
        await call(machine, "delete", path="kept/notes.db")
        await files.keep(machine)
    blobs = kept_folder(places, "crm") / "blobs"
    assert list(blobs.glob("??/*.zst")) == []
    forget_kept(places, "crm")
    assert not kept_folder(places, "crm").exists()


async def test_copies_of_folders_are_there_anew_each_time_and_nothing_comes_back(
    places: Places, tmp_path: Path
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "a.txt").write_text("mine")
    entry = entry_of(tmp_path, keeps=True, folders={"papers": str(folder)})
    for _ in range(2):
        async with machine_of(places, entry) as (machine, files):
            assert "mine" in await call(machine, "read", path="papers/a.txt")
            await call(machine, "write", path="papers/a.txt", text="theirs")
            await files.keep(machine)
    assert (folder / "a.txt").read_text() == "mine"
    assert list((kept_folder(places, "crm") / "blobs").glob("??/*.zst")) == []


async def test_one_run_has_it_at_a_time(places: Places, tmp_path: Path) -> None:
    entry = entry_of(tmp_path, keeps=True)
    async with machine_of(places, entry):
        with pytest.raises(ToolError, match="another run"), files_of(places, entry):
            pass
    with files_of(places, entry) as files:
        assert files is not None


async def test_more_than_it_may_keep_is_said_and_what_it_kept_stays(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_of(tmp_path, keeps=True)
    async with machine_of(places, entry) as (machine, files):
        await call(machine, "write", path="kept/a", text="small")
        await files.keep(machine)
        monkeypatch.setattr(kept, "KEPT_BYTES", 10)
        await call(machine, "write", path="kept/b", text="x" * 20)
        with pytest.raises(ToolError, match="kept as it was before"):
            await files.keep(machine)
    async with machine_of(places, entry) as (machine, _):
        assert "small" in await call(machine, "read", path="kept/a")


async def test_a_damaged_list_is_named_and_nothing_is_thrown_away(
    places: Places, tmp_path: Path
) -> None:
    entry = entry_of(tmp_path, keeps=True)
    async with machine_of(places, entry) as (machine, files):
        await call(machine, "write", path="kept/a", text="small")
        await files.keep(machine)
    listed = kept_folder(places, "crm") / "entries.json"
    listed.write_text("{")
    with pytest.raises(ToolError, match=r"move .*entries\.json away"):
        async with machine_of(places, entry):
            pass
    assert list((kept_folder(places, "crm") / "blobs").glob("??/*.zst"))


async def test_a_program_without_files_has_none(places: Places, tmp_path: Path) -> None:
    with files_of(places, entry_of(tmp_path)) as files:
        assert files is None
    assert grants_of(entry_of(tmp_path).program) == ()  # type: ignore[arg-type]


def test_marks_stand_for_places_in_the_machine() -> None:
    words = placed(("--db={kept}/a.db", "{folders}/repo", "{other}"))
    assert words == ("--db=/workspace/kept/a.db", "/workspace/repo", "{other}")
