"""The end of a run: what the change set says, also of work that nobody reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.changes.review import read_difference
from deskmate.testing.fake_sandbox import FakeMachine
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ChangesStaged, CheckpointMade, UserSaid, Validated
from deskmate.types.ids import RunId

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio


async def test_the_change_set_counts_by_kind_and_names_its_deliverables(make_lab: MakeLab) -> None:
    steps: tuple[Any, ...] = (
        ("workspace__shell", {"command": "mkdir docs/sub"}),
        ("workspace__write", {"path": "docs/a.txt", "content": "new"}),
        ("workspace__shell", {"command": "rm -rf docs/b.txt"}),
        ("lab__memo", {}),
    )
    lab = make_lab(ScriptedModel([steps, "Ok."]), files={"docs/a.txt": b"a", "docs/b.txt": b"b"})
    await lab.say("Go")
    (staged,) = lab.store.of(ChangesStaged)
    assert (staged.created, staged.modified, staged.deleted) == (2, 1, 1)
    assert [item.path for item in staged.deliverables] == ["docs/memo.md"]


async def test_what_changed_after_the_last_call_is_in_the_change_set(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Background(ScriptedModel):
        async def reply(self, request: Any, on_text: Any) -> Any:
            reply = await super().reply(request, on_text)
            if reply.stop_reason == "end_turn":
                lab.sandbox.machines[-1]._tree.write("docs/late", b"by a background process")
            return reply

    write = ("workspace__write", {"path": "docs/b", "content": "x"})
    lab = make_lab(Background([(write,), "Ok."]))
    await lab.say("Go")
    (staged,) = lab.store.of(ChangesStaged)
    assert staged.created == 2
    assert len(lab.store.of(CheckpointMade)) == 2


async def test_what_was_refused_is_in_the_change_set(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeMachine.difference

    async def with_fifo(self: FakeMachine, base: Any, blobs: Any) -> Any:
        difference, home = await real(self, base, blobs)
        return replace(difference, refused={"docs/fifo": "a fifo"}), home

    monkeypatch.setattr(FakeMachine, "difference", with_fifo)
    write = ("workspace__write", {"path": "docs/b", "content": "x"})
    lab = make_lab(ScriptedModel([(write,), "Ok."]))
    await lab.say("Go")
    (staged,) = lab.store.of(ChangesStaged)
    assert staged.refused == {"docs/fifo": "a fifo"}
    assert read_difference(staged.difference, lab.blobs).refused == staged.refused


async def test_an_unchanged_deliverable_is_not_checked_twice_in_one_thread(
    make_lab: MakeLab,
) -> None:
    bad: tuple[Any, ...] = (("lab__memo", {"text": "TODO"}),)
    good: tuple[Any, ...] = (("lab__memo", {}),)
    lab = make_lab(ScriptedModel([bad, "One.", bad, "Two.", good, "Three."]))
    assert (await lab.say("Go")).reason == "done"
    assert [verdict.passed for verdict in lab.store.of(Validated)] == [False, False, True]
    assert lab.sandbox.clean_rooms == 2


async def test_what_the_user_said_since_has_it_checked_again(make_lab: MakeLab) -> None:
    """Rules are told the user's words: a figure may come from them."""
    memo: tuple[Any, ...] = (("lab__memo", {}),)
    lab = make_lab(ScriptedModel([memo, "One.", memo, "Two."]))
    await lab.say("Go")
    await lab.say("Again", run="r-2")
    assert [verdict.run for verdict in lab.store.of(Validated)] == ["r-1", "r-2"]
    assert lab.sandbox.clean_rooms == 2


async def test_rules_are_given_the_plugins_settings_and_a_changed_one_is_a_new_check(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = FakeMachine.validate

    async def validate(self: FakeMachine, request: Any, blobs: Any) -> Any:
        seen.append(request.config)
        return await real(self, request, blobs)

    monkeypatch.setattr(FakeMachine, "validate", validate)
    memo: tuple[Any, ...] = (("lab__memo", {}),)
    lab = make_lab(ScriptedModel([memo, "One.", memo, "Two."]))
    for run, level in (("r-1", "low"), ("r-2", "high")):
        driver = await lab.driver()
        delivery = driver._delivery
        delivery._setup = replace(delivery._setup, config={"lab": {"level": level}})
        await driver.run(UserSaid(run=RunId(run), text="Go", model="scripted"))
    assert seen == [{"lab": {"level": "low"}}, {"lab": {"level": "high"}}]
