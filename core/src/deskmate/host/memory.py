"""The memory of a thread's project: what the run is told of it, and where the agent's notes go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from deskmate.errors import ToolInputError, UserError
from deskmate.ports import Progress
from deskmate.types.events import Event, MemoryTold
from deskmate.types.memory import MemoryNote
from deskmate.types.progress import Note

if TYPE_CHECKING:
    from deskmate.store.memory import Memories


class ProjectMemory:
    """The `Memory` of one project, over its files."""

    def __init__(self, memories: Memories, project: str) -> None:
        self._memories = memories
        self._project = project

    @property
    def project(self) -> str:
        """The project's id."""
        return self._project

    async def notes(self) -> tuple[MemoryNote, ...]:
        """Return the notes as they are now."""
        found = await anyio.to_thread.run_sync(self._memories.read, self._project)
        return found.notes

    async def write(self, note: MemoryNote) -> None:
        """Store a note durably. Raises ToolInputError for one that cannot be."""
        try:
            await anyio.to_thread.run_sync(self._memories.write, self._project, note)
        except UserError as error:
            raise ToolInputError(error.message) from error


def open_memory(memories: Memories, events: Sequence[Event]) -> ProjectMemory | None:
    """Return the memory of the project that the thread is in, None where it is in none."""
    from deskmate.agent.memory import project_in  # noqa: PLC0415

    project = project_in(events)
    return ProjectMemory(memories, project) if project else None


async def tell_memory(
    memories: Memories, events: Sequence[Event], progress: Progress
) -> MemoryTold | None:
    """Return what is to be stored as told, None where that is told already. What is no note is named to the user."""
    from deskmate.agent.memory import project_in, told_of  # noqa: PLC0415

    project = project_in(events)
    known = next((e.payload for e in reversed(events) if isinstance(e.payload, MemoryTold)), None)
    if not project:
        told = MemoryTold(project="")
    else:
        found = await anyio.to_thread.run_sync(memories.read, project)
        for name, why in found.skipped.items():
            progress(Note(f"not read as a note of the project: {name}: {why}"))
        told = told_of(project, found.notes)
    if known is None:
        return told if told.notes else None
    return told if told.notes != known.notes else None
