"""The machine's base: read again when it may have changed, and kept where work depends on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from deskmate.agent.manifests import read_entries
from deskmate.agent.workbench import keep_originals
from deskmate.changes.review import read_difference
from deskmate.errors import ProtocolError
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    BaseTaken,
    ChangesDiscarded,
    ChangesStaged,
    CheckpointMade,
    SandboxOpened,
    ToolFinished,
)
from deskmate.types.files import Change, Difference, Entry
from deskmate.types.ids import Digest

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

A, B = Digest("a" * 64), Digest("b" * 64)


def entry(path: str, sha256: Digest) -> Entry:
    return Entry(path=path, kind="file", mode=0o644, sha256=sha256)


def test_changed_paths_keep_what_they_were_made_from() -> None:
    now = (entry("created", B), entry("kept", B), entry("mine", B))
    changes = Difference(
        changes=(
            Change(path="created", operation="create", before=None, after=entry("created", A)),
            Change(
                path="gone", operation="modify", before=entry("gone", A), after=entry("gone", B)
            ),
            Change(
                path="mine", operation="modify", before=entry("mine", A), after=entry("mine", B)
            ),
        )
    )
    assert keep_originals(now, changes) == (entry("gone", A), entry("kept", B), entry("mine", A))


@pytest.mark.anyio
async def test_a_thread_without_folders_has_an_empty_base(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("workspace__write", {"path": "n", "content": "x"}),), "Ok."]))
    lab.store.stored = lab.store.stored[:1]
    await lab.say("Go")
    (base,) = lab.store.of(BaseTaken)
    assert (base.files, base.size) == (0, 0)
    assert read_entries(lab.blobs, base.manifest) == ()


@pytest.mark.anyio
async def test_a_machine_that_talks_nonsense_at_its_start_is_replaced(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(("workspace__glob", {"pattern": "*"}),), "Ok."]))
    lab.sandbox.refuse_open = [ProtocolError("garbage")]
    await lab.say("Go")
    assert lab.store.of(ToolFinished)[0].outcome == "ok"
    assert len(lab.store.of(SandboxOpened)) == 1


@pytest.mark.anyio
async def test_a_checkpoint_counts_files_and_bytes(make_lab: MakeLab) -> None:
    write = ("workspace__write", {"path": "docs/n", "content": "four"})
    lab = make_lab(ScriptedModel([(write,), "Ok."]))
    await lab.say("Go")
    (made,) = lab.store.of(CheckpointMade)
    assert (made.files, made.size) == (1, 4)


@pytest.mark.anyio
async def test_what_an_apply_left_out_stays_in_the_workspace_and_in_the_change_set(
    make_lab: MakeLab,
) -> None:
    def write(path: str, content: str) -> tuple[str, dict[str, str]]:
        return "workspace__write", {"path": path, "content": content}

    lab = make_lab(
        ScriptedModel(
            [
                (write("docs/new", "1"), write("docs/a.txt", "mine")),
                "One.",
                (("workspace__read", {"path": "docs/a.txt"}), write("docs/later", "2")),
                "Two.",
            ]
        )
    )
    await lab.say("Go")
    lab.files["docs/new"] = b"1"  # new files only were applied
    await lab.apply("docs/new")
    await lab.say("Again", run="r-2")
    assert [done.text for done in lab.store.of(ToolFinished)][2] == "mine"
    staged = lab.store.of(ChangesStaged)[-1]
    assert (staged.created, staged.modified) == (1, 1)
    difference = read_difference(staged.difference, lab.blobs)
    assert [change.path for change in difference.changes] == ["docs/a.txt", "docs/later"]


@pytest.mark.anyio
async def test_discarded_work_is_gone_from_the_workspace(make_lab: MakeLab) -> None:
    write = ("workspace__write", {"path": "docs/a.txt", "content": "mine"})
    read = ("workspace__read", {"path": "docs/a.txt"})
    lab = make_lab(ScriptedModel([(write,), "One.", (read,), "Two."]))
    await lab.say("Go")
    await lab.store.append(ChangesDiscarded(difference=A))
    await lab.say("Again", run="r-2")
    assert lab.store.of(ToolFinished)[-1].text == "alpha"
    assert len(lab.store.of(ChangesStaged)) == 1


@pytest.mark.anyio
async def test_what_was_discarded_by_path_is_gone_and_the_rest_of_the_work_stays(
    make_lab: MakeLab,
) -> None:
    mine = ("workspace__write", {"path": "docs/a.txt", "content": "mine"})
    new = ("workspace__write", {"path": "docs/new", "content": "1"})
    read = ("workspace__read", {"path": "docs/a.txt"})
    later = ("workspace__write", {"path": "docs/later", "content": "2"})
    lab = make_lab(ScriptedModel([(mine, new), "One.", (read, later), "Two."]))
    await lab.say("Go")
    await lab.store.append(ChangesDiscarded(difference=A, paths=("docs/a.txt",)))
    await lab.say("Again", run="r-2")
    assert [done.text for done in lab.store.of(ToolFinished)][2] == "alpha"
    staged = lab.store.of(ChangesStaged)[-1]
    changes = read_difference(staged.difference, lab.blobs).changes
    assert [change.path for change in changes] == ["docs/later", "docs/new"]


@pytest.mark.anyio
async def test_the_rest_of_a_file_of_which_a_part_was_applied_is_still_a_change(
    make_lab: MakeLab,
) -> None:
    mine = ("workspace__write", {"path": "docs/a.txt", "content": "mine and yours"})
    read = ("workspace__read", {"path": "docs/a.txt"})
    later = ("workspace__write", {"path": "docs/later", "content": "2"})
    lab = make_lab(ScriptedModel([(mine,), "One.", (read, later), "Two."]))
    await lab.say("Go")
    lab.files["docs/a.txt"] = b"mine"
    await lab.apply("docs/a.txt", part=b"mine")
    await lab.say("Again", run="r-2")
    assert [done.text for done in lab.store.of(ToolFinished)][1] == "mine and yours"
    staged = lab.store.of(ChangesStaged)[-1]
    changes = {c.path: c for c in read_difference(staged.difference, lab.blobs).changes}
    before = changes["docs/a.txt"].before
    assert before is not None
    assert lab.blobs.read(before.sha256 or A) == b"mine"
    assert sorted(changes) == ["docs/a.txt", "docs/later"]


@pytest.mark.anyio
@pytest.mark.parametrize("undo", [False, True])
async def test_after_apply_and_undo_the_workspace_is_as_the_folder_is(
    undo: bool, make_lab: MakeLab
) -> None:
    write = ("workspace__write", {"path": "docs/a.txt", "content": "mine"})
    read = ("workspace__read", {"path": "docs/a.txt"})
    lab = make_lab(ScriptedModel([(write,), "One.", (read,), "Two."]))
    await lab.say("Go")
    await lab.apply("docs/a.txt")
    if undo:
        await lab.apply("docs/a.txt", undo=True)
    lab.files["docs/a.txt"] = b"edited by the user since"
    await lab.say("Again", run="r-2")
    assert lab.store.of(ToolFinished)[-1].text == "edited by the user since"
