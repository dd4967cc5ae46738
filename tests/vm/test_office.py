"""Real rendering: what the office machine makes of documents that were written here."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdf
import pytest
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

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
        "workspace__shell", {"command": f"cd docs && {command}", "timeout_s": int(timeout_s)},
        key=hashlib.sha256(command.encode()).hexdigest(), timeout_s=timeout_s,
        on_progress=lambda line: None,
    )  # fmt: skip
    answer = json.loads(outcome.text)
    return int(answer["exit_code"]), str(answer["output"]) + answer.get("note", "")


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
        assert code == 1
        assert said.startswith("deskmate-render: broken.docx is not an Office file")
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


def _scan(lines: Sequence[str]) -> bytes:
    """Return a picture of text, as a scanner gives it: grey paper, specks, a little askew."""
    page = Picture.new("L", (1240, 200 + 90 * len(lines)), 235)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((90, 90 + 90 * number), line, fill=30, font=ImageFont.load_default(size=44))
    for number in range(400):
        page.putpixel(((number * 733) % page.width, (number * 389) % page.height), 120)
    turned = page.rotate(0.6, fillcolor=235, resample=Picture.Resampling.BICUBIC)
    return _bytes(lambda file: turned.save(file, "PNG", dpi=(150, 150)))


async def test_scanned_text_is_recognized(
    office: QemuSandbox, blobs: MemoryBlobs, tmp_path: Path
) -> None:
    lines = (
        "INVOICE 4711",
        "Harbour Freight Limited, 12 Quay Street",
        "Total due: 1,250.00 by 30 June",
    )
    files = {"scan.png": _scan(lines)}
    (tmp_path / "scan.png").write_bytes(files["scan.png"])
    async with _machine(office, blobs, files) as machine:
        code, read = await _shell(machine, "tesseract scan.png - 2>/dev/null")
        assert (code, [line for line in read.splitlines() if line.strip()]) == (0, [*lines])
        code, _ = await _shell(machine, "tesseract scan.png searchable pdf 2>/dev/null")
        assert code == 0
        _, text = await _shell(machine, "pdftotext -layout searchable.pdf -")
        assert "Total due: 1,250.00" in text


async def test_graphs_are_drawn(office: QemuSandbox, blobs: MemoryBlobs, tmp_path: Path) -> None:
    graph = (
        'digraph { rankdir=LR; "Antrag prüfen" -> Zahlen; "Antrag prüfen" -> Ablehnen [color=red] }'
    )
    async with _machine(office, blobs, {"flow.dot": graph.encode()}) as machine:
        code, said = await _shell(
            machine, "dot -Tsvg flow.dot -o flow.svg && dot -Tpng -Gdpi=96 flow.dot -o flow.png"
        )
        assert (code, said) == (0, "")
        made = await _made(machine, blobs, {"flow.dot": graph.encode()})
    assert "Antrag prüfen</text>" in made["docs/flow.svg"].decode()
    (tmp_path / "flow.png").write_bytes(made["docs/flow.png"])
    with Picture.open(io.BytesIO(made["docs/flow.png"])) as picture:
        assert picture.width > 200
        assert len(picture.convert("RGB").getcolors(1 << 16) or ()) > 5


WEB_PAGE = """<!doctype html><meta charset=utf-8><style>h1{font:60px Carlito;color:#b00}td{border:1px solid}</style>
<h1>INVOICE 4711</h1><p>Grüße, 機密</p><table><tr><td>Total</td><td id=sum></td></tr></table>
<img src="https://elsewhere.example.test/pixel.png"><script>sum.textContent = (1200 + 50).toFixed(2)</script>"""


async def test_web_pages_become_pdf_and_pictures_without_a_network(
    office: QemuSandbox, blobs: MemoryBlobs, tmp_path: Path
) -> None:
    files = {"page.html": WEB_PAGE.encode()}
    browser = "chromium-headless-shell --disable-gpu"
    async with _machine(office, blobs, files) as machine:
        code, said = await _shell(
            machine,
            f"{browser} --no-pdf-header-footer --print-to-pdf=web.pdf file://$PWD/page.html 2>&1",
        )
        assert code == 0, said
        code, said = await _shell(
            machine,
            f"{browser} --window-size=900,600 --screenshot=web.png file://$PWD/page.html 2>&1",
        )
        assert code == 0, said
        _, fonts = await _shell(machine, "pdffonts web.pdf")
        assert "Carlito" in fonts
        _, office_pdf = await _shell(
            machine, "deskmate-render page.html page.pdf && pdftotext page.pdf -"
        )
        assert "INVOICE 4711" in office_pdf
        made = await _made(machine, blobs, files)
    for name in ("web.pdf", "web.png"):
        (tmp_path / name).write_bytes(made[f"docs/{name}"])
    (sheet,) = pypdf.PdfReader(io.BytesIO(made["docs/web.pdf"])).pages
    words = sheet.extract_text().split()
    assert {"INVOICE", "4711", "Grüße,", "機密", "1250.00"} <= set(words)
    with Picture.open(io.BytesIO(made["docs/web.png"])) as picture:
        assert picture.size == (900, 600)
        assert any(red > 150 and green < 60 for _, (red, green, _) in _colours(picture))


def _colours(picture: Picture.Image) -> list[tuple[int, tuple[int, int, int]]]:
    return picture.convert("RGB").getcolors(1 << 20) or []  # type: ignore[return-value]


FAMILIES = ("Carlito", "Caladea", "Liberation Sans", "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans")


async def test_node_runs_and_the_fonts_of_office_documents_are_there(
    office: QemuSandbox, blobs: MemoryBlobs
) -> None:
    script = b"console.log(require('fs').readFileSync('a.txt','utf8').toUpperCase(), 6 * 7)"
    async with _machine(office, blobs, {"a.txt": b"words", "a.js": script}) as machine:
        assert await _shell(machine, "node a.js") == (0, "WORDS 42\n")
        _, families = await _shell(machine, "fc-list : family")
        named = {name for line in families.splitlines() for name in line.split(",")}
        assert set(FAMILIES) <= named
        # what documents name most and nobody may ship is stood in for by fonts of the same widths
        for wanted, given in (
            ("Calibri", "Carlito"),
            ("Cambria", "Caladea"),
            ("Arial", "Liberation Sans"),
        ):
            _, found = await _shell(machine, f"fc-match -f '%{{family}}' '{wanted}'")
            assert found == given
