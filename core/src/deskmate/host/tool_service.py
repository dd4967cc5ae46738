"""Plugins' tools for another program: in one thread, run in its machine, recorded, checked and staged like any run's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from mimetypes import guess_type
from typing import Any
from urllib.parse import quote, unquote

import anyio
import anyio.abc

from deskmate.agent.asking import one_line
from deskmate.agent.context import tools_of
from deskmate.agent.recall import THREAD_TOOLS
from deskmate.agent.skills import Reading, read_skill
from deskmate.errors import DeskmateError, UserError
from deskmate.host import Host, RunOrder, RunResult
from deskmate.host.orders import Unattended
from deskmate.models.client import NAME, QUIET_S, Call, ClientModel
from deskmate.ports import Delta, Model, Progress
from deskmate.protocol.serving import Content, Resource
from deskmate.types.events import Event, ToolFinished, Validated
from deskmate.types.files import Deliverable
from deskmate.types.findings import Finding
from deskmate.types.ids import ThreadId, ToolUseId, new_tool_use_id
from deskmate.types.limits import Limits
from deskmate.types.registry import Registry, SkillSpec, ToolSpec

FINISH = "deskmate__finish"
REQUEST = "Tools for another program (MCP)"
CLOSING_S = 60.0
"""How long the last checks may take when the program has gone."""
_LIMITS = Limits(max_turns=100_000, max_calls=100_000, max_repairs=50)
_FINDINGS = 40
SKILL_URI, RESULT_URI = "skill:///", "result:///"
MARKDOWN = "text/markdown"
RESULT_BYTES = 16 << 20
"""The largest result that is handed over the protocol; a larger one is taken from the review."""
_INSTRUCTIONS = (
    "These tools work on copies of the user's folders in a virtual machine; paths begin with a folder's name. Nothing is "
    f"written to the folders themselves: call {FINISH} when the work is done, and the user decides what is."
)
_FINISH = ToolSpec(
    plugin="deskmate",
    name=FINISH,
    title="Check and hand over",
    description="Check the results that tools presented, and put every changed file before the user, who decides what is "
    "written to the folders. Call it when the work is done. If the checks find errors, mend them and call it again.",
    input_schema={"type": "object", "properties": {}, "additionalProperties": False},
    risk="read",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call gave. `pictures`: what the program's model is to look at."""

    text: str
    is_error: bool = False
    pictures: Sequence[Content] = ()


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A call that has no answer yet."""

    told: Progress
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: Answer = Answer(text="")

    def settle(self, answer: Answer) -> None:
        self.answer = answer
        self.answered.set()


class _Nobody:
    """The `Approver` where the order already says who answers."""

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        return False


class ToolService:
    """Serves another program, or several together; all of them work in one thread, whose runs begin with a call."""

    def __init__(
        self,
        host: Host,
        model: ClientModel,
        order: RunOrder,
        registry: Registry,
        tasks: anyio.abc.TaskGroup,
        thread: ThreadId | None = None,
    ) -> None:
        """Use `tool_service`. `host` takes its turns from `model`."""
        self._host, self._model, self._registry, self._tasks = host, model, registry, tasks
        nobody = Unattended(otherwise=False, by="mcp serve: nobody was there to ask", once=False)
        self._order = replace(order, text=REQUEST, model=NAME, limits=_LIMITS, unattended=nobody)
        self._waiting: dict[ToolUseId, _Waiting] = {}
        self._over = anyio.Event()
        self._over.set()
        self._settled = anyio.Event()
        self._findings: tuple[Finding, ...] = ()
        self._results: dict[str, Deliverable] = {}
        self._ended = Answer(text="Nothing was called, so there is nothing to hand over.")
        model.refused = self._refuse
        self.thread = thread
        """The thread, once something was called in it."""

    @property
    def instructions(self) -> str:
        """What the program's model should know before it calls anything."""
        prompts = sorted(self._registry.prompts, key=lambda prompt: (prompt.order, prompt.plugin))
        return "\n\n".join([_INSTRUCTIONS, *(prompt.text for prompt in prompts)])

    def tools(self) -> tuple[ToolSpec, ...]:
        """Return what can be called, sorted by name, the last word first."""
        offered = (tool for tool in tools_of(self._registry) if tool.offered != ())
        return (_FINISH, *THREAD_TOOLS, *offered)

    def skills(self) -> tuple[SkillSpec, ...]:
        """Return the skills, in the order of the plugins."""
        return self._registry.skills

    def skill(self, name: str, arguments: str) -> str:
        """Return a skill's text. Raises ToolInputError if there is none of this name."""
        return read_skill(self._registry, name, arguments, Reading(thread=self.thread or ""))

    def resources(self) -> Sequence[Resource]:
        """Return the skills' texts, and the files that the last run presented and its checks let pass."""
        skills = [
            Resource(
                uri=f"{SKILL_URI}{quote(skill.name, safe='')}",
                name=skill.name,
                description=skill.description,
                media=MARKDOWN,
            )
            for skill in self._registry.skills
        ]
        files = [
            Resource(
                uri=f"{RESULT_URI}{quote(path)}",
                name=path.rpartition("/")[2],
                title=result.title,
                description=f"A result that waits for the user's review: {path}",
                media=guess_type(path)[0] or "",
            )
            for path, result in self._results.items()
        ]
        return (*skills, *files)

    async def resource(self, uri: str) -> Content:
        """Return a skill's text, or the bytes of a result. Raises UserError, ToolInputError."""
        if uri.startswith(SKILL_URI):
            return Content(media=MARKDOWN, text=self.skill(unquote(uri[len(SKILL_URI) :]), ""))
        path = unquote(uri[len(RESULT_URI) :]) if uri.startswith(RESULT_URI) else ""
        if path not in self._results or self.thread is None:
            raise UserError(f"There is no resource {uri[:200]!r}.")
        data = await self._host.changed_file(self.thread, path, RESULT_BYTES)
        media = guess_type(path)[0] or ""
        if media.startswith("text/") or media == "application/json":
            try:
                return Content(media=media, text=data.decode())
            except UnicodeDecodeError:
                pass
        return Content(media=media or "application/octet-stream", data=data)

    async def call(self, tool: str, arguments: Mapping[str, Any], told: Progress) -> Answer:
        """Make one call and return its answer; what cannot be done is an answer as well."""
        if tool == FINISH:
            return await self.finish()
        if tool not in {spec.name for spec in self.tools()}:
            return Answer(text=f"There is no tool {tool!r}.", is_error=True)
        use = new_tool_use_id()
        waiting = self._waiting[use] = _Waiting(told=told)
        try:
            if not self._model.put(Call(id=use, tool=tool, arguments=arguments)):
                return Answer(text="Too many calls wait already; try again later.", is_error=True)
            self._begin()
            await waiting.answered.wait()
        finally:
            self._waiting.pop(use, None)
        return waiting.answer

    async def finish(self) -> Answer:
        """End the run: check what was presented, stage the changes; return what came of it.

        If the checks fail the run goes on, and the answer says what they found.
        """
        if self._over.is_set():
            return self._ended
        self._model.end()
        await self._settled.wait()
        if self._over.is_set():
            return self._ended
        self._settled = anyio.Event()
        return Answer(text=_told(self._findings), is_error=True)

    async def close(self) -> None:
        """Finish what is under way, as far as it can be done in a minute."""
        with anyio.move_on_after(CLOSING_S, shield=True):
            await self.finish()

    def _begin(self) -> None:
        if self._over.is_set():
            self._over, self._settled = anyio.Event(), anyio.Event()
            self._tasks.start_soon(self._carry_out)

    async def _carry_out(self) -> None:
        """Run until the program is done; calls that came in the last moments of a run begin another."""
        try:
            while True:
                await self._run()
                self._settle(self._model.taken)
                if not self._waiting or not self._model.taken:
                    break
        finally:
            self._over.set()
            self._settled.set()
            self._model.drop()
            self._settle(set(self._waiting))

    def _settle(self, uses: Set[ToolUseId]) -> None:
        """Answer the calls that the end of the run left open."""
        for use in uses & self._waiting.keys():
            self._waiting[use].settle(replace(self._ended, is_error=True))

    async def _run(self) -> None:
        """Carry out one run."""
        self._model.begin()
        try:
            if self.thread is None:
                self._host.check(self._order, new=True)
                self.thread = await self._host.create_thread(REQUEST)
            result = await self._host.run(
                self._order, self.thread, observer=self._observe, approver=_Nobody()
            )
        except DeskmateError as error:
            self._ended = Answer(text=one_line(error), is_error=True)
            return
        except OSError as error:
            self._ended = Answer(
                text=f"{error.filename or 'The disk'}: {error.strerror}", is_error=True
            )
            return
        self._ended = _summary(result)
        if result.reason == "done":
            self._results = {item.path: item for item in result.deliverables}

    def _observe(self, item: Event | Delta) -> None:
        if isinstance(item, Delta):
            for waiting in tuple(self._waiting.values()) if item.kind == "progress" else ():
                waiting.told(item.text)
            return
        match item.payload:
            case ToolFinished(tool_use_id=use) as done if use in self._waiting:
                shown = tuple(
                    Content(media=picture.media, data=self._host.picture(picture))
                    for picture in done.pictures
                )
                failed = done.outcome != "ok"
                self._waiting[use].settle(Answer(text=done.text, is_error=failed, pictures=shown))
            case Validated(findings=findings):
                self._findings = findings

    def _refuse(self) -> None:
        self._settled.set()


@asynccontextmanager
async def tool_service(
    make_host: Callable[[Model], Host],
    order: RunOrder,
    progress: Progress,
    *,
    thread: ThreadId | None = None,
    quiet_s: float = QUIET_S,
) -> AsyncIterator[ToolService]:
    """Yield the service over a host that takes its turns from it; at the end what is under way is finished.

    `quiet_s`: silence after which a run is closed. Raises UserError, PluginError, SandboxMissing for what the user must
    put right first.
    """
    model = ClientModel(present=True, quiet_s=quiet_s)
    host = make_host(model)
    host.check(replace(order, text=REQUEST), new=thread is None)
    registry = await host.registry(order.plugins, progress)
    async with host.pooled(), anyio.create_task_group() as tasks:
        service = ToolService(host, model, order, registry, tasks, thread)
        try:
            yield service
        finally:
            await service.close()
            tasks.cancel_scope.cancel()  # what takes longer is stopped, stored as such


def _told(findings: Iterable[Finding]) -> str:
    errors = [finding for finding in findings if finding.level == "error"]
    lines = [
        f"- {finding.rule} {finding.path} {finding.location}: {finding.message} {finding.fix}".rstrip()
        for finding in errors[:_FINDINGS]
    ]
    more = [f"- and {len(errors) - _FINDINGS} more"] if len(errors) > _FINDINGS else []
    head = f"The output checks found {len(errors)} error(s). Mend them, then call {FINISH} again."
    return "\n".join([head, *lines, *more])


def _summary(result: RunResult) -> Answer:
    waits = f"Changes wait for the user: deskmate changes show --thread {result.thread}"
    lines = [_told(result.findings)] if result.reason == "rejected" else [result.text]
    lines += [waits if result.staged else "No file was changed.", result.applied]
    if result.reason not in ("done", "rejected"):
        lines.append(f"It can go on: deskmate thread resume {result.thread}")
    is_error = result.reason != "done"
    return Answer(text="\n".join(line for line in lines if line), is_error=is_error)
