"""What the user says to a thread that is at work, before the run has heard it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One message that waits. `id`: stands in the log with it, so that it is heard once. `time`: when it was said.

    `attached`: names of the files that go with it; `folder`: where they lie until its run begins.
    """

    id: str
    text: str
    time: str
    attached: tuple[str, ...] = ()
    folder: str = ""
