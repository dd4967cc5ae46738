"""A thread as one HTML file that anyone can read: no script, nothing loaded from anywhere, everything escaped."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from deskmate.errors import CorruptData
from deskmate.host.page_changes import changes_section
from deskmate.host.page_style import STYLE
from deskmate.ports import BlobReader
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    ApprovalAsked,
    ApprovalGiven,
    ChangesDiscarded,
    ChangesStaged,
    Compacted,
    DeliverableSigned,
    EgressAsked,
    Event,
    GrantsSet,
    HookFinished,
    ModelFailed,
    ModelReplied,
    PluginsSet,
    Refused,
    Remembered,
    RunFinished,
    SubagentDid,
    SubagentStarted,
    ThreadCreated,
    ThreadForked,
    ThreadRenamed,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.ids import ToolUseId
from deskmate.types.messages import text_of, tool_uses_of
from deskmate.types.subagents import own_event

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RESULT_LIMIT = 20_000
"""Characters of one tool's result that the page shows; the record has all of them."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def escaped(text: str) -> str:
    """Return text for a page: markup as text, control and direction marks made visible."""
    shown = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return html.escape(shown.encode("utf-8", "backslashreplace").decode(), quote=True)


@dataclass(slots=True)
class _Child:
    """A sub-agent. `parts`: what its own events show, in order."""

    title: str
    parts: list[str] = field(default_factory=list)
    facts: _Facts | None = None


@dataclass(slots=True)
class _Facts:
    """What the head of the page says, and what later events refer to."""

    thread: str = ""
    title: str = ""
    forked: str = ""
    plugins: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    models: dict[str, None] = field(default_factory=dict)
    inputs: dict[ToolUseId, Any] = field(default_factory=dict)
    undoing: bool = False
    children: dict[str, _Child] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take one event in."""
        match event.payload:
            case ThreadCreated(thread=thread, title=title):
                self.thread, self.title = self.thread or thread, title
            case ThreadForked(thread=thread, parent=parent, seq=seq) if not self.thread:
                self.thread, self.forked = thread, f"{parent} at event {seq}"
            case ThreadRenamed(title=title):
                self.title = title
            case PluginsSet(versions=versions):
                self.plugins = dict(versions)
            case GrantsSet(grants=grants):
                self.folders = [f"{grant.folder} ({grant.mode})" for grant in grants]
            case ModelReplied(content=content, model=model, label=label):
                self.models[f"{model}{f' ({label})' if label else ''}"] = None
                self.inputs |= {use.id: use.input for use in tool_uses_of(content)}
            case ApplyStarted(undo_of=undo_of):
                self.undoing = undo_of is not None
            case SubagentStarted(child=child, title=title):
                self.children[child] = _Child(title=title)


def thread_page(events: Sequence[Event], blobs: BlobReader) -> Iterator[str]:
    """Yield the page in pieces. What the blobs lack is said in its place."""
    head = _Facts()
    for event in events:
        head.take(event)
    yield (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(head.title)}</title><style>{STYLE}</style></head><body><main>\n"
    )
    yield _head(head, events)
    now = _Facts()
    for event in events:
        now.take(event)
        if isinstance(event.payload, SubagentDid):
            yield _subagent(event, event.payload, now, blobs)
        else:
            yield _section(event, now, blobs)
    yield (
        f"<footer>{len(events):,} events; the last one's hash is <code>"
        f"{escaped(events[-1].hash if events else '')}</code>. This page is for reading; the record that can "
        "be checked is the thread's log: <code>deskmate thread export</code>.</footer></main></body></html>\n"
    )


def _head(facts: _Facts, events: Sequence[Event]) -> str:
    span = f"{events[0].time[:10]} to {events[-1].time[:10]}" if events else ""
    rows = {
        "Thread": facts.thread,
        "Forked from": facts.forked,
        "When": span,
        "Models": ", ".join(facts.models),
        "Plugins": ", ".join(f"{name} {version}" for name, version in facts.plugins.items()),
        "Folders": ", ".join(facts.folders),
    }
    lines = "".join(
        f"<dt>{name}</dt><dd>{escaped(text)}</dd>" for name, text in rows.items() if text
    )
    return f"<header><h1>{escaped(facts.title)}</h1><dl>{lines}</dl></header>\n"


def _section(event: Event, facts: _Facts, blobs: BlobReader) -> str:
    """Return one event's part of the page, nothing for what only the record needs."""
    match event.payload:
        case UserSaid(text=text):
            return _box(event, "user", f"<h2>You</h2><div class=text>{escaped(text)}</div>")
        case ModelReplied(content=content, label=label) if words := text_of(content):
            name = f"Deskmate{f', {escaped(label)}' if label else ''}"
            return _box(event, "reply", f"<h2>{name}</h2><div class=text>{escaped(words)}</div>")
        case ToolFinished() as result:
            return _tool(event, result, facts)
        case ChangesStaged() as staged:
            return _box(event, "changes", _staged(staged, blobs))
        case Validated() as verdict:
            return _box(event, "ok" if verdict.passed else "bad", _verdict(verdict))
        case DeliverableSigned() as signed:
            return _box(event, "ok", _signature(signed))
        case Remembered() as note:
            return _box(event, "line", escaped(f"{note.in_short} {note.text}"))
        case Compacted() | HookFinished() as done:
            words = f"Compacted: {done.in_short}." if isinstance(done, Compacted) else done.in_short
            return _box(event, "line", escaped(words)) if words else ""
        case RunFinished(reason=reason, text=text) if reason != "done":
            return _box(event, "attention", f"<b>{_words(reason)}</b> {escaped(text)}")
    line = _line(event, facts)
    return _box(event, "line", escaped(line)) if line else ""


def _subagent(event: Event, did: SubagentDid, facts: _Facts, blobs: BlobReader) -> str:
    """Return one line with all that a sub-agent did inside, once it has ended; nothing before."""
    child = facts.children.setdefault(did.child, _Child(title=""))
    own = own_event(event, did, event.seq)
    child.facts = child.facts or _Facts()
    child.facts.take(own)
    ended = own.payload
    if not isinstance(ended, RunFinished):
        child.parts.append(_section(own, child.facts, blobs))
        return ""
    state = "ok" if ended.reason == "done" else "bad"
    inner = "".join(child.parts)
    child.parts = []
    return _box(
        event,
        "tool",
        f"<details><summary>Sub-agent <code>{escaped(did.child)}</code> {escaped(child.title)} "
        f"<span class={state}>{_words(ended.reason)}</span></summary>{inner}</details>",
    )


def _line(event: Event, facts: _Facts) -> str:
    match event.payload:
        case RunFinished(text=text):
            return f"Done. {text}"
        case ThreadForked(parent=parent, seq=seq):
            return f"Forked from {parent} at event {seq}."
        case ApprovalAsked(tool=tool, why=why):
            return f"{tool or 'A request'} asked for approval: {why}"
        case ApprovalGiven(allow=allow, by=by):
            return f"{'Allowed' if allow else 'Denied'} by {by}."
        case ApplyFinished(applied=applied, text=text):
            what = "Undone in your folders" if facts.undoing else "Applied to your folders"
            return f"{what}." if applied else f"Not applied: {text}"
        case ChangesDiscarded(paths=paths):
            return f"Discarded: {', '.join(paths) or 'all changes'}."
        case Refused(what=what, why=why):
            return f"Refused, {what}: {why}"
        case EgressAsked(method=method, host=host, path=path, allowed=allowed, why=why):
            return f"{'Sent' if allowed else 'Refused'}: {method} {host}{path} ({why})"
        case ModelFailed(error=error):
            return f"The model failed: {error}"
    return ""


def _box(event: Event, kind: str, inner: str) -> str:
    time = event.time[:19].replace("T", " ")
    return (
        f'<section class="{kind}" id="e{event.seq}"><div class=at>'
        f'<a href="#e{event.seq}">{event.seq}</a> {escaped(time)}</div>{inner}</section>\n'
    )


def _tool(event: Event, result: ToolFinished, facts: _Facts) -> str:
    asked = json.dumps(facts.inputs.get(result.tool_use_id, {}), ensure_ascii=False, indent=2)
    text = result.text
    if len(text) > _RESULT_LIMIT:
        text = (
            f"{text[:_RESULT_LIMIT]}\n… {len(text) - _RESULT_LIMIT:,} more characters in the record"
        )
    files = "".join(
        f"<p>Presented: <b>{escaped(item.title)}</b> <code>{escaped(item.path)}</code></p>"
        for item in result.deliverables
    )
    inner = (
        f"<details><summary><code>{escaped(result.tool)}</code> "
        f"<span class={'ok' if result.outcome == 'ok' else 'bad'}>{escaped(result.outcome)}</span></summary>"
        f"<h3>Asked</h3><pre>{escaped(asked)}</pre><h3>Result</h3><pre>{escaped(text)}</pre></details>{files}"
    )
    return _box(event, "tool", inner)


def _staged(staged: ChangesStaged, blobs: BlobReader) -> str:
    counts = f"{staged.created} created, {staged.modified} modified, {staged.deleted} deleted"
    try:
        inner = changes_section(staged.difference, blobs, escaped)
    except CorruptData as error:
        inner = f"<p class=bad>{escaped(error.message)}</p>"
    refused = "".join(
        f"<li><code>{escaped(path)}</code>: not taken, {escaped(why)}</li>"
        for path, why in staged.refused.items()
    )
    return f"<h2>Changes</h2><p>{counts}</p>{inner}{f'<ul>{refused}</ul>' if refused else ''}"


def _signature(signed: DeliverableSigned) -> str:
    who = f"{signed.name}, {signed.role}" if signed.role else signed.name
    return f"<b>Signed</b> by {escaped(who)}: <code>{escaped(signed.path)}</code>, SHA-256 {signed.sha256[:12]}"


def _verdict(verdict: Validated) -> str:
    state = "passed" if verdict.passed else "did not pass"
    rows = "".join(
        f"<tr><td class={escaped(finding.level)}>{escaped(finding.level)}</td><td><code>{escaped(finding.rule)}"
        f"</code></td><td>{escaped(finding.message)} <code>{escaped(finding.path)}</code></td></tr>"
        for finding in verdict.findings
    )
    table = f"<table>{rows}</table>" if rows else ""
    return f"<h2>Output checks</h2><p>{len(verdict.rules)} rules; the result {state}.</p>{table}"


def _words(name: str) -> str:
    return escaped(name.replace("_", " ").capitalize() + ".")
