"""A thread's events as the messages that a model sees. Pure; the same events give the same messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from deskmate.agent.compaction import anchor_of, head_of, last_compaction
from deskmate.agent.hook_protocol import without_held, words_for_model
from deskmate.agent.memory import in_words
from deskmate.agent.recall import READ
from deskmate.agent.uses import ASK
from deskmate.types.connectors import ConnectorAsked
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    ApprovalAsked,
    ApprovalGiven,
    ChangesDiscarded,
    Event,
    GrantsSet,
    HookFinished,
    MemoryTold,
    ModelReplied,
    Payload,
    SandboxOpened,
    ToolFinished,
    UserSaid,
    Validated,
)
from deskmate.types.files import Grant
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import NOTE, Block, Message, Text, ToolResult, tool_uses_of
from deskmate.types.policy import SPENDING

CUT = f"{NOTE}Your reply was cut at the output limit. Go on from where it stopped, more briefly."
GO_ON = f"{NOTE}Go on."
RESTORED = (
    f"{NOTE}The virtual machine was restored from its last checkpoint: files are as they were, "
    "running processes and anything outside the workspace and your home folder are gone."
)
APPLIED = f"{NOTE}The user applied the changes; the folders now hold them."
UNDONE = f"{NOTE}The user undid an applied change set; look at the files before you rely on them."
ALLOWED = f"{NOTE}The user allowed the request {{request}}. Make it again now, exactly as it was."
REFUSED = f"{NOTE}The request {{request}} is not allowed. Do not try it again, nor in another way."
SAME = "[the same, to the last character, as the result of {use} above; {read} gives it again]"
REPEATED = 2_000
"""Characters from which on a result is not told a second time."""
DISCARDED = f"{NOTE}The user discarded the changes; the workspace is as the user's folders are."


class _Talk:
    """Messages as they grow: what waits for the next user message is kept apart."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.order: list[ToolUseId] = []
        self.questions: list[ToolUseId] = []
        self.elicited: set[ToolUseId] = set()
        self.results: dict[ToolUseId, ToolResult] = {}
        self.texts: list[Text] = []
        self.paused = False
        self.grants: tuple[Grant, ...] = ()
        self.machines = 0
        self.requests: dict[Digest, str] = {}
        self.applying = APPLIED
        self.known: dict[str, ToolUseId] = {}
        self.time = ""
        self.memory: MemoryTold | None = None
        self.memory_told: MemoryTold | None = None

    def begin_anew(self, head: Sequence[Message]) -> None:
        """Go on from what stands in place of all messages so far."""
        self.messages = list(head)
        self.order, self.questions, self.results, self.texts = [], [], {}, []
        self.known = {}

    def recall_notes(self) -> None:
        """Tell the project's notes where they are not what was told last."""
        if self.memory is not None and self.memory != self.memory_told:
            self.say(in_words(self.memory))
        self.memory_told = self.memory

    def finished(self, payload: ToolFinished, *, whole: bool) -> None:
        """Take in a result; one that the model has before its eyes already is told by reference, unless `whole`."""
        text = payload.text
        if not whole and len(text) >= REPEATED:
            first = self.known.setdefault(text, payload.tool_use_id)
            if first != payload.tool_use_id:
                text = SAME.format(use=first, read=READ)
        use = payload.tool_use_id
        self.results[use] = ToolResult(
            tool_use_id=use,
            text=text,
            is_error=payload.outcome != "ok",
            pictures=payload.pictures,
        )

    def say(self, text: str) -> None:
        self.texts.append(Text(text=text))

    def flush(self) -> None:
        """Close the user message: results first, in the order of their uses, then words."""
        results = [self.results[use] for use in self.order if use in self.results]
        content: tuple[Block, ...] = (*results, *self.texts)
        if content:
            self._add(Message(role="user", content=content))
        self.order, self.questions, self.results, self.texts = [], [], {}, []

    def reply(self, payload: ModelReplied) -> None:
        self.flush()
        if not payload.content:
            return
        self._add(Message(role="assistant", content=payload.content))
        uses = tool_uses_of(payload.content)
        self.order = [use.id for use in uses]
        self.questions = [use.id for use in uses if use.name == ASK]
        self.paused = payload.stop_reason == "pause_turn"
        if payload.stop_reason == "max_tokens" and not uses:
            self.say(CUT)

    def _add(self, message: Message) -> None:
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == message.role:
            message = Message(role=message.role, content=last.content + message.content)
            self.messages.pop()
        self.messages.append(message)

    def note(self, payload: Payload) -> None:
        """Take in what the model has to be told about and did not cause by a call."""
        if isinstance(payload, GrantsSet):
            self.grants = payload.grants
        elif isinstance(payload, MemoryTold):
            self.memory = payload
        elif isinstance(payload, HookFinished):
            if words := words_for_model(payload):
                self.say(NOTE + words)
        else:
            self._hear(payload)

    def _hear(self, payload: Payload) -> None:
        match payload:
            case SandboxOpened():
                self.machines += 1
                if self.machines > 1:
                    self.say(RESTORED)
            case ApplyStarted(undo_of=undo_of):
                self.applying = APPLIED if undo_of is None else UNDONE
            case ApplyFinished(applied=True):
                self.say(self.applying)
            case ChangesDiscarded():
                self.say(DISCARDED)
            case ApprovalAsked(tool_use_id="", tool=tool, arguments=arguments, shown=shown) if (
                tool != SPENDING
            ):
                self.requests[arguments] = str(shown.get("request", ""))
            case ApprovalGiven(tool_use_id="", arguments=arguments, allow=allow) if (
                not self.order and arguments in self.requests
            ):
                request = self.requests[arguments]
                self.say((ALLOWED if allow else REFUSED).format(request=request))
            case ConnectorAsked(tool_use_id=use):
                self.questions.append(use)
                self.elicited.add(use)
            case Validated(passed=False, findings=findings):
                self.say(findings_text(findings))

    def takes_answer(self) -> bool:
        """Say whether the user's words answer a question; a server's is answered once, its result may take longer."""
        open_ = [use for use in self.order if use in self.questions and use not in self.results]
        if open_ and open_[0] in self.elicited:
            self.elicited.discard(open_[0])
            self.questions.remove(open_[0])
        return bool(open_)

    def finish(self) -> tuple[Message, ...]:
        self.flush()
        if self.messages and self.messages[-1].role == "assistant" and not self.paused:
            self.say(GO_ON)
            self.flush()
        return tuple(self.messages)


def _nothing(text: str) -> str:
    """Without many skills there is nothing to say beside the user's words."""
    return ""


def messages_of(
    events: Iterable[Event], beside: Callable[[str], str] = _nothing, *, whole: bool = False
) -> tuple[Message, ...]:
    """Return the conversation so far, users and assistants in turn, ready to be sent.

    Every tool use that is finished has its result in the next user message. The user's answer to a
    question is that question's result and not repeated as words.

    Args:
        events: the log.
        beside: what to tell the model together with these words of the user; the same for the same words.
        whole: tell each result as it is, for a model that follows rules and reads results as data.
    """
    talk, log = _Talk(), without_held(events)
    compacted = last_compaction(log)
    anchor = anchor_of(log, compacted)
    for index, event in enumerate(log):
        if index == anchor and compacted is not None:
            now = [_circumstances(talk.time, talk.grants)]
            now += [in_words(talk.memory_told)] if talk.memory_told is not None else []
            talk.begin_anew(head_of(log[:index], compacted, now))
        match event.payload:
            case UserSaid(text=text):
                talk.time = event.time
                if not talk.takes_answer():
                    talk.say(_circumstances(event.time, talk.grants))
                    talk.recall_notes()
                    if note := beside(text):
                        talk.say(NOTE + note)
                    talk.say(text)
            case ModelReplied() as payload:
                talk.reply(payload)
            case ToolFinished() as payload:
                talk.finished(payload, whole=whole)
            case payload:
                talk.note(payload)
    return talk.finish()


def findings_text(findings: Iterable[Finding]) -> str:
    """Return what the model is told about a failed check; errors first."""
    order = {"error": 0, "warning": 1, "note": 2}
    lines = [
        f"- {finding.level} {finding.rule}"
        + (f" in {finding.path}" if finding.path else "")
        + (f", {finding.location}" if finding.location else "")
        + f": {finding.message}"
        + (f" Fix: {finding.fix}" if finding.fix else "")
        for finding in sorted(findings, key=lambda finding: order[finding.level])
    ]
    return (
        f"{NOTE}The output checks refused the deliverables. Put the errors right in the files "
        "themselves and present them again; say plainly what you cannot put right.\n"
        + "\n".join(lines)
    )


def _circumstances(time: str, grants: tuple[Grant, ...]) -> str:
    folders = ", ".join(f"{grant.name} ({grant.mode})" for grant in grants) or "none"
    return f"{NOTE}Today is {time[:10]}. Folders in /workspace: {folders}."
