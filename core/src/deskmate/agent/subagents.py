"""A sub-agent's world: a driver like the thread's own, over a log inside the thread's, that can read and nothing else.

Its machine is restored from the same template and has the files as the thread has them; it is thrown away. No request
goes out, no connector is there, nobody is asked, and there are no sub-agents of sub-agents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import read_entries
from deskmate.agent.state import State
from deskmate.agent.uses import ASK
from deskmate.agent.world import Setup, World
from deskmate.ports import ToolOutcome
from deskmate.types.events import (
    Event,
    GrantsSet,
    KindsSeen,
    Payload,
    PolicySet,
    SubagentDid,
    SubagentStarted,
    ThreadCreated,
    UserSaid,
)
from deskmate.types.files import Entry
from deskmate.types.hooks import TOOL_EVENTS
from deskmate.types.ids import RunId, ThreadId
from deskmate.types.registry import PromptSpec, Registry, RoleSpec, ToolSpec
from deskmate.types.subagents import did, log_of, own_event

ASKS_NOBODY = "rule that a sub-agent asks nobody"
"""Who decided, in the log and in the words "Denied by the …"."""
LISTED = 40
_IN_ROLE = "Your role, as the plugin that has {name} describes it; where it says that you write, send or ask, you cannot:\n\n"
_NOT_OFFERED = frozenset({ASK, "workspace__plan", "workspace__present", "office__document_present"})
READER = """\
You are a sub-agent: another agent gave you one task, and reads your last message and nothing else of what you do. \
You only read. You write no files, present nothing, reach no network, and nobody answers questions.

- Find out what the task asks, in the files that it names; stop when you know it.
- Answer in short sentences. After each statement stand its source and place (file, page, paragraph, cell), the words \
quoted verbatim, and the evidence id in brackets where the tool gave one.
- What is not there is said to be not there; what you could not read is named with the reason. Never guess.
"""


class SubagentStore:
    """The `Store` of one sub-agent: its events are facts of the thread's log."""

    def __init__(self, journal: Journal, child: str) -> None:
        """`journal`: of the thread."""
        self._journal = journal
        self._child = child
        self._seq = len(log_of(journal.events, child))

    @property
    def thread(self) -> ThreadId:
        """The name of this log."""
        return thread_of(self._journal.state, self._child)

    async def append(self, *payloads: Payload) -> tuple[Event, ...]:
        """Store payloads durably, all or none, and return the events. Raises as the thread's store."""
        stored = await self._journal.append(*(did(self._child, one) for one in payloads))
        own = []
        for event in stored:
            assert isinstance(event.payload, SubagentDid)
            self._seq += 1
            own.append(own_event(event, event.payload, self._seq))
        return tuple(own)

    async def events(self, after: int = 0) -> tuple[Event, ...]:
        """Return all events with a `seq` greater than `after`, in order."""
        return log_of(self._journal.events, self._child)[after:]


class AsksNobody:
    """Denies what would have to be asked about."""

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Answer no."""
        return False


def thread_of(state: State, child: str) -> ThreadId:
    """Return what a sub-agent's own log is called."""
    return ThreadId(f"{state.thread}.{child}")


def role_of(registry: Registry, order: SubagentStarted) -> RoleSpec | None:
    """Return a sub-agent's role, None if it has none or the plugin that described it is gone since."""
    return next((role for role in registry.roles if role.name == order.role), None)


def world_of(
    world: World, journal: Journal, order: SubagentStarted, role: RoleSpec | None = None
) -> World:
    """Return the world of a sub-agent. A role's model is a wish: one that costs no more, where there is one."""
    model = world.model_for(role.model) if role is not None and role.model else None

    def only_read(outcome: ToolOutcome) -> ToolOutcome:
        # whatever a tool left in its machine goes with it, so nothing of it is anybody's result
        return replace(world.redact(outcome), deliverables=(), wrote=False)

    return replace(
        world,
        store=SubagentStore(journal, order.child),
        model=model or world.model,
        approver=AsksNobody(),
        connectors={},
        redact=only_read,
        answers_by=lambda: ASKS_NOBODY,
        waiting=None,
        memory=None,
    )


def setup_of(setup: Setup, world: World, order: SubagentStarted) -> Setup:
    """Return how a sub-agent works: tools that read, and the files that it was given."""

    def base() -> tuple[Entry, ...]:
        return read_entries(world.blobs, order.manifest)

    return replace(
        setup,
        registry=_readers(setup.registry, role_of(setup.registry, order)),
        take_base=base,
        egress=None,
        connected={},
        subagents=0,
        hooks=tuple(hook for hook in setup.hooks if hook.event in TOOL_EVENTS),
    )


def _readers(registry: Registry, role: RoleSpec | None) -> Registry:
    """Return what a sub-agent has: tools that read; of those a role's only, never more."""
    tools = tuple(
        tool
        for tool in registry.tools
        if tool.risk == "read" and tool.definition is None and tool.name not in _NOT_OFFERED
    )
    prompt = PromptSpec(plugin="thread", name="subagent", text=READER)
    prompts: tuple[PromptSpec, ...] = (prompt,)
    if role is not None:
        narrowed = role.tools is not None
        tools = tuple(
            tool
            for tool in tools
            if tool.name not in role.without and (not narrowed or tool.name in (role.tools or ()))
        )
        # before the house's own words, which hold whatever a role says
        about = PromptSpec(
            plugin=role.plugin,
            name="role",
            text=_IN_ROLE.format(name=role.name) + role.text,
            order=50,
        )
        prompts = (about, prompt)
    return replace(registry, prompts=prompts, tools=tools, skills=(), rules=(), roles=())


def seeds_of(state: State, order: SubagentStarted, entries: Sequence[Entry]) -> list[Payload]:
    """Return what a sub-agent's log begins with. The user's rules hold for it, too."""
    kinds = {PurePosixPath(entry.path).suffix.lower() for entry in entries if entry.kind == "file"}
    granted = {entry.path.partition("/")[0] for entry in entries}
    grants = tuple(replace(one, mode="ro") for one in state.grants if one.name in granted)
    thread = thread_of(state, order.child)
    rules = replace(state.rules, budget_usd=None)  # its share is a limit of its run
    return [
        ThreadCreated(thread=thread, title=order.title, version=""),
        GrantsSet(grants=grants),
        KindsSeen(kinds=tuple(sorted(kinds - {""}))),
        PolicySet(rules=rules),
    ]


def said_of(order: SubagentStarted, entries: Sequence[Entry], model: str) -> UserSaid:
    """Return the task in the words that the sub-agent is told."""
    paths = [entry.path for entry in entries if entry.kind == "file"]
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    files = f"{', '.join(paths[:LISTED])}{more}" if paths else "none"
    text = f"{order.task}\n\nFiles that you may read: {files}."
    return UserSaid(run=RunId(order.child), text=text, model=model, limits=order.limits)
