"""A thread's rules for its tools: read from the log, changed by the user alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deskmate.errors import UserError
from deskmate.types.events import ApprovalAsked, PolicySet
from deskmate.types.places import Places
from deskmate.types.policy import Rule, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds for a thread. `waiting`: questions that nobody has answered yet, oldest first."""

    rules: Rules
    waiting: tuple[ApprovalAsked, ...]


async def standing_of(places: Places, thread: str) -> Standing:
    """Return a thread's rules and open questions. Raises UserError if there is no such thread."""
    from deskmate.agent.state import fold  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        state = fold(await store.events())
    calls = tuple(use.asked for use in state.open_uses if use.asked and use.decision is None)
    return Standing(rules=state.rules, waiting=(*calls, *state.questions.values()))


async def change_rules(places: Places, thread: str, change: Callable[[Rules], Rules]) -> Rules:
    """Change a thread's rules from its next run on, and return them.

    Raises UserError if another process works in the thread, and what `change` raises.
    """
    from deskmate.agent.state import fold  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread) as store:
        before = fold(await store.events()).rules
        after = change(before)
        if after != before:
            await store.append(PolicySet(rules=after))
    return after


def with_rule(rules: Rules, rule: Rule) -> Rules:
    """Return the rules with one more; a rule on the same calls gives way to it."""
    others = tuple(old for old in rules.rules if (old.tool, old.where) != (rule.tool, rule.where))
    return replace(rules, rules=(*others, rule))


def without_rule(rules: Rules, tool: str, where: dict[str, str]) -> Rules:
    """Return the rules without one. Raises UserError if it is not there."""
    kept = tuple(rule for rule in rules.rules if (rule.tool, rule.where) != (tool, where))
    if kept == rules.rules:
        hint = "See deskmate policy list for the rules of the thread."
        raise UserError(f"There is no such rule on {tool}.", hint=hint)
    return replace(rules, rules=kept)
