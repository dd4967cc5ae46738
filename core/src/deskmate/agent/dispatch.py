"""One tool use on its way: known name, fitting arguments, policy; and its result on the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.agent.context import tools_of
from deskmate.agent.delegate_tool import DELEGATE, delegate_tool
from deskmate.agent.manifests import digest_of_call
from deskmate.agent.memory import MEMORY_TOOLS
from deskmate.agent.policy import Exposure, is_over, judge, later
from deskmate.agent.recall import READ as RECALL_READ
from deskmate.agent.recall import THREAD_TOOLS, Recall
from deskmate.agent.skills import READ, SEARCH, Reading, read_skill, search_skills
from deskmate.agent.uses import Use
from deskmate.errors import ToolDenied, ToolError, ToolInputError
from deskmate.ports import Blobs, ToolOutcome
from deskmate.types.events import ApprovalAsked, Outcome, ToolFinished
from deskmate.types.hooks import HOOK_TOOL
from deskmate.types.ids import Digest
from deskmate.types.policy import WAIT_S, Rules
from deskmate.types.registry import Registry, ToolSpec

MAX_ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A use that may run now. `outside`: at a connector, not in the VM. `here`: by the host itself."""

    use: Use
    spec: ToolSpec
    outside: bool
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Decides on tool uses by the registry and the thread's rules; has no effects of its own.

    `exposure`: what the conversation has seen. `now`: the time, for approvals that expire. `config`: the plugins'
    settings, which texts of skills may name. `thread`: its id. `connected`: what texts may call a connector → its name.
    `recall`: reads the thread's log again, at most `result_limit` characters at once. `remembers`: the thread is
    in a project. `delegates`: it may have sub-agents.
    """

    registry: Registry
    rules: Rules
    now: str
    connectors: frozenset[str] = frozenset()
    tools_off: str = ""
    exposure: Exposure = field(default_factory=Exposure)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    thread: str = ""
    connected: Mapping[str, str] = field(default_factory=dict)
    recall: Recall | None = None
    remembers: bool = False
    delegates: bool = False
    result_limit: int = 40_000

    def prepare(self, use: Use) -> Call | ApprovalAsked | ToolFinished:
        """Return the call to make, the approval to ask for, or the result where none is needed."""
        if use.is_question and use.answer is not None:
            return _result(use, "ok", use.answer)
        try:
            return self._check(use)
        except ToolDenied as error:
            return _result(use, "denied", error.message, synthetic=True)
        except ToolError as error:
            return _result(use, "error", error.message, synthetic=True)

    def call_of(self, use: Use) -> Call | None:
        """Return the call of a use that was started before, None if its tool is gone since."""
        spec = self._spec(use.use.name)
        if spec is None:
            return None
        here = spec in MEMORY_TOOLS or spec.name == DELEGATE
        return Call(
            use=use, spec=spec, outside=not here and spec.plugin in self.connectors, here=here
        )

    def asked_anew(self, call: Call, asked: ApprovalAsked) -> ApprovalAsked | None:
        """Return the question to ask in place of one that is about another definition of its tool, None if it holds."""
        arguments = digest_of_call(call.spec, call.use.use.input)
        if asked.arguments == arguments:
            return None
        return self._asked(
            call,
            arguments,
            f"{asked.why} The tool is not what it was when this was first asked.",
        )

    def asked_for(self, call: Call, why: str) -> Call | ApprovalAsked | ToolFinished:
        """Return a call that is to be asked about whatever the policy says: as itself once the user has allowed it."""
        try:
            return self._question(call, why) or call
        except ToolDenied as error:
            return _result(call.use, "denied", error.message, synthetic=True)

    def _spec(self, name: str) -> ToolSpec | None:
        own = (*THREAD_TOOLS, *(MEMORY_TOOLS if self.remembers else ()))
        own += (delegate_tool(self.registry.roles),) if self.delegates else ()
        known = (*own, *tools_of(self.registry))
        if name == HOOK_TOOL:  # a shell by another name, which no rule of the user's is about
            return None
        return next((tool for tool in known if tool.name == name), None)

    def _check(self, use: Use) -> Call | ApprovalAsked | ToolFinished:
        call = self.call_of(use)
        if call is None:
            raise ToolInputError(f"There is no tool {use.use.name!r}; use one of those offered.")
        check_arguments(call.spec, use.use.input)
        if call.spec.name in (READ, SEARCH) and call.spec.plugin == "skill":
            return self._about_skills(use)
        if call.spec in THREAD_TOOLS and self.recall is not None:
            return self._recalled(use, self.recall)
        judgement = judge(
            call.spec,
            self.rules,
            outside=call.outside,
            arguments=use.use.input,
            exposure=self.exposure,
        )
        if judgement.decision == "deny":
            raise ToolDenied(f"Denied: {judgement.why}")
        if judgement.decision == "ask" and (asked := self._question(call, judgement.why)):
            return asked
        if self.tools_off and (call.spec.name == DELEGATE or not (call.outside or call.here)):
            raise ToolInputError(f"Tools are off: {self.tools_off}")
        return call

    def _question(self, call: Call, why: str) -> ApprovalAsked | None:
        """Return the approval to ask for, None if there is one for exactly this call that still holds."""
        use, arguments = call.use, digest_of_call(call.spec, call.use.use.input)
        decision = use.decision
        if decision is None or decision.arguments != arguments:
            return self._asked(call, arguments, why)
        if not decision.allow:
            late = decision.by == "deadline"
            who = "since nobody answered in time" if late else f"by the {decision.by}"
            raise ToolDenied(f"Denied {who}. Do not try again unless the user asks for it.")
        if is_over(decision.expires, self.now):
            return self._asked(call, arguments, f"{why} Your approval has expired.")
        return None

    def _asked(self, call: Call, arguments: Digest, why: str) -> ApprovalAsked:
        return ApprovalAsked(
            tool_use_id=call.use.use.id,
            tool=call.use.use.name,
            arguments=arguments,
            why=why,
            expires=later(self.now, WAIT_S),
            definition=call.spec.definition or "",
        )

    def _recalled(self, use: Use, recall: Recall) -> ToolFinished:
        item = recall.answer(use.use.name, use.use.input, self.result_limit)
        return ToolFinished(
            tool_use_id=use.use.id,
            tool=use.use.name,
            outcome="ok",
            text=item.text,
            untrusted=item.untrusted,
            private=item.private,
        )

    def _about_skills(self, use: Use) -> ToolFinished:
        given = use.use.input
        if use.use.name == SEARCH:
            text = search_skills(self.registry, str(given["query"]), int(given.get("page", 1)))
            return _result(use, "ok", text, untrusted=True)
        connected = self.connected or {name: name for name in self.connectors}
        reading = Reading(connected=connected, config=self.config, thread=self.thread)
        text = read_skill(
            self.registry, str(given["name"]), str(given.get("arguments", "")), reading
        )
        return _result(use, "ok", text, untrusted=True)


def check_arguments(spec: ToolSpec, arguments: Mapping[str, Any]) -> None:
    """Raise ToolInputError that lists what does not fit the tool's JSON Schema."""
    import jsonschema  # noqa: PLC0415 - heavy
    import referencing  # noqa: PLC0415

    # An empty registry: a plugin's schema must not make the host fetch anything.
    validator = jsonschema.Draft202012Validator(spec.input_schema, registry=referencing.Registry())
    try:
        errors = list(validator.iter_errors(dict(arguments)))
    except Exception as error:
        raise ToolInputError(f"The schema of {spec.name} cannot be used: {error}") from error
    if errors:
        lines = [f"- {_place(error)}: {error.message[:300]}" for error in errors]
        more = len(lines) - MAX_ERRORS_SHOWN
        shown = "\n".join(lines[:MAX_ERRORS_SHOWN]) + (f"\n- and {more} more" if more > 0 else "")
        raise ToolInputError(f"The arguments of {spec.name} do not fit:\n{shown}")


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "arguments"


def finished(
    use: Use,
    outcome: ToolOutcome,
    blobs: Blobs,
    limit_bytes: int,
    *,
    as_json: bool = False,
    untrusted: bool = False,
    private: bool = False,
) -> ToolFinished:
    """Return the result of a call that ran, its text bounded; the whole text and its pictures are kept in blobs.

    `as_json`: prefer the tool's JSON result to its text, for a model that only follows rules.
    `untrusted`, `private`: what the log says of where it comes from.
    """
    text = outcome.text
    if outcome.structured is not None and (as_json or not text):
        text = json.dumps(outcome.structured, ensure_ascii=False)
    text, full = bound(text, limit_bytes, blobs, ref=use.use.id)
    for picture in outcome.pictures:
        blobs.put(outcome.held[picture.sha256])
    return ToolFinished(
        tool_use_id=use.use.id,
        tool=use.use.name,
        outcome="error" if outcome.is_error else "ok",
        text=text,
        evidence=outcome.evidence,
        deliverables=outcome.deliverables,
        wrote=outcome.wrote,
        full=full,
        untrusted=untrusted,
        private=private,
        pictures=outcome.pictures,
        kept=outcome.kept,
    )


def bound(text: str, limit_bytes: int, blobs: Blobs, *, ref: str) -> tuple[str, Digest | None]:
    """Return the text, or a window on its beginning that says how to read on, and the blob of the whole."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return text, None
    head = data[:limit_bytes].decode("utf-8", "ignore")
    note = (
        f"\n[cut: the first {len(head):,} of {len(text):,} characters; ask for a smaller part, or read on with "
        f"{RECALL_READ}, ref {ref}, start {len(head)}]"
    )
    return head + note, blobs.put(data)


def closed(use: Use, outcome: Outcome, text: str, *, untrusted: bool = False) -> ToolFinished:
    """Return a result made by the host, for a use that did not run or whose answer was lost.

    `untrusted`: it quotes what others wrote.
    """
    return _result(use, outcome, text, synthetic=True, untrusted=untrusted)


def _result(
    use: Use, outcome: Outcome, text: str, *, synthetic: bool = False, untrusted: bool = False
) -> ToolFinished:
    return ToolFinished(
        tool_use_id=use.use.id,
        tool=use.use.name,
        outcome=outcome,
        text=text,
        synthetic=synthetic,
        untrusted=untrusted,
    )
