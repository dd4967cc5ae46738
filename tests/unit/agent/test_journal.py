"""The journal: stored first, then known, then told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from deskmate.agent.journal import Journal
from deskmate.ports import Delta
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Refused

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio


async def test_what_cannot_be_stored_is_neither_known_nor_told(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    lab, told = make_lab(ScriptedModel(["x"])), list[Any]()
    journal = Journal(lab.store, told.append)
    await journal.load()
    lab.store.die_at = 0
    with pytest.raises(crash):
        await journal.record(Refused(what="x", why="y"))
    assert len(journal.events) == 2
    assert told == []


async def test_concurrent_records_keep_the_order_of_the_log(make_lab: MakeLab) -> None:
    lab, told = make_lab(ScriptedModel(["x"])), list[Any]()
    journal = Journal(lab.store, told.append)
    await journal.load()
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(journal.record, Refused(what=str(number), why=""))
    assert journal.events == lab.store.stored
    assert [event.seq for event in told] == list(range(3, 23))
    assert journal.state.seq == 22


async def test_deltas_are_told_and_not_stored(make_lab: MakeLab) -> None:
    lab, told = make_lab(ScriptedModel(["x"])), list[Any]()
    journal = Journal(lab.store, told.append)
    journal.progress("working")
    journal.stream("Hel")
    assert told == [Delta(kind="progress", text="working"), Delta(kind="text", text="Hel")]
    assert len(lab.store.stored) == 2
