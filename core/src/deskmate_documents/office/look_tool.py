"""The tool by which the model looks at pages and pictures itself, where the words in a file do not say it all."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolError, ToolInputError
from deskmate.types.messages import PICTURE_LIMIT_BYTES, PICTURES_LIMIT
from deskmate_documents.office.render_tools import KINDS as OFFICE

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"})
EDGE, AREA = 1_568, 1_150_000
"""Pixels above which a model gets no more to see: it would make the picture smaller itself."""
PIXELS_LIMIT = 24_000_000
"""Of a picture that is decoded whole; a JPEG is decoded small."""
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, OverflowError)
"""What Pillow raises for files that are no pictures, are damaged, or would take too much."""
_QUALITIES = (85, 70, 55, 40, 25)


def pages_look(path: str, context: ToolContext, pages: str = "1", password: str = "") -> ToolAnswer:
    """Look at pages of a PDF, or at a picture: scans, charts, plans, signatures, stamps, layout.

    Words and figures are read better with the tools for them, and only they are evidence for a quotation or a figure. Of Word,
    Excel and PowerPoint files make pages first with render_pages, and look at these.

    Args:
        path: workspace path of a PDF, PNG, JPEG, GIF, WebP, BMP or TIFF.
        context: filled in by Deskmate.
        pages: of a PDF or TIFF, such as `1-3` or `2,7`; at most 3 a call.
        password: of an encrypted PDF, from the user.

    Returns:
        The pictures, and `pages`: list of {page, width, height (pixels as shown), problem}; `of`: how many pages there are.
    """
    real = context.file(path)
    suffix = real.suffix.lower()
    if suffix in OFFICE:
        raise ToolInputError(f"Make pages of {path} first with render_pages, then look at these.")
    if suffix != ".pdf" and suffix not in PICTURES:
        raise ToolInputError(f"{path} is neither a PDF nor a picture.")
    found, count = (
        _of_pdf(real, pages, password) if suffix == ".pdf" else _of_picture(real, pages, path)
    )
    rows: list[dict[str, Any]] = []
    shown: list[bytes] = []
    for number, picture in found:
        if picture is None:
            rows.append({"page": number, "problem": "it takes too long to draw"})
            continue
        content, width, height = picture
        rows.append({"page": number, "width": width, "height": height})
        shown.append(content)
    answer = {"path": context.name_of(real), "pages": rows, "of": count}
    return ToolAnswer(result=answer, pictures=tuple(shown))


Shown = tuple[bytes, int, int]
"""A picture's content, width and height."""


def _of_pdf(real: Path, pages: str, password: str) -> tuple[list[tuple[int, Shown | None]], int]:
    from deskmate_documents.pdf import bounded  # noqa: PLC0415
    from deskmate_documents.pdf.opening import page_numbers, shown  # noqa: PLC0415

    with shown(real, password) as document:
        count = len(document)
        numbers = page_numbers(pages, count, PICTURES_LIMIT)
    drawn = bounded.each_page(real, password, numbers, _draw, bounded.SECONDS_A_PICTURE)
    return list(drawn), count


def _draw(document: Any, number: int) -> Shown:
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(EDGE / max(width, height, 1), (AREA / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale).to_pil()
    page.close()
    return _fitted(picture)


def _of_picture(real: Path, pages: str, path: str) -> tuple[list[tuple[int, Shown | None]], int]:
    from PIL import Image  # noqa: PLC0415

    from deskmate_documents.pdf.opening import page_numbers  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(real) as picture:
                frames = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
                numbers = page_numbers(pages, frames, PICTURES_LIMIT)
                found = [(number, _frame(picture, number, path)) for number in numbers]
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise ToolError(f"{path} cannot be read as a picture: it is damaged.") from error
    return list(found), frames


def _frame(picture: Image, number: int, path: str) -> Shown:
    from PIL import ImageOps  # noqa: PLC0415

    if picture.format == "TIFF":
        picture.seek(number - 1)
    picture.draft("RGB", (EDGE, EDGE))
    if picture.width * picture.height > PIXELS_LIMIT:
        size = f"{picture.width} × {picture.height}"
        raise ToolError(f"{path} has {size} pixels, more than can be looked at.")
    return _fitted(ImageOps.exif_transpose(picture))


def _fitted(picture: Image) -> Shown:
    """Return a picture as small as a model wants it, and in as few bytes as may be shown."""
    scale = min(
        1.0,
        EDGE / max(picture.size),
        (AREA / max(picture.width * picture.height, 1)) ** 0.5,
    )
    picture = _opaque(picture)
    while True:
        size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
        small = picture.resize(size, resample=3) if size != picture.size else picture  # bicubic
        for kind, quality in (("PNG", 0), *(("JPEG", quality) for quality in _QUALITIES)):
            buffer = io.BytesIO()
            small.save(buffer, kind, **({"quality": quality} if quality else {"optimize": True}))
            if buffer.tell() <= PICTURE_LIMIT_BYTES:
                return buffer.getvalue(), *size
        scale *= 0.7


def _opaque(picture: Image) -> Image:
    """Return it in colours or grey, on white where it is transparent."""
    from PIL import Image as Images  # noqa: PLC0415

    if picture.mode in ("1", "L"):
        return picture.convert("L")
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits and more a pixel
        extremes: Any = picture.getextrema()
        low, high = float(extremes[0]), float(extremes[1])
        scaled = picture.convert("F").point(
            lambda value: (value - low) * (255 / max(high - low, 1))
        )
        return scaled.convert("L")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        white = Images.new("RGBA", layered.size, "white")
        return Images.alpha_composite(white, layered).convert("RGB")
    return picture.convert("RGB")
