from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, Tree

from deskmate.changes.apply import review_changes
from deskmate.changes.review import ChangeSet, describe_difference, read_difference
from deskmate.errors import CorruptData, UserError
from deskmate.types.files import Change, Difference, Entry

pytestmark = pytest.mark.anyio
NDA: Tree = {"nda.txt": b"one\ntwo\n", "logo.png": b"\x89PNG\0\1", "old": None, "old/a.txt": b"a\n"}


async def _review(desk: Desk, tree: Tree, mode: int = 0o664) -> ChangeSet:
    return await review_changes(desk.place.blobs, desk.stage(tree, mode), desk.grants)


async def test_operations_are_counted_and_a_move_is_one(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    changes = await _review(
        desk,
        {"nda.txt": b"one\n2\n", "logo.png": NDA["logo.png"], "new": None, "new/b.txt": b"a\n"},
    )
    assert changes.operations() == {"mkdir": 1, "modify": 1, "move": 1, "rmdir": 1}
    (moved,) = [item for item in changes.items if item.moved_from]
    assert (moved.path, moved.moved_from) == ("docs/new/b.txt", "docs/old/a.txt")


async def test_a_copy_to_two_places_is_no_move(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a": b"same"})
    changes = await _review(desk, {"b": b"same", "c": b"same"})
    assert changes.operations() == {"create": 2, "delete": 1}


async def test_every_change_stands_as_the_folder_is_now(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {**NDA, "gone.txt": b"g", "done.txt": b"d"})
    (desk.root / "nda.txt").write_bytes(b"my edit")
    (desk.root / "taken.txt").write_bytes(b"mine")
    (desk.root / "gone.txt").unlink()
    (desk.root / "done.txt").write_bytes(b"dd")
    changes = await _review(
        desk,
        {
            **NDA,
            "nda.txt": b"x",
            "taken.txt": b"x",
            "gone.txt": b"x",
            "done.txt": b"dd",
            ".envrc": b"x",
        },
    )
    assert {item.path: (item.standing, item.why) for item in changes.items} == {
        "docs/nda.txt": ("conflict", "it was changed meanwhile"),
        "docs/taken.txt": ("conflict", "something else was put there meanwhile"),
        "docs/gone.txt": ("conflict", "it was deleted meanwhile"),
        "docs/done.txt": ("applied", ""),
        "docs/.envrc": (
            "protected",
            ".envrc is a protected name: other programs act on it",
        ),
    }
    assert (changes.count("conflict"), changes.count("open")) == (3, 0)


@pytest.mark.attack("F5")
async def test_flags_say_what_is_new_about_a_file(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a.sh": b"a"})
    changes = await _review(desk, {"a.sh": b"aa", "A.SH": b"b", "x.xlsm": b"x"}, mode=0o775)
    found = {item.path: item.flags for item in changes.items}
    assert found["docs/x.xlsm"] == ("may hold macros", "executable")
    assert "another name differs only in case or accents: a.sh" in found["docs/A.SH"]
    assert "executable" not in found["docs/a.sh"] or not desk.base.entries[0].mode & 0o111


async def test_links_are_refused_and_what_the_guest_kept_is_passed_on(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    link = Entry(path="docs/link", kind="symlink", mode=0o777, target="/etc/passwd")
    digest = desk.stage_changes(
        Difference(
            changes=(Change(path="docs/link", operation="create", before=None, after=link),),
            refused={"docs/pipe": "fifo"},
        )
    )
    changes = await review_changes(desk.place.blobs, digest, desk.grants)
    assert changes.items[0].why == "links are not written"
    assert changes.refused == {"docs/pipe": "fifo"}


async def test_text_is_shown_line_by_line_and_the_rest_by_digest(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({"nda.txt": b"one\n2\n", "logo.png": b"\0new", "memo.md": b"# memo\n"})
    lines = {
        change.path: list(describe_difference(change, desk.place.blobs))
        for change in read_difference(digest, desk.place.blobs).changes
    }
    assert lines["docs/nda.txt"][2:] == ["@@ -1,2 +1,2 @@ hunk 1", " one", "-two", "+2"]
    assert lines["docs/memo.md"][0] == "--- /dev/null"
    assert lines["docs/logo.png"][0].startswith("- docs/logo.png: 6 bytes, sha256 ")
    assert lines["docs/logo.png"][1].startswith("+ docs/logo.png: 4 bytes, sha256 ")
    assert lines["docs/old"] == ["- docs/old/"]


async def test_a_missing_folder_and_a_damaged_change_set_are_named(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    digest = desk.place.blobs.put(b"{}x")
    with pytest.raises(CorruptData, match="is damaged"):
        await review_changes(desk.place.blobs, digest, desk.grants)
    digest = desk.stage({"a": b"a"})
    desk.root.rmdir()
    with pytest.raises(UserError, match="cannot be opened"):
        await review_changes(desk.place.blobs, digest, desk.grants)
