"""PDFs written by the tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pypdf
from PIL import Image
from pypdf.generic import RectangleObject
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]


def write_pdf(path: Path, pages: Sequence[Sequence[tuple[float, float, str]]]) -> Path:
    """Write pages of 400 by 600 points: each a list of x, y from the bottom, text."""
    page = canvas.Canvas(str(path), pagesize=(400, 600))
    for texts in pages:
        page.setFont("Helvetica", 12)
        for x, y, text in texts:
            page.drawString(x, y, text)
        page.showPage()
    page.save()
    return path


def turned(path: Path, degrees: int, crop: tuple[float, float, float, float]) -> Path:
    """Crop and turn the first page of a PDF."""
    writer = pypdf.PdfWriter(clone_from=path)
    writer.pages[0].cropbox = RectangleObject(crop)
    writer.pages[0].rotate(degrees)
    writer.write(path)
    return path


def write_form(path: Path) -> Path:
    page = canvas.Canvas(str(path), pagesize=(400, 600))
    page.drawString(50, 550, "Order")
    form = page.acroForm
    form.textfield(name="Name", x=100, y=500, width=120, height=20, fieldFlags="required")
    form.textfield(name="Code", x=100, y=460, width=60, height=20, maxlen=4)
    form.checkbox(name="Agreed", x=100, y=420, size=16)
    form.choice(
        name="Country", x=100, y=380, width=120, height=20,
        options=["Austria", "Belgium"], value="Austria",
    )  # fmt: skip
    form.radio(name="Plan", value="basic", x=100, y=340, size=16)
    form.radio(name="Plan", value="full", x=140, y=340, size=16, selected=True)
    page.save()
    return path


def write_scan(path: Path, picture: Image.Image) -> Path:
    """Write one page of 400 by 600 points that is a picture."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    page = canvas.Canvas(str(path), pagesize=(400, 600))
    page.drawImage(ImageReader(io.BytesIO(data.getvalue())), 50, 200, 300, 300)
    page.save()
    return path


def text_of(path: Path, password: str | None = None) -> str:
    """Return all text as an independent reader finds it."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path, password=password).pages)
