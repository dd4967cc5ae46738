"""The tool that shows pages: office files and PDFs as images, for the model's and the user's eyes."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError

PAGES_A_CALL = 40
SECONDS_A_CALL = 110.0
"""Conversion and pictures together: with the last picture a call ends within two minutes."""
SECONDS_OF_PICTURES = 50.0
PIXELS_LIMIT = 16_000_000
KINDS = frozenset(
    {".docx", ".docm", ".dotx", ".odt", ".rtf", ".xlsx", ".xlsm", ".xltx", ".ods", ".csv", ".pptx", ".pptm", ".potx", ".odp", ".html", ".txt"}
)  # fmt: skip


def render_pages(
    path: str,
    folder: str,
    context: ToolContext,
    pages: str = "1-20",
    dpi: int = 80,
    password: str = "",
) -> dict[str, Any]:
    """Render a Word, Excel, PowerPoint or PDF file to page images, to look at what people will see.

    Office files need an image of flavour `office` (LibreOffice); PDFs are rendered on any.

    Args:
        path: workspace path of the file.
        folder: workspace path of the folder for `page-0001.png`, ….
        context: filled in by Deskmate.
        pages: such as `1-3,8`; at most 40 a call; a single range may go beyond the end.
        dpi: pixels an inch, 24 to 300.
        password: of an encrypted PDF, from the user.

    Returns:
        `pages`: list of {page, image, blank: nothing is on it, problem}, fewer where they take long; `of`: how many pages there
        are; `next`: the page to go on with; `by`: what rendered it.
    """
    real, home = context.file(path), context.target(folder)
    suffix = real.suffix.lower()
    if suffix != ".pdf" and suffix not in KINDS:
        raise ToolInputError(f"{path} is no kind of file that can be rendered.")
    if not 24 <= dpi <= 300:
        raise ToolInputError("dpi is 24 to 300.")
    ends = time.monotonic() + SECONDS_A_CALL
    pdf, by = (real, "pdfium") if suffix == ".pdf" else converted(real, context)
    drawing = _Drawing(home=home, dpi=dpi, seconds=ends - time.monotonic())
    found, count, following = _images(pdf, drawing, pages, password, context)
    answer = {"path": context.name_of(real), "pages": found, "of": count, "by": by}
    return answer | ({"next": following} if following else {})


def converted(real: Path, context: ToolContext) -> tuple[Path, str]:
    """Return the file as a PDF, which is kept for the next window of the same content."""
    from deskmate_documents.render import convert  # noqa: PLC0415

    with real.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    store = context.home / ".rendered"
    kept = store / f"{digest}.pdf"
    if kept.is_file():
        return kept, "LibreOffice (kept from before)"
    context.on_progress(f"LibreOffice converts {real.name}")
    shutil.rmtree(store, ignore_errors=True)  # one at a time: a long thread would fill the disk
    store.mkdir(parents=True)
    done = convert(real, kept, on_progress=context.on_progress)
    context.on_progress(f"converted in {done.seconds:.0f} s")
    return kept, f"LibreOffice ({done.by})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """Where pictures go, how fine they are, and how many seconds of the call are left for them."""

    home: Path
    dpi: int
    seconds: float


def _images(
    pdf: Path, drawing: _Drawing, pages: str, password: str, context: ToolContext
) -> tuple[list[dict[str, Any]], int, int]:
    """Write the images and return them, the number of pages, and where to go on."""
    from deskmate_documents.pdf import bounded  # noqa: PLC0415
    from deskmate_documents.pdf.opening import page_numbers, shown  # noqa: PLC0415

    found: list[dict[str, Any]] = []
    home = drawing.home
    ends = time.monotonic() + min(drawing.seconds, SECONDS_OF_PICTURES)
    longest = min(bounded.SECONDS_A_PICTURE, max(drawing.seconds, 2.0) / 2)
    with shown(pdf, password) as document:
        count = len(document)
        numbers = page_numbers(_clipped(pages, count), count, PAGES_A_CALL)
    home.mkdir(parents=True, exist_ok=True)
    work = partial(draw, home=home, dpi=drawing.dpi)
    for done, (number, blank) in enumerate(
        bounded.each_page(pdf, password, numbers, work, longest), 1
    ):
        entry: dict[str, Any] = {"page": number}
        if blank is None:
            entry["problem"] = bounded.STUCK
        else:
            entry |= {"image": context.name_of(image_of(home, number))} | (
                {"blank": True} if blank else {}
            )
        found.append(entry)
        if done % 5 == 0:
            context.on_progress(f"{done} of {len(numbers)} pages rendered")
        if time.monotonic() > ends and done < len(numbers):
            return found, count, numbers[done]
    last = max(numbers)
    return found, count, last + 1 if last < count else 0


def image_of(home: Path, number: int) -> Path:
    """Return where a page's picture is."""
    return home / f"page-{number:04d}.png"


def draw(document: Any, number: int, home: Path, dpi: int) -> bool:
    """Write a page's image, whole or not at all; say whether nothing is on it."""
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(dpi / 72, (PIXELS_LIMIT / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale).to_pil()
    page.close()
    part = home / f".page-{number:04d}.part"
    picture.save(part, "PNG")
    part.replace(image_of(home, number))
    return len(set(picture.convert("L").getextrema())) == 1


def _clipped(pages: str, count: int) -> str:
    """Let a range that begins within the file end with it."""
    first, dash, last = pages.partition("-")
    if dash and first.isdigit() and last.isdigit() and int(first) <= count < int(last):
        return f"{first}-{count}"
    return pages
