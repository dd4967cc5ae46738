"""Real rendering: what the office machine makes of documents that were written here."""

from __future__ import annotations

import hashlib
import io
import json
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


async def _shell(machine: QemuMachine, command: str, timeout_s: float = 280) -> tuple[int, str]:
    """Run a command in the folder; return its exit code and output."""
    outcome: ToolOutcome = await machine.call(
        "workspace__shell", {"command": f"cd docs && {command}"},
        key=hashlib.sha256(command.encode()).hexdigest(), timeout_s=timeout_s,
        on_progress=lambda line: None,
    )  # fmt: skip
    answer = json.loads(outcome.text)
    return int(answer["exit_code"]), str(answer["output"])


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
            code, output = await _shell(
                machine, f"deskmate-render {name} {stem}.pdf --pages {stem}-pages --dpi 60"
            )
            assert code == 0, output
            assert json.loads(output)["by"] == "listener"
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
        code, said = await _shell(machine, "deskmate-render broken.docx x.pdf")
        assert (code, said.startswith("deskmate-render: broken.docx was not converted")) == (
            1,
            True,
        )
        code, said = await _shell(machine, "deskmate-render tool.exe x.pdf")
        assert (code, ".exe are not converted" in said) == (1, True)
        code, said = await _shell(machine, "deskmate-render book.xlsx again.xlsx; ls -A")
        assert code == 0
        assert json.loads(said.splitlines()[0])["by"] == "listener"
        assert said.split()[-4:] == ["again.xlsx", "book.xlsx", "broken.docx", "tool.exe"]
        made = await _made(machine, blobs, files)
    sheet = openpyxl.load_workbook(io.BytesIO(made["docs/again.xlsx"]), data_only=True).active
    assert sheet is not None
    assert sheet["B5"].value == 3950  # recalculated: the file that went in had no value


PROBE = """python3 - <<'E'
import json, os, socket
found = {}
for folder in ("/run/deskmate-office/profile", "/run/deskmate-office/work"):
    try:
        os.listdir(folder)
        found[folder] = "open"
    except OSError as error:
        found[folder] = error.strerror
pipes = [row.split()[-1] for row in open("/proc/net/unix") if "OSL_PIPE" in row]
for pipe in pipes:
    try:
        socket.socket(socket.AF_UNIX).connect(pipe)
        found["pipe"] = "open"
    except OSError as error:
        found["pipe"] = error.strerror
found["processes"] = [name for name in os.listdir("/proc") if name.isdigit() and
    os.stat("/proc/" + name).st_uid == 1500]
print(json.dumps(found))
E
"""


async def test_plugins_reach_the_service_but_not_libreoffice(
    office: QemuSandbox, blobs: MemoryBlobs
) -> None:
    async with _machine(office, blobs, {"a.txt": b"x"}) as machine:
        _, output = await _shell(machine, PROBE)
    found = json.loads(output)
    assert found.pop("processes") == []
    assert found["pipe"] in ("Permission denied", "No such file or directory")
    assert "open" not in found.values()


async def test_the_other_programs_of_the_image_run(office: QemuSandbox, blobs: MemoryBlobs) -> None:
    files = {"page.html": b"<h1 style='font-size:60px'>INVOICE 4711</h1>"}
    async with _machine(office, blobs, files) as machine:
        _, drawn = await _shell(
            machine, "echo 'digraph { a -> b }' | dot -Tpng -o graph.png && node -p '6*7'"
        )
        assert drawn.strip() == "42"
        _, read = await _shell(
            machine,
            "deskmate-render page.html page.pdf --pages shots --dpi 100 && "
            "tesseract shots/page-0001.png - 2>/dev/null",
        )
        assert "4711" in read
        _, browser = await _shell(
            machine,
            "chromium-headless-shell --no-sandbox --disable-gpu --screenshot=$PWD/web.png "
            "file://$PWD/page.html 2>&1 | tail -2; ls -l web.png",
        )
        made = await _made(machine, blobs, files)
    assert made["docs/graph.png"].startswith(b"\x89PNG")
    assert "docs/web.png" in made, browser
