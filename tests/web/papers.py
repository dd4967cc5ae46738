"""A job on Word and Excel files for the page's browser tests and pictures: made by the real document tools, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from tests.unit.documents.gate_rooms import write_docx

from deskmate.testing.fake_workspace import Tree
from deskmate.types.findings import Finding
from deskmate_documents.docx.redline import Edit, redline
from deskmate_documents.xlsx.edit import edit_workbook

AGREEMENT = "contracts/MSA Northwind.docx"
BRIEF = "contracts/MSA summary.docx"
TRACKER = "contracts/Clause tracker.xlsx"
PARAGRAPHS = (
    "# Master services agreement",
    "This Agreement is between Harbour Ltd and Northwind Inc.",
    "Either party may terminate this Agreement for convenience on ninety (90) days' written notice, and no refund of prepaid fees shall be due.",
    "The total liability of each party is limited to the fees paid in the preceding six (6) months.",
    "Invoices are due in sixty (60) days.",
    "This Agreement is governed by the laws of Delaware.",
)
EDITS = (
    Edit(paragraph=3, find="ninety (90)", replace="thirty (30)", reason="Playbook rule 7: notice of 30 days or less"),
    Edit(paragraph=3, find=", and no refund of prepaid fees shall be due", replace="", reason="Playbook rule 7: prepaid fees are refunded"),
    Edit(paragraph=4, find="six (6)", replace="twelve (12)", reason="Playbook rule 12: cap at 12 months"),
    Edit(paragraph=6, find="Delaware", replace="England and Wales", reason="Our usual law"),
)  # fmt: skip
SILENT = Finding(
    rule="LEGAL-PLAYBOOK",
    level="warning",
    message="The playbook is silent on governing law.",
    location="paragraph 6",
    fix="Your call.",
    path=AGREEMENT,
)
ANSWER = (
    "The Northwind draft departs from the playbook in four places. The largest is the notice period: 90 days, where the "
    "playbook allows 30. All changes are staged for review; your folder has not been touched."
)


def make_papers(folder: Path) -> None:
    """Put an agreement and a workbook into the user's folder."""
    write_docx(folder / Path(AGREEMENT).name, *PARAGRAPHS)
    book = Workbook()
    sheet = book.active
    sheet.title = "Clauses"
    sheet.append(["Clause", "Contract", "State", "Days"])
    for clause in ("Notice", "Liability cap", "Payment", "Governing law"):
        sheet.append([clause, "Northwind", "not reviewed", None])
    book.save(folder / Path(TRACKER).name)


def mark_up(tree: Tree, arguments: Mapping[str, Any]) -> str:
    """Redline the agreement, write the brief, fill in the tracker."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new = folder / "old.docx", folder / "new.docx"
        old.write_bytes(tree.read(AGREEMENT))
        redline(old, new, EDITS, author="Deskmate", date="2026-11-29T10:00:00Z")
        tree.write(AGREEMENT, new.read_bytes())
        words = ("# Summary", "Four places depart from the playbook.", "Dana decides on the law.")
        tree.write(BRIEF, write_docx(folder / "brief.docx", *words).read_bytes())
        old, new = folder / "old.xlsx", folder / "new.xlsx"
        old.write_bytes(tree.read(TRACKER))
        edits: list[dict[str, Any]] = [
            {"op": "set", "cells": f"Clauses!C{row}", "value": "redlined"} for row in (2, 3, 5)
        ]
        edits += [{"op": "set", "cells": "Clauses!D2", "value": 30}]
        edit_workbook(old, new, edits)
        tree.write(TRACKER, new.read_bytes())
    return "written"
