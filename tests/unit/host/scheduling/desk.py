"""What tests of schedules share: schedules to order, a clock that stands still, and work that follows a script."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from deskmate.errors import DeskmateError
from deskmate.host.scheduling.outcome import Verdict
from deskmate.host.scheduling.times import to_text
from deskmate.types.schedules import Due, Schedule, Standing, When

START = datetime(2026, 1, 5, tzinfo=UTC)


def at(*numbers: int) -> str:
    """Return a moment in UTC as text."""
    return to_text(datetime(*numbers, tzinfo=UTC))  # type: ignore[misc, arg-type]


def cron(text: str, zone: str = "UTC", **values: Any) -> Schedule:
    """Return a schedule of cron's."""
    return schedule(When(kind="cron", zone=zone, cron=text), **values)


def schedule(when: When, name: str = "Report", **values: Any) -> Schedule:
    """Return a schedule."""
    usual: dict[str, Any] = {"model": "offline", "expects": ("*.md",)}
    return Schedule(
        id=f"{name.lower()}-1",
        name=name,
        when=when,
        text="Write it.",
        created=to_text(START),
        **{**usual, **values},
    )


def standing(schedule: Schedule, looked: str, state: Any = "active") -> Standing:
    """Return how a schedule stands that was agreed to."""
    return Standing(schedule=schedule, state=state, looked=looked, agreed="d" * 64)


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def now(self) -> str:
        """Return the time as text."""
        return to_text(self.moment)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.moment += timedelta(seconds=seconds)


DONE = Verdict(state="succeeded", why="there and checked: out/report.md")


class Script:
    """The `Work` of a runner: each run ends as it is told. `begun`: runs in the order they were taken up."""

    def __init__(self, ends: Callable[[Due], Verdict | DeskmateError] = lambda due: DONE) -> None:
        self._ends = ends
        self.begun: list[Due] = []
        self.closed: list[Due] = []
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.busy: set[str] = set()
        self.refused = ""
        self.own: frozenset[str] = frozenset()

    async def is_busy(self, due: Due) -> bool:
        """Say whether a test says so."""
        return due.thread in self.busy

    async def refusal(self, standing: Standing) -> str:
        """Return what a test says."""
        return self.refused

    async def carry_out(self, schedule: Schedule, due: Due, *, closing: bool) -> None:
        """End as told."""
        self.begun.append(due)
        if closing:
            self.closed.append(due)
        found = self._ends(due)
        if isinstance(found, DeskmateError):
            raise found
        self.verdicts[due.schedule, due.due] = found

    async def verdict(self, schedule: Schedule, due: Due) -> Verdict:
        """Return how it ended."""
        return self.verdicts[due.schedule, due.due]

    async def own_changes(self, schedule: Schedule, paths: tuple[str, ...]) -> frozenset[str]:
        """Return what a test says."""
        return self.own
