"""The agent's decision: a pure function from what happened to what is next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deskmate.agent.limits import calls_exceeded, exceeded
from deskmate.agent.state import RUNNABLE, TOO_LONG, State, fold
from deskmate.agent.uses import Use
from deskmate.types.events import Event, FinishReason
from deskmate.types.messages import GAVE_UP, text_of

MAX_ATTEMPTS = 6
"""Attempts at one model call before the run fails."""
MAX_CUTS = 3
"""Replies in a row that may hit the output limit."""
MAX_RESTORES = 2
"""Machines that one tool use may lose before it counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """No run is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallModel:
    """Ask the model; `attempt` counts from 0 within one turn."""

    turn: int
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """The model has no room for the conversation: tell it what came before in short, then ask again."""

    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTools:
    """Dispatch these uses, in order; neighbouring reads may run together."""

    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverTools:
    """These were started and have no result: find out, or run them again where that is safe."""

    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTools:
    """These will not run (any more): each gets the result that says `why`."""

    uses: tuple[Use, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskApproval:
    """Ask the person about this one use."""

    use: Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Write down the change set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Check the deliverables in the clean room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End the run."""

    reason: FinishReason
    text: str


Action = (
    Idle
    | CallModel
    | Compact
    | RunTools
    | RecoverTools
    | CloseTools
    | AskApproval
    | Stage
    | Validate
    | Finish
)


def decide(events: Iterable[Event]) -> Action:
    """Return what to do next, given all that happened. The same events, the same answer."""
    return next_action(fold(events))


def next_action(state: State) -> Action:
    """Return what to do next in `state`."""
    if not state.active:
        return Idle()
    if state.halted:
        return _halted(state)
    if state.open_uses:
        return _with_open_uses(state, state.open_uses)
    if _has_no_room(state) and not state.squeezed:
        return Compact(turn=state.turn + 1)
    if state.failure is not None and not state.failure.retryable:
        return Finish(reason="failed", text=state.failure.error)
    if state.failure is not None and state.failures >= MAX_ATTEMPTS:
        return Finish(
            reason="failed", text=f"Gave up after {state.failures} attempts: {state.failure.error}"
        )
    if state.reply is None or (state.uses and state.reply.stop_reason in RUNNABLE):
        return _call(state)
    return _after_words(state, state.reply.stop_reason)


def _halted(state: State) -> Action:
    """A hook ended the run: what it did is kept, nothing more is done before the user says something new."""
    if state.open_uses:
        return CloseTools(uses=state.open_uses, why=state.halted)
    return Stage() if state.unstaged else Finish(reason="stopped", text=state.halted)


def _has_no_room(state: State) -> bool:
    if state.failure is not None:
        return state.failure.too_long
    return state.reply is not None and state.reply.stop_reason == TOO_LONG


def _call(state: State) -> Action:
    if over := exceeded(state):
        return Finish(reason="over_budget", text=f"{over.message} {over.hint}")
    return CallModel(turn=state.turn + 1, attempt=state.failures)


def _with_open_uses(state: State, open_uses: tuple[Use, ...]) -> Action:
    if why := _why_cut(state):
        return CloseTools(uses=open_uses, why=why)
    if overtaken := tuple(use for use in open_uses if use.overtaken):
        return CloseTools(
            uses=overtaken, why="Not run: the user said something new before it could."
        )
    if lost := tuple(use for use in open_uses if use.restores > MAX_RESTORES):
        why = f"The virtual machine died {MAX_RESTORES + 1} times while this ran; it is not tried again."
        return CloseTools(uses=lost, why=why)
    if started := tuple(use for use in open_uses if use.started):
        return RecoverTools(uses=started)
    if ready := tuple(use for use in open_uses if not use.waits):
        if over := calls_exceeded(state):
            return CloseTools(uses=open_uses, why=f"Not run: {over.message}")
        return RunTools(uses=ready[: state.limits.max_calls - state.calls])
    approvals = tuple(use for use in open_uses if not use.is_question)
    if approvals:
        return AskApproval(use=approvals[0])
    return Finish(reason="needs_you", text=question_of(open_uses[0]))


def _why_cut(state: State) -> str:
    """Return why the last reply's tool uses must not run, or nothing if they may."""
    reason = state.reply.stop_reason if state.reply else ""
    if reason in RUNNABLE:
        return ""
    if reason == "max_tokens":
        return (
            "Not run: your reply was cut at the output limit, so its tool calls may be incomplete. "
            "Call again, with less text or in smaller pieces."
        )
    return f"Not run: the reply ended with the stop reason {reason!r}."


def question_of(use: Use) -> str:
    """Return the words of a question to the user."""
    if use.server_asks is not None:
        return use.server_asks.text
    question = use.use.input.get("question")
    return (
        question if isinstance(question, str) and question else "The agent waits for your answer."
    )


def _after_words(state: State, stop_reason: str) -> Action:
    """What follows a reply that called no tools, or whose calls were not run."""
    match stop_reason:
        case "refusal":
            return Finish(reason="failed", text="The model declined to answer this request.")
        case _ if stop_reason == TOO_LONG:
            text = "The conversation does not fit the model's context window, even in short. Go on in a new thread."
            return Finish(reason="failed", text=text)
        case "max_tokens" if state.cuts > MAX_CUTS:
            text = f"The model's reply hit the output limit {state.cuts} times in a row."
            return Finish(reason="failed", text=text)
        case "max_tokens" | "pause_turn":
            return _call(state)
        case _ if stop_reason in (*RUNNABLE, GAVE_UP):
            return _wrap_up(state)
    text = f"The model stopped for a reason that Deskmate does not know: {stop_reason!r}."
    return Finish(reason="failed", text=text)


def _wrap_up(state: State) -> Action:
    """What follows the model's last word: stage, validate, repair, finish."""
    if state.unstaged:
        return Stage()
    if state.deliverables and state.unvalidated:
        return Validate()
    verdict = state.verdict
    if verdict is not None and not verdict.passed:
        if state.answered or state.repairs > state.limits.max_repairs:
            errors = sum(finding.level == "error" for finding in verdict.findings)
            text = f"The output checks found {errors} error(s); the files are not to be relied on."
            return Finish(reason="rejected", text=text)
        return _call(state)
    gave_up = state.reply is not None and state.reply.stop_reason == GAVE_UP
    if state.tools_off:
        # words alone can be an answer, but not where the thread has folders to work on
        text = f"Tools were off, so nothing was read or written: {state.tools_off}"
        return Finish(reason="failed" if gave_up or state.grants else "done", text=text)
    if gave_up and state.reply is not None:
        return Finish(reason="failed", text=text_of(state.reply.content))
    if state.questions:
        asked = next(iter(state.questions.values()))
        text = f"{asked.shown.get('request', asked.tool)} waits for your approval: {asked.why}"
        return Finish(reason="needs_you", text=text)
    return Finish(reason="done", text=_done_text(state))


def _done_text(state: State) -> str:
    if state.verdict is None:
        return ""
    return f"{len(state.deliverables)} deliverable(s) passed {len(state.verdict.rules)} check(s)."
