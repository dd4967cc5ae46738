"""One sound deliverable that every shared gate passes, and one seeded lie a gate that it must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docx
import pytest
from tests.unit.documents.gate_rooms import digest, room

from deskmate.plugin import Claim, Deliverable, Digest, Evidence, ValidationContext
from deskmate_documents.docx.build import build_docx
from deskmate_documents.office.gates import shared_gates

GATES = {gate.rule: gate for gate in shared_gates()}
NOTES = "The board met. “We shall grow with care this year,” said the chair. Rent 600, power 400. Ann Lee takes the minutes."
QUOTE = "We shall grow with care this year"
BLOCKS: list[dict[str, Any]] = [
    {"type": "heading", "text": "Costs"},
    {"type": "paragraph", "text": f"The chair said “{QUOTE}” at the meeting."},
    {"type": "paragraph", "text": "Rent is 1.5 times the power."},
    {"type": "table", "header": ["Item", "EUR"], "rows": [["Rent", "600"], ["Power", "400"], ["Total", "1,000"]]},
    {"type": "heading", "text": "Actions"},
    {
        "type": "table",
        "header": ["Action", "Owner", "Due", "Status"],
        "rows": [["Send the minutes", "Ann Lee", "2026-12-04", "open"]],
    },
    {"type": "paragraph", "text": "Draft for professional review"},
    {"type": "heading", "text": "Sources"},
    {"type": "paragraph", "text": "notes.txt"},
]  # fmt: skip


class Case:
    """The sound deliverable. `change` edits its file and keeps the structure's twin in step where asked."""

    def __init__(self, folder: Path) -> None:
        (folder / "w").mkdir()
        self.notes = folder / "w/notes.txt"
        self.notes.write_text(NOTES)
        self.file = folder / "out/report.docx"
        self.structure: dict[str, Any] = {"title": "Report", "blocks": BLOCKS}
        build_docx(self.structure, self.file)
        source = Digest(digest(self.notes))
        self.evidence = [
            Evidence(id=n, source=source, path="w/notes.txt", locator={"line": 1}, value=v)
            for n, v in (("rent", "600"), ("power", "400"))
        ]
        both = ("rent", "power")
        self.deliverable = Deliverable(
            path="w/report.docx",
            title="Report",
            role="report",
            sources={"source 1": "w/notes.txt"},
            claims=(
                Claim(text="1.5 times", evidence=both, kind="number", formula="e1 / e2"),
                Claim(text="1,000", evidence=both, kind="number", formula="e1 + e2"),
            ),
            data={"structure": self.structure, "regulated": True, "render": False},
        )

    @property
    def context(self) -> ValidationContext:
        return room(self.file, {"w/notes.txt": self.notes}, self.evidence)

    def caught(self) -> set[str]:
        return {
            rule
            for rule, gate in GATES.items()
            for finding in gate.function(self.deliverable, self.context)
            if finding.level == "error"
        }

    def said(self, old: str, new: str) -> None:
        """Say something else, in the structure and so in the file."""
        self.structure = _replaced(self.structure, old, new)
        build_docx(self.structure, self.file)
        data = dict(self.deliverable.data) | {"structure": self.structure}
        self.deliverable = replace(self.deliverable, data=data)

    def written(self, change: Callable[[Any], None]) -> None:
        """Change the file behind its structure's back."""
        document = docx.Document(str(self.file))
        change(document)
        document.save(str(self.file))


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(entry, old, new) for key, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry, old, new) for entry in value]
    return value.replace(old, new) if isinstance(value, str) else value


def broken_package(case: Case) -> None:
    import zipfile

    with zipfile.ZipFile(case.file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["word/_rels/document.xml.rels"] = parts["word/_rels/document.xml.rels"].replace(
        b'Target="styles.xml"', b'Target="gone.xml"'
    )
    with zipfile.ZipFile(case.file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def a_blank_page(case: Case) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    case.file = case.file.with_suffix(".pdf")
    writer.write(case.file)


def an_author(document: Any) -> None:
    document.core_properties.author = "Bo Orr"


def one_word_more(document: Any) -> None:
    document.add_paragraph("By the way.")


LIES: dict[str, Callable[[Case], None]] = {
    "G-QUOTE": lambda case: case.said(QUOTE, "We shall grow at any price this year"),
    "G-NUM": lambda case: case.said("1.5 times", "2.5 times"),
    "G-SUM": lambda case: case.said('400', "300"),
    "G-SOURCE": lambda case: case.said("notes.txt", "audit.pdf"),
    "G-PLACEHOLDER": lambda case: case.said("Send the minutes", "Send [TBD]"),
    "G-ACTION": lambda case: case.said("2026-12-04", "2026-11-04"),
    "G-SCHEMA": lambda case: case.written(one_word_more),
    "G-PII": lambda case: case.said("notes.txt", "notes.txt, GB82 WEST 1234 5698 7654 32"),
    "G-META": lambda case: case.written(an_author),
    "G-OOXML": broken_package,
    "G-RENDER": a_blank_page,
    "G-REVIEW": lambda case: case.said("Draft for professional review", "Status: final"),
}  # fmt: skip
"""G-DIFF looks at edited files; its mutations are in test_workbook_gate and test_redline_gate."""


def test_every_gate_has_its_lie() -> None:
    assert set(LIES) | {"G-DIFF"} == set(GATES)


def test_the_sound_deliverable_passes_every_gate(tmp_path: Path) -> None:
    case = Case(tmp_path)
    found = [
        finding
        for gate in GATES.values()
        for finding in gate.function(case.deliverable, case.context)
    ]
    assert found == []


@pytest.mark.parametrize("rule", LIES)
def test_a_seeded_lie_is_caught_by_its_gate(rule: str, tmp_path: Path) -> None:
    case = Case(tmp_path)
    LIES[rule](case)
    assert rule in case.caught()


@pytest.mark.parametrize("rule", sorted(GATES))
def test_a_file_that_cannot_be_read_never_passes(rule: str, tmp_path: Path) -> None:
    """A gate reports it, or stops with an error, which counts as a failed check."""
    from deskmate.plugin import ToolError

    case = Case(tmp_path)
    case.file.write_bytes(b"PK\x03\x04 broken")
    try:
        found = list(GATES[rule].function(case.deliverable, case.context))
    except ToolError:
        return
    # a broken .docx is not rendered and edits nothing: those two have nothing to say of it
    assert rule in ("G-RENDER", "G-DIFF") or any(item.level == "error" for item in found)
