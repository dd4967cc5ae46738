"""A thread's log in lines for people, one an event; quick, since a log may have thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deskmate.store.rows import parsed
from deskmate.types.codec import from_json
from deskmate.types.connectors import ConnectorAsked, ConnectorsSet
from deskmate.types.events import (
    KINDS,
    ApplyFinished,
    ApplyStarted,
    ChangesDiscarded,
    ChangesStaged,
    Compacted,
    EgressAsked,
    EgressEnded,
    GrantsSet,
    HookFinished,
    HookStarted,
    KindsSeen,
    MemoryTold,
    NetworkSet,
    Payload,
    PluginsSet,
    ProjectSet,
    Remembered,
    SandboxOpened,
    TextTaken,
    ThreadCreated,
    ThreadForked,
    ThreadMarked,
    ThreadRenamed,
    Validated,
)

_LIMIT = 120
_MOSTLY_ENOUGH = _LIMIT + 40
_ENOUGH = 4 * _LIMIT
"""Characters of a text that are looked at: most of it may be white space, seldom more than this."""


def log_line(row: tuple[Any, ...]) -> str:
    """Return the line for a checked row of a log."""
    seq, time, kind, payload, *_ = row
    data = parsed(payload)
    words = _words(kind, data)
    text = " ".join(words[:_MOSTLY_ENOUGH].split())
    if len(text) <= _LIMIT and len(words) > _MOSTLY_ENOUGH:
        text = " ".join(words[:_ENOUGH].split())
    cut = text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"
    return f"{seq:>5}  {time[:19]}  {kind:<16}  {cut}"


def _words(kind: str, data: Mapping[str, Any]) -> str:
    usual = _USUAL.get(kind)
    return usual(data) if usual else _text(from_json(KINDS[kind], data))


def _reply(content: Iterable[Mapping[str, Any]]) -> str:
    texts, uses = [], []
    for block in content:
        if block.get("type") == "text":
            texts.append(str(block.get("text", "")))
        elif block.get("type") == "tool_use":
            uses.append(str(block.get("name", "")))
    return " ".join([*texts, *([f"[{', '.join(uses)}]"] if uses else ())])


def _size(data: Mapping[str, Any]) -> str:
    return f"{data['files']} files, {data['size']:,} bytes"


_USUAL: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "ModelAsked": lambda data: str(data["model"]),
    "ModelReplied": lambda data: _reply(data["content"]),
    "ToolStarted": lambda data: str(data["tool"]),
    "ToolFinished": lambda data: f"{data['tool']} {data['outcome']}: {data['text'][:_ENOUGH]}",
    "UserSaid": lambda data: str(data["text"]),
    "CheckpointMade": _size,
    "BaseTaken": _size,
    "SubagentStarted": lambda data: f"{data['child']}: {data['title']}, {data['files']} files",
    "SubagentDid": lambda data: (
        f"{data['child']} {data['kind']}: {_words(data['kind'], data['fact'])}"
    ),
}
"""Words of the kinds that logs are full of; no object is made for them."""


def _text(payload: Payload) -> str:
    match payload:
        case ThreadCreated(title=text) | ThreadRenamed(title=text):
            return text
        case ThreadForked(parent=parent, seq=seq):
            return f"from {parent} at event {seq}"
        case Compacted() as made:
            return made.in_short
        case Validated(findings=findings, passed=passed):
            return f"{'passed' if passed else 'not passed'}, {len(findings)} findings"
        case _:
            if text := _settings(payload) or _done(payload) or _network_text(payload):
                return text
            for name in ("text", "reason", "why", "tool", "model", "error"):
                if text := getattr(payload, name, ""):
                    return str(text)
    return ""


def _settings(payload: Payload) -> str:
    match payload:
        case ProjectSet(name=name):
            return name or "in no project"
        case MemoryTold(notes=notes):
            return ", ".join(note.name for note in notes) or "no notes"
        case Remembered(name=name, confirmed=confirmed, text=text):
            return f"{name}{'' if confirmed else ' (waits for your word)'}: {text}"
        case GrantsSet(grants=grants):
            return ", ".join(f"{grant.folder} ({grant.mode})" for grant in grants)
        case ChangesStaged(created=created, modified=modified, deleted=deleted):
            return f"{created} created, {modified} modified, {deleted} deleted"
        case PluginsSet(versions=versions):
            return ", ".join(f"{name} {version}" for name, version in versions.items())
    return ""


def _done(payload: Payload) -> str:
    match payload:
        case ApplyStarted(undo_of=undone, by=by):
            return f"{'undo' if undone else 'apply'} by {by or 'user'}"
        case ApplyFinished(applied=applied, text=text, left=left):
            staged = f"written, {left} changes stay staged" if left else "written"
            return staged if applied else f"nothing: {text}"
        case ChangesDiscarded(paths=paths):
            return ", ".join(paths) or "all of them"
        case ThreadMarked(pinned=pinned, archived=archived):
            marks = ["pinned"] * pinned + ["archived"] * archived
            return " ".join(marks) or "plain"
        case KindsSeen(kinds=kinds):
            return " ".join(kinds)
        case SandboxOpened(isolation=isolation):
            return isolation
        case TextTaken(path=path):
            return path
        case HookStarted(plugin=plugin, event=event, command=command):
            return f"{event} of {plugin}: {command}"
        case HookFinished(outcome=outcome, plugin=plugin, event=event) as done:
            return done.in_short or f"{event} of {plugin}: {outcome}"
    return ""


def _network_text(payload: object) -> str:
    match payload:
        case NetworkSet(rules=rules):
            return ", ".join(f"{rule.host} {' '.join(rule.methods)}" for rule in rules) or "nothing"
        case ConnectorsSet(connectors=connectors):
            return (
                ", ".join(f"{name} {digest[:12]}" for name, digest in connectors.items()) or "none"
            )
        case EgressAsked(method=method, host=host, path=path, allowed=allowed, why=why):
            return f"{'' if allowed else 'REFUSED '}{method} {host}{path}: {why}"
        case ConnectorAsked(question=question):
            return question.text
        case EgressEnded(status=status, sent=sent, received=received, why=why):
            return f"{status or 'no answer'}, {sent} bytes sent, {received} received {why}"
    return ""
