"""Events of a thread as the page shows them: what people need of each, in their words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from deskmate.host.wording import sentence_of
from deskmate.shown import one_line
from deskmate.types import events as log
from deskmate.types.files import Deliverable
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import ToolUse, text_of, tool_uses_of
from deskmate.types.policy import SENDS, SPENDING
from deskmate.types.subagents import told
from deskmate.web import contract as page
from deskmate.web.forms import wanted
from deskmate.web.sources import Sources

TEXT_LIMIT = 4_000
"""Characters of a tool's result that travel with the thread; the record has all of them."""
ARGUMENT_LIMIT = 300
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
HIDDEN = frozenset(
    {
        "ThreadCreated",
        "ThreadMarked",
        "KindsSeen",
        "TextTaken",
        "BaseTaken",
        "ContentTaken",
        "MemoryTold",
        "ModelAsked",
        "ApprovalUsed",
        "CheckpointMade",
        "EgressEnded",
        "ApplyStarted",
        "PolicySet",
        "PluginsSet",
        "GrantsSet",
        "SandboxOpened",
        "NetworkSet",
        "ConnectorsSet",
        "ThreadRenamed",
        "ProjectSet",
        "RunResumed",
        "HookStarted",
    }
)
"""Kinds that have no entry of their own: the record needs them, or the thread's head shows them."""


class Viewer:
    """Turns the events of one thread, in order, into entries."""

    def __init__(self) -> None:
        self._uses: dict[ToolUseId, ToolUse] = {}
        self._plans: dict[Digest, log.ApplyStarted] = {}
        self._answers: dict[str, str] = {}
        self.sources = Sources()

    def entries(self, events: Iterable[log.Event]) -> Iterator[page.Entry]:
        """Yield the entries of events."""
        for event in events:
            if entry := self.entry(event):
                yield entry

    def pass_over(self, event: log.Event) -> None:
        """Note what later entries need of an event whose own entry nobody wants."""
        match event.payload:
            case log.ModelReplied(content=content):
                self._uses |= {use.id: use for use in tool_uses_of(content)}
            case log.ApplyStarted() as started:
                self._plans[started.plan] = started
        self.sources.take(event.payload)

    def entry(self, event: log.Event) -> page.Entry | None:
        """Return an event's entry, None where it has none."""
        self.sources.take(event.payload)
        body = self._body(event.payload)
        return None if body is None else page.Entry(seq=event.seq, time=event.time, body=body)

    def _body(self, payload: log.Payload) -> page.Body | None:
        match payload:
            case log.ModelReplied() as reply:
                return self._replied(reply)
            case log.ApprovalAsked() as asked:
                return self._asked(asked)
            case log.Remembered() as note:
                level: Literal["quiet", "attention"] = "quiet" if note.confirmed else "attention"
                return page.Noted(text=one_line(f"{note.in_short} {note.text}", 500), level=level)
            case log.Compacted() as made:
                return page.Noted(text=f"The conversation was compacted: {made.in_short}.")
            case log.ApplyStarted() as started:
                self._plans[started.plan] = started
            case log.ApplyFinished() as finished:
                return self._applied(finished)
            case log.SubagentStarted() as begun:
                return _begun(begun)
            case log.SubagentDid() as did:
                return self._subagent(did)
            case _:
                return _plain(payload)
        return None

    def _replied(self, reply: log.ModelReplied) -> page.Replied:
        uses = tool_uses_of(reply.content)
        self._uses |= {use.id: use for use in uses}
        usage = reply.usage
        text = text_of(reply.content)
        return page.Replied(
            text=text,
            label=reply.label,
            calls=tuple(map(_call, uses)),
            tokens=usage.input_tokens + usage.output_tokens,
            cost_usd=usage.cost_usd,
            cites=self.sources.cites(text),
        )

    def _subagent(self, did: log.SubagentDid) -> page.Body | None:
        """A sub-agent is a line like a call; its answer is one click deeper."""
        match told(did):
            case log.UserSaid():
                return page.Started(use=_line_of(did.child))
            case log.ModelReplied(content=content, usage=usage):
                self._answers[did.child] = text_of(content)
                tokens = usage.input_tokens + usage.output_tokens
                return page.Replied(
                    text="", label="", calls=(), tokens=tokens, cost_usd=usage.cost_usd
                )
            case log.RunFinished(reason=reason, text=why):
                words = "\n\n".join(part for part in (self._answers.get(did.child), why) if part)
                return page.Finished(
                    use=_line_of(did.child),
                    outcome="ok" if reason == "done" else "error",
                    text=words[:TEXT_LIMIT],
                    cut=len(words) > TEXT_LIMIT,
                    files=(),
                    wrote=False,
                )
        return None

    def _asked(self, asked: log.ApprovalAsked) -> page.Asked:
        use = self._uses.get(asked.tool_use_id)
        shown = use.input if use is not None else asked.shown
        sentence = sentence_of(asked.tool, shown) if use else "sending something to the network"
        spends = asked.tool == SPENDING
        return page.Asked(
            use=asked.tool_use_id,
            arguments=asked.arguments,
            title=str(asked.shown.get("request", "")) if spends else sentence,
            why=asked.why,
            shown={name: _value(value) for name, value in shown.items()},
            sends=asked.why.startswith(SENDS) if use else not spends,
            expires=asked.expires,
        )

    def _applied(self, finished: log.ApplyFinished) -> page.Applied:
        started = self._plans.get(finished.plan)
        return page.Applied(
            plan=finished.plan,
            undo=started is not None and started.undo_of is not None,
            by=started.by if started else "",
            applied=finished.applied,
            text=finished.text,
            left=finished.left,
        )


def _begun(begun: log.SubagentStarted) -> page.Replied:
    call = page.Call(
        id=_line_of(begun.child),
        tool="subagent",
        sentence=one_line(f"sub-agent {begun.child} reads: {begun.title}", ARGUMENT_LIMIT),
        arguments={"task": one_line(begun.task, ARGUMENT_LIMIT), "files": str(begun.files)},
    )
    return page.Replied(text="", label="", calls=(call,), tokens=0, cost_usd=None)


def _line_of(child: str) -> str:
    return f"subagent:{child}"


def _plain(payload: log.Payload) -> page.Body | None:
    """Return the body of an event that needs nothing but itself."""
    match payload:
        case log.UserSaid(text=text, model=model, queued=queued):
            return page.Said(text=text, model=model, queued=queued)
        case log.ToolStarted(tool_use_id=use):
            return page.Started(use=use)
        case log.ToolFinished() as result:
            return _finished(result)
        case log.ApprovalGiven(tool_use_id=use, arguments=digest, allow=allow, by=by):
            return page.Answered(use=use, arguments=digest, allow=allow, by=by)
        case log.ChangesStaged() as staged:
            return _staged(staged)
        case log.Validated(passed=passed, rules=rules, findings=findings):
            return page.Checked(passed=passed, rules=len(rules), findings=findings)
        case log.RunFinished(reason=reason, text=text):
            return page.Ended(reason=reason, text=text)
        case log.ConnectorAsked() as asked:
            return wanted(asked)
        case log.HookFinished(in_short=told, outcome=outcome) if told:
            level: Literal["quiet", "attention"] = "quiet" if outcome == "ok" else "attention"
            return page.Noted(text=one_line(told, 500), level=level)
    return _noted(payload)


def _call(use: ToolUse) -> page.Call:
    is_question = use.name == "workspace__ask"
    choices = use.input.get("choices") if is_question else None
    return page.Call(
        id=use.id,
        tool=use.name,
        sentence=sentence_of(use.name, use.input),
        arguments={name: one_line(_value(v), ARGUMENT_LIMIT) for name, v in use.input.items()},
        question=str(use.input.get("question", "")) if is_question else "",
        choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
        steps=plan_in(use),
    )


def plan_in(use: ToolUse) -> tuple[page.Step, ...]:
    """Return the plan that a call tells, empty for any other call."""
    return tuple(_steps(use.input.get("steps"))) if use.name == "workspace__plan" else ()


def _steps(steps: Any) -> Iterator[page.Step]:
    """Yield a plan's lines; the model wrote them, so anything may be in them."""
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, Mapping) and (text := str(step.get("text", "")).strip()):
            state = step.get("state")
            yield page.Step(text=text, state=state if state in ("doing", "done") else "todo")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _finished(result: log.ToolFinished) -> page.Finished:
    return page.Finished(
        use=result.tool_use_id,
        outcome=result.outcome,
        text=result.text[:TEXT_LIMIT],
        cut=len(result.text) > TEXT_LIMIT or result.full is not None,
        files=_files(result.deliverables),
        wrote=result.wrote,
        kept=tuple(
            page.Kept(
                name=file.name,
                size=file.size,
                sha256=file.sha256,
                media=file.media if file.media in PICTURES else "",
            )
            for file in result.kept
        ),
        pictures=tuple(
            page.Looked(sha256=one.sha256, media=one.media)
            for one in result.pictures
            if one.media in PICTURES
        ),
    )


def _files(deliverables: Iterable[Deliverable]) -> tuple[page.File, ...]:
    return tuple(page.File(path=d.path, title=d.title, role=d.role) for d in deliverables)


def _staged(staged: log.ChangesStaged) -> page.Staged:
    return page.Staged(
        run=staged.run,
        created=staged.created,
        modified=staged.modified,
        deleted=staged.deleted,
        files=_files(staged.deliverables),
        refused=staged.refused,
    )


def _noted(payload: log.Payload) -> page.Noted | None:
    match payload:
        case log.ModelFailed(error=error):
            return page.Noted(text=f"The model did not answer: {error}", level="attention")
        case log.Refused(what="tools", why=why):
            return page.Noted(text=f"Tools are off: {why}", level="attention")
        case log.Refused(what=what, why=why):
            return page.Noted(text=f"Refused, {what}: {why}", level="attention")
        case log.ThreadForked(parent=parent, seq=seq):
            return page.Noted(text=f"Forked from {parent} at event {seq}.")
        case log.ChangesDiscarded(paths=paths):
            return page.Noted(text=f"Discarded: {', '.join(paths) or 'all changes'}.")
        case log.DeliverableSigned(name=name, path=path):
            return page.Noted(text=f"Signed by {name}: {path}")
        case log.Erased():
            return page.Noted(text="Something personal was erased here.")
        case log.EgressAsked(method=method, host=host, path=path, allowed=True):
            return page.Noted(text=f"Sent to the network: {method} {host}{path}")
        case log.EgressAsked(method=method, host=host, why=why):
            return page.Noted(text=f"Kept off the network: {method} {host} ({why})")
    return None
