"""Two changed the same file: the user's gives way, stays, or both are kept; nothing is lost and all can be undone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk

from deskmate.changes.planning import ApplyOptions
from deskmate.changes.undo import UndoOptions, undo_changes
from deskmate.errors import UserError
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
MINE, THEIRS = b"my own edit", b"the run's edit"


def conflicted(tmp_path: Path) -> tuple[Desk, Digest, Path]:
    """Return a desk where both changed `offer.txt`, the change set, and the file."""
    desk = Desk.make(tmp_path, {"offer.txt": b"as it was", "other.txt": b"o"})
    changes = desk.stage({"offer.txt": THEIRS, "other.txt": b"o2"})
    file = desk.root / "offer.txt"
    file.write_bytes(MINE)
    return desk, changes, file


def seen(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_without_a_decision_the_users_version_stays(tmp_path: Path) -> None:
    desk, changes, file = conflicted(tmp_path)
    outcome = await desk.apply(changes)
    assert outcome.written == ("docs/other.txt",)
    assert outcome.left_out == {"docs/offer.txt": "it was changed meanwhile"}
    assert file.read_bytes() == MINE


async def test_the_users_version_gives_way_and_comes_back_by_undo(tmp_path: Path) -> None:
    desk, changes, file = conflicted(tmp_path)
    over = ApplyOptions(overwrite={"docs/offer.txt": seen(MINE)})
    outcome = await desk.apply(changes, over)
    assert outcome.written == ("docs/offer.txt", "docs/other.txt")
    assert file.read_bytes() == THEIRS
    assert outcome.plan is not None
    await undo_changes(desk.place, UndoOptions(plan=outcome.plan))
    assert file.read_bytes() == MINE
    desk.balance()


async def test_what_was_changed_once_more_does_not_give_way(tmp_path: Path) -> None:
    desk, changes, file = conflicted(tmp_path)
    file.write_bytes(b"a third version")
    over = ApplyOptions(overwrite={"docs/offer.txt": seen(MINE)})
    outcome = await desk.apply(changes, over)
    assert "changed once more" in outcome.left_out["docs/offer.txt"]
    assert file.read_bytes() == b"a third version"
    file.unlink()
    outcome = await desk.apply(changes, over)
    assert "changed once more" in outcome.left_out["docs/offer.txt"]
    assert not file.exists()
    await desk.apply(changes, ApplyOptions(overwrite={"docs/offer.txt": ""}))
    assert file.read_bytes() == THEIRS


async def test_both_are_kept_under_a_name_that_nothing_has(tmp_path: Path) -> None:
    desk, changes, file = conflicted(tmp_path)
    (desk.root / "offer (Deskmate).txt").write_bytes(b"taken")
    outcome = await desk.apply(changes, ApplyOptions(beside=("docs/offer.txt",)))
    beside = desk.root / "offer (Deskmate 2).txt"
    assert (file.read_bytes(), beside.read_bytes()) == (MINE, THEIRS)
    assert "docs/offer (Deskmate 2).txt" in outcome.written
    assert (desk.root / "offer (Deskmate).txt").read_bytes() == b"taken"
    assert outcome.plan is not None
    await undo_changes(desk.place, UndoOptions(plan=outcome.plan))
    assert (file.read_bytes(), beside.exists()) == (MINE, False)


async def test_only_what_is_in_conflict_is_kept_twice(tmp_path: Path) -> None:
    desk, changes, _ = conflicted(tmp_path)
    with pytest.raises(UserError, match="no two versions"):
        await desk.apply(changes, ApplyOptions(beside=("docs/other.txt",)))
    for wrong in (ApplyOptions(beside=("docs/x",)), ApplyOptions(overwrite={"docs/x": ""})):
        with pytest.raises(UserError, match="not in the change set"):
            await desk.apply(changes, wrong)


async def test_a_folder_or_a_protected_name_does_not_give_way(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a": b"1", ".envrc": b"1"})
    changes = desk.stage({"a": b"2", ".envrc": b"2"})
    (desk.root / "a").unlink()
    (desk.root / "a").mkdir()
    (desk.root / ".envrc").write_bytes(b"mine")
    over = ApplyOptions(overwrite={"docs/a": "", "docs/.envrc": seen(b"mine")})
    outcome = await desk.apply(changes, over)
    assert set(outcome.left_out) == {"docs/a", "docs/.envrc"}
    assert (desk.root / ".envrc").read_bytes() == b"mine"
