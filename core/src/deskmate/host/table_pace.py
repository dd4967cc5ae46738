"""How fast a table goes, how long it will take, what it has cost: one line of progress."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from deskmate.ports import Clock, Progress
from deskmate.tables.record import TableRecord
from deskmate.types.progress import Counted
from deskmate.types.tables import Cell, Row

LINE = "answering documents"
_WINDOW = 200
"""The rate is that of the last so many rows: a table may go on after days."""


class Pace:
    """Is told of each row that is closed."""

    def __init__(self, record: TableRecord, progress: Progress, clock: Clock) -> None:
        self._record, self._progress, self._clock = record, progress, clock
        self._done = self._total = self._bad = 0
        self.again()
        self._times: deque[float] = deque(maxlen=_WINDOW)

    def again(self) -> None:
        """Count anew: rows were opened."""
        summary = self._record.summary()
        self._done, self._total = summary.rows_done, summary.rows
        self._bad = sum(summary.cells.get(status, 0) for status in ("disputed", "failed"))

    def seen(self) -> None:
        """Show where the table stands, which others work on."""
        before = self._done
        self.again()
        now = self._clock.monotonic()
        self._times.extend([now] * (self._done - before))
        self._show_rate()

    def begin(self) -> None:
        """Note that the work begins now."""
        self._times.append(self._clock.monotonic())
        self._show("")

    def told(self, row: Row, cells: Sequence[Cell]) -> None:
        """Count a row and show where the table stands."""
        self._done += 1
        before = len(cells) if row.state == "again" else 0  # all of them were disputed
        self._bad += sum(cell.status in ("disputed", "failed") for cell in cells) - before
        self._times.append(self._clock.monotonic())
        self._show_rate()

    def _show_rate(self) -> None:
        if not self._times:
            self._show("")
            return
        passed = self._times[-1] - self._times[0]
        if passed <= 0:
            self._show("")
            return
        rate = (len(self._times) - 1) / passed
        left = (self._total - self._done) / rate
        self._show(f"{_rate(rate)}, {_span(left)} left")

    def _show(self, pace: str) -> None:
        money = self._record.reserved_usd()
        budget = self._record.about.budget_usd
        parts = [pace] if pace else []
        if money or budget is not None:
            parts.append(f"${money:.2f}" + (f" of ${budget:.2f}" if budget is not None else ""))
        if self._bad:
            parts.append(f"{self._bad} cells to look at")
        note = ", ".join(parts)
        self._progress(Counted(LINE, done=self._done, total=self._total, note=note))


def _rate(rate: float) -> str:
    return f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.0f} a minute"


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
