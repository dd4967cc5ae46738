"""A conversation is compacted in the middle of an edit: the work goes on, and the gates of the real clean room pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from deskmate.agent.compaction import ASK_FOR_SUMMARY
from deskmate.host import Host, RunOrder
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import find_model
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.store.invariants import CHECKERS
from deskmate.store.thread import open_thread
from deskmate.testing.caching_server import CachingServer, Json
from deskmate.types.events import Compacted, ToolFinished, Validated
from deskmate.types.files import Grant
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.timeout(600)]
BOOK = "docs/model.xlsx"
WINDOW = 40_000


class Clerk:
    """Edits a workbook, reads long texts until the window is full, edits on; asked for a summary it gives one."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, body: Json) -> Sequence[Json]:
        if body["messages"][-1]["content"][-1].get("text") == ASK_FOR_SUMMARY:
            return [
                {"type": "text", "text": "A row came before South; North is 12. South is next."}
            ]
        self.asked += 1
        match self.asked:
            case 1:
                row: dict[str, Any] = {"op": "insert", "cells": "Plan!3:3"}
                north: dict[str, Any] = {"op": "set", "cells": "Plan!B2", "value": 12}
                return [self._use("office__sheet_edit", path=BOOK, edits=[row, north])]
            case n if n < 8:
                return [self._use("workspace__read", path=f"docs/{n}.txt")]
            case 8:
                south = {"op": "set", "cells": "Plan!B4", "value": 25}
                return [self._use("office__sheet_edit", path=BOOK, edits=[south])]
        return [{"type": "text", "text": "The plan is up to date."}]

    def _use(self, name: str, **given: Any) -> Json:
        return {"type": "tool_use", "id": f"toolu_{self.asked}", "name": name, "input": given}


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def folder_of(root: Path) -> Path:
    folder = root / "docs"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "model.xlsx") as book:
        book.calc_on_load = False
        sheet = book.add_worksheet("Plan")
        for row, line in enumerate((("Region", "Amount"), ("North", 10), ("South", 20))):
            sheet.write_row(row, 0, line)
        sheet.write_row(3, 0, ["Total"])
        sheet.write_formula("B4", "=SUM(B2:B3)", None, 30)
    for number in range(2, 8):
        note = f"Note {number}: the regions report their amounts at the end of each month. " * 4
        (folder / f"{number}.txt").write_text(f"{note}\n" * 90)
    return folder


async def test_an_edit_goes_on_after_a_compaction_and_its_gates_pass(
    sandbox: QemuSandbox, tmp_path: Path
) -> None:
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    info = replace(find_model("sonnet", {}), context_tokens=WINDOW)
    grant = Grant(name="docs", folder=str(folder_of(tmp_path)))
    with CachingServer(Clerk(), window=WINDOW) as server:
        model = AnthropicModel(info, api_key="none", base_url=server.url)
        host = Host(places, environ={}, sandbox=sandbox, model=model)
        order = RunOrder(text="Bring the plan up to date.", grants=(grant,))
        result = await host.run(order, None, observer=lambda item: None, approver=Nobody())
        await model.aclose()
    async with open_thread(places.threads, result.thread, write=False) as store:
        events = await store.events()
    said = [e.payload.text[:300] for e in events if isinstance(e.payload, ToolFinished)]
    assert (result.reason, result.findings) == ("done", ()), said
    assert server.refused == []
    made = [e.payload for e in events if isinstance(e.payload, Compacted)]
    assert [one.by for one in made] == ["claude-sonnet-5-5"]
    assert made[0].tokens_after < made[0].tokens_before
    verdict = next(e.payload for e in reversed(events) if isinstance(e.payload, Validated))
    assert verdict.passed
    assert "G-DIFF" in verdict.rules
    assert [one for check in CHECKERS.values() for one in check(events)] == []
