"""One document in a machine of its own: its text, its cells by rules, and answers checked against it.

The host never opens a document. A machine sees one document, so a document that took its machine over could lie about
itself only; what comes back is bounded and checked for its shape.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import anyio.to_thread

from deskmate.errors import CorruptData, ProtocolError, SandboxUnavailable, UserError
from deskmate.ports import Clock, Machine, Progress, Sandbox, SandboxSpec
from deskmate.shown import plain
from deskmate.types.codec import from_json, to_json
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.tables import (
    PLACE_LIMIT,
    QUOTE_LIMIT,
    VALUE_LIMIT,
    WHY_LIMIT,
    Answer,
    Cell,
    Column,
)

DOCUMENT_LIMIT_BYTES = 64 << 20
TEXT_LIMIT_CHARACTERS = 1_500_000
CALL_S = 300.0
MACHINES = 4
"""How many machines a document gets for one question before it has failed."""
_CHUNK = 1 << 20
_FOLDER = "document"
_UNIT_LIMIT = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document's bytes, read once: what the machine gets is what the digest is of."""

    name: str
    content: bytes
    sha256: Digest


def read_document(path: str) -> Document:
    """Return the document at a path. Raises UserError if it is none that can be read. Blocks."""
    place = Path(path)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(DOCUMENT_LIMIT_BYTES + 1)
    except OSError as error:
        raise UserError(f"{place.name} cannot be read: {error.strerror}.") from error
    if len(content) > DOCUMENT_LIMIT_BYTES:
        raise UserError(f"{place.name} is larger than {DOCUMENT_LIMIT_BYTES >> 20} MiB.")
    return Document(
        name=place.name, content=content, sha256=Digest(hashlib.sha256(content).hexdigest())
    )


class _Only:
    """Blobs that hold the one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self, digest: Digest) -> bytes:
        return self._document.content

    def chunks(self, digest: Digest) -> Iterable[bytes]:
        content = self._document.content
        return (content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK))

    def has(self, digest: Digest) -> bool:
        return digest == self._document.sha256


class Room:
    """A machine that holds one document. Made by `open_room`."""

    def __init__(self, machine: Machine, path: str, name: str) -> None:
        self._machine, self._path, self._name = machine, path, name

    async def find(self, columns: Sequence[Column]) -> tuple[Cell, ...]:
        """Return the cells that the rules find. Raises UserError (no text in it), SandboxUnavailable, ProtocolError."""
        answer = await self._call("cells_find", columns=to_json(columns))
        return _cells(answer, columns)

    async def check(self, columns: Sequence[Column], answers: Sequence[Answer]) -> tuple[Cell, ...]:
        """Return the cells of a model's answers, checked. Raises as `find`."""
        given = [to_json(answer, defaults=True) for answer in answers]
        return _cells(
            await self._call("cells_check", columns=to_json(columns), answers=given), columns
        )

    async def text(self) -> str:
        """Return the document's text. Raises as `find`; UserError if it is longer than a model is asked to read."""
        parts: list[str] = []
        start = 0
        while True:
            answer = await self._call("cells_text", start=start)
            try:
                text, following, size = (
                    str(answer["text"]),
                    answer.get("next"),
                    int(answer["characters"]),
                )
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ProtocolError("The machine's text of the document is malformed.") from error
            if size > TEXT_LIMIT_CHARACTERS or start + len(text) > TEXT_LIMIT_CHARACTERS:
                raise UserError(
                    f"It is too long for one reading: {size:,} of at most {TEXT_LIMIT_CHARACTERS:,} characters."
                )
            parts.append(text)
            if following is None:
                return "".join(parts)
            if not isinstance(following, int) or following <= start:
                raise ProtocolError("The machine's text of the document does not go on.")
            start = following

    async def _call(self, tool: str, **arguments: Any) -> Any:
        outcome = await self._machine.call(
            f"office__{tool}",
            {"path": self._path, **arguments},
            key=os.urandom(8).hex(),
            timeout_s=CALL_S,
            on_progress=lambda line: None,
        )
        if outcome.is_error:
            # in the machine it has a name of the host's choosing
            told = outcome.text.replace(PurePosixPath(self._path).name, self._name)
            why = plain(told).strip()[:WHY_LIMIT]
            raise UserError(why or "The document cannot be read.")
        return outcome.structured


@asynccontextmanager
async def open_room(
    sandbox: Sandbox, document: Document, progress: Progress
) -> AsyncIterator[Room]:
    """Restore a machine that holds one document and nothing else, without network."""
    suffix = "".join(
        c for c in PurePosixPath(document.name).suffix.lower() if c.isalnum() or c == "."
    )[:12]
    path = f"{_FOLDER}/document{suffix}"
    entries = (
        Entry(path=_FOLDER, kind="dir", mode=0o755),
        Entry(
            path=path, kind="file", mode=0o644, size=len(document.content), sha256=document.sha256
        ),
    )
    grant = Grant(name=_FOLDER, folder="/nowhere", mode="ro")
    spec = SandboxSpec(thread=ThreadId("t-table"), plugins=(), grants=(grant,))
    async with sandbox.open(spec, progress) as machine:
        await machine.put_base(entries, _Only(document), progress)
        yield Room(machine, path, document.name)


async def in_room(
    sandbox: Sandbox, document: Document, work: Callable[[Room], Awaitable[T]], *, clock: Clock
) -> T:
    """Return what `work` returns in a document's machine; one that dies or breaks the rules is replaced, a few times.

    Raises what `work` raises, SandboxUnavailable, ProtocolError.
    """
    for attempt in range(1, MACHINES + 1):
        try:
            async with open_room(sandbox, document, lambda line: None) as room:
                return await work(room)
        except (SandboxUnavailable, ProtocolError):
            if attempt == MACHINES:
                raise
            await clock.sleep(0.2 * attempt)
    raise AssertionError


async def take(path: str) -> Document:
    """Return the document at a path, read in a thread. Raises UserError."""
    return await anyio.to_thread.run_sync(read_document, path)


def _cells(answer: Any, columns: Sequence[Column]) -> tuple[Cell, ...]:
    """Return the cells of a machine's answer, which nobody vouches for. Raises ProtocolError."""
    try:
        cells = tuple(from_json(Cell, each) for each in answer["cells"])
    except (CorruptData, KeyError, TypeError) as error:
        raise ProtocolError("The machine's answers are malformed.") from error
    if [cell.column for cell in cells] != [column.name for column in columns]:
        raise ProtocolError("The machine's answers are not those that were asked for.")
    for cell in cells:
        if cell.status not in ("checked", "quoted", "not_found", "disputed"):
            raise ProtocolError("The machine's answers have a standing that is none of theirs.")
        if cell.status in ("checked", "quoted") and not (cell.value and cell.quote):
            raise ProtocolError("The machine's answers have no evidence.")
        long = (
            len(cell.value) > VALUE_LIMIT
            or len(cell.quote) > QUOTE_LIMIT
            or len(cell.why) > 4 * WHY_LIMIT
            or len(cell.place) > PLACE_LIMIT
        )
        if long or len(cell.unit) > _UNIT_LIMIT:
            raise ProtocolError("The machine's answers are too long.")
    return cells
