"""Real rendering: what the office machine makes of documents that were written here."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdf
import pytest
from PIL import Image as Picture

from deskmate.errors import SandboxMissing
from deskmate.ports import SandboxSpec, ToolOutcome
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.build import build_image
from deskmate.sandbox.image import find_image
from deskmate.sandbox.machine import QemuMachine
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Difference, Entry, Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places

# building its image takes minutes and its template more: `make torture`, after `make image-office`
pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1800)]
_SPEC = SandboxSpec(
    thread=ThreadId("t-office"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
    flavour="office",
)


@pytest.fixture(scope="module")
def office(places: Places, sandbox: QemuSandbox) -> QemuSandbox:
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        build_image(places, lambda line: None, flavour="office")
    return sandbox


def _bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _letter() -> bytes:
    document = docx.Document()
    document.add_heading("Mutual Non-Disclosure", 1)
    document.add_paragraph(
        "The parties keep the Confidential Information secret for 5 years. Grüße, 機密."
    )
    document.add_page_break()
    document.add_paragraph("Second page of the agreement.")
    return _bytes(document.save)


def _workbook() -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["Quarter", "Revenue"])
    for quarter, revenue in enumerate((1200, 1300, 1450), 1):
        sheet.append([f"Q{quarter}", revenue])
    sheet.append(["Total", "=SUM(B2:B4)"])  # no value is stored: LibreOffice has to calculate it
    return _bytes(workbook.save)


def _slides() -> bytes:
    deck = pptx.Presentation()
    for title in ("Board update", "Outlook"):
        slide = deck.slides.add_slide(deck.slide_layouts[0])
        assert slide.shapes.title is not None
        slide.shapes.title.text = title
    return _bytes(deck.save)


@asynccontextmanager
async def _machine(
    sandbox: QemuSandbox, blobs: MemoryBlobs, files: dict[str, bytes]
) -> AsyncIterator[QemuMachine]:
    entries = [
        Entry(
            path=f"docs/{name}",
            kind="file",
            mode=0o644,
            size=len(content),
            sha256=blobs.put(content),
        )
        for name, content in sorted(files.items())
    ]
    async with sandbox.open(_SPEC, lambda line: None) as machine:
        await machine.put_base(entries, blobs, lambda line: None)
        yield machine


async def _shell(machine: QemuMachine, command: str, timeout_s: float = 280) -> ToolOutcome:
    return await machine.call(
        "workspace__shell", {"command": f"cd docs && {command}"},
        key=hashlib.sha256(command.encode()).hexdigest(), timeout_s=timeout_s,
        on_progress=lambda line: None,
    )  # fmt: skip


async def _made(
    machine: QemuMachine, blobs: MemoryBlobs, files: dict[str, bytes]
) -> dict[str, bytes]:
    base = [
        Entry(
            path=f"docs/{name}",
            kind="file",
            mode=0o644,
            size=len(content),
            sha256=blobs.put(content),
        )
        for name, content in sorted(files.items())
    ]
    difference: Difference = (await machine.difference(base, blobs))[0]
    return {
        change.path: blobs.read(change.after.sha256)
        for change in difference.changes
        if change.after is not None and change.after.sha256 is not None
    }


async def test_office_files_become_pdf_and_pages(office: QemuSandbox, blobs: MemoryBlobs) -> None:
    files = {"letter.docx": _letter(), "book.xlsx": _workbook(), "deck.pptx": _slides()}
    expected = {
        "letter": ["Confidential Information secret for 5 years", "Grüße", "機密", "Second page"],
        "book": ["Revenue", "3950"],
        "deck": ["Board update", "Outlook"],
    }
    pages = {"letter": 2, "book": 1, "deck": 2}
    async with _machine(office, blobs, files) as machine:
        for name in files:
            stem = Path(name).stem
            outcome = await _shell(
                machine, f"deskmate-render {name} {stem}.pdf --pages {stem}-pages --dpi 60"
            )
            assert not outcome.is_error, outcome.text
            assert '"by": "listener"' in str(outcome.structured) + outcome.text
            if report := os.environ.get("DESKMATE_OFFICE_REPORT"):
                with Path(report).open("a") as file:
                    file.write(f"{name} {outcome.text}\n")
        made = await _made(machine, blobs, files)
    for stem, words in expected.items():
        pdf = pypdf.PdfReader(io.BytesIO(made[f"docs/{stem}.pdf"]))
        text = " ".join(page.extract_text() for page in pdf.pages)
        assert len(pdf.pages) == pages[stem]
        assert all(word in " ".join(text.split()) for word in words), text
        for number in range(1, pages[stem] + 1):
            with Picture.open(io.BytesIO(made[f"docs/{stem}-pages/page-{number:04d}.png"])) as page:
                assert min(page.size) > 400
                assert len(page.convert("L").getcolors() or ()) > 2  # there is something on it


async def test_what_cannot_be_opened_is_said_and_the_listener_goes_on(
    office: QemuSandbox, blobs: MemoryBlobs
) -> None:
    files = {"broken.docx": b"PK\x03\x04 no document", "book.xlsx": _workbook(), "tool.exe": b"MZ"}
    async with _machine(office, blobs, files) as machine:
        broken = await _shell(machine, "deskmate-render broken.docx x.pdf; echo code $?; ls")
        assert "code 1" in broken.text
        assert "x.pdf" not in broken.text.split("code 1")[1]
        refused = await _shell(machine, "deskmate-render tool.exe x.pdf; echo code $?")
        assert "code 1" in refused.text
        again = await _shell(machine, "deskmate-render book.xlsx again.xlsx")
        assert not again.is_error, again.text
        made = await _made(machine, blobs, files)
    sheet = openpyxl.load_workbook(io.BytesIO(made["docs/again.xlsx"]), data_only=True).active
    assert sheet is not None
    assert sheet["B5"].value == 3950  # recalculated: the file that went in had no value


async def test_a_dead_listener_is_replaced_and_nobody_else_may_reach_it(
    office: QemuSandbox, blobs: MemoryBlobs
) -> None:
    files = {"book.xlsx": _workbook()}
    probe = (
        "python3 - <<'E'\nimport os, socket, json\n"
        "found = {}\n"
        "for folder in ('/run/deskmate-office/profile', '/run/deskmate-office/work'):\n"
        "    try: os.listdir(folder); found[folder] = 'open'\n"
        "    except OSError as error: found[folder] = error.strerror\n"
        "pipes = [row.split()[-1] for row in open('/proc/net/unix') if 'OSL_PIPE' in row]\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(pipes[0]); found['pipe'] = 'open'\n"
        "except OSError as error: found['pipe'] = error.strerror\n"
        "found['processes'] = [n for n in os.listdir('/proc') if n.isdigit() and "
        "os.stat('/proc/' + n).st_uid == 1500]\n"
        "print(json.dumps(found))\nE"
    )
    async with _machine(office, blobs, files) as machine:
        found = json.loads((await _shell(machine, probe)).text.splitlines()[-1])
        assert found["pipe"] == "Permission denied"
        assert "open" not in found.values()
        assert found["processes"] == []


async def test_the_other_programs_of_the_image_run(office: QemuSandbox, blobs: MemoryBlobs) -> None:
    files = {"page.html": b"<h1 style='font-size:60px'>INVOICE 4711</h1>"}
    async with _machine(office, blobs, files) as machine:
        drawn = await _shell(
            machine, "echo 'digraph { a -> b }' | dot -Tpng -o graph.png && node -p '6*7'"
        )
        assert "42" in drawn.text
        shot = await _shell(
            machine,
            "deskmate-render page.html page.pdf --pages shots --dpi 150 && "
            "tesseract shots/page-0001.png - 2>/dev/null",
        )
        assert "4711" in shot.text, shot.text
        chromium = await _shell(
            machine,
            "chromium-headless-shell --no-sandbox --disable-gpu --screenshot=$PWD/web.png "
            "file://$PWD/page.html 2>&1 | tail -2; ls -l web.png",
        )
        made = await _made(machine, blobs, files)
    assert made["docs/graph.png"].startswith(b"\x89PNG")
    assert "docs/web.png" in made, chromium.text
