"""The thread's log as the driver holds it: every stored event, the state they make, and who listens."""

from __future__ import annotations

import anyio

from deskmate.agent.state import State, advance, fold
from deskmate.ports import Delta, Observer, Store
from deskmate.types.events import Event, Payload
from deskmate.types.ids import RunId


class Journal:
    """Appends to the store, then to memory, then tells the observer. Safe for concurrent tasks."""

    def __init__(self, store: Store, observe: Observer) -> None:
        """`observe` is told every event after it is stored, and deltas beside the log."""
        self._store = store
        self._observe = observe
        self._writing = anyio.Lock()
        self.events: list[Event] = []
        self.state = State()

    async def load(self) -> None:
        """Read the whole log."""
        self.events = list(await self._store.events())
        self.state = fold(self.events)

    async def record(self, *payloads: Payload) -> None:
        """Store payloads durably, all or none."""
        await self.append(*payloads)

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        """Store payloads durably, all or none, and return their events."""
        async with self._writing:
            stored = await self._store.append(*payloads)
            for event in stored:
                self.events.append(event)
                self.state = advance(self.state, event)
                self._observe(event)
        return stored

    def progress(self, line: str) -> None:
        """Tell the observer what is going on now."""
        self._observe(Delta(kind="progress", text=line))

    def stream(self, text: str) -> None:
        """Pass on text that the model is saying."""
        self._observe(Delta(kind="text", text=text))

    @property
    def run(self) -> RunId:
        """The current run."""
        assert self.state.run is not None
        return self.state.run.run
