from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, Tree, contents, facts

from deskmate.changes.history import Applied, history
from deskmate.changes.plan import Plan, Step, read_plan
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.undo import UndoOptions, plan_undo, undo_changes
from deskmate.errors import ConflictError, CorruptData, UserError
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
NDA: Tree = {"nda.txt": b"one\n", "old": None, "old/a.txt": b"a\n"}


async def test_one_file_can_be_undone_and_the_rest_later(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    original = facts(desk.root)
    await desk.apply(desk.stage({"nda.txt": b"two\n", "memo.md": b"memo\n"}))
    await undo_changes(desk.place, UndoOptions(paths=("docs/nda.txt",)))
    assert contents(desk.root) == {"nda.txt": b"one\n", "memo.md": b"memo\n"}
    await undo_changes(desk.place, UndoOptions(paths=("docs/old/a.txt",)))
    assert contents(desk.root) == {**NDA, "memo.md": b"memo\n"}
    await undo_changes(desk.place)
    assert facts(desk.root) == original
    with pytest.raises(UserError, match="nothing to undo"):
        await undo_changes(desk.place)
    desk.balance()


async def test_a_folder_gets_its_first_time_back_in_whatever_order_files_are_undone(
    tmp_path: Path,
) -> None:
    tree: Tree = {"old": None, "old/a.txt": b"a\n", "old/b.txt": b"b\n"}
    orders = [("docs/old/a.txt", "docs/old/b.txt"), ("docs/old/b.txt", "docs/old/a.txt")]
    for number, undone in enumerate(orders):
        for applied in orders:
            desk = Desk.make(_made(tmp_path / f"{number}{applied[0][-5]}"), tree)
            original = facts(desk.root)
            digest = desk.stage({"old": None, "old/a.txt": b"A\n", "old/b.txt": b"B\n"})
            for path in applied:
                await desk.apply(digest, ApplyOptions(paths=(path,)))
            await undo_changes(desk.place, UndoOptions(paths=undone[:1]))
            await undo_changes(desk.place)
            assert facts(desk.root) == original, (applied, undone)


async def test_several_applies_are_undone_as_one(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    original = facts(desk.root)
    everything: Tree = {**NDA, "nda.txt": b"two\n", "b.txt": b"b\n", "c.txt": b"c\n"}
    digest = desk.stage(everything)
    for path in ("docs/nda.txt", "docs/b.txt", "docs/c.txt"):
        await desk.apply(digest, ApplyOptions(paths=(path,)))
    assert contents(desk.root) == everything
    outcome = await undo_changes(desk.place)
    assert len(outcome.written) == 3
    assert facts(desk.root) == original


async def test_undo_refuses_what_changed_since_and_force_keeps_it(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    await desk.apply(desk.stage({**NDA, "nda.txt": b"two\n", "memo.md": b"memo\n"}))
    (desk.root / "nda.txt").write_bytes(b"my edit\n")
    applied = contents(desk.root)
    with pytest.raises(ConflictError, match=r"docs/nda\.txt; nothing was undone"):
        await undo_changes(desk.place)
    assert contents(desk.root) == applied
    outcome = await undo_changes(desk.place, UndoOptions(force=True))
    assert contents(desk.root) == NDA
    await undo_changes(desk.place, UndoOptions(plan=outcome.plan or ""))
    assert contents(desk.root) == applied
    desk.balance()


async def test_an_edit_between_two_applies_is_not_silently_lost(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"nda.txt": b"one\n"})
    await desk.apply(desk.stage({"nda.txt": b"two\n"}))
    (desk.root / "nda.txt").write_bytes(b"my edit\n")
    second = Desk.make(_made(tmp_path / "second"), {"nda.txt": b"my edit\n"})
    second.root, second.grants, second.place = desk.root, desk.grants, desk.place
    await second.apply(second.stage({"nda.txt": b"three\n"}))
    with pytest.raises(ConflictError):
        await undo_changes(desk.place)
    last = history(await desk.place.store.events(), desk.place.blobs)[-1]
    await undo_changes(desk.place, UndoOptions(plan=last.digest))
    assert contents(desk.root) == {"nda.txt": b"my edit\n"}


def _made(path: Path) -> Path:
    path.mkdir()
    return path


async def test_a_run_is_undone_unless_a_later_one_built_on_it(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    await desk.apply(desk.stage({**NDA, "memo.md": b"memo\n"}))
    with pytest.raises(UserError, match="nothing to undo"):
        await undo_changes(desk.place, UndoOptions(run="r-other"))
    await undo_changes(desk.place, UndoOptions(run="r-1"))
    assert contents(desk.root) == NDA


async def test_a_folder_that_the_user_filled_stays(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    await desk.apply(desk.stage({**NDA, "new": None, "new/a.txt": b"a"}))
    (desk.root / "new" / "mine.txt").write_bytes(b"mine")
    outcome = await undo_changes(desk.place)
    assert outcome.left_out == {"docs/new": "it holds mine.txt"}
    assert contents(desk.root) == {**NDA, "new": None, "new/mine.txt": b"mine"}


async def test_history_tells_what_was_undone(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    await desk.apply(desk.stage({**NDA, "memo.md": b"memo\n"}))
    await undo_changes(desk.place)
    entries = history(await desk.place.store.events(), desk.place.blobs)
    assert [(entry.is_undo, bool(entry.live)) for entry in entries] == [
        (False, False),
        (True, True),
    ]
    await undo_changes(desk.place, UndoOptions(plan=entries[1].digest))
    entries = history(await desk.place.store.events(), desk.place.blobs)
    assert [bool(entry.live) for entry in entries] == [True, False, True]


def _applied(digest: str) -> Applied:
    plan = Plan(id=digest, grants=(), steps=(Step(path="docs/a", before=None, after=None),))
    return Applied(seq=1, time="", digest=Digest(digest), plan=plan, live=frozenset({"docs/a"}))


@pytest.mark.parametrize("plan", ["a", "ab12"])
def test_the_beginning_of_several_plans_names_none_of_them(plan: str) -> None:
    first, second, other = "ab12" + "0" * 60, "ab12" + "1" * 60, "cd" * 32
    entries = [_applied(first), _applied(second), _applied(other)]
    with pytest.raises(UserError, match="2 entries of the history begin with") as caught:
        plan_undo(entries, UndoOptions(plan=plan))
    assert first[:12] in caught.value.message
    assert second[:12] in caught.value.message
    assert other[:12] not in caught.value.message
    for one in (first, first[:5], "c"):  # each names one: there is just nothing left to undo in it
        with pytest.raises(UserError, match="nothing to undo"):
            plan_undo(entries, UndoOptions(plan=one))


@pytest.mark.parametrize("content", [b"not json", b"[]", b"\xff", b"[" * 100_000, b'{"id": 3}'])
def test_a_plan_that_is_damaged_is_corrupt_data(content: bytes) -> None:
    blobs = MemoryBlobs()
    with pytest.raises(CorruptData):
        read_plan(blobs.put(content), blobs)
