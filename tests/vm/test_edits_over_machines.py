"""A workbook is edited in one run and in the next, each in a machine of its own, before anything is applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from deskmate.errors import SandboxMissing
from deskmate.host import Host, RunOrder, RunResult
from deskmate.ports import Delta
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.build import build_image
from deskmate.sandbox.image import find_image
from deskmate.store.thread import open_thread
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, SandboxOpened, ToolFinished
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.timeout(900)]
BOOK = "docs/model.xlsx"


def office(tool: str, **arguments: Any) -> tuple[str, Mapping[str, Any]]:
    return f"office__{tool}", arguments


def edit(*edits: Mapping[str, Any]) -> Line:
    return (office("sheet_edit", path=BOOK, edits=list(edits)),)


def model_in(folder: Path) -> None:
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "model.xlsx") as book:
        book.calc_on_load = False
        sheet = book.add_worksheet("Plan")
        for row, line in enumerate((("Region", "Amount"), ("North", 10), ("South", 20))):
            sheet.write_row(row, 0, line)
        sheet.write_row(3, 0, ["Total"])
        sheet.write_formula("B4", "=SUM(B2:B3)", None, 30)


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


class Runs:
    """Runs of one thread over one folder, each by a process of its own as far as the machine goes."""

    def __init__(self, sandbox: QemuSandbox, root: Path) -> None:
        self.sandbox, self.root = sandbox, root
        self.thread: ThreadId | None = None
        self.lines: list[str] = []
        self.script: list[Line] = []
        model_in(root / "docs")

    async def run(self, text: str, *lines: Line) -> RunResult:
        places = Places(
            data=self.root / "data", cache=self.root / "cache", config=self.root / "config"
        )
        self.script += [*lines, "Done."]
        host = Host(places, sandbox=self.sandbox, model=ScriptedModel(self.script))
        order = RunOrder(text=text, grants=(Grant(name="docs", folder=str(self.root / "docs")),))
        result = await host.run(order, self.thread, observer=self._hear, approver=Nobody())
        self.thread = result.thread
        return result

    def _hear(self, item: Event | Delta) -> None:
        if isinstance(item, Delta) and item.kind == "progress":
            self.lines.append(item.text)

    async def events(self) -> tuple[Event, ...]:
        assert self.thread is not None
        threads = self.root / "data" / "threads"
        async with open_thread(threads, self.thread, write=False) as store:
            return tuple(await store.events())


async def said(runs: Runs) -> str:
    done = [e.payload.text for e in await runs.events() if isinstance(e.payload, ToolFinished)]
    return "\n".join(done)[-3000:]


async def test_a_second_run_edits_on_and_a_deck_follows_the_rows(
    sandbox: QemuSandbox, tmp_path: Path
) -> None:
    runs = Runs(sandbox, tmp_path)
    first = await runs.run(
        "Make room for a region, and set North to 12.",
        edit({"op": "insert", "cells": "Plan!3:3"}, {"op": "set", "cells": "Plan!B2", "value": 12}),
    )
    assert (first.reason, first.findings) == ("done", ()), await said(runs)
    second = await runs.run(
        "Set South to 25, and show the plan on a deck.",
        edit({"op": "set", "cells": "Plan!B4", "value": 25}),
        (
            office(
                "deck_summary", path=BOOK, target="docs/plan.pptx", areas=[{"cells": "Plan!A1:B4"}]
            ),
        ),
    )
    assert (second.reason, second.findings) == ("done", ()), await said(runs)
    opened = [e for e in await runs.events() if isinstance(e.payload, SandboxOpened)]
    assert len(opened) == 2


@pytest.mark.slow
async def test_an_ordinary_thread_computes_by_two_engines(
    sandbox: QemuSandbox, places: Places, tmp_path: Path
) -> None:
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        build_image(places, lambda line: None, flavour="office")
    runs = Runs(sandbox, tmp_path)
    result = await runs.run(
        "Set North to 12 and compute the model.",
        edit({"op": "set", "cells": "Plan!B2", "value": 12}),
        (office("sheet_recalculate", path=BOOK),),
        (office("sheet_read", path=BOOK, cells="Plan!B4"),),
    )
    assert (result.reason, result.findings) == ("done", ()), await said(runs)
    answers = [e.payload for e in await runs.events() if isinstance(e.payload, ToolFinished)]
    assert [one.outcome for one in answers] == ["ok"] * 3
    assert '"value":"32"' in answers[-1].text, answers[-1].text
    assert '"old"' not in answers[-1].text
    opened = [e.payload for e in await runs.events() if isinstance(e.payload, SandboxOpened)]
    assert len({one.template for one in opened}) == 2
    assert any("takes LibreOffice" in line for line in runs.lines)
