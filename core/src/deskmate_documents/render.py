"""Renders documents to PDF and pages to images, and recalculates workbooks, in guests of flavour `office`.

The one door of all tools and rules to LibreOffice. On a guest's command line: `deskmate-render SOURCE TARGET`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.types.wire import OFFICE_SOCKET, OFFICE_UID
from deskmate_documents.opc import Package

LIMIT_S = 90.0
"""Of one conversion: a tool answers within two minutes, also about a document that LibreOffice never ends with."""
PATIENT_S = 300.0
_QUEUE_S = 600.0
"""Others' conversions go first."""
_TELL_S = 10.0
_HEAD_BYTES = 4096
_ANSWER_BYTES = 4096
PACKAGES = frozenset(
    {".docx", ".docm", ".dotx", ".xlsx", ".xlsm", ".xltx", ".xltm", ".pptx", ".pptm", ".potx"}
)
PAGES_LIMIT = 500
PIXELS_LIMIT = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How a document was converted. `by`: "listener", the warm LibreOffice, or "fresh start"."""

    target: Path
    by: str
    seconds: float


def can_render() -> bool:
    """Say whether this guest has LibreOffice at its service."""
    return Path(OFFICE_SOCKET).exists()


def convert(
    source: Path,
    target: Path,
    *,
    limit_s: float = LIMIT_S,
    on_progress: Callable[[str], None] | None = None,
) -> Conversion:
    """Convert a document to what the target's suffix says: pdf, or docx, xlsx, pptx anew.

    A workbook is calculated anew before it is saved. Macros never run and links are never followed.

    Args:
        source: a Word, Excel, PowerPoint, OpenDocument, RTF, HTML or text file.
        target: the result; it is replaced only by a whole one.
        limit_s: how long LibreOffice may take, 10 to 540 s.
        on_progress: told every ten seconds how long it has taken.

    Raises:
        ToolError: this guest has no LibreOffice, or LibreOffice cannot open or convert the document, or not in time.
    """
    if not can_render():
        raise ToolError(
            "This machine cannot render documents: its image is `base`; rendering needs `office`."
        )
    _check(source)
    part = target.with_name(f".{target.name}.part")
    job = {
        "source": source.suffix[1:], "to": target.suffix[1:].lower(), "limit_s": limit_s, "asked_s": time.monotonic(),
    }  # fmt: skip
    tell = on_progress or (lambda line: None)

    def waited(seconds: float) -> None:
        tell(f"LibreOffice has been at {source.name} for {seconds:.0f} s")

    try:
        with source.open("rb") as before, part.open("wb") as after:
            reply = _ask(json.dumps(job).encode(), (before.fileno(), after.fileno()), waited)
        if "error" in reply:
            raise ToolError(f"{source.name} was not converted: {reply['error']}")
        part.replace(target)
    except OSError as error:
        raise ToolError(f"{source.name} was not converted: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return Conversion(target=target, by=str(reply["by"]), seconds=float(str(reply["seconds"])))


def _check(source: Path) -> None:
    """Refuse what LibreOffice would guess at: it shows an empty file as a blank page, and noise after minutes, as text.

    Raises:
        ToolError: empty, encrypted, a bomb, with entities of its own, or not the Office file that its name says.
    """
    if source.suffix.lower() in PACKAGES:
        package = Package(source)
        for name in package.names:
            if name.endswith((".xml", ".rels")) and _declares(package.read(name)[:_HEAD_BYTES]):
                raise ToolError(f"{source.name} declares a document type in {name}; refused.")
    elif not source.stat().st_size:
        raise ToolError(f"{source.name} is empty (0 bytes).")


def _declares(head: bytes) -> bool:
    """Say whether XML begins with a document type, in either width: LibreOffice shows such a part as nothing at all."""
    return b"<!DOCTYPE" in head.replace(b"\x00", b"")


def _ask(
    request: bytes, fds: tuple[int, int], waited: Callable[[float], None]
) -> dict[str, object]:
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(_TELL_S)
        peer.connect(OFFICE_SOCKET)
        if os.stat(OFFICE_SOCKET).st_uid != OFFICE_UID:  # noqa: PTH116
            raise ToolError("The service that renders is not the system's.")
        socket.send_fds(peer, [request], fds)
        while True:
            try:
                answer = peer.recv(_ANSWER_BYTES)
                break
            except TimeoutError:
                seconds = time.monotonic() - began
                if seconds > _QUEUE_S:
                    raise
                waited(seconds)
    if not answer:
        raise ToolError("LibreOffice's service ended while it converted.")
    reply: dict[str, object] = json.loads(answer)
    return reply


def page_images(
    pdf: Path, folder: Path, *, dpi: int = 96, first: int = 1, last: int = 0
) -> list[Path]:
    """Write pages of a PDF as PNG files `page-0001.png`, … into `folder`; return them in order.

    Args:
        pdf: the PDF.
        folder: made if it is not there.
        dpi: pixels an inch, 24 to 600; a page is made smaller if it would have over 40 million pixels.
        first: first page, counted from 1.
        last: last page; 0 for the end. At most 500 pages.

    Raises:
        ToolError: not a PDF, or a range that it has not.
    """
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(pdf)
    except (pypdfium2.PdfiumError, OSError) as error:
        raise ToolError(f"{pdf.name} is not a PDF that can be shown.") from error
    with document:
        last = last or len(document)
        if not 1 <= first <= last <= len(document) or last - first >= PAGES_LIMIT:
            raise ToolError(
                f"{pdf.name} has {len(document)} pages; ask for at most {PAGES_LIMIT} of them."
            )
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for number in range(first, last + 1):
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(max(dpi, 24), 600) / 72
            scale = min(scale, (PIXELS_LIMIT / max(width * height, 1)) ** 0.5)
            path = folder / f"page-{number:04d}.png"
            page.render(scale=scale).to_pil().save(path)
            page.close()
            written.append(path)
    return written


def main(arguments: list[str]) -> int:
    """Convert one document, and with `--pages` show the PDF's pages; JSON on stdout. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="deskmate-render", description="Render a document to PDF."
    )
    parser.add_argument("source", type=Path)
    parser.add_argument(
        "target", type=Path, help="ends in .pdf, or .docx, .xlsx, .pptx to save anew"
    )
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="also write the pages as PNG")
    parser.add_argument("--dpi", type=int, default=96)
    options = parser.parse_args(arguments)
    try:
        done = convert(options.source, options.target, limit_s=PATIENT_S)
        pages = page_images(done.target, options.pages, dpi=options.dpi) if options.pages else []
    except ToolError as error:
        sys.stderr.write(f"deskmate-render: {error.message}\n")
        return 1
    report = {"by": done.by, "seconds": done.seconds, "pages": [str(path) for path in pages]}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0
