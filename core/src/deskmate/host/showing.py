"""A source at its place: what a machine of its own finds there, read as what nobody vouches for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

import anyio.to_thread

from deskmate.errors import CorruptData, ProtocolError, SandboxMissing, UserError
from deskmate.host.documents import kind_of
from deskmate.host.page_images import IMAGE_BYTES, PNG
from deskmate.host.viewing import Version
from deskmate.ports import Blobs, Flavour, Sandbox, SandboxSpec
from deskmate.types.codec import from_json
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import ThreadId

T = TypeVar("T")
CALL_S = 300.0
DPI = 80
_NO_OFFICE = "Pages of Office files are drawn by LibreOffice, and its image is not there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph of a document. `page`: 0 where it is not known. `marks`: first and behind the last letter, each."""

    paragraph: int
    page: int
    number: str
    text: str
    marks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Paragraphs around a place. `at`: the one to look at; `last`: the document's last. `found`: what was sought is there."""

    kind: str
    found: bool
    at: int
    last: int
    paragraphs: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A page on which words stand. `boxes`: left, top, width and height as shares of the page. `image`: in the machine."""

    page: int
    of: int
    image: str
    found: bool
    boxes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRows:
    """Rows of a worksheet from `top` on. `rows`, `columns`: how far it reaches. `widths`: in characters.

    `kinds`: a letter a text: n number, t text, b true or false, e error, f a formula without a result. `formulas`: cell →
    formula.
    """

    sheets: tuple[str, ...]
    sheet: str
    rows: int
    columns: int
    widths: tuple[float, ...]
    top: int
    cells: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...]
    formulas: Mapping[str, str]


async def place_in(
    sandbox: Sandbox, blobs: Blobs, version: Version, where: Mapping[str, int | str]
) -> Excerpt:
    """Return the paragraphs around a place. `where`: quote, paragraph, page, line, as far as they are known.

    Raises UserError if there are no words, SandboxUnavailable and such.
    """
    answer, _ = await asked(sandbox, blobs, version, "office__document_place", where)
    return _read(Excerpt, answer)


async def page_of(
    sandbox: Sandbox, blobs: Blobs, version: Version, quote: str, page: int
) -> tuple[Spot, bytes]:
    """Return where words stand on a page, and the page's picture (a PNG).

    Raises UserError if it has no pages, or the image of flavour `office` is needed and not there; SandboxUnavailable.
    """
    arguments: dict[str, int | str] = {"folder": "out", "quote": quote, "page": page, "dpi": DPI}
    answer, made = await asked(sandbox, blobs, version, "office__page_place", arguments, draws=True)
    spot = _read(Spot, answer)
    entry = made.get(spot.image)
    picture = (
        blobs.read(entry.sha256) if entry and entry.sha256 and entry.size <= IMAGE_BYTES else b""
    )
    if not picture.startswith(PNG) or any(len(box) != 4 for box in spot.boxes):
        raise ProtocolError("The machine handed over something else than a picture of a page.")
    return spot, picture


async def window_of(
    sandbox: Sandbox, blobs: Blobs, version: Version, sheet: str, top: int
) -> SheetRows:
    """Return rows of a worksheet; `sheet`: empty for the first. Raises UserError, SandboxUnavailable and such."""
    arguments: dict[str, int | str] = {"sheet": sheet, "top": top}
    answer, _ = await asked(sandbox, blobs, version, "office__sheet_window", arguments)
    return _read(SheetRows, answer)


async def asked(
    sandbox: Sandbox,
    blobs: Blobs,
    version: Version,
    tool: str,
    arguments: Mapping[str, int | str],
    *,
    draws: bool = False,
) -> tuple[Any, Mapping[str, Entry]]:
    """Return what a tool says of a file in a machine of its own, and what it wrote there, by path.

    `draws`: it writes pictures into the folder `out`, and Office files need LibreOffice. Raises UserError for what the tool
    refuses; SandboxUnavailable and such.
    """
    suffix = await anyio.to_thread.run_sync(lambda: kind_of(blobs.read(version.sha256)))
    suffix = suffix or PurePosixPath(version.path).suffix.lower()
    name = f"in/document{suffix if suffix.isascii() else ''}"
    entries = (
        Entry(path="in", kind="dir", mode=0o755),
        Entry(path=name, kind="file", mode=0o644, size=version.size, sha256=version.sha256),
        Entry(path="out", kind="dir", mode=0o755),
    )
    grants = tuple(Grant(name=folder, folder="/nowhere") for folder in ("in", "out"))
    flavour: Flavour = "office" if draws and suffix != ".pdf" else "base"
    spec = SandboxSpec(thread=ThreadId("t-documents"), plugins=(), grants=grants, flavour=flavour)
    try:
        async with sandbox.open(spec, _quiet) as machine:
            await machine.put_base(entries, blobs, _quiet)
            outcome = await machine.call(
                tool,
                {"path": name, **arguments},
                key=uuid.uuid4().hex,
                timeout_s=CALL_S,
                on_progress=_quiet,
            )
            if outcome.is_error:
                shown = PurePosixPath(version.path).name
                said = outcome.text.replace(name, shown).replace(name[3:], shown).strip()
                raise UserError(said or f"{version.path} cannot be shown.")
            difference = (await machine.difference(entries, blobs))[0] if draws else None
    except SandboxMissing as error:
        if flavour == "base":
            raise
        raise UserError(_NO_OFFICE, hint="Build it once: deskmate image build office") from error
    changes = difference.changes if difference else ()
    return outcome.structured, {c.path: c.after for c in changes if c.after is not None}


def _read(kind: type[T], answer: Any) -> T:
    """Return a machine's answer, which nobody vouches for. Raises ProtocolError."""
    try:
        return from_json(kind, answer)
    except CorruptData as error:
        raise ProtocolError(f"The machine's answer is malformed: {error.message}") from error


def _quiet(line: str) -> None:
    """Show nothing: the page shows that it waits."""
