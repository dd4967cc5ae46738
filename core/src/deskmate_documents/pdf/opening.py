"""Opens PDFs for reading and for writing: bounds, passwords, damage told in one line, coordinates as people see them."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import ToolError, ToolInputError

PDF_LIMIT_BYTES = 256 << 20
PDF_PAGES_LIMIT = 5_000
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points from the top left corner of the page as it is shown."""

# What parsers raise over bytes that break every rule of the format.
BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError,
    RecursionError, RuntimeError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
_RANGE = re.compile(r"(\d+)?(-)?(\d+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The visible part of a page in its own coordinates, and how it is turned when it is shown."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int = 0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as shown."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def shown(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Return where a rectangle of the page's own coordinates is seen."""
        corners = [self._forth(left, bottom), self._forth(right, top)]
        return _sorted_box(corners)

    def stored(self, box: Box) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top in the page's own coordinates."""
        corners = [self._back(box[0], box[1]), self._back(box[2], box[3])]
        return _sorted_box(corners)

    def _forth(self, x: float, y: float) -> tuple[float, float]:
        x, y = x - self.left, y - self.bottom
        width, height = self.right - self.left, self.top - self.bottom
        return {
            0: (x, height - y), 90: (y, x), 180: (width - x, y), 270: (height - y, width - x),
        }[self.rotation]  # fmt: skip

    def _back(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.right - self.left, self.top - self.bottom
        inner = {
            0: (x, height - y), 90: (y, x), 180: (width - x, y), 270: (width - y, height - x),
        }[self.rotation]  # fmt: skip
        return inner[0] + self.left, inner[1] + self.bottom


def _sorted_box(corners: list[tuple[float, float]]) -> Box:
    (a, b), (c, d) = corners
    return min(a, c), min(b, d), max(a, c), max(b, d)


def frame_of(page: Any) -> Frame:
    """Return the frame of an open pdfium page."""
    left, bottom, right, top = page.get_bbox()
    return Frame(left=left, bottom=bottom, right=right, top=top, rotation=page.get_rotation())


def rounded(box: Box) -> list[float]:
    """Return a box for an answer: tenths of a point are enough."""
    return [round(number, 1) for number in box]


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever a parser raises over a damaged file into one line that names the file."""
    import pypdfium2  # noqa: PLC0415
    from pdfminer.pdfexceptions import PDFException  # noqa: PLC0415
    from pdfminer.psexceptions import PSException  # noqa: PLC0415
    from pypdf.errors import FileNotDecryptedError, PyPdfError, WrongPasswordError  # noqa: PLC0415

    try:
        yield
    except ToolError:
        raise
    except (FileNotDecryptedError, WrongPasswordError) as error:
        raise locked(path, given=isinstance(error, WrongPasswordError)) from error
    except MemoryError as error:
        raise ToolInputError(
            f"{path.name} needs more memory than this machine gives to one tool."
        ) from error
    except (PyPdfError, pypdfium2.PdfiumError, PDFException, PSException, *BROKEN) as error:
        cause = " ".join(str(error).split())[:120] or type(error).__name__
        raise ToolInputError(
            f"{path.name} is damaged and cannot be read as a PDF ({cause})."
        ) from error


def locked(path: Path, *, given: bool) -> ToolInputError:
    """Return the error for a file that its password, or the lack of one, keeps shut."""
    if given:
        return ToolInputError(
            f"{path.name} is encrypted, and the password given does not open it; ask the user for the right one."
        )
    return ToolInputError(
        f"{path.name} is encrypted; ask the user for its password and give it as `password`."
    )


def check_size(path: Path) -> None:
    """Refuse what is empty, too large, or no PDF at all.

    Raises:
        ToolInputError: one line with the name and the reason.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(1024)
    except OSError as error:
        raise ToolInputError(f"{path.name} cannot be read ({error.strerror}).") from error
    if not head:
        raise ToolInputError(f"{path.name} is empty (0 bytes).")
    if size > PDF_LIMIT_BYTES:
        raise ToolInputError(f"{path.name} is larger than 256 MiB; refused.")
    if b"%PDF-" not in head:
        raise ToolInputError(f"{path.name} is not a PDF or is damaged (no PDF header).")


@contextmanager
def shown(path: Path, password: str = "") -> Iterator[Any]:
    """Open a PDF with pdfium, for its text and its looks; pages are read when they are asked for.

    Raises:
        ToolInputError: encrypted, damaged, or with more than 5,000 pages.
    """
    import pypdfium2  # noqa: PLC0415

    check_size(path)
    with guarded(path):
        try:
            document = pypdfium2.PdfDocument(path, password=password or None)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise locked(path, given=bool(password)) from error
            raise ToolInputError(
                f"{path.name} is damaged and cannot be opened as a PDF."
            ) from error
        try:
            if len(document) > PDF_PAGES_LIMIT:
                raise ToolInputError(
                    f"{path.name} has {len(document)} pages, more than {PDF_PAGES_LIMIT}."
                )
            yield document
        finally:
            document.close()


def is_encrypted(path: Path, password: str = "") -> bool:
    """Say whether a PDF is encrypted.

    Raises:
        ToolInputError: as `shown`.
    """
    import pypdfium2.raw as raw  # noqa: PLC0415

    with shown(path, password) as document:
        return int(raw.FPDF_GetSecurityHandlerRevision(document)) >= 0


@contextmanager
def parsed(path: Path, password: str = "") -> Iterator[Any]:
    """Open a PDF with pypdf, for its objects: forms, annotations, pages to be written.

    Raises:
        ToolInputError: encrypted, damaged, or with more than 5,000 pages.
    """
    import pypdf  # noqa: PLC0415

    check_size(path)
    with guarded(path), path.open("rb") as stream:
        reader = pypdf.PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(password):
            raise locked(path, given=bool(password))
        if len(reader.pages) > PDF_PAGES_LIMIT:
            raise ToolInputError(f"{path.name} has more than {PDF_PAGES_LIMIT} pages.")
        yield reader


def page_numbers(text: str, count: int, limit: int) -> list[int]:
    """Return the pages that `1-3,8,12-` names, in its order, each from 1.

    Raises:
        ToolInputError: not such a list, pages that are not there, or more than `limit`.
    """
    found: list[int] = []
    for piece in text.replace(" ", "").split(","):
        match = _RANGE.match(piece)
        if not match or not piece or piece == "-":
            raise ToolInputError(f"{text!r} names no pages; write them like 1-3,8,12-.")
        first = int(match[1] or 1)
        last = int(match[3] or count) if match[2] else first
        if not 1 <= first <= count or not 1 <= last <= count:
            raise ToolInputError(f"Page {piece} is not there; the file has {count} pages.")
        step = 1 if first <= last else -1
        found += range(first, last + step, step)
        if len(found) > limit:
            raise ToolInputError(f"{text} are more than {limit} pages; ask for fewer at a time.")
    return found
