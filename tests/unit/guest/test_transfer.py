from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from deskmate.errors import ProtocolError

pytestmark = pytest.mark.anyio

BASE = {
    "docs/sub/": "",
    "docs/a.txt": b"alpha\n",
    "docs/run.sh": b"#!/bin/sh\n",
    "docs/private.txt": b"secret\n",
    "docs/sub/c.txt": b"gamma\n",
    "docs/link": "a.txt",
}


def by_path(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = {row["path"]: row for row in found["changes"]}
    assert len(rows) == len(found["changes"])
    return rows


async def test_nothing_has_changed_after_the_base_was_put(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        assert await guest.put("base", BASE) == 5
        outcome = await guest.call("workspace__read", path="docs/sub/c.txt")
        assert not outcome.is_error, outcome.text
        assert outcome.structured["text"] == "gamma"
        assert await guest.difference() == {"changes": [], "home": []}


async def test_every_kind_of_change_is_a_fact(start_real_guest: Any, workspace_row: Any) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        command = """
            cd docs; echo new > new.txt; echo beta > a.txt; rm private.txt link; ln -s new.txt l2
            chmod +x new.txt; rm -r sub; mkdir sub; echo 1 > sub/d.txt; mkfifo pipe; mkdir -p x/y
        """
        outcome = await guest.call("workspace__shell", command=command)
        assert outcome.structured == {"exit_code": 0, "output": ""}
        found = by_path(await guest.difference())
    kinds = {path: row["kind"] for path, row in found.items()}
    assert kinds == {
        "docs/a.txt": "file",
        "docs/l2": "symlink",
        "docs/link": "gone",
        "docs/new.txt": "file",
        "docs/pipe": "other",
        "docs/private.txt": "gone",
        "docs/sub": "opaque",
        "docs/sub/d.txt": "file",
        "docs/x": "dir",
        "docs/x/y": "dir",
    }
    assert found["docs/a.txt"]["sha256"] == hashlib.sha256(b"beta\n").hexdigest()
    assert (found["docs/a.txt"]["mode"], found["docs/new.txt"]["mode"]) == (0o644, 0o755)
    assert found["docs/l2"]["target"] == "new.txt"
    assert found["docs/pipe"]["reason"] == "a fifo"


async def test_of_modes_only_the_owners_execute_bit_is_told(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        command = "cd docs; echo x >> private.txt; echo x >> run.sh; install -m 600 run.sh a.txt"
        await guest.call("workspace__shell", command=command)
        found = by_path(await guest.difference())
    modes = {path: row["mode"] for path, row in found.items()}
    assert modes == {"docs/a.txt": 0o644, "docs/private.txt": 0o644, "docs/run.sh": 0o755}


async def test_a_checkpoint_is_carried_out_through_the_overlay(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        files = {"docs/sub/": "", "docs/sub/d.txt": b"delta\n", "docs/a.txt": b"beta\n"}
        delete = ["docs/sub", "docs/private.txt", "docs/not there"]
        assert await guest.put("overlay", files, delete) == 2
        assert await guest.put("home", {"notes.md": b"remember\n"}) == 1
        found = await guest.difference()
        kinds = {path: row["kind"] for path, row in by_path(found).items()}
        assert kinds == {
            "docs/a.txt": "file",
            "docs/private.txt": "gone",
            "docs/sub": "opaque",
            "docs/sub/d.txt": "file",
        }
        assert [row["path"] for row in found["home"]] == ["notes.md"]
        home = await guest.call(
            "workspace__shell", command="cat ~/notes.md; echo more >> ~/notes.md"
        )
        assert home.structured == {"exit_code": 0, "output": "remember\n"}


async def test_files_are_taken_in_the_asked_order_under_the_asked_names(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        await guest.call("workspace__shell", command="ln docs/a.txt docs/b.txt")
        top = str(guest.root / "workspace/docs")
        paths = [f"{top}/{name}" for name in ("sub/c.txt", "b.txt", "a.txt")]
        data = await guest.receive(await guest.client.take(paths, 30))
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = tar.getmembers()
            assert ["/" + item.name.lstrip("/") for item in members] == paths
            assert all(item.isreg() for item in members)
            assert tar.extractfile(members[1]).read() == b"alpha\n"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["/etc/passwd", "docs/link", "docs/../../x", "docs/none", "docs"])
async def test_only_regular_files_of_the_workspace_are_taken(
    start_real_guest: Any, workspace_row: Any, path: str
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        asked = path if path.startswith("/") else f"{guest.root}/workspace/{path}"
        with pytest.raises(ProtocolError, match="not"):
            await guest.client.take([asked], 30)
        await guest.client.ping()


async def test_a_folder_granted_read_only_cannot_be_written(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw", "ro")
        await guest.put("base", {**BASE, "shelf/book.txt": b"read me\n"})
        outcome = await guest.call("workspace__write", path="shelf/book.txt", content="x")
        assert outcome.is_error
        assert "read-only" in outcome.text
        top = await guest.call("workspace__shell", command="touch stray.txt; mv docs other")
        assert top.structured["exit_code"] != 0
        assert await guest.difference() == {"changes": [], "home": []}


async def test_a_stream_that_is_no_tar_is_refused_and_the_next_one_works(
    start_real_guest: Any, workspace_row: Any
) -> None:
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.bulk.send(b"x" * 100_000)
        with pytest.raises(ProtocolError, match="could not be unpacked"):
            await guest.client.put("home", 100_000, timeout_s=30)
        assert await guest.put("home", {"fine.txt": b"1"}) == 1


async def test_workers_of_different_plugins_write_the_same_files(
    start_real_guest: Any, workspace_row: Any, plugin: Any
) -> None:
    code = """
        import os
        from deskmate.plugin import Tool, ToolContext, hookimpl

        def append(context: ToolContext) -> list[int]:
            '''Append to the file.'''
            with (context.workspace / "docs/a.txt").open("a") as stream:
                stream.write("more")
            (context.workspace / "docs/mine.txt").write_text("1")
            return [os.getuid(), os.getgid(), len(os.listdir("/proc/self/fd"))]

        @hookimpl
        def deskmate_tools(context):
            return [Tool(function=append, risk="write")]
        """
    row = plugin("other", code, "[tools.append]\nrisk = 'write'")
    async with start_real_guest(workspace_row, row) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        outcome = await guest.call("other__append")
        assert outcome.structured[:2] == [2002, 3000]
        back = await guest.call(
            "workspace__shell", command="cat docs/a.txt; echo 2 > docs/mine.txt; id -u"
        )
        assert back.structured == {"exit_code": 0, "output": "alpha\nmore1000\n"}


async def test_each_plugin_reads_what_its_own_tools_presented_before(
    start_real_guest: Any, workspace_row: Any, plugin: Any
) -> None:
    code = """
        from deskmate.plugin import Tool, ToolContext, hookimpl

        def recall(context: ToolContext) -> dict[str, str]:
            '''Tell what is known.'''
            told = {path: item.title for path, item in context.results.items()}
            for path in ("docs/a.txt", "docs/none.txt", "../mine.json"):
                real = context.original(path)
                told[f"original {path}"] = real.read_text() if real else "-"
            return told

        @hookimpl
        def deskmate_tools(context):
            return [Tool(function=recall)]
        """
    rows = [plugin(name, code, "[tools.recall]") for name in ("mine", "other")]
    title = json.dumps([{"path": "docs/m.xlsx", "title": "Model"}]).encode()
    async with start_real_guest(workspace_row, *rows) as guest:
        await guest.open("rw")
        await guest.put("base", BASE)
        await guest.put("results", {"originals/docs/": "", "originals/docs/a.txt": b"before"})
        await guest.put("results", {"mine.json": title})
        mine = (await guest.call("mine__recall")).structured
        other = (await guest.call("other__recall")).structured
        forged = f"echo 1 > {guest.root}/results/other.json; echo $?"
        shell = await guest.call("workspace__shell", command=forged)
    known = {
        "original docs/a.txt": "before",
        "original docs/none.txt": "-",
        "original ../mine.json": "-",
    }
    assert mine == {"docs/m.xlsx": "Model", **known}
    assert other == known
    assert shell.structured["output"].rstrip().endswith(("1", "2"))
