"""Names that some systems take for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, contents

from deskmate.changes.apply import review_changes
from deskmate.changes.planning import ApplyOptions

pytestmark = pytest.mark.anyio
SAYS = "another name differs only in case or accents: "


@pytest.mark.parametrize("twin", ["NDA.TXT", "nda.txt.", "nda\u200b.txt", "ｎda.txt"])
async def test_a_new_name_like_one_that_is_there_is_flagged(tmp_path: Path, twin: str) -> None:
    desk = Desk.make(tmp_path, {"nda.txt": b"one"})
    found = await review_changes(
        desk.place.blobs, desk.stage({"nda.txt": b"one", twin: b"two"}), desk.grants
    )
    assert SAYS + "nda.txt" in found.items[0].flags


async def test_accents_in_two_forms_are_twins(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"caf\u00e9": b"one"})
    digest = desk.stage({"caf\u00e9": b"one", "cafe\u0301": b"two"})
    found = await review_changes(desk.place.blobs, digest, desk.grants)
    assert SAYS + "caf\u00e9" in found.items[0].flags


async def test_a_name_that_only_changes_its_case_is_a_move_and_no_twin(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"nda.txt": b"one"})
    digest = desk.stage({"NDA.txt": b"one"})
    found = await review_changes(desk.place.blobs, digest, desk.grants)
    new = next(item for item in found.items if item.path == "docs/NDA.txt")
    assert (new.moved_from, new.flags) == ("docs/nda.txt", ())
    await desk.apply(digest)
    assert contents(desk.root) == {"NDA.txt": b"one"}


async def test_of_two_new_twins_one_is_written_and_the_other_by_itself(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    digest = desk.stage({"A": None, "A/x": b"1", "a": None, "a/y": b"2", "memo.md": b"m"})
    outcome = await desk.apply(digest)
    assert outcome.left_out == {
        "docs/a": "its name is too like docs/A: apply it by itself",
        "docs/a/y": "its folder docs/a is not there",
    }
    assert contents(desk.root) == {"A": None, "A/x": b"1", "memo.md": b"m"}
    await desk.apply(digest, ApplyOptions(paths=("docs/a",)))
    assert contents(desk.root)["a/y"] == b"2"
