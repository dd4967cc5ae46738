"""The office plugin's tools for PDFs and decks, in a real machine of flavour `base`."""

from __future__ import annotations

import io
import json
from typing import Any

import openpyxl
import PIL.Image
import pptx
import pypdf
import pytest
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from deskmate.ports import SandboxSpec
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.machine import QemuMachine
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.timeout(900)]
_SPEC = SandboxSpec(
    thread=ThreadId("t-office-tools"),
    plugins=(),
    grants=(Grant(name="docs", folder="/nowhere", mode="rw"),),
)


def _letter() -> bytes:
    out = io.BytesIO()
    page = canvas.Canvas(out)
    for number in range(1, 121):
        page.drawString(72, 700, f"Letter {number} to Marta Lindqvist about 1,450 euros")
        page.showPage()
    page.save()
    return out.getvalue()


def _book() -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    for row in (["Region", "2025"], ["Austria", 1450], ["Belgium", 870]):
        sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


async def _call(machine: QemuMachine, tool: str, **arguments: Any) -> Any:
    outcome = await machine.call(
        f"office__{tool}", arguments, key=f"{tool}-{len(arguments)}", timeout_s=300,
        on_progress=lambda line: None,
    )  # fmt: skip
    return json.loads(outcome.text) if not outcome.is_error else outcome.text


async def test_pdfs_are_redacted_and_workbooks_become_decks(
    sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    files = {"book.xlsx": _book(), "letter.pdf": _letter()}
    entries = [
        Entry(path=f"docs/{name}", kind="file", mode=0o644, size=len(data), sha256=blobs.put(data))
        for name, data in sorted(files.items())
    ]
    async with sandbox.open(_SPEC, lambda line: None) as machine:
        await machine.put_base(entries, blobs, lambda line: None)
        outline = await _call(machine, "pdf_outline", path="docs/letter.pdf")
        assert (outline["pages"], outline["next"]) == (120, 61)
        found = await _call(machine, "pdf_find", path="docs/letter.pdf", words="Letter 77")
        assert found["places"][0]["page"] == 77
        done = await _call(
            machine, "pdf_redact", path="docs/letter.pdf", target="docs/gone.pdf",
            words=["Marta Lindqvist"], pages="77-78",
        )  # fmt: skip
        assert (done["marks"], done["as_pictures"]) == (2, {})
        deck = await _call(machine, "deck_summary", path="docs/book.xlsx", target="docs/book.pptx")
        assert (deck["figures"], deck["doubts"]) == (2, [])
        said = await _call(machine, "render_pages", path="docs/book.pptx", folder="docs/look")
        assert "its image is `base`; rendering needs `office`" in said
        look = await _call(
            machine, "render_pages", path="docs/gone.pdf", folder="docs/look", pages="77"
        )
        assert look["pages"][0]["image"] == "docs/look/page-0077.png"
        for path, wanted in (("docs/look/page-0077.png", "1"), ("docs/letter.pdf", "77,120")):
            shown = await machine.call(
                "office__pages_look", {"path": path, "pages": wanted}, key=path, timeout_s=120,
                on_progress=lambda line: None,
            )  # fmt: skip
            assert [row["page"] for row in shown.structured["pages"]] == [
                int(page) for page in wanted.split(",")
            ]
            for picture, row in zip(shown.pictures, shown.structured["pages"], strict=True):
                image = PIL.Image.open(io.BytesIO(shown.held[picture.sha256]))
                assert image.size == (row["width"], row["height"])
                assert image.convert("L").getextrema() == (0, 255)
        changes = (await machine.difference(entries, blobs))[0].changes
        made = {c.path: blobs.read(c.after.sha256) for c in changes if c.after and c.after.sha256}
    assert set(made) == {"docs/gone.pdf", "docs/book.pptx", "docs/look/page-0077.png"}
    pages = [
        page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made["docs/gone.pdf"])).pages
    ]
    assert ["Marta" in pages[n] for n in (75, 76, 77, 78)] == [True, False, False, True]
    assert len(pptx.Presentation(io.BytesIO(made["docs/book.pptx"])).slides) == 2
