"""Answers that failed a check are asked for a second time: with what was wrong, once, and only while there is money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.tables.table_rooms import AnsweringModel, DocumentBox, reads_well, write_contracts
from tests.unit.tables.test_tables import Desk, quiet

from deskmate.errors import ModelRejected
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.messages import Text

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]
FORGED = "It is governed by the laws of Delaware."


class Learner(AnsweringModel):
    """Forges one quote, and reads well once it is told that the quote failed."""

    def __init__(self, *, learns: bool = True, fails: bool = False) -> None:
        super().__init__(self._first)
        self._learns, self._fails = learns, fails
        self.told: list[str] = []

    @staticmethod
    def _first(text: str) -> Sequence[Mapping[str, Any]]:
        law, fee, begins = reads_well(text)
        return [{**law, "value": "Delaware", "quote": FORGED}, fee, begins]

    async def reply(self, request: ModelRequest, on_text: Any) -> ModelReply:
        again = request.messages[0].content[1:]
        if again:
            assert isinstance(again[0], Text)
            self.told.append(again[0].text)
            if self._fails:
                raise ModelRejected("The server is full.")
        self._say = reads_well if again and self._learns else self._first
        return await super().reply(request, on_text)


async def test_a_model_that_is_told_what_failed_mends_its_answer(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 3)
    desk = Desk(tmp_path, model=(model := Learner()))
    name, summary = await desk.run(budget_usd=1.0)
    assert summary.cells == {"checked": 9}
    assert (summary.rows_done, summary.spent.calls) == (3, 6)
    for told in model.told:
        assert FORGED in told
        assert "the quote is not in the document" in told
    assert "Fee" not in model.requests[-1].system[0], "only what is disputed is asked again"
    law, fee, _ = desk.cells(name)["c00001.txt"]
    assert (law.value, law.asked, law.by) == ("New York", 2, "scripted")
    assert fee.asked == 1


async def test_without_money_what_is_disputed_stands_and_is_asked_again_with_more(
    tmp_path: Path,
) -> None:
    write_contracts(tmp_path / "docs", 3)
    desk = Desk(tmp_path, model=(model := Learner()))
    name, summary = await desk.run(budget_usd=0.045)  # three calls of 0.01, of which 0.02 is held
    assert summary.cells == {"checked": 6, "disputed": 3}
    assert summary.rows_done == 3
    assert len(model.requests) == 3
    assert desk.cells(name)["c00001.txt"][0].value == "Delaware"
    desk.tables.set_budget(name, 1.0)
    assert (await desk.tables.work(name, quiet)).cells == {"checked": 9}


async def test_a_second_call_that_fails_leaves_the_first_answer(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 1)
    desk = Desk(tmp_path, model=Learner(fails=True))
    name, summary = await desk.run(budget_usd=1.0)
    assert summary.cells == {"checked": 2, "disputed": 1}
    law = desk.cells(name)["c00001.txt"][0]
    assert (law.value, law.quote, law.asked) == ("Delaware", FORGED, 2)
    assert law.why == "the quote is not in the document; asked again: The server is full."


async def test_the_second_look_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 4)
    desk = Desk(tmp_path, model=(model := Learner()), sandbox=DocumentBox())
    name, _ = await desk.run(budget_usd=0.045 + 0.02)  # one of the four rows is asked again
    with desk.tables.opened(name) as record:
        record.set_order(record.about)
        assert record.ask_again() == sum(
            cell.asked == 1 and cell.status == "disputed"
            for row in desk.cells(name).values()
            for cell in row
        )
        left = [row.number for row in record.rows(only_open=True)]
    assert left, "the process ended after the rows were opened for the second look"
    asked = len(model.requests)
    desk.tables.set_budget(name, 1.0)
    summary = await desk.tables.work(name, quiet)
    assert summary.cells == {"checked": 12}
    assert len(model.requests) == asked + len(left)


async def test_by_rules_alone_nothing_is_asked_twice(tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", 1)
    (tmp_path / "docs/c00001.txt").write_text("fee of EUR 5 and a fee of EUR 7")
    desk = Desk(tmp_path)
    name, summary = await desk.run(model="offline")
    assert summary.cells["disputed"] == 1
    with desk.tables.opened(name) as record:
        assert record.ask_again() == 0
