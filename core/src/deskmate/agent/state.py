"""What a thread's events say about its current run: facts to decide on, computed and never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deskmate.agent.policy import Exposure
from deskmate.agent.uses import Use
from deskmate.types.connectors import ConnectorAsked, Given
from deskmate.types.events import (
    ApplyFinished,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalUsed,
    BaseTaken,
    ChangesDiscarded,
    ChangesStaged,
    CheckpointMade,
    Compacted,
    ContentTaken,
    EgressAsked,
    EgressEnded,
    Event,
    GrantsSet,
    HookFinished,
    MemoryTold,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    PolicySet,
    Refused,
    RunFinished,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    ThreadCreated,
    ThreadForked,
    ToolFinished,
    ToolStarted,
    UserSaid,
    Validated,
)
from deskmate.types.files import Deliverable, Grant
from deskmate.types.hooks import PROMPT_EVENTS
from deskmate.types.ids import Digest, ThreadId, ToolUseId
from deskmate.types.limits import Limits, Usage, add_usage
from deskmate.types.messages import tool_uses_of
from deskmate.types.network import READING
from deskmate.types.policy import Rules
from deskmate.types.subagents import told, usage_of

TOO_LONG = "model_context_window_exceeded"
"""Stop reason of a reply that the context window has no room for."""
RUNNABLE = ("tool_use", "end_turn", "stop_sequence", "")
"""Stop reasons after which a reply's tool uses are whole and may run. Some servers send none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Facts of the thread and of its last run.

    `turn`, `usage`, `repairs`, `active_s` count within the run. `cuts`: replies in a row that hit
    the output limit. `failures`: attempts in a row without a reply. `dirty`: the overlay differs
    from the base. `contents`: lists of the base's files that were read since it was listed; `lost`: those
    that could not be. `rebase`: the next machine takes the base again. `based`: names of the folders that
    the base is of; `applied`: plans carried out since. `kept`: a fork goes on with the files as they were, not
    as the folders are now; `fork_end`: the last event that it has of its parent. `settled`: plans carried out
    since the checkpoint; their paths are as the folders have them, its other changes are still open.
    `dropped`: paths that the user threw away since the checkpoint. `unstaged`, `unvalidated`: work since the last change set, since the last verdict.
    `foreign`: the machine holds what others may have written. `exposure`: what the conversation has seen.
    `calls`: tool calls that were begun in the run. `spent_usd`: known prices of all runs of the thread.
    `questions`: requests of the machine that wait for the user, and `permits`: those that may go, by digest.
    `asked_size`: characters of the last request; `measured`: those of the last that was answered, and its tokens as
    the server counted them. `squeezed`: the conversation was compacted since the last reply.
    `answered`: the model has seen the verdict. `tools_off`: why there was no machine in this run. `deliverables`: by path, not yet applied.
    """

    seq: int = 0
    time: str = ""
    thread: ThreadId | None = None
    grants: tuple[Grant, ...] = ()
    run: UserSaid | None = None
    started: str = ""
    ended: RunFinished | None = None
    active_s: float = 0.0
    turn: int = 0
    usage: Usage = field(default_factory=Usage)
    reply: ModelReplied | None = None
    uses: tuple[Use, ...] = ()
    cuts: int = 0
    failures: int = 0
    failure: ModelFailed | None = None
    base: Digest | None = None
    contents: tuple[Digest, ...] = ()
    lost: tuple[str, ...] = ()
    rebase: bool = False
    based: tuple[str, ...] = ()
    applied: tuple[Digest, ...] = ()
    kept: bool = False
    fork_end: int = 0
    checkpoint: Digest | None = None
    dirty: bool = False
    settled: tuple[Digest, ...] = ()
    dropped: tuple[str, ...] = ()
    unstaged: bool = False
    unvalidated: bool = False
    deliverables: Mapping[str, Deliverable] = field(default_factory=dict)
    verdict: Validated | None = None
    answered: bool = False
    repairs: int = 0
    tools_off: str = ""
    rules: Rules = field(default_factory=Rules)
    foreign: bool = False
    exposure: Exposure = field(default_factory=Exposure)
    calls: int = 0
    spent_usd: float = 0.0
    asked_size: int = 0
    measured: tuple[int, int] | None = None
    squeezed: bool = False
    halted: str = ""
    questions: Mapping[Digest, ApprovalAsked] = field(default_factory=dict)
    permits: Mapping[Digest, ApprovalGiven] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Say whether a run is under way."""
        return self.run is not None and self.ended is None

    @property
    def limits(self) -> Limits:
        """Limits of the run."""
        return self.run.limits if self.run else Limits()

    @property
    def open_uses(self) -> tuple[Use, ...]:
        """Tool uses without a result, in order."""
        return tuple(use for use in self.uses if use.finished is None)


_NOTHING_PENDING: Mapping[str, Any] = {
    "unstaged": False,
    "unvalidated": False,
    "deliverables": {},
}


def fold(events: Iterable[Event]) -> State:
    """Return the state after all `events`, in order."""
    state = State()
    for event in events:
        _take_in(state, event)
    return state


def advance(state: State, event: Event) -> State:
    """Return the state after one more event; `state` itself stays as it is."""
    state = replace(state)
    _take_in(state, event)
    return state


def _take_in(state: State, event: Event) -> None:
    """Change a state that nobody else has seen yet: copying it for each of 10,000 events is slow."""
    handler = _HANDLERS.get(type(event.payload))
    changes = handler(state, event.payload) if handler else {}
    if isinstance(event.payload, UserSaid) and changes.get("turn") == 0:
        changes["started"] = event.time
    elif state.active and not isinstance(event.payload, UserSaid | RunResumed):
        changes["active_s"] = state.active_s + _seconds_between(state.time, event.time)
    if event.seq == state.fork_end:
        # what was allowed once was allowed to the parent; its files are the fork's
        changes |= {"permits": {}, "questions": {}, "kept": True}
    for name, value in changes.items():
        object.__setattr__(state, name, value)
    object.__setattr__(state, "seq", event.seq)
    object.__setattr__(state, "time", event.time)


def _seconds_between(before: str, after: str) -> float:
    span = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    return max(0.0, span.total_seconds())


def _created(state: State, payload: ThreadCreated) -> dict[str, Any]:
    return {} if state.thread else {"thread": payload.thread}


def _forked(state: State, payload: ThreadForked) -> dict[str, Any]:
    """A fork of a fork has its parent's own record among its parent's events."""
    if state.thread:
        return {}
    return {"thread": payload.thread, "fork_end": payload.seq + 1}


def _grants(state: State, payload: GrantsSet) -> dict[str, Any]:
    return {"grants": payload.grants, "rebase": True}


def _memory(state: State, payload: MemoryTold) -> dict[str, Any]:
    """What the user wrote down for a project is the user's data."""
    private = state.exposure.private or bool(payload.notes)
    return {"exposure": replace(state.exposure, private=private)}


def _said(state: State, payload: UserSaid) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "run": payload,
        "ended": None,
        "failures": 0,
        "failure": None,
        "cuts": 0,
        "reply": None,
        "halted": "",
        "uses": _overtake(state.uses, payload.text) if state.open_uses else (),
    }
    if state.run is None or state.run.run != payload.run:
        changes |= {"turn": 0, "usage": Usage(), "active_s": 0.0, "repairs": 0, "calls": 0}
        if not any(use.is_question for use in state.open_uses):  # an answer goes on with the work
            changes["verdict"] = None
        changes["tools_off"] = ""
        if not state.dirty:
            changes |= {"rebase": state.rebase or not state.kept, **_NOTHING_PENDING}
    return changes


def _overtake(uses: tuple[Use, ...], text: str) -> tuple[Use, ...]:
    """The first open question gets the user's words; all else that is open will not run any more."""
    result: list[Use] = []
    answered = False
    for use in uses:
        if use.finished is not None:
            result.append(use)
        elif use.is_question and not answered:
            result.append(use.answered(text))
            answered = True
        else:
            result.append(replace(use, overtaken=True))
    return tuple(result)


def _resumed(state: State, payload: RunResumed) -> dict[str, Any]:
    changes: dict[str, Any] = {"ended": None, "failures": 0, "failure": None, "cuts": 0}
    if state.ended is not None and state.ended.reason == "failed" and not state.open_uses:
        changes |= {"reply": None, "uses": (), "tools_off": ""}
    return changes


def _base(state: State, payload: BaseTaken) -> dict[str, Any]:
    changes = {"base": payload.manifest, "contents": (), "lost": (), "rebase": False}
    changes |= {"applied": (), "based": tuple(grant.name for grant in state.grants)}
    return changes | (_with_files(state) if payload.files else {})


def _with_files(state: State) -> dict[str, Any]:
    """The user's files are the user's data, and others may have written them."""
    return {"foreign": True, "exposure": replace(state.exposure, private=True)}


def _content(state: State, payload: Any) -> dict[str, Any]:
    return {
        "contents": (*state.contents, payload.manifest),
        "lost": (*state.lost, *payload.lost),
    }


def _opened(state: State, payload: SandboxOpened) -> dict[str, Any]:
    uses = tuple(
        replace(use, restores=use.restores + 1) if use.started and not use.finished else use
        for use in state.uses
    )
    return {"uses": uses}


def _asked_model(state: State, payload: ModelAsked) -> dict[str, Any]:
    return {"asked_size": payload.size}


def _compacted(state: State, payload: Compacted) -> dict[str, Any]:
    changes: dict[str, Any] = {"squeezed": True, "failures": 0, "failure": None}
    changes |= _spent(state, payload.usage)
    if state.reply is not None and state.reply.stop_reason == TOO_LONG:
        changes |= {"reply": None, "uses": ()}  # asked anew, in less room
    return changes


def _replied(state: State, payload: ModelReplied) -> dict[str, Any]:
    prompt = payload.usage.prompt_tokens
    return _spent(state, payload.usage) | {
        "measured": (state.asked_size, prompt) if state.asked_size and prompt else state.measured,
        "squeezed": state.squeezed and payload.stop_reason == TOO_LONG,
        "reply": payload,
        "uses": tuple(Use(use=use) for use in tool_uses_of(payload.content)),
        "turn": state.turn + 1,
        "failures": 0,
        "failure": None,
        "cuts": state.cuts + 1 if payload.stop_reason == "max_tokens" else 0,
        "answered": state.verdict is not None,
    }


def _subagent_did(state: State, payload: SubagentDid) -> dict[str, Any]:
    """What its calls cost is the run's; and what it read of the base is there for the checks."""
    if usage := usage_of(payload):
        return _spent(state, usage)
    return _content(state, told(payload)) if payload.kind == ContentTaken.__name__ else {}


def _spent(state: State, usage: Usage) -> dict[str, Any]:
    known = usage.cost_usd or 0.0
    return {"usage": add_usage(state.usage, usage), "spent_usd": state.spent_usd + known}


def _failed(state: State, payload: ModelFailed) -> dict[str, Any]:
    return {"failures": state.failures + 1, "failure": payload}


def _on_use(state: State, use_id: ToolUseId, **changes: Any) -> tuple[Use, ...]:
    return tuple(replace(use, **changes) if use.use.id == use_id else use for use in state.uses)


def _approval_asked(state: State, payload: ApprovalAsked) -> dict[str, Any]:
    if not payload.tool_use_id:
        return {"questions": {**state.questions, payload.arguments: payload}}
    # asked anew, what was decided before no longer counts
    return {"uses": _on_use(state, payload.tool_use_id, asked=payload, decision=None)}


def _approval_given(state: State, payload: ApprovalGiven) -> dict[str, Any]:
    changes: dict[str, Any] = {"uses": _on_use(state, payload.tool_use_id, decision=payload)}
    if not payload.tool_use_id:
        changes["questions"] = _without(state.questions, payload.arguments)
        permits = _without(state.permits, payload.arguments)
        changes["permits"] = permits | ({payload.arguments: payload} if payload.allow else {})
        if state.active and not state.open_uses:
            changes["reply"] = None  # the model is told, and goes on
    elif state.ended is not None and state.ended.reason == "needs_you":
        changes["ended"] = None
    return changes


def _connector_asked(state: State, payload: ConnectorAsked) -> dict[str, Any]:
    """The call ended without an effect, as the server was told that nobody can answer; it waits to be made again."""
    return {
        "uses": tuple(
            replace(use, started=None, elicited=(*use.elicited, Given(question=payload.question)))
            if use.use.id == payload.tool_use_id
            else use
            for use in state.uses
        )
    }


def _approval_used(state: State, payload: ApprovalUsed) -> dict[str, Any]:
    return {"permits": _without(state.permits, payload.arguments)}


def _without(known: Mapping[Digest, Any], digest: Digest) -> dict[Digest, Any]:
    return {key: value for key, value in known.items() if key != digest}


def _refused(state: State, payload: Refused) -> dict[str, Any]:
    return {"tools_off": payload.why} if payload.what == "tools" else {}


def _started(state: State, payload: ToolStarted) -> dict[str, Any]:
    uses = _on_use(state, payload.tool_use_id, started=payload)
    return {"uses": uses, "calls": state.calls + 1}


def _egress_asked(state: State, payload: EgressAsked) -> dict[str, Any]:
    """Of tools that run at the same time any may have sent it, so it counts for each."""
    if not payload.allowed or payload.method in READING:
        return {}
    uses = tuple(
        replace(use, sent=True) if use.started and not use.finished else use for use in state.uses
    )
    return {"uses": uses}


def _egress_ended(state: State, payload: EgressEnded) -> dict[str, Any]:
    return {"foreign": True} if payload.received else {}


def _finished(state: State, payload: ToolFinished) -> dict[str, Any]:
    changes: dict[str, Any] = {"uses": _on_use(state, payload.tool_use_id, finished=payload)}
    if payload.untrusted:
        changes["exposure"] = replace(
            state.exposure,
            untrusted=True,
            private=state.exposure.private or payload.private,
        )
    if payload.deliverables:
        new = {
            item.path: _presented(state.deliverables.get(item.path), item)
            for item in payload.deliverables
        }
        changes["deliverables"] = {**state.deliverables, **new}
    if payload.deliverables or payload.wrote:
        changes |= {"unstaged": True, "unvalidated": True}
    return changes


def _hook(state: State, payload: HookFinished) -> dict[str, Any]:
    changes: dict[str, Any] = {"unstaged": True, "unvalidated": True} if payload.wrote else {}
    if payload.context and state.foreign:  # it may have read what others wrote
        changes["exposure"] = replace(state.exposure, untrusted=True)
    if payload.outcome == "blocked" and (payload.halts or payload.event in PROMPT_EVENTS):
        changes["halted"] = payload.in_short
    elif payload.outcome == "blocked" and payload.event == "Stop":
        changes |= {"reply": None, "uses": ()}  # the model is told, and goes on
    return changes


def _presented(known: Deliverable | None, new: Deliverable) -> Deliverable:
    """Return what counts: showing a file again does not take away the role by which it is checked."""
    bare = new.role == "document" and not (new.sources or new.claims or new.data)
    return replace(known, title=new.title) if known is not None and bare else new


def _checkpoint(state: State, payload: CheckpointMade) -> dict[str, Any]:
    return {
        "checkpoint": payload.manifest,
        "dirty": payload.files > 0,
        "settled": (),
        "dropped": (),
    }


def _staged(state: State, payload: ChangesStaged) -> dict[str, Any]:
    touched = payload.created + payload.modified + payload.deleted > 0
    return {"unstaged": False, "dirty": touched}


def _validated(state: State, payload: Validated) -> dict[str, Any]:
    repairs = state.repairs + (0 if payload.passed else 1)
    return {"verdict": payload, "unvalidated": False, "answered": False, "repairs": repairs}


def _dropped(state: State, payload: ApplyFinished | ChangesDiscarded) -> dict[str, Any]:
    """Applied, undone or thrown away: the next machine starts from the folders as they are then.

    What was left out of an apply is still work of the thread: see `settled`.
    """
    if isinstance(payload, ChangesDiscarded) and payload.paths:
        return {"rebase": True, "dropped": (*state.dropped, *payload.paths)}
    if isinstance(payload, ChangesDiscarded):
        return {"rebase": True, "dirty": False, "settled": (), "dropped": (), **_NOTHING_PENDING}
    if not payload.applied:
        return {}
    settled = (*state.settled, payload.plan) if state.dirty or state.settled else ()
    changes = {"rebase": True, "dirty": False, "settled": settled, **_NOTHING_PENDING}
    return changes | {"kept": False, "applied": (*state.applied, payload.plan)}


_HANDLERS: Mapping[type, Callable[[State, Any], dict[str, Any]]] = {
    ThreadCreated: _created,
    ThreadForked: _forked,
    GrantsSet: _grants,
    MemoryTold: _memory,
    UserSaid: _said,
    RunResumed: _resumed,
    RunFinished: lambda state, payload: {"ended": payload},
    BaseTaken: _base,
    ContentTaken: _content,
    SandboxOpened: _opened,
    ModelAsked: _asked_model,
    Compacted: _compacted,
    ModelReplied: _replied,
    ModelFailed: _failed,
    ApprovalAsked: _approval_asked,
    ApprovalGiven: _approval_given,
    ApprovalUsed: _approval_used,
    PolicySet: lambda state, payload: {"rules": payload.rules},
    Refused: _refused,
    ToolStarted: _started,
    EgressAsked: _egress_asked,
    EgressEnded: _egress_ended,
    ConnectorAsked: _connector_asked,
    ToolFinished: _finished,
    HookFinished: _hook,
    CheckpointMade: _checkpoint,
    ChangesStaged: _staged,
    Validated: _validated,
    ApplyFinished: _dropped,
    ChangesDiscarded: _dropped,
    SubagentDid: _subagent_did,
}
