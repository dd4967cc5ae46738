"""A connector in a run: connects when it is first called, checks what the user accepted, and gives each call one outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from deskmate.connectors.asking import asked_again, content_of, read_question
from deskmate.connectors.offering import LIST, PROMPT
from deskmate.connectors.pins import PROGRAM_READY_S, READY_S, Drift, drift, read_offered, specs_of
from deskmate.connectors.results import (
    list_outcome,
    outcome_of,
    prompt_outcome,
    resource_outcome,
)
from deskmate.errors import DeskmateError, OutcomeUnknown, ProtocolError, ToolError, ToolInputError
from deskmate.ports import Progress, Record, ToolOutcome
from deskmate.protocol.oauth import MORE_WANTED
from deskmate.protocol.remote import RemoteServer, Reply, declines
from deskmate.types.connectors import ConnectorEntry, Given, PinnedTool, Question, RemoteTool
from deskmate.types.registry import ToolSpec

FAILURES_LIMIT = 3
"""Failures in a row after which a run leaves a connector alone."""
CHECKED_S = 300.0
"""How long a look at a server's definitions counts; then it is looked again before a call."""


Dial = Callable[[Record], AbstractAsyncContextManager[RemoteServer]]
"""Opens a connection; what goes over it is stored by the record. Raises ToolError, ProtocolError."""


@dataclass(slots=True, kw_only=True)
class _Line:
    """A connection. `stop`: ends it. `off`: accepted tools that are not what they were → why."""

    server: RemoteServer
    stop: anyio.Event = field(default_factory=anyio.Event)
    dead: bool = False
    checked: float = 0.0
    off: Mapping[str, str] = field(default_factory=dict)


class RemoteConnector:
    """The `Connector` of one entry, for one run. Calls are made one at a time."""

    def __init__(
        self,
        entry: ConnectorEntry,
        dial: Dial,
        tasks: TaskGroup,
        on_drift: Callable[[Drift], None] = lambda found: None,
    ) -> None:
        """`tasks`: holds the connection. `on_drift`: is told when the server is not what was accepted."""
        self._entry, self._dial, self._tasks, self._on_drift = entry, dial, tasks, on_drift
        self._pins: Mapping[str, PinnedTool] = {pin.wire: pin for pin in entry.offered()}
        self._line: _Line | None = None
        self._failures = 0
        self._busy = anyio.Lock()
        self._record: Record | None = None
        self._question: Question | None = None

    async def tools(self) -> tuple[ToolSpec, ...]:
        """Return its tools as the user accepted them; nothing is asked of the server for it."""
        return specs_of(self._entry)

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        record: Record,
        on_progress: Progress,
        answers: Sequence[Given] = (),
    ) -> ToolOutcome:
        """Call a tool by its wire name; what is sent for it is stored by `record`.

        `answers`: what the user said to the server's questions when this was called before.
        Raises ToolError where nothing was sent, OutcomeUnknown where it was and its answer was lost.
        """
        pin = self._pins.get(tool)
        if pin is None:
            raise ToolError(f"The connector {self._entry.name} does not offer {tool}.")
        async with self._busy:
            self._record = record
            if self._failures >= FAILURES_LIMIT:
                raise ToolError(
                    f"{self._entry.name} failed {FAILURES_LIMIT} times and is left alone in this run. Go on without it."
                )
            line = await self._checked_line()
            if why := line.off.get(pin.tool.name):
                raise ToolError(
                    f"{tool} is off: {why}. The user can look at it: deskmate connector review {self._entry.name}"
                )
            self._question = None
            line.server.asked = partial(self._answer, answers)
            try:
                outcome = await self._call(line, pin, arguments, on_progress)
            finally:
                line.server.asked = declines  # nobody is asked between calls
            return replace(outcome, question=self._question)

    def _answer(self, answers: Sequence[Given], message: str, schema: Mapping[str, Any]) -> Reply:
        """Answer a server's question with what the user said to it; else it waits for them, and the server is told so."""
        question = read_question(self._entry.name, message, schema)
        if isinstance(question, str) or self._question is not None:
            return Reply(action="decline")
        said = next((one.answer for one in reversed(answers) if one.question == question), None)
        if said is None:
            self._question = question
            return Reply(action="cancel")
        try:
            content = content_of(question, said)
        except ToolInputError as error:
            self._question = asked_again(question, error.message)
            return Reply(action="cancel")
        return (
            Reply(action="decline") if content is None else Reply(action="accept", content=content)
        )

    async def _ask(
        self,
        server: RemoteServer,
        tool: RemoteTool,
        arguments: Mapping[str, Any],
        on_progress: Progress,
    ) -> ToolOutcome:
        """Do what the kind of a tool stands for. Raises ToolError, OutcomeUnknown."""
        timeout_s = float(self._entry.timeout_s)
        match tool.kind:
            case "prompt":
                name = tool.name.removeprefix(PROMPT)
                return prompt_outcome(await server.prompt(name, arguments, timeout_s=timeout_s))
            case "resource" if tool.name == LIST:
                cursor = arguments.get("cursor") or None
                return list_outcome(*await server.resources(cursor, timeout_s=timeout_s))
            case "resource":
                parts = await server.read(str(arguments["uri"]), timeout_s=timeout_s)
                return resource_outcome(self._entry.name, parts)
        return outcome_of(
            await server.call(tool.name, arguments, timeout_s=timeout_s, on_progress=on_progress)
        )

    async def _call(
        self, line: _Line, pin: PinnedTool, arguments: Mapping[str, Any], on_progress: Progress
    ) -> ToolOutcome:
        try:
            outcome = await self._ask(line.server, pin.tool, arguments, on_progress)
        except OutcomeUnknown:
            self._failures += 1
            if why := line.server.said():
                on_progress(
                    f"{self._entry.name}: {why}; it is started anew when it is called again"
                )
            self._hang_up()
            raise
        except ToolError as error:
            self._failures = 0  # it is there, and answers
            if MORE_WANTED in error.message:
                self._hang_up()  # the next call takes the login that there is then
            return ToolOutcome(text=f"{self._entry.name}: {error.message}", is_error=True)
        self._failures = 0
        return outcome

    async def _checked_line(self) -> _Line:
        """Return a connection over which the definitions were looked at not long ago. Raises ToolError."""
        ready_s = PROGRAM_READY_S if self._entry.program is not None else READY_S
        try:
            with anyio.fail_after(ready_s):
                return await self._ready()
        except (ToolError, ProtocolError, OutcomeUnknown, TimeoutError) as error:
            self._failures += 1
            self._hang_up()
            slow = isinstance(error, TimeoutError)
            why = f"it was not ready in {ready_s:g} s" if slow else str(error)
            raise ToolError(f"{self._entry.name} cannot be used: {why}.") from error

    async def _ready(self) -> _Line:
        line = self._line
        if line is None or line.dead:
            line = self._line = await self._tasks.start(self._hold)
        if not line.checked or anyio.current_time() - line.checked > CHECKED_S:
            await self._check(line)
        return line

    async def _check(self, line: _Line) -> None:
        """Compare what the server offers with what the user accepted."""
        listing = read_offered(self._entry.name, await line.server.offered(self._entry.kinds))
        found = drift(self._entry.tools, listing.tools)
        line.off = found.off()
        line.checked = anyio.current_time()
        if found:
            self._on_drift(found)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.stop.set()
            self._line = None

    def close(self) -> None:
        """Hang up."""
        self._hang_up()

    async def _hold(self, *, task_status: TaskStatus[_Line]) -> None:
        """Keep one connection open until it is hung up or breaks; a break is found by the next call."""
        line: _Line | None = None
        try:
            async with self._dial(self._store) as server:
                line = _Line(server=server)
                task_status.started(line)
                await line.stop.wait()
        except DeskmateError:
            if line is None:
                raise
        except Exception as error:  # a server's fault must not end the run
            if line is None:
                raise ToolError(f"the connection failed ({type(error).__name__})") from error
        finally:
            if line is not None:
                line.dead = True

    async def _store(self, payload: Any) -> None:
        if self._record is not None:
            await self._record(payload)
