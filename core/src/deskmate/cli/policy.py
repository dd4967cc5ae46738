"""`deskmate policy`: what a thread's tools may do unasked, must ask about, and may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import anyio
import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError
from deskmate.types.policy import MODES, Decision, Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from deskmate.types.policy import Rule, Rules

_TARGET = "[NAME=VALUE]…"
_WORDS: dict[Decision, str] = {
    "allow": "runs unasked",
    "ask": "is always asked about",
    "deny": "never runs",
}


@click.group("policy")
def command() -> None:
    """See and set what a thread's tools may do unasked.

    Whatever is set here: sending outside, and requests that could carry your data out of the virtual
    machine, are asked about each time; and files that exist are deleted only when you apply it.
    """


@command.command("list", short_help="List a thread's rules and what waits for you.")
@click.argument("thread")
@json_option
@click.pass_obj
def list_command(session: Session, thread: str, as_json: bool) -> None:
    """List a thread's mode, its rules, and the questions that wait for you."""
    from deskmate.host.policy import standing_of  # noqa: PLC0415 - only commands need it

    standing = anyio.run(standing_of, session.places, thread)
    if as_json:
        say_json(standing)
        return
    _say_rules(standing.rules)
    for asked in standing.waiting:
        request = asked.shown.get("request", "")
        say(f"waits for you until {asked.expires[:19]}: {asked.tool} {request}")
        say(f"  {asked.why}")
    if standing.waiting:
        say(f"Answer at a terminal: deskmate thread resume {thread}")


def _rule_command(decision: Decision, text: str) -> None:
    @command.command(decision, help=text, short_help=text.partition("\n")[0])
    @click.argument("thread")
    @click.argument("tool")
    @click.argument("where", nargs=-1, metavar=_TARGET)
    @json_option
    @click.pass_obj
    def rule(
        session: Session, thread: str, tool: str, where: tuple[str, ...], as_json: bool
    ) -> None:
        from deskmate.host.policy import with_rule  # noqa: PLC0415
        from deskmate.types.policy import Rule  # noqa: PLC0415

        made = Rule(decision=decision, tool=tool, where=_target(where))
        _change(session, thread, lambda rules: with_rule(rules, made), as_json=as_json)


_rule_command(
    "allow",
    "Let a tool run unasked, at a target if you name one.\n\n"
    "NAME=VALUE names an argument and the value it must have: deskmate policy allow t-abc "
    "mail__draft folder=Drafts. A tool that sends is asked about all the same.",
)
_rule_command("ask", "Be asked about each use of a tool.")
_rule_command("deny", "Let a tool never run in a thread.")


@command.command("revoke")
@click.argument("thread")
@click.argument("tool")
@click.argument("where", nargs=-1, metavar=_TARGET)
@json_option
@click.pass_obj
def revoke(session: Session, thread: str, tool: str, where: tuple[str, ...], as_json: bool) -> None:
    """Take a rule away, named as it was made."""
    from deskmate.host.policy import without_rule  # noqa: PLC0415

    target = _target(where)
    _change(session, thread, lambda rules: without_rule(rules, tool, target), as_json=as_json)


@command.command("mode", short_help="Say what connectors may do unasked.")
@click.argument("thread")
@click.argument("mode", type=click.Choice(MODES))
@json_option
@click.pass_obj
def mode_command(session: Session, thread: str, mode: str, as_json: bool) -> None:
    """Say what connectors may do unasked: nothing (ask), read (auto-read), or read and write (auto)."""
    from dataclasses import replace  # noqa: PLC0415

    _change(session, thread, lambda rules: replace(rules, mode=cast(Mode, mode)), as_json=as_json)


@command.command("budget", short_help="Say what a thread's runs together may cost.")
@click.argument("thread")
@click.argument("usd", type=click.FloatRange(min=0), required=False)
@json_option
@click.pass_obj
def budget_command(session: Session, thread: str, usd: float | None, as_json: bool) -> None:
    """Say what all runs of a thread together may cost, in US dollars; without USD there is no limit."""
    from dataclasses import replace  # noqa: PLC0415

    _change(session, thread, lambda rules: replace(rules, budget_usd=usd), as_json=as_json)


@command.command("ask-above", short_help="Be asked before a call of the model that may cost much.")
@click.argument("thread")
@click.argument("usd", type=click.FloatRange(min=0), required=False)
@json_option
@click.pass_obj
def ask_above_command(session: Session, thread: str, usd: float | None, as_json: bool) -> None:
    """Be asked before each call of the model that may cost more than USD; without USD never.

    What a call may cost is an upper estimate: nothing read from the cache, the reply as long as it may be.
    """
    from dataclasses import replace  # noqa: PLC0415

    _change(session, thread, lambda rules: replace(rules, ask_usd=usd), as_json=as_json)


def _change(
    session: Session, thread: str, change: Callable[[Rules], Rules], *, as_json: bool
) -> None:
    from deskmate.host.policy import change_rules  # noqa: PLC0415

    rules = anyio.run(change_rules, session.places, thread, change)
    if as_json:
        say_json(rules)
        return
    _say_rules(rules)


def _say_rules(rules: Rules) -> None:
    say(f"mode {rules.mode}")
    if rules.budget_usd is not None:
        say(f"budget {rules.budget_usd:.2f} USD")
    if rules.ask_usd is not None:
        say(f"asks before a call that may cost more than {rules.ask_usd:.2f} USD")
    for rule in rules.rules:
        say(f"{_shown(rule)}  {_WORDS[rule.decision]}")


def _target(words: tuple[str, ...]) -> dict[str, str]:
    target = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(
                f"{word!r} is no target.", hint="Write an argument and its value: folder=Drafts"
            )
        target[name] = value
    return target


def _shown(rule: Rule) -> str:
    return " ".join((rule.tool, *(f"{name}={value}" for name, value in rule.where.items())))
