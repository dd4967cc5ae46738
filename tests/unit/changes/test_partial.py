"""Some files and some hunks are applied, the rest stays staged, is applied later, discarded or undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import Desk, Tree, contents, facts

from deskmate.changes.apply import review_changes
from deskmate.changes.differ import cut
from deskmate.changes.history import history
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.review import Item
from deskmate.changes.undo import UndoOptions, undo_changes
from deskmate.errors import UserError
from deskmate.types.events import ApplyFinished, ApplyStarted, ChangesDiscarded
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
NDA: Tree = {"nda.txt": b"one\ntwo\nthree\nfour\nfive\n", "logo.png": b"\x89PNG\r\n\x1a\n\0\1"}
REDLINED = b"ONE\ntwo\nthree\nFOUR\nfive\nsix\n"
AFTER: Tree = {**NDA, "nda.txt": REDLINED, "memo.md": b"memo\n", "logo.png": b"\x89PNG\0\2"}


async def _items(desk: Desk, digest: Digest) -> dict[str, Item]:
    events = await desk.place.store.events()
    found = await review_changes(desk.place.blobs, digest, desk.grants, events)
    return {item.path: item for item in found.items}


async def test_a_hunk_is_applied_the_others_wait_and_come_later(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    original = facts(desk.root)
    digest = desk.stage(AFTER)
    only = ApplyOptions(paths=("docs/nda.txt",), hunks={"docs/nda.txt": ("2",)})
    outcome = await desk.apply(digest, only)
    assert contents(desk.root) == {**NDA, "nda.txt": b"one\ntwo\nthree\nFOUR\nfive\n"}
    assert outcome.waiting == {"docs/nda.txt": "2 of 3 parts are left out"}
    assert outcome.left_out == {}
    item = (await _items(desk, digest))["docs/nda.txt"]
    assert (item.standing, item.parts, item.of) == ("open", ("2",), 3)
    await desk.apply(digest, ApplyOptions(hunks={"docs/nda.txt": ("3",)}))
    assert contents(desk.root) == {**AFTER, "nda.txt": b"one\ntwo\nthree\nFOUR\nfive\nsix\n"}
    await desk.apply(digest)
    assert contents(desk.root) == AFTER
    assert (await _items(desk, digest))["docs/nda.txt"].standing == "applied"
    await undo_changes(desk.place)
    assert facts(desk.root) == original
    desk.balance()


async def test_all_hunks_together_are_the_whole_file(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    outcome = await desk.apply(
        desk.stage(AFTER), ApplyOptions(hunks={"docs/nda.txt": ("1", "2", "3")})
    )
    assert contents(desk.root) == AFTER
    assert outcome.waiting == {}


async def test_one_hunk_after_another_is_undone_one_after_another(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "nda.txt": REDLINED})
    for number in ("1", "2"):
        await desk.apply(digest, ApplyOptions(hunks={"docs/nda.txt": (number,)}))
    last = history(await desk.place.store.events(), desk.place.blobs)[-1]
    await undo_changes(desk.place, UndoOptions(plan=last.digest))
    assert contents(desk.root)["nda.txt"] == b"ONE\ntwo\nthree\nfour\nfive\n"
    item = (await _items(desk, digest))["docs/nda.txt"]
    assert (item.standing, item.parts) == ("open", ("1",))


async def test_a_file_changed_after_a_part_of_it_was_applied_is_a_conflict(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**NDA, "nda.txt": REDLINED})
    await desk.apply(digest, ApplyOptions(hunks={"docs/nda.txt": ("1",)}))
    (desk.root / "nda.txt").write_bytes(b"my own edit\n")
    outcome = await desk.apply(digest)
    assert outcome.left_out == {"docs/nda.txt": "it was changed meanwhile"}
    assert (desk.root / "nda.txt").read_bytes() == b"my own edit\n"


async def _left(desk: Desk) -> list[int | None]:
    payloads = [event.payload for event in await desk.place.store.events()]
    return [payload.left for payload in payloads if isinstance(payload, ApplyFinished)]


async def test_the_log_says_how_many_changes_stay_staged(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**AFTER, "new.txt": b"new"})
    whole = len((await _items(desk, digest)).values())
    await desk.apply(digest, ApplyOptions(paths=("docs/nda.txt",), hunks={"docs/nda.txt": ("2",)}))
    assert await _left(desk) == [whole]  # the file is not done with
    await desk.apply(digest, ApplyOptions(paths=("docs/new.txt",)))
    await desk.apply(digest)
    assert await _left(desk) == [whole, whole - 1, 0]
    await undo_changes(desk.place)
    assert (await _left(desk))[-1] is None


async def test_what_the_user_leaves_out_stays_staged_and_the_log_says_so(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage({**AFTER, "new": None, "new/a.txt": b"a", "new/b.txt": b"b"})
    outcome = await desk.apply(digest, ApplyOptions(leave_out=("docs/nda.txt", "docs/new")))
    assert outcome.left_out == {}
    assert set(outcome.waiting) == {"docs/nda.txt", "docs/new", "docs/new/a.txt", "docs/new/b.txt"}
    assert contents(desk.root) == {**AFTER, "nda.txt": NDA["nda.txt"]}
    entry = history(await desk.place.store.events(), desk.place.blobs)[-1]
    assert entry.plan.waiting == outcome.waiting
    assert entry.by == "user"
    assert entry.operations() == {"create": 1, "modify": 1}
    await desk.apply(digest)
    assert contents(desk.root)["new/a.txt"] == b"a"


async def test_what_follows_from_a_choice_waits_too(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"old": None, "old/a.txt": b"a", "old/b.txt": b"b", "c.txt": b"c"})
    digest = desk.stage({"moved.txt": b"c"})
    outcome = await desk.apply(
        digest, ApplyOptions(leave_out=("docs/old/a.txt", "docs/moved.txt"), confirm_bulk=True)
    )
    assert outcome.left_out == {}
    assert outcome.waiting == {
        "docs/c.txt": "its new place docs/moved.txt was left out",
        "docs/moved.txt": "you left it out",
        "docs/old": "it still holds a.txt",
        "docs/old/a.txt": "you left it out",
    }
    assert contents(desk.root) == {"old": None, "old/a.txt": b"a", "c.txt": b"c"}


async def test_discarded_paths_are_not_applied_any_more(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    digest = desk.stage(AFTER)
    await desk.apply(digest, ApplyOptions(hunks={"docs/nda.txt": ("1",)}, paths=("docs/nda.txt",)))
    thrown = ("docs/nda.txt", "docs/memo.md")
    await desk.place.store.append(ChangesDiscarded(difference=digest, paths=thrown))
    items = await _items(desk, digest)
    assert {path: item.standing for path, item in items.items()} == {
        "docs/logo.png": "open",
        "docs/memo.md": "discarded",
        "docs/nda.txt": "discarded",
    }
    outcome = await desk.apply(digest)
    assert outcome.written == ("docs/logo.png",)
    assert contents(desk.root) == {
        "logo.png": AFTER["logo.png"],
        "nda.txt": b"ONE\ntwo\nthree\nfour\nfive\n",
    }


@pytest.mark.parametrize(
    ("hunks", "says"),
    [
        ({"docs/nda.txt": ("4", "1")}, "has no hunk 4; it has 3"),
        ({"docs/logo.png": ("1",)}, "cannot be taken in parts"),
        ({"docs/memo.md": ("1",)}, "cannot be taken in parts"),
        ({"docs/other": ("1",)}, "docs/other is not in the change set"),
    ],
)
async def test_parts_that_are_not_there_are_named(
    tmp_path: Path, hunks: dict[str, tuple[str, ...]], says: str
) -> None:
    desk = Desk.make(tmp_path, NDA)
    with pytest.raises(UserError, match=says):
        await desk.apply(desk.stage(AFTER), ApplyOptions(hunks=hunks))
    assert contents(desk.root) == NDA
    assert await desk.place.store.events() == ()


async def test_a_choice_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    for options in (
        ApplyOptions(leave_out=("docs/nad.txt",)),
        ApplyOptions(allow_protected=("docs/nda",)),
    ):
        with pytest.raises(UserError, match="is not in the change set"):
            await desk.apply(desk.stage(AFTER), options)


async def test_the_policy_signs_what_it_applied(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, NDA)
    await desk.apply(desk.stage(AFTER), ApplyOptions(mode="new"))
    (started,) = [
        event.payload
        for event in await desk.place.store.events()
        if isinstance(event.payload, ApplyStarted)
    ]
    assert started.by == "policy"


class _Cells:
    """A differ as one of documents would be: its own ids, its own bytes."""

    unit = "cell"

    def takes(self, before: bytes | None, after: bytes | None) -> bool:
        return bool(before and after and before.startswith(b"XL") and after.startswith(b"XL"))

    def pieces(self, before: bytes | None, after: bytes | None) -> tuple[object, ...]:
        from deskmate.changes.differ import Piece

        return (Piece(id="PL!A1"), Piece(id="PL!B2"))

    def merge(self, before: bytes | None, after: bytes | None, chosen: object) -> bytes:
        return b"XL merged " + ",".join(sorted(chosen)).encode()  # type: ignore[call-overload]


async def test_another_kind_of_file_brings_its_own_pieces(tmp_path: Path) -> None:
    desk = Desk.make(tmp_path, {"a.xlsx": b"XL\0one"})
    items = await _items(desk, desk.stage({"a.xlsx": b"XL\0two"}))
    changes = {path: item.change for path, item in items.items()}
    parts = cut(changes, {"docs/a.xlsx": ["PL!B2"]}, {}, desk.place.blobs, [_Cells()])  # type: ignore[list-item]
    part = parts["docs/a.xlsx"]
    assert (part.ids, part.of) == (("PL!B2",), 2)
    assert desk.place.blobs.read(part.sha256) == b"XL merged PL!B2"
