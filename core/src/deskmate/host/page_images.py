"""Pictures of a document's pages, made by a machine of its own; the host only stores and hands on bytes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from deskmate.errors import ProtocolError, SandboxMissing, UserError
from deskmate.host.documents import kind_of
from deskmate.ports import Blobs, Flavour, Progress, Sandbox, SandboxSpec
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest, ThreadId

CALL_S = 600.0
PNG = b"\x89PNG\r\n\x1a\n"
IMAGE_BYTES = 32 << 20
RENDERED = (".docx", ".xlsx", ".pptx", ".pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `name`: of its file, such as `page-0001.png`; `image`: a PNG in the blobs."""

    name: str
    image: Digest


async def page_images(
    sandbox: Sandbox,
    blobs: Blobs,
    document: Digest,
    *,
    pages: str = "1-20",
    dpi: int = 60,
    progress: Progress,
) -> tuple[Page, ...]:
    """Return pictures of a document's pages, in order.

    PDFs need no more than any machine has; Office files one of flavour `office`. Raises UserError if the content is
    no such document, cannot be shown, or there is no image of that flavour; SandboxUnavailable and such.
    """
    content = blobs.read(document)
    suffix = kind_of(content)
    if suffix not in RENDERED:
        raise UserError(
            "Its pages cannot be shown: it is no Word, Excel, PowerPoint or PDF file.",
            hint="See what it says: deskmate changes diff",
        )
    name = f"in/document{suffix}"
    entries = (
        Entry(path="in", kind="dir", mode=0o755),
        Entry(path=name, kind="file", mode=0o644, size=len(content), sha256=document),
        Entry(path="out", kind="dir", mode=0o755),
    )
    flavour: Flavour = "base" if suffix == ".pdf" else "office"
    grants = tuple(Grant(name=folder, folder="/nowhere") for folder in ("in", "out"))
    spec = SandboxSpec(thread=ThreadId("t-documents"), plugins=(), grants=grants, flavour=flavour)
    try:
        async with sandbox.open(spec, progress) as machine:
            await machine.put_base(entries, blobs, progress)
            outcome = await machine.call(
                "office__render_pages",
                {"path": name, "folder": "out", "pages": pages, "dpi": dpi},
                key=uuid.uuid4().hex,
                timeout_s=CALL_S,
                on_progress=progress,
            )
            if outcome.is_error:
                raise UserError(outcome.text.strip() or "Its pages cannot be shown.")
            difference, _ = await machine.difference(entries, blobs)
    except SandboxMissing as error:
        if flavour == "base":
            raise
        raise UserError(
            "Pages of Office files are drawn by LibreOffice, and its image is not there.",
            hint="Build it once: deskmate image build office",
        ) from error
    made = [change.after for change in difference.changes if change.after is not None]
    return tuple(
        _page(entry, blobs) for entry in sorted(made, key=lambda e: e.path) if entry.sha256
    )


def _page(entry: Entry, blobs: Blobs) -> Page:
    """Return one picture, if that is what it is. Raises ProtocolError."""
    assert entry.sha256 is not None
    folder, _, name = entry.path.rpartition("/")
    image = blobs.read(entry.sha256) if entry.size <= IMAGE_BYTES else b""
    if folder != "out" or not image.startswith(PNG):
        raise ProtocolError("The machine handed over something else than pictures of pages.")
    return Page(name=name, image=entry.sha256)
