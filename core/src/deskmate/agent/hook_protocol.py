"""What a hook reads and what its answer means, as Claude Code documents it. Pure.

A hook may hold back, have the user asked, end the run and add words. What it says to widen anything, an approval or other
arguments, is noted and never done.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.formats.hook_matching import fits_rule, matches
from deskmate.formats.tools import claude_name
from deskmate.shown import one_line
from deskmate.types.events import Event, HookFinished, UserSaid
from deskmate.types.hook_events import HookOutcome
from deskmate.types.hooks import PROMPT_EVENTS, TOOL_EVENTS, HookSpec
from deskmate.types.wire import WORKSPACE

GIVEN_CHARACTERS = 100_000
"""Of one text that a hook reads; longer ones are cut, and say so."""
CONTEXT_CHARACTERS, REASON_CHARACTERS = 10_000, 2_000
_BLOCKS = 2
"""The exit code that holds back."""
_WRITTEN: Mapping[str, Mapping[str, str]] = {
    "workspace__read": {"path": "file_path"},
    "workspace__write": {"path": "file_path"},
    "workspace__edit": {"path": "file_path", "old": "old_string", "new": "new_string"},
}
"""Tool → its arguments as hooks know them."""
_PLAIN_CONTEXT = PROMPT_EVENTS | {"SessionStart"}
_WIDENS = ("updatedInput", "updatedToolOutput", "updatedMCPToolOutput", "updatedPermissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a hook's exit code and words mean."""

    outcome: HookOutcome = "ok"
    text: str = ""
    context: str = ""
    notice: str = ""
    asks: bool = False
    halts: bool = False
    refused: tuple[str, ...] = ()


def applies(spec: HookSpec, subject: str, arguments: Mapping[str, Any] | None = None) -> bool:
    """Say whether a hook is meant for this: a tool by Claude's name, where a thread begins from, a command of the user's."""
    if spec.event in ("Stop", "UserPromptSubmit"):
        return True
    if not matches(spec.matcher, subject):
        return False
    if spec.event not in TOOL_EVENTS or not spec.condition:
        return True
    return fits_rule(spec.condition, subject, arguments or {})


def tool_facts(tool: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a tool's name and arguments as hooks know them: Claude's own where there is one of the kind.

    Python code is told as a command, so that what guards commands sees it.
    """
    if tool == "workspace__python":
        command = f"python3 -c {shlex.quote(str(arguments.get('code', '')))}"
        return claude_name(tool), {"command": bounded(command)}
    names = _WRITTEN.get(tool, {})
    given = {names.get(name, name): bounded(value) for name, value in arguments.items()}
    if "file_path" in given:
        path = str(given["file_path"])
        given["file_path"] = path if path.startswith("/") else f"{WORKSPACE}/{path}"
    return claude_name(tool), given


def response_facts(tool: str, arguments: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return a tool's result as hooks know it."""
    if claude_name(tool) == "Bash":
        data = _object(text)
        output = text if data is None else str(data.get("output", text))
        return {"stdout": bounded(output), "stderr": "", "interrupted": False, "isImage": False}
    if tool in ("workspace__write", "workspace__edit"):
        _, given = tool_facts(tool, arguments)
        return {"filePath": given.get("file_path", ""), "success": True}
    return {"content": [{"type": "text", "text": bounded(text)}]}


def request(event: str, thread: str, facts: Mapping[str, Any]) -> str:
    """Return what a hook reads: JSON in one line."""
    message = {
        "session_id": thread,
        "transcript_path": "",
        "cwd": WORKSPACE,
        "permission_mode": "default",
        "hook_event_name": event,
        **facts,
    }
    return json.dumps(message, ensure_ascii=False) + "\n"


def bounded(value: Any) -> Any:
    """Return a JSON value whose texts are not too long."""
    if isinstance(value, str) and len(value) > GIVEN_CHARACTERS:
        return f"{value[:GIVEN_CHARACTERS]}[cut, {len(value):,} characters]"
    if isinstance(value, Mapping):
        return {str(key): bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(item) for item in value]
    return value


def read_answer(spec: HookSpec, code: int, stdout: str, stderr: str) -> Answer:
    """Return what a hook's answer means for its event."""
    if code == _BLOCKS:
        return _held(spec, stderr.strip() or "It gave no reason.")
    if code != 0:
        return Answer(
            outcome="error", text=f"exit code {code}: {one_line(stderr, 300)}".rstrip(": ")
        )
    data = _object(stdout)
    if data is not None:
        return _told(spec, data)
    plain = stdout.strip() if spec.event in _PLAIN_CONTEXT else ""
    return Answer(context=plain[:CONTEXT_CHARACTERS])


def _held(spec: HookSpec, why: str) -> Answer:
    """The exit code 2: before the fact it holds back, after it the model is told, at a start the user."""
    why = why[:REASON_CHARACTERS]
    if spec.event == "SessionStart":
        return Answer(notice=one_line(why, 500))
    if spec.event in ("PostToolUse", "PostToolUseFailure") or not spec.waits:
        return Answer(context=why)
    return Answer(outcome="blocked", text=why)


def _told(spec: HookSpec, data: Mapping[str, Any]) -> Answer:
    own = data.get("hookSpecificOutput")
    own = own if isinstance(own, Mapping) else {}
    decision = own.get("permissionDecision", data.get("decision"))
    why = _text(own, "permissionDecisionReason") or _text(data, "reason")
    context = _text(own, "additionalContext", CONTEXT_CHARACTERS)
    refused = [name for name in _WIDENS if name in own or name in data]
    refused += [f"decision {decision}"] if decision in ("allow", "approve") else []
    notice = one_line(_text(data, "systemMessage"), 500)
    if data.get("continue") is False and spec.waits:
        reason = _text(data, "stopReason") or "It gave no reason."
        return Answer(
            outcome="blocked", text=reason, notice=notice, halts=True, refused=tuple(refused)
        )
    wants = Answer(context=context, notice=notice, refused=tuple(refused))
    if decision in ("block", "deny"):
        held = _held(spec, why or "It gave no reason.")
        context = "\n".join(part for part in (held.context, context) if part)
        return Answer(outcome=held.outcome, text=held.text, context=context, notice=notice or held.notice, refused=wants.refused)  # fmt: skip
    if decision == "ask" and spec.event == "PreToolUse" and spec.waits:
        return Answer(text=why, asks=True, context=context, notice=notice, refused=wants.refused)
    return wants


def _text(data: Mapping[str, Any], name: str, limit: int = REASON_CHARACTERS) -> str:
    value = data.get(name)
    return value.strip()[:limit] if isinstance(value, str) else ""


def _object(text: str) -> Mapping[str, Any] | None:
    """Return the JSON object that a hook wrote, None where it wrote something else."""
    text = text.strip()
    if not text.startswith("{"):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def words_id(events: Sequence[Event], index: int) -> str:
    """Return what the user's words at an index of the log are called: the run, and how many of its words came before."""
    said = events[index].payload
    assert isinstance(said, UserSaid)
    earlier = (e.payload for e in events[:index] if isinstance(e.payload, UserSaid))
    return f"{said.run}/said {1 + sum(one.run == said.run for one in earlier)}"


def without_held(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return a log without the user's words that a hook held back: no model is told them."""
    log = tuple(events)
    held = {
        e.payload.at
        for e in log
        if isinstance(e.payload, HookFinished)
        and e.payload.event in PROMPT_EVENTS
        and e.payload.outcome == "blocked"
    }
    if not held:
        return log
    return tuple(
        event
        for index, event in enumerate(log)
        if not (isinstance(event.payload, UserSaid) and words_id(log, index) in held)
    )


def words_for_model(done: HookFinished) -> str:
    """Return what the model is told of a hook's answer, "" where there is nothing to tell."""
    if done.event == "Stop" and done.outcome == "blocked" and not done.halts:
        return f"The hook Stop of {done.plugin} wants you to go on: {done.text}"
    return f"From the hook {done.event} of {done.plugin}: {done.context}" if done.context else ""
