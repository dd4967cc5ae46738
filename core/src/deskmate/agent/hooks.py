"""Runs approved hooks in the thread's machine, each once for what it is for: its answer is a fact that a later process reads.

Before a tool use the toolbox asks; the rest is due between two steps of the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio

from deskmate.agent.hook_protocol import (
    Answer,
    applies,
    bounded,
    read_answer,
    request,
    response_facts,
    tool_facts,
    words_id,
)
from deskmate.agent.journal import Journal
from deskmate.agent.loop import Action, CallModel, Finish, Stage, Validate
from deskmate.agent.state import fold
from deskmate.agent.uses import Use
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import (
    OutcomeUnknown,
    ProtocolError,
    SandboxMissing,
    SandboxUnavailable,
    ToolInputError,
)
from deskmate.ports import ToolOutcome
from deskmate.types.events import (
    Compacted,
    EgressAsked,
    HookFinished,
    HookStarted,
    ModelReplied,
    UserSaid,
)
from deskmate.types.hooks import HOOK_TOOL, HookSpec
from deskmate.types.messages import text_of
from deskmate.types.network import READING
from deskmate.types.progress import Note

GRACE_S = 30.0
MOST_HELD = 8
"""How often hooks may have the agent go on when it had finished, in one run."""
_TRIES = 3
_SHELL = "workspace__shell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the hooks before a tool use say together. `denied`, `asks`: why; "" where they do not."""

    denied: str = ""
    asks: str = ""


class Hooks:
    """The hooks of one thread."""

    def __init__(self, world: World, setup: Setup, bench: Workbench, journal: Journal) -> None:
        self._world, self._setup = world, setup
        self._bench, self._journal = bench, journal

    @property
    def _specs(self) -> tuple[HookSpec, ...]:
        """Those in force: who denies the thread a shell denies it all commands."""
        rules = (*self._journal.state.rules.rules, *self._setup.rules)
        if any(
            rule.tool == _SHELL and rule.decision == "deny" and not rule.where for rule in rules
        ):
            return ()
        return self._setup.hooks

    async def before(self, use: Use) -> Verdict:
        """Run the hooks before a tool use that have not run for it."""
        tool, given = tool_facts(use.use.name, use.use.input)
        facts = {"tool_name": tool, "tool_input": given, "tool_use_id": use.use.id}
        found = await self._run_all("PreToolUse", tool, use.use.id, facts, given)
        held = [one for one in found if one.outcome == "blocked"]
        asking = [one for one in found if one.asks]
        return Verdict(
            denied="\n".join(f"The hook of {one.plugin} held it back: {one.text}" for one in held),
            asks=" ".join(f"The hook of {one.plugin} wants it: {one.text}" for one in asking),
        )

    async def due(self, action: Action) -> bool:
        """Run what is due before the driver's next step; say whether anything was stored."""
        if not self._setup.hooks:
            return False
        before = len(self._journal.events)
        match action:
            case CallModel():
                await self._after_tools()
                await self._at_start()
                await self._on_words()
            case Stage() | Validate() | Finish(reason="done" | "rejected"):
                await self._at_stop()
        return len(self._journal.events) > before

    async def _after_tools(self) -> None:
        for use in self._journal.state.uses:
            done = use.finished
            if done is None or done.synthetic or use.started is None:
                continue
            tool, given = tool_facts(use.use.name, use.use.input)
            facts = {"tool_name": tool, "tool_input": given, "tool_use_id": use.use.id}
            if done.outcome == "ok":
                answer = response_facts(use.use.name, use.use.input, done.text)
                event, more = "PostToolUse", {"tool_response": answer}
            else:
                event, more = "PostToolUseFailure", {"error": bounded(done.text)}
            await self._run_all(event, tool, use.use.id, {**facts, **more}, given)

    async def _at_start(self) -> None:
        compacted = [e.seq for e in self._journal.events if isinstance(e.payload, Compacted)]
        source, at = (
            ("compact", f"compacted {len(compacted)}") if compacted else ("startup", "start")
        )
        facts = {"source": source, "model": self._world.model.name}
        await self._run_all("SessionStart", source, at, facts)

    async def _on_words(self) -> None:
        for at, said in self._new_words():
            words = said.text.strip()
            if words.startswith("/"):
                name, _, arguments = words[1:].partition(" ")
                facts = {
                    "expansion_type": "slash_command",
                    "command_name": name,
                    "command_args": arguments,
                    "command_source": "plugin",
                    "prompt": bounded(said.text),
                }
                await self._run_all("UserPromptExpansion", name, at, facts)
            await self._run_all("UserPromptSubmit", "", at, {"prompt": bounded(said.text)})

    def _new_words(self) -> Iterator[tuple[str, UserSaid]]:
        """Yield what the user said since the last reply, with what it is called; an answer to a question is no new word."""
        events = self._journal.events
        last = max(
            (n for n, e in enumerate(events) if isinstance(e.payload, ModelReplied)), default=-1
        )
        for index, event in enumerate(events):
            if index <= last or not isinstance(event.payload, UserSaid):
                continue
            asked = fold(events[:index]).open_uses if last >= 0 else ()
            if not any(use.is_question for use in asked):
                yield words_id(events, index), event.payload

    async def _at_stop(self) -> None:
        state = self._journal.state
        held = [
            e.payload
            for e in self._journal.events
            if isinstance(e.payload, HookFinished)
            and e.payload.event == "Stop"
            and e.payload.outcome == "blocked"
            and e.payload.at.startswith(f"{self._journal.run}/")
        ]
        if len(held) >= MOST_HELD or state.halted:
            return
        said = text_of(state.reply.content) if state.reply is not None else ""
        facts = {"stop_hook_active": bool(held), "last_assistant_message": bounded(said)}
        await self._run_all("Stop", "", f"{self._journal.run}/{state.turn}", facts)

    async def _run_all(
        self,
        event: str,
        subject: str,
        at: str,
        facts: Mapping[str, Any],
        arguments: Mapping[str, Any] | None = None,
    ) -> Sequence[HookFinished]:
        """Return the answers of all hooks that are meant, the earlier ones from the log."""
        answers = []
        for spec in self._specs:
            if spec.event == event and applies(spec, subject, arguments):
                known = self._known(HookFinished, spec, at)
                answers.append(known or await self._run(spec, at, facts))
        return answers

    def _known(self, kind: type[Any], spec: HookSpec, at: str) -> Any:
        for stored in reversed(self._journal.events):
            one = stored.payload
            if isinstance(one, kind) and (one.hook, one.at) == (spec.name, at):
                return one
        return None

    async def _run(self, spec: HookSpec, at: str, facts: Mapping[str, Any]) -> HookFinished:
        """Run one hook and store its answer, with the files that it left."""
        started = self._known(HookStarted, spec, at)
        if started is not None and self._has_sent(started):
            text = "its run was cut off after it had sent something, and is not repeated"
            return await self._store(started, Answer(outcome="unknown", text=text), None)
        if started is None:
            started = self._begun(spec, at)
            await self._journal.record(started)
        given = request(spec.event, str(self._journal.state.thread), facts)
        for _ in range(_TRIES):
            try:
                outcome = await self._call(spec, started.key, given)
                return await self._store(started, _answer_of(spec, outcome), outcome)
            except SandboxMissing as error:
                return await self._store(started, Answer(outcome="error", text=error.message), None)
            except OutcomeUnknown as error:
                return await self._store(
                    started, Answer(outcome="unknown", text=error.message), None
                )
            except (SandboxUnavailable, ProtocolError, TimeoutError) as error:
                self._journal.progress(Note(f"the virtual machine was lost: {error}"))
                await self._bench.answer_lost()
            if self._has_sent(started):
                break
        text = "the virtual machine was lost while it ran"
        return await self._store(started, Answer(outcome="unknown", text=text), None)

    def _begun(self, spec: HookSpec, at: str) -> HookStarted:
        count = sum(isinstance(e.payload, HookStarted) for e in self._journal.events)
        return HookStarted(
            key=f"{self._journal.state.thread}:hook:{count + 1}",
            hook=spec.name,
            plugin=spec.plugin,
            event=spec.event,
            at=at,
            command=spec.line,
            approved=spec.approved,
        )

    def _has_sent(self, started: HookStarted) -> bool:
        """Say whether something went out since it began that may have changed anything."""
        for event in reversed(self._journal.events):
            match event.payload:
                case EgressAsked(allowed=True, method=method) if method not in READING:
                    return True
                case HookStarted(key=started.key):
                    return False
        return False

    async def _call(self, spec: HookSpec, key: str, given: str) -> ToolOutcome:
        machine = await self._bench.machine()
        try:
            await self._bench.supply(self._bench.absent)
        except ToolInputError:
            self._journal.progress(
                Note(f"a hook of {spec.plugin} sees not all of your folders: they are too large")
            )
        state, outcome = await machine.status(key)
        if state == "finished" and outcome is not None:
            return self._world.redact(outcome)
        self._journal.progress(f"hook {spec.event} of {spec.plugin}")
        with anyio.fail_after(spec.timeout_s + GRACE_S):
            outcome = await machine.call(
                HOOK_TOOL,
                {
                    "command": spec.command,
                    "given": given,
                    "environment": {
                        **spec.environment,
                        "CLAUDE_SESSION_ID": str(self._journal.state.thread),
                    },
                    "timeout_s": spec.timeout_s,
                    **({} if spec.arguments is None else {"arguments": list(spec.arguments)}),
                },
                key=key,
                timeout_s=float(spec.timeout_s + GRACE_S),
                on_progress=self._journal.progress,
            )
        return self._world.redact(outcome)

    async def _store(
        self, started: HookStarted, answer: Answer, outcome: ToolOutcome | None
    ) -> HookFinished:
        facts = outcome.structured if outcome is not None else None
        code = facts.get("exit_code") if isinstance(facts, Mapping) else None
        found = HookFinished(
            key=started.key,
            hook=started.hook,
            plugin=started.plugin,
            event=started.event,
            at=started.at,
            outcome=answer.outcome,
            exit_code=code if isinstance(code, int) else None,
            text=answer.text,
            context=answer.context,
            notice=answer.notice,
            asks=answer.asks,
            halts=answer.halts,
            refused=answer.refused,
        )
        if outcome is None or not outcome.wrote:
            await self._journal.record(found)
            return found
        last = self._journal.state.checkpoint
        made, changes = await self._bench.checkpoint()
        if made.manifest == last or (last is None and not made.files and not made.size):
            await self._journal.record(found)
            return found
        found = replace(found, wrote=bool(changes.changes) or self._journal.state.dirty)
        await self._journal.record(found, made)
        return found


def _answer_of(spec: HookSpec, outcome: ToolOutcome) -> Answer:
    facts = outcome.structured
    if outcome.is_error or not isinstance(facts, Mapping):
        return Answer(outcome="error", text=outcome.text[:300])
    if facts.get("late"):
        return Answer(outcome="error", text=f"it ran longer than {spec.timeout_s} s and was ended")
    code = facts.get("exit_code")
    stdout, stderr = str(facts.get("stdout", "")), str(facts.get("stderr", ""))
    return read_answer(spec, code if isinstance(code, int) else 1, stdout, stderr)
