"""A run on a terminal: what goes on now in a calm live line or two, what is finished as lines above it.

It writes to stderr only; results go to stdout when it has ended. The cursor is never hidden, so that a
process which is killed leaves a terminal as it was.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from deskmate.cli.happenings import Line, lines_of, measure
from deskmate.cli.output import one_line, plain
from deskmate.cli.tables import NARROW, findings_table
from deskmate.host.wording import sentence_of
from deskmate.ports import Delta
from deskmate.types.events import (
    Event,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Payload,
    RunFinished,
    ToolFinished,
    ToolStarted,
    Validated,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import ToolUse, text_of, tool_uses_of
from deskmate.types.progress import Counted, Note

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

_FRAMES = "◐◓◑◒"
_PER_SECOND = 4
_BAR_WIDTHS = (8, 20)
"""On a narrow terminal, and on others."""
_SHOWN_TOOLS = 4
_QUIET_S = 1.0
"""A step that took less is told without its seconds."""


@dataclass(slots=True, kw_only=True)
class _Phase:
    """Something that goes on. `counted`: how far it is; `detail`: what a tool says while it runs."""

    title: str
    since: float
    counted: Counted | None = None
    detail: str = ""


class Display:
    """Shows events and deltas; callable, as the agent's observer. Use it as a context manager."""

    streams = False
    """The model's last words are not left on the terminal: they are the result."""

    def __init__(
        self, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`console`, `clock`: used instead of stderr and the system's; for tests."""
        self._console = console or terminal()
        self._clock = clock
        self._lock = threading.RLock()  # lines also come from worker threads
        self._began = clock()
        self._phase: _Phase | None = None
        self._tools: dict[ToolUseId, _Phase] = {}
        self._uses: dict[ToolUseId, ToolUse] = {}
        self._text = ""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the live lines; what was finished stays."""
        with self._lock:
            self._close_phase("✓" if error is None else "✗")
            self._text = ""
        self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question while the block runs."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __call__(self, item: Event | Delta) -> None:
        """Show one event or delta."""
        with self._lock:
            if isinstance(item, Event):
                self._event(item.payload)
            elif item.kind == "progress":
                self.progress(item.text)
            else:
                self._text = (self._text + item.text)[-2_000:]

    def progress(self, line: str) -> None:
        """Show a line of progress: a step that begins, how far one is, or a note."""
        with self._lock:
            if isinstance(line, Note):
                self._print(Line("!", line, "yellow"))
            elif self._tools:
                last = list(self._tools.values())[-1]
                last.detail = one_line(line)
            else:
                self._go_on(line)

    def _go_on(self, line: str) -> None:
        title, counted = one_line(line), line if isinstance(line, Counted) else None
        if self._phase is None or self._phase.title != title:
            self.begin(title)
            assert self._phase is not None
        self._phase.counted = counted

    def begin(self, title: str) -> None:
        """Begin a step; the one before is finished."""
        with self._lock:
            self._close_phase("✓")
            self._phase = _Phase(title=title, since=self._clock())

    def _close_phase(self, mark: str) -> None:
        phase, self._phase = self._phase, None
        if phase is not None:
            colour = "green" if mark == "✓" else "red"
            self._print(Line(mark, phase.title, colour, dim=True), since=phase.since)

    def _event(self, payload: Payload) -> None:
        match payload:
            case ModelAsked(turn=turn, model=model):
                self.begin(f"turn {turn}: {model} is thinking")
            case ModelReplied() as reply:
                self._reply(reply)
            case ModelFailed():
                self._close_phase("✗")
                self._text = ""
            case ToolStarted(tool=tool, tool_use_id=use):
                self._close_phase("✓")
                arguments = self._uses[use].input if use in self._uses else {}
                title = sentence_of(tool, arguments)
                self._tools[use] = _Phase(title=title, since=self._clock())
            case ToolFinished() as done:
                self._tool_finished(done)
            case _:
                self._close_phase("✓")
        for line in lines_of(payload):
            self._print(line, since=self._began if isinstance(payload, RunFinished) else None)
        if isinstance(payload, Validated) and payload.findings:
            self._console.print(findings_table(payload.findings, self._console.width))

    def _reply(self, reply: ModelReplied) -> None:
        phase, self._phase, self._text = self._phase, None, ""
        uses = tool_uses_of(reply.content)
        self._uses |= {use.id: use for use in uses}
        if phase is not None and self._clock() - phase.since >= _QUIET_S:
            title = phase.title.replace(" is thinking", " answered")
            self._print(Line("✓", title, "green", dim=True), since=phase.since)
        words = text_of(reply.content)
        if uses and words:  # words without a call are the result, and that goes to stdout
            self._print(Line(" ", " ".join(plain(words).split()), ""))

    def _tool_finished(self, done: ToolFinished) -> None:
        phase = self._tools.pop(done.tool_use_id, None)
        if phase is None:
            return
        if done.outcome == "ok":
            self._print(Line("✓", phase.title, "green"), since=phase.since)
        else:
            what = f"{phase.title}: {done.outcome}: {done.text}"
            self._print(Line("✗", one_line(what, 300), "red"), since=phase.since)

    def _print(self, line: Line, *, since: float | None = None) -> None:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        words = Text(one_line(line.text), style="dim" if line.dim else "")
        passed = 0.0 if since is None else self._clock() - since
        if passed >= _QUIET_S:
            words.append(f"  {seconds(passed)}", style="dim")
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=1, no_wrap=True)
        grid.add_column(overflow="fold")  # a long name is broken, never cut
        grid.add_row(Text(line.mark, style=line.colour), words)
        self._console.print(grid)

    def view(self) -> RenderableType:
        """Return what goes on now, one line each, none longer than the terminal is wide."""
        from rich.console import Group  # noqa: PLC0415

        # Without the lock: who asks holds the live display's own, and who prints holds ours and waits for that.
        now = self._clock()
        phase, text = self._phase, self._text
        shown = list(self._tools.values())[-_SHOWN_TOOLS:]
        if not shown and phase is not None:
            shown = [phase]
        rows = [self._row(one, now) for one in shown]
        if text.strip():
            tail = one_line(text)[-(self._console.width - 4) :]
            rows.append(self._cut(f"  {tail}", style="dim"))
        return Group(*rows)

    def _row(self, phase: _Phase, now: float) -> Text:
        tail = f"  {seconds(now - phase.since)}"
        bar = ""
        counted = phase.counted
        if counted is not None and counted.total > 0:
            share = min(max(counted.done / counted.total, 0.0), 1.0)
            width = _BAR_WIDTHS[self._console.width >= NARROW]
            full = round(share * width)
            bar = f"  {'━' * full}{'╌' * (width - full)}"
            tail = f"  {measure(counted, now - phase.since)}{tail}"
        title = f"{phase.title} · {phase.detail}" if phase.detail else phase.title
        frame = _FRAMES[int(now * _PER_SECOND) % len(_FRAMES)]
        row = self._cut(f"{frame} {title}", room=len(bar) + len(tail))
        row.stylize("cyan", 0, 1)
        row.append(bar, style="cyan")
        row.append(tail, style="dim")
        return row

    def _cut(self, text: str, *, room: int = 0, style: str = "") -> Text:
        from rich.text import Text  # noqa: PLC0415

        row = Text(text, style=style, no_wrap=True)
        row.truncate(max(self._console.width - room - 1, 1), overflow="ellipsis")
        return row

    def _start(self) -> None:
        from rich.live import Live  # noqa: PLC0415

        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self.view,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def terminal(stream: TextIO | None = None) -> Console:
    """Return the terminal on a stream, stderr if None; it never interprets what it is told to write."""
    from rich.console import Console  # noqa: PLC0415

    class Visible(Console):
        """Keeps the cursor: what is killed cannot bring it back."""

        def show_cursor(self, show: bool = True) -> bool:
            return False

    return Visible(file=stream or sys.stderr, markup=False, emoji=False, highlight=False)


def seconds(passed: float) -> str:
    """Return a span of time as people say it: `12 s`, `2 min 05 s`."""
    whole = int(passed)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
