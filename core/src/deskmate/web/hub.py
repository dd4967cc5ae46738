"""The one stream of everything that happens, numbered, so that a page whose connection broke misses nothing."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.from_thread
import anyio.lowlevel

from deskmate.web.contract import Message, Reset, Streamed

KEPT = 4_000
"""Messages that are kept for who comes back; who missed more reads anew."""
FLUSH_S = 0.04
"""Pieces of a reply are sent together, so often."""


class Hub:
    """Numbers messages and hands them to every listener. Belongs to one event loop; `publish` may come from a thread."""

    def __init__(self, kept: int = KEPT) -> None:
        """`kept`: how many messages a listener may have missed."""
        self._boot = secrets.token_hex(4)
        self._ring: deque[Message] = deque(maxlen=kept)
        self._last = 0
        self._news = anyio.Event()
        self._pieces: dict[str, Streamed] = {}
        self._loop = anyio.lowlevel.current_token()
        self._thread = threading.get_ident()

    def publish(self, message: Message) -> None:
        """Send a message to everybody."""
        if threading.get_ident() == self._thread:
            self._publish(message)
        else:
            anyio.from_thread.run_sync(self._publish, message, token=self._loop)

    def _publish(self, message: Message) -> None:
        thread = getattr(message, "thread", "")
        if isinstance(message, Streamed):
            known = self._pieces.get(thread)
            if known is not None and known.at + len(known.text) == message.at:
                message = Streamed(thread=thread, at=known.at, text=known.text + message.text)
            elif known is not None:
                self._push(known)
            self._pieces[thread] = message
            return
        if piece := self._pieces.pop(thread, None):
            self._push(piece)
        self._push(message)

    def _push(self, message: Message) -> None:
        self._ring.append(message)
        self._last += 1
        self.wake()

    def wake(self) -> None:
        """Have every listener look whether it is over."""
        news, self._news = self._news, anyio.Event()
        news.set()

    async def flush_often(self) -> None:
        """Send the pieces of replies that came meanwhile, for ever."""
        while True:
            await anyio.sleep(FLUSH_S)
            for thread in list(self._pieces):
                self._push(self._pieces.pop(thread))

    def now(self) -> str:
        """Return the id of the last message: who reads everything now goes on from it."""
        return f"{self._boot}-{self._last}"

    async def follow(
        self, after: str, *, idle_s: float = 15.0, over: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[tuple[str, Message | None]]:
        """Yield (id, message) for what comes after `after`; None when nothing came for a while.

        Who missed more than is kept, or comes from an earlier server, is told to read anew.
        """
        place = self._place(after)
        if place is None:
            place = self._last
            yield self.now(), Reset()
        while not over():
            first = self._last - len(self._ring)
            if place < first:
                place = self._last
                yield self.now(), Reset()
            elif place < self._last:
                message = self._ring[place - first]
                place += 1
                yield f"{self._boot}-{place}", message
            else:
                news = self._news
                with anyio.move_on_after(idle_s) as waiting:
                    await news.wait()
                if waiting.cancelled_caught:
                    yield f"{self._boot}-{place}", None

    def _place(self, after: str) -> int | None:
        boot, _, number = after.partition("-")
        if boot != self._boot or not number.isdecimal() or len(number) > 12:
            return None
        place = int(number)
        return place if self._last - len(self._ring) <= place <= self._last else None
