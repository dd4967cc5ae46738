"""G-RENDER with the real LibreOffice: sound files pass, and each defect of a layout is found on its page."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Inches

from deskmate.errors import SandboxMissing
from deskmate.ports import ValidationRequest
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.image import find_image
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Deliverable
from deskmate.types.places import Places

# its template takes minutes where it is not there yet
pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(1800)]


def _bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _letter(*, blank: bool) -> bytes:
    document = docx.Document()
    document.add_paragraph("The first page.")
    if blank:
        document.add_page_break()
        document.add_page_break()
        document.add_paragraph("The third page.")
    return _bytes(document.save)


def _book(*, width: float) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = 1234567.89
    sheet["A1"].number_format = "#,##0.00"
    sheet.column_dimensions["A"].width = width
    return _bytes(book.save)


def _deck(text: str, *, left: float = 1) -> bytes:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_textbox(Inches(1), Inches(1), Inches(4), Inches(1)).text_frame.text = "A slide"
    box = slide.shapes.add_textbox(Inches(left), Inches(3), Inches(4), Inches(1))
    box.text_frame.text = text
    return _bytes(deck.save)


FILES = {
    "sound.docx": _letter(blank=False),
    "sound.xlsx": _book(width=20),
    "sound.pptx": _deck("All there"),
    "blank.docx": _letter(blank=True),
    "hashes.xlsx": _book(width=3),
    "off.pptx": _deck("Nobody reads this", left=10.2),
    "boxes.pptx": _deck("A sign \U0010fff0 that no font has"),
    "broken.docx": b"PK\x03\x04 no document",
    "long.docx": _letter(blank=False),
}


async def test_every_defect_of_a_layout_is_found_and_sound_files_pass(
    places: Places, sandbox: QemuSandbox, blobs: MemoryBlobs
) -> None:
    try:
        find_image(places, flavour="office")
    except SandboxMissing:
        pytest.skip("the office image is not there: make image-office")
    deliverables = tuple(
        Deliverable(path=f"w/{name}", title=name, data={"pages": [2, 9]} if name == "long.docx" else {"render": True})
        for name in sorted(FILES)
    )  # fmt: skip
    request = ValidationRequest(
        deliverables=deliverables,
        files={f"w/{name}": blobs.put(content) for name, content in FILES.items()},
        sources=(),
        evidence=(),
        facts={"date": "2026-11-28"},
    )
    async with sandbox.clean_room((), lambda line: None, "office") as machine:
        report = await machine.validate(request, blobs)
    found: dict[str, list[str]] = defaultdict(list)
    for finding in report.findings:
        if finding.rule == "G-RENDER":
            found[finding.path.removeprefix("w/")].append(
                f"{finding.level} {finding.location} {finding.message}"
            )
    assert not found.keys() & {"sound.docx", "sound.xlsx", "sound.pptx"}, found
    assert found["blank.docx"] == ["error page 2 The page is blank."]
    assert [line[:28] for line in found["hashes.xlsx"]] == ["error page 1 A column is too"]
    assert found["off.pptx"][0].startswith("error slide 1 ")
    assert found["boxes.pptx"][0].startswith("warning page 1 A sign is shown as an empty box")
    assert "It cannot be shown" in found["broken.docx"][0]
    assert "It has 1 pages; 2 to 9 are wanted." in found["long.docx"][0]
