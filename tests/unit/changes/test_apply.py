from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.changes.folder_trees import FAST, Desk, Tree, contents, facts, trees

from deskmate.changes.apply import Place, recover
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.undo import UndoOptions, undo_changes
from deskmate.errors import ConflictError, DeskmateError, UserError
from deskmate.types.events import ApplyFinished
from deskmate.types.files import Change, Difference, Entry, Grant

pytestmark = pytest.mark.anyio
NDA: Tree = {"nda.txt": b"one\n", "old": None, "old/memo.txt": b"two\n"}


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.attack("F6")
@given(before=trees(), after=trees())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_any_tree_is_applied_whole_and_undone_to_the_byte(before: Tree, after: Tree) -> None:
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        desk = Desk.make(Path(folder), before)
        original = facts(desk.root)
        digest = desk.stage(after)
        assert facts(desk.root) == original
        outcome = await desk.apply(digest)
        assert contents(desk.root) == dict(after)
        assert outcome.left_out == {}
        applied = facts(desk.root)
        if outcome.plan is None:
            return
        await undo_changes(desk.place)
        assert facts(desk.root) == original
        redo = UndoOptions(plan=desk.place.store.log[-1].payload.plan)  # type: ignore[attr-defined]
        await undo_changes(desk.place, redo)
        assert contents(desk.root) == dict(after)
        assert {path: fact[0] for path, fact in facts(desk.root).items()} == {
            path: fact[0] for path, fact in applied.items()
        }
        desk.balance()


async def _crash_at(desk: Desk, tree: Tree, number: int) -> str:
    """Apply and die at failpoint `number`; return its name, or "" if there are not so many."""
    seen: list[str] = []

    def failpoint(name: str) -> None:
        seen.append(name)
        if len(seen) == number:
            raise Crash

    place = desk.place
    desk.place = replace(place, failpoint=failpoint)
    try:
        await desk.apply(desk.stage(tree))
    except Crash:
        return seen[-1]
    finally:
        desk.place = place
    return ""


@given(before=trees(), after=trees())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_a_crash_at_any_point_leaves_all_or_nothing(before: Tree, after: Tree) -> None:
    number = 0
    while True:
        number += 1
        with tempfile.TemporaryDirectory(dir=FAST) as folder:
            desk = Desk.make(Path(folder), before)
            original = facts(desk.root)
            point = await _crash_at(desk, after, number)
            outcomes = await recover(desk.place)
            desk.balance()
            if not point:
                assert outcomes == ()
                return
            finished = desk.place.store.log[-1].payload  # type: ignore[attr-defined]
            if isinstance(finished, ApplyFinished) and finished.applied:
                assert contents(desk.root) == dict(after)
                await undo_changes(desk.place)
            now = facts(desk.root)
            # only the times of folders that held a discarded temporary file may differ
            assert {p: f for p, f in now.items() if (desk.root / p).is_file()} == {
                p: f for p, f in original.items() if (desk.root / p).is_file()
            }
            assert now.keys() == original.keys()
            assert (await recover(desk.place)) == ()


async def test_a_crash_during_recovery_is_recovered_too(tmp_path: Path) -> None:
    target: Tree = {"nda.txt": b"redlined\n", "memo.md": b"memo\n"}
    for first in range(1, 40):
        for second in range(1, 12):
            folder = tmp_path / f"{first}-{second}"
            folder.mkdir()
            desk = Desk.make(folder, NDA)
            original = contents(desk.root)
            if not await _crash_at(desk, target, first):
                return
            seen: list[str] = []

            def failpoint(name: str, seen: list[str] = seen, last: int = second) -> None:
                seen.append(name)
                if len(seen) == last:
                    raise Crash

            try:
                await recover(replace(desk.place, failpoint=failpoint))
            except Crash:
                await recover(desk.place)
            desk.balance()
            assert contents(desk.root) in (original, dict(target))


@pytest.mark.attack("F7")
async def test_a_file_that_the_user_changed_is_left_out_and_the_rest_is_applied(
    tmp_path: Path,
) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "nda.txt": b"redlined\n", "memo.md": b"memo\n"})
    (desk.root / "nda.txt").write_bytes(b"my own edit\n")
    outcome = await desk.apply(digest)
    assert outcome.left_out == {"docs/nda.txt": "it was changed meanwhile"}
    assert outcome.written == ("docs/memo.md",)
    assert (desk.root / "nda.txt").read_bytes() == b"my own edit\n"


@pytest.mark.attack("F7")
@pytest.mark.parametrize("point", ["started", "planned", "temporaries"])
async def test_a_change_in_the_last_moment_aborts_the_whole_plan(
    tmp_path: Path, point: str
) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "nda.txt": b"redlined\n", "memo.md": b"memo\n"})

    def edit(name: str) -> None:
        if name == point:
            (desk.root / "nda.txt").write_bytes(b"my own edit\n")

    desk.place = replace(desk.place, failpoint=edit)
    with pytest.raises(ConflictError, match=r"nothing was written: docs/nda\.txt"):
        await desk.apply(digest)
    assert contents(desk.root) == {**NDA, "nda.txt": b"my own edit\n"}
    desk.balance()


@pytest.mark.attack("F7")
async def test_an_edit_between_crash_and_recovery_is_never_overwritten(tmp_path: Path) -> None:
    target: Tree = {**NDA, "a.txt": b"a\n", "nda.txt": b"redlined\n", "z.txt": b"z\n"}
    number, states = 0, set()
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        desk = Desk.make(folder, NDA)
        point = await _crash_at(desk, target, number)
        if not point:
            break
        (desk.root / "nda.txt").write_bytes(b"my own edit\n")
        await recover(desk.place)
        assert (desk.root / "nda.txt").read_bytes() == b"my own edit\n", point
        others = {path for path in contents(desk.root) if path in ("a.txt", "z.txt")}
        assert others in (set(), {"a.txt", "z.txt"})
        states.add(len(others))
        desk.balance()
    assert states == {0, 2}


async def test_an_error_in_the_middle_takes_everything_back(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    original = facts(desk.root)
    seen: list[str] = []

    def fail(name: str) -> None:
        seen.append(name)
        if seen.count("renamed") == 2 and name == "renamed":
            raise OSError(28, "No space left on device")

    desk.place = replace(desk.place, failpoint=fail)
    digest = desk.stage({"nda.txt": b"redlined\n", "memo.md": b"memo\n"})
    with pytest.raises(DeskmateError, match="No space left on device; your files are as they were"):
        await desk.apply(digest)
    assert facts(desk.root) == original
    desk.balance()
    desk.place = replace(desk.place, failpoint=lambda name: None)
    assert (await desk.apply(digest)).plan


async def test_unsettled_changes_stop_the_next_apply(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    assert await _crash_at(desk, {**NDA, "nda.txt": b"x"}, 4)
    with pytest.raises(UserError, match="not settled"):
        await desk.apply(desk.stage({**NDA, "memo.md": b"memo\n"}))
    await recover(desk.place)
    assert (await desk.apply(desk.stage({**NDA, "memo.md": b"memo\n"}))).plan


async def test_a_missing_folder_keeps_the_journal_until_it_is_back(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    assert await _crash_at(desk, {**NDA, "nda.txt": b"redlined\n"}, 7)
    desk.root.rename(tmp_path / "away")
    with pytest.raises(UserError, match="cannot be opened"):
        await recover(desk.place)
    (tmp_path / "away").rename(desk.root)
    (outcome,) = await recover(desk.place)
    assert outcome.plan
    desk.balance()


async def test_a_missing_blob_writes_nothing(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    original = contents(desk.root)
    digest = desk.stage({**NDA, "nda.txt": b"redlined\n"})
    redlined = desk.place.blobs.put(b"redlined\n")
    del desk.place.blobs.content[redlined]  # type: ignore[attr-defined]
    with pytest.raises(DeskmateError, match="missing"):
        await desk.apply(digest)
    assert contents(desk.root) == original
    desk.balance()


@pytest.mark.attack("F2")
async def test_modes_are_kept_and_special_bits_never_set(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a.sh": b"a", "b.txt": b"b"})
    (desk.root / "a.sh").chmod(0o4755)
    (desk.root / "b.txt").chmod(0o600)
    desk.base = replace(
        desk.base,
        entries=tuple(
            replace(entry, mode=0o755 if entry.path.endswith("sh") else 0o600)
            for entry in desk.base.entries
        ),
    )
    await desk.apply(desk.stage({"a.sh": b"aa", "b.txt": b"bb", "c.sh": b"c"}, mode=0o7777))
    mask = os.umask(0o022)
    os.umask(mask)
    assert {path.name: path.stat().st_mode & 0o7777 for path in desk.root.iterdir()} == {
        "a.sh": 0o755,
        "b.txt": 0o600,
        "c.sh": 0o777 & ~mask,
    }
    await undo_changes(desk.place)
    assert (desk.root / "a.sh").stat().st_mode & 0o7777 == 0o4755


async def test_extended_attributes_survive_apply_and_undo(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    try:
        os.setxattr(desk.root / "nda.txt", "user.matter", b"4711")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    original = facts(desk.root)
    await desk.apply(desk.stage({"nda.txt": b"redlined\n"}))
    assert os.getxattr(desk.root / "nda.txt", "user.matter") == b"4711"
    await undo_changes(desk.place)
    assert facts(desk.root) == original


@pytest.mark.attack("F1")
async def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "memo.txt").write_bytes(b"two\n")
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "old/memo.txt": b"x", "old/new.txt": b"x", "nda.txt": b"x"})
    (desk.root / "old" / "memo.txt").unlink()
    (desk.root / "old").rmdir()
    (desk.root / "old").symlink_to(outside)
    outcome = await desk.apply(digest)
    assert outcome.written == ("docs/nda.txt",)
    assert set(outcome.left_out) == {"docs/old/memo.txt", "docs/old/new.txt"}
    assert contents(outside) == {"memo.txt": b"two\n"}


async def test_a_link_in_the_folder_can_be_deleted_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    desk = Desk.make(tmp_path, {})
    (desk.root / "link").symlink_to(tmp_path / "secret")
    entry = Entry(path="docs/link", kind="symlink", mode=0o777, target=str(tmp_path / "secret"))
    digest = desk.stage_changes(
        Difference(
            changes=(Change(path="docs/link", operation="delete", before=entry, after=None),)
        )
    )
    original = facts(desk.root)
    await desk.apply(digest)
    assert contents(desk.root) == {}
    assert (tmp_path / "secret").read_bytes() == b"secret"
    await undo_changes(desk.place)
    assert facts(desk.root) == original


async def test_only_the_chosen_paths_are_applied_with_their_folders(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "new": None, "new/a.txt": b"a", "new/b.txt": b"b", "c": b"c"})
    outcome = await desk.apply(digest, ApplyOptions(paths=("docs/new/a.txt",)))
    assert contents(desk.root) == {**NDA, "new": None, "new/a.txt": b"a"}
    assert outcome.written == ("docs/new", "docs/new/a.txt")
    await desk.apply(digest)
    assert contents(desk.root) == {
        **NDA,
        "new": None,
        "new/a.txt": b"a",
        "new/b.txt": b"b",
        "c": b"c",
    }
    with pytest.raises(UserError, match="not in the change set"):
        await desk.apply(digest, ApplyOptions(paths=("docs/ne",)))


@pytest.mark.attack("F6")
async def test_automatic_modes_never_delete(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({"nda.txt": b"redlined\n", "memo.md": b"memo\n"})
    outcome = await desk.apply(digest, ApplyOptions(mode="new"))
    assert outcome.written == ("docs/memo.md",)
    outcome = await desk.apply(digest, ApplyOptions(mode="all"))
    assert outcome.written == ("docs/nda.txt",)
    assert set(outcome.left_out) == {"docs/old", "docs/old/memo.txt"}
    assert (desk.root / "old" / "memo.txt").exists()


@pytest.mark.attack("F6")
async def test_many_deletions_need_to_be_confirmed_and_moves_are_none(tmp_path: Path) -> None:
    tree: Tree = {f"{number:02}.txt": b"%d" % number for number in range(30)}
    desk = Desk.make(tmp_path, tree)
    moved: Tree = {f"archive-{name}": content for name, content in tree.items()}
    options = ApplyOptions(base_files=desk.base.files)
    with pytest.raises(UserError, match="would delete 30 of 30 files"):
        await desk.apply(desk.stage({}), options)
    kept = dict(list(tree.items())[7:])
    with pytest.raises(UserError, match="would delete 7 of 30 files"):
        await desk.apply(desk.stage(kept), options)
    assert contents(desk.root) == tree
    outcome = await desk.apply(desk.stage(moved), options)
    assert contents(desk.root) == moved
    assert outcome.plan


async def test_a_folder_into_which_the_user_put_something_stays(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({"nda.txt": b"one\n"})
    (desk.root / "old" / "mine.txt").write_bytes(b"mine")
    outcome = await desk.apply(digest)
    assert outcome.left_out == {"docs/old": "it still holds mine.txt"}
    assert contents(desk.root) == {"nda.txt": b"one\n", "old": None, "old/mine.txt": b"mine"}


async def test_the_deletion_waits_where_its_new_place_is_taken(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({"nda-v1.txt": b"one\n", "old": None, "old/memo.txt": b"two\n"})
    (desk.root / "nda-v1.txt").write_bytes(b"mine")
    outcome = await desk.apply(digest)
    assert set(outcome.left_out) == {"docs/nda.txt", "docs/nda-v1.txt"}
    assert contents(desk.root) == {**NDA, "nda-v1.txt": b"mine"}


async def test_read_only_and_no_delete_grants_are_kept(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA, mode="ro")
    digest = desk.stage({"nda.txt": b"redlined\n", "memo.md": b"memo\n"})
    outcome = await desk.apply(digest)
    assert (outcome.plan, len(outcome.left_out)) == (None, 4)
    desk.grants = (Grant(name="docs", folder=str(desk.root), mode="rw-no-delete"),)
    outcome = await desk.apply(digest)
    assert outcome.written == ("docs/memo.md", "docs/nda.txt")
    assert set(outcome.left_out) == {"docs/old", "docs/old/memo.txt"}
    desk.grants = ()
    assert set((await desk.apply(digest)).left_out.values()) == {
        "it is not inside a granted folder"
    }


@pytest.mark.attack("F4")
async def test_protected_names_need_to_be_allowed_one_by_one(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    names = [".bashrc", ".GIT", ".GIT/hooks", ".GIT/hooks/x", ".git /config"]
    tree: Tree = {
        ".bashrc": b"x",
        ".GIT": None,
        ".GIT/hooks": None,
        ".GIT/hooks/x": b"x",
        ".git ": None,
        ".git /config": b"x",
    }
    digest = desk.stage(tree)
    outcome = await desk.apply(digest)
    assert outcome.plan is None
    assert {f"docs/{name}" for name in names} <= set(outcome.left_out)
    outcome = await desk.apply(digest, ApplyOptions(allow_protected=("docs/.bashrc",)))
    assert contents(desk.root) == {".bashrc": b"x"}


@pytest.mark.attack("F2")
@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "docs/../x",
        "docs/a/../../x",
        "docs//x",
        "docs/.",
        "docs",
        "other/x",
        "",
        "docs/\x1b[2Jx",
        "docs/a\nb\n",
        "docs/a\x00b",
        "docs/\u202etxt.exe",
    ],
)
async def test_bad_names_are_refused(tmp_path: Path, path: str) -> None:
    desk = Desk.make(tmp_path, {})
    entry = Entry(path=path, kind="file", mode=0o644, size=1, sha256=desk.place.blobs.put(b"x"))
    digest = desk.stage_changes(
        Difference(changes=(Change(path=path, operation="create", before=None, after=entry),))
    )
    before = facts(tmp_path)
    outcome = await desk.apply(digest)
    assert outcome.plan is None
    assert set(outcome.left_out) == {path}
    assert facts(tmp_path) == before


async def test_a_fifo_in_the_way_is_a_conflict_and_hangs_nothing(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    os.mkfifo(desk.root / "memo.md")
    outcome = await desk.apply(desk.stage({"memo.md": b"memo"}))
    assert "neither a file nor a folder" in outcome.left_out["docs/memo.md"]


def test_a_place_needs_no_failpoint(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {})
    Place(store=desk.place.store, blobs=desk.place.blobs, journal=tmp_path).failpoint("anything")
