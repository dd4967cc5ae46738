"""Files that a run empties, cuts short or scrambles count as lost."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, Tree, contents

from deskmate.changes.apply import choose_changes, review_changes
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.review import Item
from deskmate.errors import UserError

pytestmark = pytest.mark.anyio
TEXT = b"The parties agree as follows.\n" * 20
DOCX = b"PK\x03\x04" + bytes(range(256)) * 4


def scrambled(content: bytes) -> bytes:
    """The content as ransomware leaves it: as long, and noise."""
    noise = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(len(content) // 32 + 1))
    return noise[: len(content)]


async def _item(desk: Desk, tree: Tree) -> Item:
    found = await review_changes(desk.place.blobs, desk.stage(tree), desk.grants)
    return found.items[0]


@pytest.mark.parametrize(
    ("before", "after", "loss", "flag"),
    [
        (TEXT, b"", "emptied", "it is emptied"),
        (TEXT, TEXT[:100], "cut short", "it is cut from 600 to 100 bytes"),
        (TEXT, scrambled(TEXT), "of another kind", "is no longer text"),
        (DOCX, scrambled(DOCX), "of another kind", "is no longer a ZIP or Office file"),
        (DOCX, b"\xd0\xcf\x11\xe0" + DOCX, "of another kind", "is no longer a ZIP or Office file"),
        (TEXT, TEXT[100:], "", ""),
        (TEXT, TEXT.replace(b"agree", b"do not"), "", ""),
        (DOCX, DOCX + b"more", "", ""),
        (b"", TEXT, "", ""),
        (b"ok\n", b"\0\1", "", ""),  # too short to tell
    ],
)
async def test_a_file_that_stays_can_be_lost(
    tmp_path: Path, before: bytes, after: bytes, loss: str, flag: str
) -> None:
    item = await _item(Desk.make(tmp_path, {"a": before}), {"a": after})
    assert item.loss == loss
    assert (flag in item.flags) == bool(flag)


async def test_where_nothing_may_be_deleted_nothing_is_emptied_or_cut(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a": TEXT, "b": TEXT, "c": TEXT}, mode="rw-no-delete")
    outcome = await desk.apply(desk.stage({"a": b"", "b": TEXT[:7], "c": TEXT + b"more"}))
    assert outcome.left_out == {
        "docs/a": "it is emptied: deleting is not allowed in this folder",
        "docs/b": "it is cut from 600 to 7 bytes: deleting is not allowed in this folder",
    }
    assert contents(desk.root) == {"a": TEXT, "b": TEXT, "c": TEXT + b"more"}


@pytest.mark.parametrize("lose", [lambda _: b"", lambda content: content[:9], scrambled])
async def test_losing_many_files_asks_as_deleting_them_does(tmp_path: Path, lose: object) -> None:
    tree: Tree = {f"{n:02}.txt": TEXT + b"%d" % n for n in range(30)}
    desk = Desk.make(tmp_path, tree)
    gone = {name: lose(content) for name, content in tree.items()}  # type: ignore[operator]
    digest = desk.stage(gone)
    for number in (None, 29, 31):
        with pytest.raises(UserError, match="would delete 30 of 30 files") as caught:
            await desk.apply(digest, ApplyOptions(base_files=30, confirm_deletes=number))
        assert "--confirm-deletes 30" in caught.value.hint
    assert contents(desk.root) == tree
    outcome = await desk.apply(digest, ApplyOptions(base_files=30, mode="all"))
    assert (outcome.plan, len(outcome.left_out)) == (None, 30)
    await desk.apply(digest, ApplyOptions(base_files=30, confirm_deletes=30))
    assert contents(desk.root) == gone


async def test_twenty_one_of_many_are_too_many_and_twenty_are_not(tmp_path: Path) -> None:
    tree: Tree = {f"{n:03}.txt": b"%d" % n for n in range(200)}
    desk = Desk.make(tmp_path, tree)
    names = sorted(tree)
    for count, asks in ((20, False), (21, True)):
        kept = {name: tree[name] for name in names[count:]}
        options = ApplyOptions(base_files=200)
        found = await choose_changes(desk.place, desk.stage(kept), desk.grants, options)
        assert (found.losses, found.must_confirm) == (count, asks)


async def test_other_names_of_a_file_are_spoken_of(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a": TEXT})
    os.link(desk.root / "a", tmp_path / "elsewhere")
    item = await _item(desk, {"a": TEXT + b"more"})
    assert "its other hard links keep the old content" in item.flags
