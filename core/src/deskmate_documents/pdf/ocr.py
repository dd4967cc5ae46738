"""Text of pages that are pictures, by tesseract, where the image has it (flavour `office`)."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from typing import Any

from deskmate.errors import ToolError
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


def recognise(document: Any, number: int, language: str = "eng") -> tuple[Line, ...]:
    """Return the lines that tesseract sees on a page, with their boxes and how sure it is.

    Raises:
        TookTooLong: it took longer than a minute.
        ToolError: there is no tesseract, or it failed.
    """
    if not can_recognise():
        raise ToolError(f"Page {number} {MISSING}")
    page = document[number - 1]
    try:
        width, height = frame_of(page).size
        scale = min(DPI / 72, (PIXELS_LIMIT / max(width * height, 1)) ** 0.5)
        picture = io.BytesIO()
        page.render(scale=scale, grayscale=True).to_pil().save(picture, "PNG")
    finally:
        page.close()
    return _read_table(_run(picture.getvalue(), number, language, round(72 * scale)), scale)


def _run(picture: bytes, number: int, language: str, dpi: int) -> str:
    command = ["tesseract", "stdin", "stdout", "-l", language, "--dpi", str(dpi), "tsv"]
    try:
        done = subprocess.run(
            command, input=picture, capture_output=True, timeout=SECONDS_A_PAGE, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(f"Page {number} was not recognised within {SECONDS_A_PAGE} s.") from error
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
