"""The machine's base: read again when it may have changed, and kept where work depends on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from deskmate.agent.manifests import read_entries
from deskmate.agent.workbench import keep_originals
from deskmate.errors import ProtocolError
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import BaseTaken, CheckpointMade, SandboxOpened, ToolFinished
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
