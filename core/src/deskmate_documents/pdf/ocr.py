"""Text of pages that are pictures, by tesseract, where the image has it (flavour `office`)."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from deskmate.errors import ToolError
from deskmate_documents.pdf.bounded import STUCK, each_page
from deskmate_documents.pdf.opening import frame_of
from deskmate_documents.pdf.reading import Line

DPI = 200
PIXELS_LIMIT = 16_000_000
SECONDS_A_PAGE = 60
MISSING = (
    "has no text, only pictures, and this machine cannot recognise them: its image is `base`;"
    " OCR needs `office`."
)


class TookTooLong(ToolError):
    """A page on which tesseract did not end in time; the others may still be read."""


def can_recognise() -> bool:
    """Say whether this guest has OCR."""
    return shutil.which("tesseract") is not None


def recognise(
    path: Path, password: str, number: int, language: str, left_s: float
) -> tuple[Line, ...]:
    """Return the lines that tesseract sees on a page, with their boxes and how sure it is.

    Args:
        path: the PDF.
        password: of an encrypted one, "" for none.
        number: of the page, from 1.
        language: such as `eng`.
        left_s: what is left of the call; drawing takes a third of it at most, tesseract the rest, neither over a minute.

    Raises:
        TookTooLong: it took longer.
        ToolError: there is no tesseract, or it failed.
    """
    if not can_recognise():
        raise ToolError(f"Page {number} {MISSING}")
    ends = time.monotonic() + left_s
    drawing_s = min(max(left_s / 3, 1.0), SECONDS_A_PAGE)
    for _, drawn in each_page(path, password, [number], _drawn, drawing_s):
        if drawn is None:
            break
        picture, scale = drawn
        limit_s = min(max(ends - time.monotonic(), 1.0), SECONDS_A_PAGE)
        return _read_table(_run(picture, number, language, round(72 * scale), limit_s), scale)
    raise TookTooLong(f"Page {number}: {STUCK}.")


def _drawn(document: Any, number: int) -> tuple[bytes, float]:
    """Return a page's picture, and how many pixels a point has in it."""
    page = document[number - 1]
    width, height = frame_of(page).size
    scale = min(DPI / 72, (PIXELS_LIMIT / max(width * height, 1)) ** 0.5)
    picture = io.BytesIO()
    page.render(scale=scale, grayscale=True).to_pil().save(picture, "PNG")
    page.close()
    return picture.getvalue(), scale


def _run(picture: bytes, number: int, language: str, dpi: int, limit_s: float) -> str:
    command = ["tesseract", "stdin", "stdout", "-l", language, "--dpi", str(dpi), "tsv"]
    try:
        done = subprocess.run(
            command, input=picture, capture_output=True, timeout=limit_s, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(f"Page {number} was not recognised within {limit_s:.3g} s.") from error
    except subprocess.CalledProcessError as error:
        cause = " ".join(error.stderr.decode("utf-8", "replace").split())[:200]
        raise ToolError(f"Page {number} was not recognised: {cause}") from error
    return done.stdout.decode("utf-8", "replace")


def _read_table(table: str, scale: float) -> tuple[Line, ...]:
    """Join tesseract's words into its lines."""
    lines: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and (row["text"] or "").strip():
            key = (row["block_num"], row["par_num"], row["line_num"])
            lines.setdefault(key, []).append(row)
    return tuple(_line(words, scale) for words in lines.values())


def _line(words: list[dict[str, str]], scale: float) -> Line:
    left = min(int(w["left"]) for w in words)
    top = min(int(w["top"]) for w in words)
    right = max(int(w["left"]) + int(w["width"]) for w in words)
    bottom = max(int(w["top"]) + int(w["height"]) for w in words)
    return Line(
        text=" ".join(w["text"].strip() for w in words),
        box=(left / scale, top / scale, right / scale, bottom / scale),
        confidence=round(sum(float(w["conf"]) for w in words) / len(words), 1),
    )
