"""The words of a run's documents and texts, so that threads are found by them: a document's are taken in its machine."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import anyio

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import read_base
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import CorruptData, DeskmateError
from deskmate.ports import Machine, ToolOutcome
from deskmate.types.events import TextTaken
from deskmate.types.files import Difference, Entry
from deskmate.types.ids import Digest

TOOL = "office__document_words"
KINDS = frozenset({".docx", ".docm", ".xlsx", ".xlsm", ".pptx", ".pptm", ".pdf"})
DOCUMENTS_A_RUN = 20
ALL_S = 30.0
"""All documents of a run together may take so long; those that are left come with the next run."""
ONE_S = 15.0
CHARACTERS = 200_000
TEXTS = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".csv", ".tsv", ".eml", ".tex"})
TEXTS_A_RUN = 20
"""What a run made or changed comes first. No machine is asked: a text is only decoded."""
TEXT_BYTES = 1 << 20
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_NO_TEXT = frozenset(chr(code) for code in range(32)) - frozenset("\t\n\r\f\x1b")


class Words:
    """Takes the words of one thread's documents."""

    def __init__(self, world: World, setup: Setup, bench: Workbench, journal: Journal) -> None:
        self._world = world
        self._bench = bench
        self._journal = journal
        self._can = any(tool.name == TOOL for tool in setup.registry.tools)

    async def take(self, difference: Difference) -> None:
        """Store the words of documents that are new to the thread; never a reason for a run to fail.

        Only while the machine is open: a search is not worth one of its own.
        """
        can = self._can and self._bench.is_open
        wanted = self._unknown(self._files(difference), KINDS) if can else []
        if not wanted:
            return
        self._journal.progress("reading documents for the search")
        machine = await self._bench.machine()
        with anyio.move_on_after(ALL_S):
            for entry in wanted[:DOCUMENTS_A_RUN]:
                taken = await self._one(machine, entry)
                if taken is None:
                    return
                await self._journal.record(taken)

    def texts(self, difference: Difference) -> list[TextTaken]:
        """Return the words of texts that are new to the thread: to be stored with the change set, for good or not at all."""
        blobs = self._world.blobs
        changed = {change.path for change in difference.changes}
        found = self._unknown(self._files(difference), TEXTS)
        found = [entry for entry in found if 0 < entry.size <= TEXT_BYTES]
        found.sort(key=lambda entry: entry.path not in changed)
        taken: list[TextTaken] = []
        for entry in found:
            if len(taken) == TEXTS_A_RUN:
                break
            assert entry.sha256 is not None
            # not here, or damaged: that is for `thread verify` to tell
            with suppress(CorruptData):
                text = _decoded(blobs.read(entry.sha256))
                shown = self._world.redact(ToolOutcome(text="", structured={"text": text}))
                held = blobs.put(_text_of(shown.structured).encode())
                taken.append(TextTaken(path=entry.path, sha256=entry.sha256, words=held))
        return taken

    def _files(self, difference: Difference) -> dict[str, Entry]:
        """Return what the machine's folders hold at the end of the run, as far as it is known."""
        state, blobs = self._journal.state, self._world.blobs
        files: dict[str, Entry] = {}
        if state.base is not None:
            files = {e.path: e for e in read_base(blobs, state.base, state.contents, state.lost)}
        for change in difference.changes:
            files.pop(change.path, None)
            if change.after is not None:
                files[change.path] = change.after
        return files

    def _unknown(self, files: Mapping[str, Entry], kinds: Collection[str]) -> list[Entry]:
        """Return files of these kinds that were read and that the log has no words of, small ones first."""
        known = {e.payload.sha256 for e in self._journal.events if isinstance(e.payload, TextTaken)}
        found = _of_kinds(files.values(), kinds, self._bench, known)
        return sorted(found, key=lambda e: (e.size, e.path))

    async def _one(self, machine: Machine, entry: Entry) -> TextTaken | None:
        """Return a document's words, none for one that cannot be read; None: the machine is lost."""
        assert entry.sha256 is not None
        text = ""
        try:
            outcome = await machine.call(
                TOOL,
                {"path": entry.path},
                key=uuid.uuid4().hex,
                timeout_s=ONE_S,
                on_progress=self._journal.progress,
            )
        except DeskmateError:
            await self._bench.drop()
            return None
        if not outcome.is_error:
            text = _text_of(self._world.redact(outcome).structured)
        held = self._world.blobs.put(text.encode())
        return TextTaken(path=entry.path, sha256=entry.sha256, words=held)


def _of_kinds(
    files: Iterable[Entry], kinds: Collection[str], bench: Workbench, known: set[Digest]
) -> Iterable[Entry]:
    for entry in files:
        is_meant = entry.kind == "file" and PurePosixPath(entry.path).suffix.lower() in kinds
        if is_meant and entry.sha256 not in (None, *known) and entry.path not in bench.absent:
            yield entry


def _decoded(content: bytes) -> str:
    """Return a text, whatever editor wrote it; nothing for what only has a text's name."""
    marked = [codec for mark, codec in _MARKS if content.startswith(mark)]
    for codec in marked or ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            text = content.decode(codec)
            return "" if _NO_TEXT & set(text) else text[:CHARACTERS]
    return ""


def _text_of(answer: Any) -> str:
    """Return the words in the tool's answer; nothing where it is something else."""
    found = answer.get("text") if isinstance(answer, Mapping) else None
    return found[:CHARACTERS] if isinstance(found, str) else ""
