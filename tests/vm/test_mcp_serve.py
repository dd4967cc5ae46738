"""`deskmate mcp serve` as another program starts it: real tools in a real machine, over stdio, to the official client."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from tests.vm.desk import make_desk

from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.timeout(600)]
NDA = (
    "1. Each party keeps the other's Confidential Information secret.\n\n"
    "2. The duty of confidence lasts ten years from the day of disclosure.\n"
)


async def test_another_program_works_with_plugins_tools_and_the_user_has_the_last_word(
    places: Places, tmp_path: Path
) -> None:
    desk = make_desk(tmp_path / "home", places, sys.executable, "-m", "deskmate")
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "nda.txt").write_text(NDA)
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "deskmate", "mcp", "serve", "--folder", str(folder)],
        env={**os.environ, "DESKMATE_HOME": str(desk.home)},
    )
    async with Client(command, read_timeout_seconds=280) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"deskmate__finish", "office__document_read", "workspace__write"} <= tools
        assert "office__cells_find" not in tools
        assert "docx" in {prompt.name for prompt in (await client.list_prompts()).prompts}
        read = await client.call_tool("office__document_read", {"path": "contracts/nda.txt"})
        assert not read.is_error
        assert "ten years" in read.content[0].text  # type: ignore[union-attr]
        note = {
            "path": "contracts/note.md",
            "content": "The term is “ten years from the day of disclosure”.\n",
        }
        assert not (await client.call_tool("workspace__write", note)).is_error
        lie = {
            **note,
            "path": "contracts/lie.md",
            "content": "It says “five years from the day of signature”.\n",
        }
        await client.call_tool("workspace__write", lie)
        given = {"title": "Note", "role": "brief", "sources": ["contracts/nda.txt"]}
        for name in ("note", "lie"):
            told = {**given, "path": f"contracts/{name}.md"}
            answer = await client.call_tool("office__document_present", told)
            assert not answer.is_error, answer.content
        refused = await client.call_tool("deskmate__finish", {})
        assert refused.is_error
        assert "G-QUOTE contracts/lie.md" in refused.content[0].text  # type: ignore[union-attr]
        await client.call_tool("workspace__write", {**note, "path": "contracts/lie.md"})
        done = await client.call_tool("deskmate__finish", {})
        assert not done.is_error, done.content
    assert sorted(path.name for path in folder.iterdir()) == ["nda.txt"]
    thread = desk.json("thread", "list")[0]["thread"]
    shown = desk.json("changes", "show", "--thread", thread)["items"]
    made = [item["change"]["path"] for item in shown]
    assert made == ["contracts/lie.md", "contracts/note.md"]
    desk.call("changes", "apply", "--thread", thread)
    assert (folder / "note.md").read_text() == note["content"]
    desk.call("audit", "verify")
