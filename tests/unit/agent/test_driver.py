"""The driver: whole runs over in-memory ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import (
    ChangesStaged,
    Validated,
)

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio


async def test_a_question_without_tools_is_done_after_one_reply(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel(["Hello."]))
    ended = await lab.say("Hi")
    assert ended.reason == "done"
    assert lab.sandbox.opened == 0
    assert not lab.store.of(ChangesStaged)


async def test_a_deliverable_is_staged_and_validated_before_the_run_is_done(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(ScriptedModel([(("lab__memo", {}),), "Here is the memo."]))
    ended = await lab.say("Write a memo")
    assert ended.reason == "done"
    (staged,) = lab.store.of(ChangesStaged)
    assert (staged.created, staged.modified, staged.deleted) == (1, 0, 0)
    (verdict,) = lab.store.of(Validated)
    assert verdict.passed
    assert verdict.rules == ("T-TODO",)
    assert lab.sandbox.clean_rooms == 1


async def test_findings_go_to_the_model_which_repairs_the_file(make_lab: MakeLab) -> None:
    model = ScriptedModel(
        [
            (("lab__memo", {"text": "TODO"}),),
            "Here.",
            (("lab__memo", {"text": "Better."}),),
            "Repaired.",
        ]
    )
    lab = make_lab(model)
    ended = await lab.say("Write a memo")
    assert ended.reason == "done"
    assert [verdict.passed for verdict in lab.store.of(Validated)] == [False, True]
    last = model.requests[2].messages[-1]
    assert last.role == "user"
    assert "There is a TODO." in str(last.content)
