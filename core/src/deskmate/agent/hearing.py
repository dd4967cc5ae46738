"""What the user says while a run is at work: heard between two steps, so that no call is cut short."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from deskmate.agent.loop import Action, CallModel, Finish, Stage
from deskmate.types.events import UserSaid

if TYPE_CHECKING:
    from deskmate.agent.journal import Journal
    from deskmate.ports import Waiting


class Hearing:
    """Takes up messages that wait, each once: the log says which were heard before a crash."""

    def __init__(self, waiting: Waiting | None, journal: Journal) -> None:
        """`waiting`: None: nobody can say anything meanwhile."""
        self._waiting, self._journal = waiting, journal

    async def begin(self) -> None:
        """Forget a pause that an earlier run ended before."""
        if self._waiting is not None:
            await self._waiting.take_pause()

    async def take(self, action: Action) -> bool:
        """Store what was said as the run's next words; say whether there was anything.

        A question or an approval goes first: what was said before it is no answer to it. A message with files, and what
        was said after it, waits for the next run: a machine that works takes no new folder.
        """
        if self._waiting is None or not is_between_steps(action):
            return False
        messages = await self._waiting.messages()
        if not messages:
            return False
        run, heard = self._journal.state.run, self._heard()
        assert run is not None
        unheard = (message for message in messages if message.id not in heard)
        new = list(takewhile(lambda message: not message.folder, unheard))
        if new:
            words = (replace(run, text=one.text, queued=one.id) for one in new)
            await self._journal.record(*words)
        for message in messages:
            if message in new or message.id in heard:
                await self._waiting.drop(message.id)
        return bool(new)

    async def pauses(self, action: Action) -> bool:
        """Say whether the run is to pause now, before the model is asked again."""
        if self._waiting is None or not isinstance(action, CallModel):
            return False
        return await self._waiting.take_pause()

    def _heard(self) -> frozenset[str]:
        return frozenset(
            event.payload.queued
            for event in self._journal.events
            if isinstance(event.payload, UserSaid) and event.payload.queued
        )


def is_between_steps(action: Action) -> bool:
    """Say whether the last step is done and nothing waits for a person."""
    match action:
        case CallModel(attempt=0) | Stage():
            return True
        case Finish(reason="done" | "rejected"):
            return True
    return False
