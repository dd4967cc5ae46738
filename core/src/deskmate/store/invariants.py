"""What Deskmate promises of every log, as code: one checker a promise, over the events in their order.

I2 tool uses and results, I3 intent before effect, I4 tools in the machine run once, I5 nothing is sent
outside twice, I6 only complete replies are history, I13 budgets, I14 a run has an honest end. The others:
`chain` (I1), `verify` (I7, I12), `applied` (I8 to I10), `approvals` (I11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from deskmate.types.connectors import ConnectorAsked
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    CheckpointMade,
    Compacted,
    EgressAsked,
    EgressEnded,
    Event,
    HookFinished,
    HookStarted,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    PolicySet,
    RunFinished,
    RunResumed,
    SandboxOpened,
    SubagentDid,
    ThreadForked,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Limits, Usage
from deskmate.types.messages import tool_uses_of
from deskmate.types.network import READING
from deskmate.types.subagents import usage_of

RUNNABLE = ("tool_use", "end_turn", "stop_sequence", "")
"""Stop reasons after which a reply's tool uses may run; some servers send none."""
_BY_THE_HOST = (
    "workspace__ask",
    "skill__read",
    "skill__search",
    "thread__read",
    "thread__search",
)
"""Tools that the host answers itself: nothing is dispatched, so there is no intent."""

Checker = Callable[[Sequence[Event]], Iterator[str]]


def check_results(events: Iterable[Event]) -> Iterator[str]:
    """I2: each tool use has exactly one result before the model is asked again or the run ends."""
    uses: set[ToolUseId] = set()
    results: Counter[ToolUseId] = Counter()
    for event in events:
        match event.payload:
            case ModelReplied(content=content):
                for use in tool_uses_of(content):
                    if use.id in uses:
                        yield f"event {event.seq}: {use.id} was asked for before"
                    uses.add(use.id)
            case ToolFinished(tool_use_id=use_id) as finished:
                results[use_id] += 1
                if problem := _wrong_result(finished, uses):
                    yield f"event {event.seq}: {problem}"
            case payload if _needs_results(payload) and (open_ := sorted(uses - results.keys())):
                yield f"event {event.seq}: {event.kind} without a result for {open_[0]}"
                uses -= set(open_)
    for use_id, count in sorted(results.items()):
        if count > 1:
            yield f"{use_id} has {count} results"


def _wrong_result(finished: ToolFinished, uses: set[ToolUseId]) -> str:
    if finished.tool_use_id not in uses:
        return f"a result for {finished.tool_use_id}, which nobody asked for"
    if finished.outcome in ("interrupted", "unknown") and not finished.synthetic:
        return "a result made by the host is not marked as such"
    return ""


def _needs_results(payload: Any) -> bool:
    if isinstance(payload, RunFinished):
        return payload.reason != "needs_you"  # what waits for a person may stay open
    return isinstance(payload, ModelAsked)


def _intent_of(payload: Any) -> tuple[type, object] | None:
    """Return the intent that an outcome must follow; each intent allows one outcome."""
    match payload:
        case ModelReplied(turn=key) | ModelFailed(turn=key):
            return ModelAsked, key
        case Compacted(turn=key, by=by) if by != "rules":
            return ModelAsked, key
        case ApplyFinished(plan=key):
            return ApplyStarted, key
        case HookFinished(key=key):
            return HookStarted, key
    return None


def check_intents(events: Sequence[Event]) -> Iterator[str]:
    """I3: no outcome without its intent before it, and one at most."""
    open_: Counter[tuple[type, object]] = Counter()
    started: set[str] = set()
    for event in events:
        payload = event.payload
        match payload:
            case ModelAsked(turn=key) | ApplyStarted(plan=key) | HookStarted(key=key):
                open_[type(payload), key] += 1
            case ToolStarted(tool_use_id=use):
                started.add(use)
            case ToolFinished(tool_use_id=use) if not _had_intent(payload, started):
                yield f"event {event.seq}: a tool finished that was never started: {use}"
        if intent := _intent_of(payload):
            if not open_[intent]:
                yield f"event {event.seq}: {event.kind} without {intent[0].__name__}"
            open_[intent] = max(0, open_[intent] - 1)
    yield from _check_requests(events)


def _check_requests(events: Iterable[Event]) -> Iterator[str]:
    sending: set[str] = set()
    for event in events:
        match event.payload:
            case EgressAsked(request=request, allowed=True):
                sending.add(request)
            case EgressEnded(request=request):
                if request not in sending:
                    yield f"event {event.seq}: a request ended that was not begun: {request}"
                sending.discard(request)


def _had_intent(payload: ToolFinished, started: set[str]) -> bool:
    """Say whether a result may stand: it was started, or nothing was dispatched for it."""
    made_here = payload.synthetic or payload.tool in _BY_THE_HOST
    return made_here or payload.tool_use_id in started


def check_machine(events: Sequence[Event]) -> Iterator[str]:
    """I4: a tool use runs under one key, once; a new machine begins with all that was acknowledged."""
    yield from _check_keys(events)
    yield from _check_checkpoints(events)


def _check_keys(events: Iterable[Event]) -> Iterator[str]:
    seen: set[str] = set()
    keys: dict[str, str] = {}
    for event in events:
        match event.payload:
            case ToolStarted(tool_use_id=use, key=key):
                if use in seen or key in keys.values():
                    yield f"event {event.seq}: {use} was started a second time"
                seen.add(use)
                keys[use] = key
            case ConnectorAsked(
                tool_use_id=use
            ):  # it ended for a question, whose answer has it made again
                seen.discard(use)
                keys.pop(use, None)


def _check_checkpoints(events: Iterable[Event]) -> Iterator[str]:
    checkpoint: str | None = None
    unsaved, copied = "", 0
    for event in events:
        match event.payload:
            case ThreadForked(seq=seq):
                copied = seq + 1  # where the parent's log was cut, perhaps between the two
            case ToolFinished(wrote=True, synthetic=False, tool_use_id=use):
                unsaved = use if event.seq != copied else ""
            case CheckpointMade(manifest=checkpoint):
                unsaved = ""
            case SandboxOpened(checkpoint=used):
                if used != checkpoint:
                    yield f"event {event.seq}: a machine began with another state than the last one"
                if unsaved:
                    yield f"event {event.seq}: a machine began without what {unsaved} had written"
            case RunFinished() if unsaved:
                yield f"event {event.seq}: what {unsaved} had written is in no checkpoint"
                unsaved = ""


def check_outside(events: Iterable[Event]) -> Iterator[str]:
    """I5: what may have changed something outside is never repeated by itself; its outcome is unknown."""
    running: dict[str, bool] = {}
    lost: set[str] = set()
    resumed: set[str] = set()
    for event in events:
        match event.payload:
            case ToolStarted(tool_use_id=use):
                running[use] = False
            case EgressAsked(allowed=True, method=method) if method not in READING:
                running = dict.fromkeys(running, True)
            case SandboxOpened():
                lost |= {use for use, sent in running.items() if sent}
            case RunResumed():
                resumed |= running.keys()
            case ToolFinished(tool_use_id=use, synthetic=False, private=outside):
                if use in lost:
                    yield f"event {event.seq}: {use} was repeated after it had sent something"
                elif outside and use in resumed:
                    yield f"event {event.seq}: {use} was sent to a connector a second time"
                running.pop(use, None)
            case ToolFinished(tool_use_id=use) | ConnectorAsked(tool_use_id=use):
                # after a server's question the call is made again, with the user's answer
                running.pop(use, None)
                resumed.discard(use)


def check_replies(events: Iterable[Event]) -> Iterator[str]:
    """I6: no tool starts before its reply is complete, nor one of a reply that was cut."""
    runnable: set[str] = set()
    asking = False
    for event in events:
        match event.payload:
            case ModelAsked():
                asking = True
            case ModelFailed() | Compacted() | UserSaid() | RunResumed() | RunFinished():
                asking = False
            case ModelReplied(content=content, stop_reason=reason):
                asking = False
                runnable = {u.id for u in tool_uses_of(content)} if reason in RUNNABLE else set()
            case ToolStarted(tool_use_id=use):
                if asking:
                    yield f"event {event.seq}: {use} was started while the model was still asked"
                elif use not in runnable:
                    yield f"event {event.seq}: {use} was started, but is of no complete reply"


class _Spent:
    """What a run and the thread have used so far."""

    def __init__(self) -> None:
        self.run = ""
        self.limits = Limits()
        self.turns = self.calls = self.tokens = 0
        self.cost = self.thread_cost = 0.0
        self.budget: float | None = None

    def begin(self, said: UserSaid) -> None:
        self.limits = said.limits
        if said.run != self.run:
            self.run, self.turns, self.calls, self.tokens, self.cost = said.run, 0, 0, 0, 0.0

    def add(self, usage: Usage, *, turns: int = 1) -> None:
        self.turns += turns
        self.tokens += usage.input_tokens + usage.output_tokens
        self.tokens += usage.cache_read_tokens + usage.cache_write_tokens
        self.cost += usage.cost_usd or 0.0
        self.thread_cost += usage.cost_usd or 0.0

    def over(self) -> str:
        """Return which limit leaves no room for another call of the model."""
        limits = self.limits
        used = (
            ("turns", self.turns, limits.max_turns),
            ("tokens", self.tokens, limits.max_tokens),
            ("USD of the run", self.cost, limits.cost_usd),
            ("USD of the thread", self.thread_cost, self.budget),
        )
        for what, spent, limit in used:
            if limit is not None and spent >= limit:
                return f"{spent:g} of {limit:g} {what} were used"
        return ""


def check_budgets(events: Iterable[Event]) -> Iterator[str]:
    """I13: nothing is begun once a limit is used up, so a run costs at most one call more."""
    spent = _Spent()
    for event in events:
        match event.payload:
            case UserSaid() as said:
                spent.begin(said)
            case PolicySet(rules=rules):
                spent.budget = rules.budget_usd
            case ModelAsked() if over := spent.over():
                yield f"event {event.seq}: the model was asked although {over}"
            case ModelReplied(usage=usage):
                spent.add(usage)
            case Compacted(usage=usage):
                spent.add(usage, turns=0)
            case SubagentDid() as did if paid := usage_of(did):
                spent.add(paid, turns=0)
            case ToolStarted(tool_use_id=use):
                spent.calls += 1
                if spent.calls > spent.limits.max_calls:
                    yield f"event {event.seq}: {use} was started beyond {spent.limits.max_calls} calls"


def check_ends(events: Iterable[Event]) -> Iterator[str]:
    """I14: a run ends once, says why where it failed, and nothing is done without one."""
    active = False
    for event in events:
        match event.payload:
            case UserSaid() | RunResumed():
                active = True
            case RunFinished(reason=reason, text=text):
                if not active:
                    yield f"event {event.seq}: a run ended that was not under way"
                if reason in ("failed", "over_budget") and not text:
                    yield f"event {event.seq}: a run ended as {reason} and does not say why"
                active = False


def interrupted(events: Iterable[Event]) -> str:
    """Return the run that is still under way by the log, empty if none is."""
    run = ""
    for event in events:
        match event.payload:
            case UserSaid(run=run) | RunResumed(run=run):
                pass
            case RunFinished():
                run = ""
    return run


CHECKERS: Mapping[str, Checker] = {
    "I2": check_results,
    "I3": check_intents,
    "I4": check_machine,
    "I5": check_outside,
    "I6": check_replies,
    "I13": check_budgets,
    "I14": check_ends,
}
"""Promise → what checks it."""
