"""What is only listed: told once, struck off as it comes in or goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import ProtocolError
from deskmate_guest.listed import Listed


def test_notes_are_read_as_they_come(tmp_path: Path) -> None:
    listed = Listed(tmp_path)
    assert dict(listed) == {}
    (tmp_path / "0.json").write_text(json.dumps([["docs/a", 3, 1], ["docs/b", 0, 1], ["c", 9, 1]]))
    assert dict(listed) == {"docs/a": 3, "docs/b": 0, "c": 9}
    (tmp_path / "1.json").write_text(json.dumps(["docs/a", "docs/unknown"]))
    assert "docs/a" not in listed
    (tmp_path / "2.json").write_text(json.dumps(["c"]))
    assert (len(listed), listed["docs/b"]) == (1, 0)


@pytest.mark.anyio
async def test_a_listed_file_is_asked_for_comes_or_goes(
    start_real_guest: Any, workspace_row: Any
) -> None:
    names = [["docs/big.txt", 7, 1], ["docs/gone.txt", 7, 1], ["docs/sub/c.txt", 6, 1]]
    async with start_real_guest(workspace_row) as guest:
        await guest.open("rw")
        await guest.put("listing", {"0.json": json.dumps(names).encode()})
        await guest.put("base", {"docs/a.txt": b"alpha"})
        found = await guest.call("workspace__glob", pattern="docs/**")
        paths = {row["path"]: row["bytes"] for row in found.structured["files"]}
        assert paths == {"docs/a.txt": 5, **{row[0]: row[1] for row in names}}
        for spelled in ("docs/big.txt", "/workspace/docs/sub/../big.txt"):
            early = await guest.call("workspace__read", path=spelled)
            assert early.is_error
            assert early.needs == ("docs/big.txt",)
        assert await guest.difference() == {"changes": [], "home": []}
        both = ["docs/big.txt", "docs/gone.txt"]
        await guest.put("base", {"docs/big.txt": b"content"}, delete=both)
        there = await guest.call("workspace__read", path="docs/big.txt")
        assert there.structured["text"] == "content"
        gone = await guest.call("workspace__read", path="docs/gone.txt")
        assert gone.is_error
        assert gone.needs == ()
        found = await guest.call("workspace__glob", pattern="docs/**")
        assert [row["path"] for row in found.structured["files"]] == [
            "docs/a.txt", "docs/big.txt", "docs/sub/c.txt"
        ]  # fmt: skip
        assert await guest.difference() == {"changes": [], "home": []}


@pytest.mark.anyio
async def test_what_an_image_holds_is_struck_and_one_without_a_disk_is_refused(
    start_real_guest: Any, workspace_row: Any
) -> None:
    names = [["docs/a.txt", 7, 1], ["docs/b.txt", 7, 1]]
    async with start_real_guest(workspace_row) as guest:
        with pytest.raises(ProtocolError, match="not open"):
            await guest.client.lay(0, 4096)
        await guest.open("rw")
        await guest.put("listing", {"0.json": json.dumps(names).encode()})
        await guest.client.lay(0, 0, delete=["docs/a.txt"])
        with pytest.raises(ProtocolError, match="no disk"):
            await guest.client.lay(0, 4096, delete=["docs/b.txt"])
        found = await guest.call("workspace__glob", pattern="docs/**")
        assert [row["path"] for row in found.structured["files"]] == ["docs/b.txt"]
