"""A thread's log in lines for people, one an event; quick, since a log may have thousands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deskmate.types.codec import from_json
from deskmate.types.events import (
    KINDS,
    ChangesStaged,
    EgressAsked,
    EgressEnded,
    GrantsSet,
    NetworkSet,
    Payload,
    PluginsSet,
    ProjectSet,
    ThreadCreated,
    ThreadForked,
    ThreadRenamed,
    Validated,
)

_LIMIT = 120
_DECODER = json.JSONDecoder()
_ENOUGH = 4 * _LIMIT
"""Characters of a text that are looked at: most of it may be white space, seldom more than this."""


def log_lines(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield a line for each checked row of a log."""
    for seq, time, kind, payload, *_ in rows:
        data = _DECODER.raw_decode(payload)[0]  # it is canonical: no white space around it
        words = _usual(kind, data)
        text = " ".join(
            (_text(from_json(KINDS[kind], data)) if words is None else words)[:_ENOUGH].split()
        )
        cut = text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"
        yield f"{seq:>5}  {time[:19]}  {kind:<16}  {cut}"


def _usual(kind: str, data: Mapping[str, Any]) -> str | None:
    """Return the words of the kinds that logs are full of, None for another; no object is made for them."""
    match kind:
        case "ModelAsked":
            return str(data["model"])
        case "ModelReplied":
            return _reply(data["content"])
        case "ToolStarted":
            return str(data["tool"])
        case "ToolFinished":
            return f"{data['tool']} {data['outcome']}: {data['text'][:_ENOUGH]}"
        case "UserSaid":
            return str(data["text"])
        case "CheckpointMade" | "BaseTaken":
            return f"{data['files']} files, {data['size']:,} bytes"
    return None


def _reply(content: Iterable[Mapping[str, Any]]) -> str:
    texts, uses = [], []
    for block in content:
        if block.get("type") == "text":
            texts.append(str(block.get("text", "")))
        elif block.get("type") == "tool_use":
            uses.append(str(block.get("name", "")))
    return " ".join([*texts, *([f"[{', '.join(uses)}]"] if uses else ())])


def _text(payload: Payload) -> str:
    match payload:
        case ThreadCreated(title=text) | ThreadRenamed(title=text):
            return text
        case ThreadForked(parent=parent, seq=seq):
            return f"from {parent} at event {seq}"
        case Validated(findings=findings, passed=passed):
            return f"{'passed' if passed else 'not passed'}, {len(findings)} findings"
        case _:
            if text := _settings(payload) or _network_text(payload):
                return text
            for name in ("text", "reason", "why", "tool", "model", "error"):
                if text := getattr(payload, name, ""):
                    return str(text)
    return ""


def _settings(payload: Payload) -> str:
    match payload:
        case ProjectSet(name=name):
            return name or "in no project"
        case GrantsSet(grants=grants):
            return ", ".join(f"{grant.folder} ({grant.mode})" for grant in grants)
        case ChangesStaged(created=created, modified=modified, deleted=deleted):
            return f"{created} created, {modified} modified, {deleted} deleted"
        case PluginsSet(versions=versions):
            return ", ".join(f"{name} {version}" for name, version in versions.items())
    return ""


def _network_text(payload: object) -> str:
    match payload:
        case NetworkSet(rules=rules):
            return ", ".join(f"{rule.host} {' '.join(rule.methods)}" for rule in rules) or "nothing"
        case EgressAsked(method=method, host=host, path=path, allowed=allowed, why=why):
            return f"{'' if allowed else 'REFUSED '}{method} {host}{path}: {why}"
        case EgressEnded(status=status, sent=sent, received=received, why=why):
            return f"{status or 'no answer'}, {sent} bytes sent, {received} received {why}"
    return ""
