"""The model that is none: follows the procedures of skills, turn by turn, and says that it does.

A reply is a pure function of the request: the same conversation gives the same next tool uses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.errors import PluginError
from deskmate.models.procedure import (
    MISSING,
    Procedure,
    Step,
    fill,
    fill_text,
    look_up,
    parse_procedure,
)
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.ids import ToolUseId
from deskmate.types.limits import Usage
from deskmate.types.messages import (
    GAVE_UP,
    NOT_FINISHED,
    NOTE,
    Block,
    Message,
    Text,
    ToolResult,
    ToolUse,
    text_of,
    tool_uses_of,
)
from deskmate.types.registry import SkillSpec

LABEL = "rules only, no language model"
_STOP = "I had to stop at the step"
_WORD = re.compile(r"[^\W_]+")
_COMMAND = re.compile(r"\s*/([\w-]+(?::[\w-]+)?)\s*")


class OfflineModel:
    """Needs no key, no server and no network."""

    @property
    def name(self) -> str:
        """Always `offline`."""
        return "offline"

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the next turn of the procedure that fits, or say that none does."""
        try:
            content = _next(request)
        except _GaveUp as gave_up:
            content, stop_reason = _say(gave_up.text), GAVE_UP
        else:
            stop_reason = "tool_use" if tool_uses_of(content) else "end_turn"
        for block in content:
            if isinstance(block, Text):
                on_text(block.text)
        return ModelReply(
            content=content,
            stop_reason=stop_reason,
            usage=Usage(cost_usd=0.0),
            model="offline",
            label=LABEL,
        )

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Rules cost nothing."""
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """The user's last request, and what was said and done since."""

    words: str
    since: tuple[Message, ...]
    position: int


class _GaveUp(Exception):
    """The request cannot be carried out by rules; `text` says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def answer(request: ModelRequest) -> tuple[Block, ...]:
    """Return the next message's blocks: tool uses, or the last words."""
    try:
        return _next(request)
    except _GaveUp as gave_up:
        return _say(gave_up.text)


def _next(request: ModelRequest) -> tuple[Block, ...]:
    ask = _last_ask(request.messages)
    if ask is None:
        return _say("There is no request yet.")
    if problem := _problem_after_the_end(ask):
        return _say(problem)
    skill, words = choose_skill(ask.words, request.skills)
    if skill is None:
        raise _GaveUp(_what_it_can_do(request.skills, with_tools=bool(request.tools)))
    if skill.procedure is None:
        raise _GaveUp(
            f"The skill {skill.name} needs a language model: it has no procedure that rules alone "
            "can follow. Set ANTHROPIC_API_KEY, or name a local server; see `deskmate model list`."
        )
    try:
        procedure = parse_procedure(skill.procedure, skill.name)
    except PluginError as error:
        raise _GaveUp(f"{error.message} I can do nothing with it.") from error
    return _Follower(procedure, ask, words, {tool.name for tool in request.tools}).next()


def choose_skill(words: str, skills: Iterable[SkillSpec]) -> tuple[SkillSpec | None, str]:
    """Return the skill that a request calls, and the request without its `/name`.

    `/name` calls by name. Else the longest trigger all of whose words occur wins; at a tie a skill
    with a procedure, then the first by name.
    """
    skills = sorted(skills, key=lambda skill: (skill.procedure is None, skill.name))
    if command := _COMMAND.match(words):
        named = next((skill for skill in skills if skill.name == command[1]), None)
        if named is not None:
            return named, words[command.end() :].strip()
    said = set(_words(words))
    best, length = None, 0
    for skill in skills:
        for trigger in _triggers(skill):
            wanted = _words(trigger)
            if len(wanted) > length and all(_occurs(word, said) for word in wanted):
                best, length = skill, len(wanted)
    return best, words


def _triggers(skill: SkillSpec) -> tuple[str, ...]:
    own = (skill.procedure or {}).get("triggers", ())
    return (*skill.triggers, *(word for word in own if isinstance(word, str)))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _occurs(word: str, said: set[str]) -> bool:
    """A plural of the word counts too: people say "contracts"."""
    return bool(said & {word, f"{word}s", f"{word}es"})


def _what_it_can_do(skills: Sequence[SkillSpec], *, with_tools: bool) -> str:
    if not with_tools:
        return "I follow rules only, without a language model, and there are no tools to work with."
    able = sorted(skill.name for skill in skills if skill.procedure is not None)
    by_name = {skill.name: skill for skill in skills}
    if not able:
        return (
            "I follow rules only, without a language model, and none of the enabled plugins brings "
            "a procedure. Enable a plugin that does, or set ANTHROPIC_API_KEY."
        )
    lines = [f"- /{name}: {by_name[name].description}" for name in able]
    return (
        "I follow rules only, without a language model, and no procedure fits this request. "
        "I can do these:\n" + "\n".join(lines)
    )


def _last_ask(messages: Sequence[Message]) -> _Ask | None:
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if message.role == "user" and (words := _user_words(message)):
            return _Ask(words=words[-1], since=tuple(messages[position + 1 :]), position=position)
    return None


def _user_words(message: Message) -> list[str]:
    return [
        block.text
        for block in message.content
        if isinstance(block, Text) and block.text.strip() and not block.text.startswith(NOTE)
    ]


def _problem_after_the_end(ask: _Ask) -> str:
    """What to say where the procedure has ended and the program comes back with a problem."""
    replies = [message for message in ask.since if message.role == "assistant"]
    if not any(tool_uses_of(reply.content) for reply in replies):
        return ""
    if tool_uses_of(replies[-1].content) or _is_stop(replies[-1]):
        return ""
    notes = [
        block.text.removeprefix(NOTE)
        for block in ask.since[-1].content
        if ask.since[-1].role == "user" and isinstance(block, Text)
    ]
    findings = [line for note in notes for line in note.splitlines() if line.startswith("- ")]
    if not findings:
        return "That was all that this procedure does."
    return (
        "The output checks found problems that rules alone cannot repair. Someone has to look at "
        "these, or a language model has to:\n" + "\n".join(findings)
    )


class _Follower:
    """Walks the procedure along what was done already, and gives what comes next."""

    def __init__(self, procedure: Procedure, ask: _Ask, words: str, tools: set[str]) -> None:
        self._procedure = procedure
        self._ask = ask
        self._tools = tools
        self._values: dict[str, Any] = {"request": words}
        self._turns = _turns(ask.since)

    def next(self) -> tuple[Block, ...]:
        turn = 0
        for step in self._procedure.steps:
            planned = self._plan(step)
            if isinstance(planned, str):
                raise _GaveUp(_stop(step, planned))
            if not planned:
                if step.for_each is not None:
                    self._values[step.id] = []
                continue
            if turn == len(self._turns):
                return self._emit(step, planned)
            self._take_in(step, self._turns[turn])
            turn += 1
        return _say(fill_text(self._procedure.closing, self._values))

    def _plan(self, step: Step) -> list[dict[str, Any]] | str:
        """Return the arguments of each use of the step, or why it cannot be done."""
        if step.for_each is None:
            if step.when is not None and not _holds(look_up(step.when, self._values)):
                return []
            return [fill(step.arguments, self._values)]
        items = look_up(step.for_each, self._values)
        if items is MISSING or items is None:
            return []
        if not isinstance(items, list):
            return f"{step.for_each} is not a list."
        plans = []
        for item in items:
            values = {**self._values, "item": item}
            if step.when is None or _holds(look_up(step.when, values)):
                plans.append(fill(step.arguments, values))
        return plans

    def _emit(self, step: Step, planned: list[dict[str, Any]]) -> tuple[Block, ...]:
        if step.tool not in self._tools:
            raise _GaveUp(_stop(step, f"the tool {step.tool} is not available here."))
        seed = f"{self._ask.position}/{len(self._turns)}/{step.id}"
        uses = [
            ToolUse(id=_use_id(seed, number), name=step.tool, input=arguments)
            for number, arguments in enumerate(planned)
        ]
        say = [Text(text=fill_text(step.say, self._values))] if step.say else []
        return (*say, *uses)

    def _take_in(self, step: Step, results: list[ToolResult | None]) -> None:
        """Keep a step's results. Raises _GaveUp if it failed."""
        good: list[Any] = []
        for result in results:
            if result is None or result.is_error:
                text = result.text if result is not None else "it has no result"
                if not step.go_on:
                    raise _GaveUp(_stop(step, text))
                continue
            good.append(_value_of(result.text))
        if step.for_each is not None:
            self._values[step.id] = good
        elif good:
            self._values[step.id] = good[0]


def _stop(step: Step, why: str) -> str:
    return f"{_STOP} {step.id!r}: {why}"


def _is_stop(message: Message) -> bool:
    return text_of(message.content).startswith(_STOP)


def _turns(messages: Iterable[Message]) -> list[list[ToolResult | None]]:
    """The results of each earlier turn, in the order of its tool uses.

    A turn that the end of a run cut off, or that made the procedure stop, is left out, so that a run
    that goes on tries it again.
    """
    messages = list(messages)
    results = {
        block.tool_use_id: block
        for message in messages
        for block in message.content
        if isinstance(block, ToolResult)
    }
    turns: list[list[ToolResult | None]] = []
    for message in messages:
        if message.role == "assistant" and (uses := tool_uses_of(message.content)):
            turns.append([results.get(use.id) for use in uses])
            if any(result and result.text.startswith(NOT_FINISHED) for result in turns[-1]):
                turns.pop()
        elif message.role == "assistant" and _is_stop(message) and _has_failed(turns):
            turns.pop()
    return turns


def _has_failed(turns: Sequence[Sequence[ToolResult | None]]) -> bool:
    return bool(turns) and any(result is None or result.is_error for result in turns[-1])


def _value_of(text: str) -> Any:
    """A result's JSON; a tool that answers in words gives its words."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _holds(value: Any) -> bool:
    return value is not MISSING and bool(value)


def _use_id(seed: str, number: int) -> ToolUseId:
    return ToolUseId("toolu_" + hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:24])


def _say(text: str) -> tuple[Block, ...]:
    return (Text(text=text),)
