"""The words of a run's documents, taken out of them in the thread's machine, so that threads are found by them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import anyio

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import read_base
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import DeskmateError
from deskmate.ports import Machine
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
        wanted = self._wanted(difference) if self._can and self._bench.is_open else []
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

    def _wanted(self, difference: Difference) -> list[Entry]:
        """Return documents whose content the machine has and the log has no words of, small ones first."""
        state, blobs = self._journal.state, self._world.blobs
        files: dict[str, Entry] = {}
        if state.base is not None:
            files = {e.path: e for e in read_base(blobs, state.base, state.contents, state.lost)}
        for change in difference.changes:
            files.pop(change.path, None)
            if change.after is not None:
                files[change.path] = change.after
        known = {e.payload.sha256 for e in self._journal.events if isinstance(e.payload, TextTaken)}
        return sorted(
            _documents(files.values(), self._bench, known), key=lambda e: (e.size, e.path)
        )

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


def _documents(files: Iterable[Entry], bench: Workbench, known: set[Digest]) -> Iterable[Entry]:
    for entry in files:
        is_document = entry.kind == "file" and PurePosixPath(entry.path).suffix.lower() in KINDS
        if is_document and entry.sha256 not in (None, *known) and entry.path not in bench.absent:
            yield entry


def _text_of(answer: Any) -> str:
    """Return the words in the tool's answer; nothing where it is something else."""
    found = answer.get("text") if isinstance(answer, Mapping) else None
    return found[:CHARACTERS] if isinstance(found, str) else ""
