"""Large inputs: outline first, windows on demand, memory that does not grow with the file's windows, progress."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import docx
import pytest
import xlsxwriter
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]
from tests.unit.documents.pdfs import write_pdf

from deskmate.plugin import ToolContext
from deskmate_documents import text
from deskmate_documents.office import kept_text, tools

MIB = 1 << 20
CALL = """
import importlib, json, sys
from pathlib import Path
from deskmate.plugin import ToolContext
room, module, name, arguments = sys.argv[1:]
told = []
context = ToolContext(workspace=Path(room), home=Path(room) / "h", resources=Path(room), on_progress=told.append)
tool = getattr(importlib.import_module(f"deskmate_documents.office.{module}"), name)
answer = tool(context=context, **json.loads(arguments))
answer = getattr(answer, "result", answer)
status = Path("/proc/self/status").read_text()  # the peak that getrusage says begins with the parent's
peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
print(json.dumps({"answer": answer, "told": told, "peak": peak}))
"""


def test_the_text_of_a_long_pdf_is_kept_for_the_next_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    context = ToolContext(
        workspace=tmp_path, home=tmp_path / "h", resources=tmp_path, on_progress=said.append
    )
    monkeypatch.setattr(kept_text, "KEPT_FROM_BYTES", 1)
    monkeypatch.setattr(text, "TELL_PAGES", 2)
    write_pdf(tmp_path / "a.pdf", [[(50, 500, f"Page number {n}.")] for n in range(1, 6)])
    first = tools.document_read("a.pdf", context, start=2, limit=2)
    assert said == ["2 of 5 pages read", "4 of 5 pages read"]
    assert tools.document_read("a.pdf", context, start=2, limit=2) == first
    assert tools.document_quote("a.pdf", "Page number 4", context).evidence[0].locator["page"] == 4
    assert len(said) == 2  # nothing was read again
    write_pdf(tmp_path / "a.pdf", [[(50, 500, "Another text.")]])
    assert tools.document_read("a.pdf", context)["paragraphs"][0]["text"] == "Another text."
    assert len(list((tmp_path / "h/.texts").iterdir())) == 1


def write_contract(path: Path, pages: int) -> None:
    document = docx.Document()
    for page in range(1, pages + 1):
        document.add_heading(f"{page}. Clause {page}", 1)
        for number in range(1, 10):
            words = (
                "and shall keep records of each delivery for the Customer to inspect at any time "
                * 4
            )
            document.add_paragraph(
                f"{page}.{number} The Supplier owes item {page * 10 + number} {words}"
            )
        document.add_page_break()
    document.save(str(path))


def write_model(path: Path, sheets: int) -> None:
    with xlsxwriter.Workbook(path) as book:
        for number in range(1, sheets + 1):
            sheet = book.add_worksheet(f"S{number}")
            sheet.write_row(0, 0, ["Item", *(f"M{month}" for month in range(1, 13)), "Total"])
            for row in range(1, 1001):
                sheet.write_row(row, 0, [f"Item {row}", *(row * month for month in range(1, 13))])
                sheet.write_formula(row, 13, f"=SUM(B{row + 1}:M{row + 1})", None, row * 78)


def write_report(path: Path, pages: int) -> None:
    report = canvas.Canvas(str(path))
    for page in range(1, pages + 1):
        text_object = report.beginText(50, 800)
        for line in range(60):
            words = f"Page {page} line {line}: invoice {page * 1000 + line} for {page * line / 7:,.2f} euros"
            text_object.textOut(words)
            text_object.moveCursor(0, 12)
        report.drawText(text_object)
        report.showPage()
    report.save()


OUTLINES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("tools", "document_outline", "contract.docx", {}),
    ("pdf_tools", "pdf_outline", "report.pdf", {}),
    ("sheet_tools", "sheet_map", "model.xlsx", {}),
)
WINDOWS = (
    ("tools", "document_read", "contract.docx", {"start": 1500}),
    ("tools", "document_quote", "contract.docx", {"quote": "The Supplier owes item 1777"}),
    ("tools", "document_read", "report.pdf", {"start": 500}),
    ("tools", "document_quote", "report.pdf", {"quote": "invoice 777001 for"}),
    ("pdf_tools", "pdf_read", "report.pdf", {"pages": "900-910"}),
    ("pdf_tools", "pdf_find", "report.pdf", {"words": "invoice 999001"}),
    ("pdf_tools", "pdf_tables", "report.pdf", {"pages": "900-902"}),
    ("render_tools", "render_pages", "report.pdf", {"pages": "900-905", "folder": "look"}),
    ("sheet_tools", "sheet_map", "model.xlsx", {"sheet": "S40"}),
    ("sheet_tools", "sheet_read", "model.xlsx", {"cells": "S40!A1:N30"}),
    ("sheet_tools", "sheet_edit", "model.xlsx", {"target": "o.xlsx", "edits": [{"cells": "S1!B3", "value": 4711}]}),
)  # fmt: skip


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders: a contract of 200 pages, a model of 50 sheets and a PDF of 1,000 pages; and of twice that."""
    made = []
    for times in (1, 2):
        room = tmp_path_factory.mktemp(f"times{times}")
        write_contract(room / "contract.docx", 200 * times)
        write_model(room / "model.xlsx", 50 * times)
        write_report(room / "report.pdf", 1_000 * times)
        made.append(room)
    return made[0], made[1]


def called(room: Path, module: str, tool: str, path: str, arguments: dict[str, Any]) -> Any:
    """Call a tool in a process of its own; return its answer, what it told, and its peak of memory in bytes."""
    command = [
        sys.executable,
        "-c",
        CALL,
        str(room),
        module,
        tool,
        json.dumps({"path": path, **arguments}),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("call", [*OUTLINES, *WINDOWS], ids=lambda c: f"{c[1]} {c[2]}")
def test_answers_and_memory_are_bounded(rooms: tuple[Path, Path], call: tuple[Any, ...]) -> None:
    module, tool, path, arguments = call
    once, twice = (called(room, module, tool, path, arguments) for room in rooms)
    grown = once["peak"], twice["peak"]
    print(
        f"{tool} {path}: {grown[0] // MIB} and {grown[1] // MIB} MiB, {len(json.dumps(twice['answer'])):,} characters"
    )
    assert max(grown) < 300 * MIB
    assert grown[1] - grown[0] < 100 * MIB
    assert len(json.dumps(twice["answer"])) < 130_000


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_long_work_tells_how_far_it_is(rooms: tuple[Path, Path]) -> None:
    found = called(rooms[0], "pdf_tools", "pdf_find", "report.pdf", {"words": "no such words"})
    assert found["told"][-1] == "1000 of 1000 pages searched"
    shown = called(rooms[0], "sheet_tools", "sheet_map", "model.xlsx", {})
    assert shown["told"][-1] == "50 of 50 sheets looked through"
