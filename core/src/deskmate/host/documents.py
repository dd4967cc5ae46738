"""Documents in a change set: a machine of its own takes them apart and puts chosen parts together.

The host never opens a document: it hands over bytes, and takes lines and bytes back.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio.from_thread

from deskmate.changes.differ import Differ, Piece, host_differs
from deskmate.errors import ProtocolError, UserError
from deskmate.ports import Blobs, Machine, Progress, Sandbox, SandboxSpec
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.places import Places

CALL_S = 120.0
_KINDS = ((b"word/document", ".docx"), (b"xl/workbook", ".xlsx"), (b"ppt/presentation", ".pptx"))
_PICTURES = (
    (b"\x89PNG\r\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\x00", ".tiff"),
    (b"MM\x00*", ".tiff"),
)
_PDF_HEAD = 1_024
_NEW_SHOWN = (".docx", ".xlsx", ".pptx", ".pdf")
_OLD, _NEW, _OUT = "before", "after", "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Laid:
    """A machine with both versions in it. `names`: argument → workspace path."""

    machine: Machine
    entries: tuple[Entry, ...]
    names: Mapping[str, str]


class DocumentDiffer:
    """Takes documents and pictures apart, each question in a fresh machine without network or grants.

    Word documents and workbooks come in pieces that can be taken alone; decks, PDFs and pictures are shown only. Of
    a document that is new the first lines are shown.

    Its methods are called in a worker thread, as the changes room works in one.
    """

    unit = "change"

    def __init__(self, sandbox: Sandbox, blobs: Blobs, progress: Progress) -> None:
        """`blobs`: hold the versions and get what comes back."""
        self._sandbox, self._blobs, self._progress = sandbox, blobs, progress
        self._known: dict[tuple[Digest, Digest], tuple[Piece, ...]] = {}

    def takes(self, before: bytes | None, after: bytes | None) -> bool:
        """Say whether both sides look like documents of one kind; what they are is the machine's business."""
        if before is None or after is None:
            return after is not None and kind_of(after) in _NEW_SHOWN
        return kind_of(before) == kind_of(after) != ""

    def pieces(self, before: bytes | None, after: bytes | None) -> tuple[Piece, ...]:
        """Return the pieces. Raises UserError if they cannot be told; SandboxUnavailable and such."""
        old, new = self._put(before), self._put(after)
        if (old, new) not in self._known:
            work = functools.partial(self._ask, is_new=before is None)
            answer = anyio.from_thread.run(work, old, new, kind_of(after or b""))
            self._known[old, new] = _read(answer)
        return self._known[old, new]

    def merge(self, before: bytes | None, after: bytes | None, chosen: Collection[str]) -> bytes:
        """Return the file with the chosen pieces. Raises as `pieces`."""
        work = functools.partial(self._take, chosen=sorted(chosen))
        digest = anyio.from_thread.run(
            work, self._put(before), self._put(after), kind_of(before or b"")
        )
        return self._blobs.read(digest)

    def _put(self, content: bytes | None) -> Digest:
        return self._blobs.put(content or b"")

    async def _ask(self, before: Digest, after: Digest, suffix: str, *, is_new: bool) -> Any:
        async with self._machine(before, after, suffix) as laid:
            named = {"before": ""} if is_new else {}
            return await _call(laid, "office__document_changes", named, self._progress)

    async def _take(
        self, before: Digest, after: Digest, suffix: str, *, chosen: list[str]
    ) -> Digest:
        target = f"{_OUT}/result{suffix}"
        async with self._machine(before, after, suffix) as laid:
            arguments = {"chosen": chosen, "target": target}
            await _call(laid, "office__document_take", arguments, self._progress)
            difference, _ = await laid.machine.difference(laid.entries, self._blobs)
        for change in difference.changes:
            if change.path == target and change.after is not None and change.after.sha256:
                return change.after.sha256
        raise ProtocolError("The machine did not hand over the document that it made.")

    @asynccontextmanager
    async def _machine(self, before: Digest, after: Digest, suffix: str) -> AsyncIterator[_Laid]:
        """Restore a machine that holds both versions and nothing else."""
        names = {"before": f"{_OLD}/old{suffix}", "after": f"{_NEW}/new{suffix}"}
        entries = [
            *(Entry(path=folder, kind="dir", mode=0o755) for folder in (_OLD, _NEW, _OUT)),
            *(
                Entry(
                    path=names[side],
                    kind="file",
                    mode=0o644,
                    size=len(self._blobs.read(digest)),
                    sha256=digest,
                )
                for side, digest in (("before", before), ("after", after))
            ),
        ]
        entries.sort(key=lambda entry: entry.path)
        grants = tuple(Grant(name=name, folder="/nowhere") for name in (_OLD, _NEW, _OUT))
        spec = SandboxSpec(thread=ThreadId("t-documents"), plugins=(), grants=grants)
        async with self._sandbox.open(spec, self._progress) as machine:
            await machine.put_base(entries, self._blobs, self._progress)
            yield _Laid(machine=machine, entries=tuple(entries), names=names)


async def _call(laid: _Laid, tool: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
    outcome = await laid.machine.call(
        tool,
        {**laid.names, **arguments},
        key=uuid.uuid4().hex,
        timeout_s=CALL_S,
        on_progress=progress,
    )
    if outcome.is_error:
        raise UserError(outcome.text.strip() or "The document cannot be taken in parts.")
    return outcome.structured


def kind_of(content: bytes) -> str:
    """Return the suffix that a document's bytes speak for, empty for any other file."""
    if content.startswith(b"PK\x03\x04"):
        return next((suffix for mark, suffix in _KINDS if mark in content), "")
    if b"%PDF-" in content[:_PDF_HEAD]:
        return ".pdf"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for mark, suffix in _PICTURES if content.startswith(mark)), "")


def _read(answer: Any) -> tuple[Piece, ...]:
    """Return the pieces of a machine's answer, which nobody vouches for. Raises ProtocolError."""
    try:
        pieces = tuple(
            Piece(
                id=str(entry["id"]),
                lines=tuple(str(line) for line in entry["lines"]),
                alone=entry.get("whole") is not True,
            )
            for entry in answer["changes"]
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ProtocolError("The machine's list of changes is malformed.") from error
    if [piece.id for piece in pieces] != [str(n) for n in range(1, len(pieces) + 1)]:
        raise ProtocolError("The machine's changes are not numbered in order.")
    if any(not piece.lines for piece in pieces):
        raise ProtocolError("The machine's list of changes is malformed.")
    return pieces


def document_differs(places: Places, blobs: Blobs, progress: Progress) -> tuple[Differ, ...]:
    """Return who takes changes apart: the host for text, a machine for documents."""
    from deskmate.host.adapters import Adapters  # noqa: PLC0415

    return (*host_differs(), DocumentDiffer(Adapters(places).sandbox(), blobs, progress))
