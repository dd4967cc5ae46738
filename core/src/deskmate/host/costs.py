"""What a thread's calls of the model took: tokens, how many of them came from the cache, and their price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from deskmate.types.events import (
    Compacted,
    Event,
    ModelAsked,
    ModelReplied,
    Payload,
    RunResumed,
    SubagentDid,
    UserSaid,
)
from deskmate.types.ids import RunId, ThreadId
from deskmate.types.limits import Usage, add_usage
from deskmate.types.subagents import told


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """One call. `seq`: of the event that has its reply. `purpose`: `compact`, or empty for a turn.

    `subagent`: whose call it is, such as `s1`; empty: the thread's own.
    """

    seq: int
    at: str
    run: RunId
    turn: int
    model: str
    purpose: str
    usage: Usage
    subagent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """One run: its first words, and what its calls took together.

    `unanswered`: requests that were sent and brought no reply; what they cost, if anything, is not known here.
    """

    run: RunId
    words: str
    calls: int
    usage: Usage
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadCosts:
    """All of a thread. `unpriced`: calls whose price is not known, and in no sum."""

    thread: ThreadId
    calls: tuple[CallCost, ...]
    runs: tuple[RunCost, ...]
    usage: Usage
    unpriced: int


def costs_of(thread: ThreadId, events: Sequence[Event]) -> ThreadCosts:
    """Return what the log says of a thread's calls; a fork's begin with its parent's, which were paid there."""
    calls: list[CallCost] = []
    runs: dict[RunId, RunCost] = {}
    run, asked = RunId(""), set[str]()
    for event in events:
        child, payload = _whose(event.payload)
        match payload:
            case UserSaid() if child:
                pass
            case UserSaid(run=run, text=text):
                runs.setdefault(run, RunCost(run=run, words=text, calls=0, usage=Usage()))
            case ModelAsked():
                asked.add(child)
                runs[run] = replace(runs[run], unanswered=runs[run].unanswered + 1)
            case ModelReplied() | Compacted() if call := _call(event, payload, run, child):
                calls.append(call)
                old = runs[run]
                runs[run] = replace(
                    old,
                    calls=old.calls + 1,
                    usage=add_usage(old.usage, call.usage),
                    unanswered=old.unanswered - (child in asked),
                )
                asked.discard(child)
            case RunResumed() if child:
                pass
            case RunResumed(run=run):
                pass
    return ThreadCosts(
        thread=thread,
        calls=tuple(calls),
        runs=tuple(runs.values()),
        usage=total(call.usage for call in calls),
        unpriced=sum(call.usage.cost_usd is None for call in calls),
    )


def _whose(payload: Payload) -> tuple[str, Payload]:
    """Return whose fact it is, "" for the thread's own, and the fact."""
    if isinstance(payload, SubagentDid):
        return payload.child, told(payload)
    return "", payload


def _call(event: Event, payload: Payload, run: RunId, child: str) -> CallCost | None:
    match payload:
        case ModelReplied(turn=turn, model=model, usage=usage):
            purpose = ""
        case Compacted(turn=turn, by=model, usage=usage) if usage != Usage():
            purpose = "compact"
        case _:
            return None
    return CallCost(
        seq=event.seq,
        at=event.time,
        run=run,
        turn=turn,
        model=model,
        purpose=purpose,
        usage=usage,
        subagent=child,
    )


def total(usages: Iterable[Usage]) -> Usage:
    """Return the sum."""
    whole = Usage()
    for usage in usages:
        whole = add_usage(whole, usage)
    return whole


def in_words(usage: Usage) -> str:
    """Return what calls took, for people: `12,345 tokens in, 97 % of them from the cache, 678 out, 0.0123 USD`."""
    prompt = usage.prompt_tokens
    share = (
        f", {100 * usage.cache_read_tokens / prompt:.0f} % of them from the cache" if prompt else ""
    )
    price = "price unknown" if usage.cost_usd is None else f"{usage.cost_usd:.4f} USD"
    return f"{prompt:,} tokens in{share}, {usage.output_tokens:,} out, {price}"
