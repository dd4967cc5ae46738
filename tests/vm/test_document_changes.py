"""A changed Word document and workbook: shown change by change, and applied in part, by a machine of its own."""

from __future__ import annotations

from pathlib import Path

import docx
import openpyxl
import pytest
from tests.vm.desk import Desk

from deskmate.host import Host, RunOrder
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import Event
from deskmate.types.files import Grant

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600), pytest.mark.anyio]
PROGRAM = """
import docx
file = docx.Document("work/terms.docx")
file.paragraphs[0].runs[0].text = "The fee is 700 euros."
file.paragraphs[1].runs[0].text = "Notices by e-mail."
file.save("work/terms.docx")
"""
CELLS = [
    {"op": "set", "cells": "S!B2", "value": 650},
    {"op": "set", "cells": "S!B3", "value": 450},
]


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        """Answer that nobody can."""
        return None


def quiet(item: Event | object) -> None:
    """Show nothing."""


async def test_changes_of_documents_are_shown_and_applied_one_by_one(
    desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    document = docx.Document()
    document.add_paragraph("The fee is 500 euros.")
    document.add_paragraph("Notices by post.")
    document.save(str(folder / "terms.docx"))
    book = openpyxl.Workbook()
    book.active.title = "S"
    for row in (["Item", "EUR"], ["Rent", 600], ["Power", 400]):
        book.active.append(row)
    book.save(folder / "costs.xlsx")
    script = (
        (("workspace__python", {"code": PROGRAM}),),
        (("office__sheet_edit", {"path": "work/costs.xlsx", "edits": CELLS}),),
        "Done.",
    )
    order = RunOrder(text="Do it.", grants=(Grant(name="work", folder=str(folder)),))
    host = Host(desk.places, model=ScriptedModel(script))
    ended = await host.run(order, None, observer=quiet, approver=Nobody())
    assert ended.reason == "done", ended

    shown = {
        change["path"]: change
        for change in desk.json("changes", "diff", "--thread", ended.thread)["changes"]
    }
    terms, costs = shown["work/terms.docx"], shown["work/costs.xlsx"]
    assert terms["hunks"] == ["1", "2"]
    assert {"-500", "+700", "-post", "+e-mail"} <= set(terms["lines"])
    assert costs["hunks"] == ["1", "2"]
    assert {"-600", "+650", "-400", "+450"} <= set(costs["lines"])

    chosen = ("--hunks", "work/terms.docx:2", "--hunks", "work/costs.xlsx:1")
    desk.call("changes", "apply", "--thread", ended.thread, *chosen)
    lines = [p.text for p in docx.Document(str(folder / "terms.docx")).paragraphs]
    assert lines == ["The fee is 500 euros.", "Notices by e-mail."]
    sheet = openpyxl.load_workbook(folder / "costs.xlsx")["S"]
    assert (sheet["B2"].value, sheet["B3"].value) == (650, 400)

    desk.call("changes", "apply", "--thread", ended.thread)  # and the rest
    lines = [p.text for p in docx.Document(str(folder / "terms.docx")).paragraphs]
    assert lines == ["The fee is 700 euros.", "Notices by e-mail."]
    sheet = openpyxl.load_workbook(folder / "costs.xlsx")["S"]
    assert (sheet["B2"].value, sheet["B3"].value) == (650, 450)
