"""Whether a tool use may run: allowed, asked about or denied. Layers, the first match wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deskmate.types.policy import SENDS, Decision, Rules
from deskmate.types.registry import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the conversation has seen. `private`: the user's data; `untrusted`: what others wrote."""

    private: bool = False
    untrusted: bool = False

    @property
    def both(self) -> bool:
        """Say whether a text of others could carry the user's data away."""
        return self.private and self.untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The decision and the reason that the user and the model are told."""

    decision: Decision
    why: str


TAINTED = (
    "Your data and texts that others wrote are both in this thread, so nothing leaves it unasked."
)


def judge(
    spec: ToolSpec | None,
    rules: Rules,
    *,
    outside: bool,
    arguments: Mapping[str, Any] | None = None,
    exposure: Exposure | None = None,
) -> Judgement:
    """Return what the policy says: deny, forced ask, rule, the tool's risk, the mode, else ask.

    `outside`: the tool runs at a connector, not in the VM. A rule that allows never covers sending; and
    once the user's data and texts of others are both there, it covers no writing outside either.
    """
    if spec is None:
        return _deny("The tool is not known.")
    held = {
        rule.decision
        for rule in rules.rules
        if rule.tool == spec.name and matches(rule.where, arguments or {})
    }
    tainted = exposure is not None and exposure.both
    if "deny" in held:
        return _deny("You denied this for the thread.")
    if "ask" in held:
        return _ask("You want to be asked about this.")
    return _by_risk(spec, rules, "allow" in held, outside=outside, tainted=tainted)


def _by_risk(
    spec: ToolSpec, rules: Rules, allowed: bool, *, outside: bool, tainted: bool
) -> Judgement:
    """Return what follows where the user neither denied it nor wants to be asked."""
    taint = f" {TAINTED}" if tainted else ""
    if spec.risk == "send":
        return _ask(f"{SENDS}{taint}")
    if tainted and outside and spec.risk == "write":
        return _ask(f"It writes outside the virtual machine.{taint}")
    if allowed:
        return _allow("You allowed this for the thread.")
    if not outside:
        return _allow("It works inside the virtual machine only.")
    if tainted:
        return _ask(f"What it asks for leaves this machine.{taint}")
    if rules.mode == "auto" or (spec.risk == "read" and rules.mode != "ask"):
        return _allow("The thread's mode allows it.")
    return _ask(f"It may {spec.risk} outside the virtual machine.")


def why_request(exposure: Exposure, *, reading: bool, trusted: bool) -> str:
    """Return why a request of the VM has to be asked about, empty if it may go.

    `reading`: GET or HEAD. `trusted`: the user lets the thread read from this host unasked.
    """
    if not reading and (exposure.private or exposure.untrusted):
        seen = "your data" if exposure.private else "texts that others wrote"
        return f"It may carry something out of a thread that holds {seen}."
    if reading and exposure.private and not trusted:
        return "Its address may carry something out of a thread that holds your data."
    return ""


def matches(where: Mapping[str, str], arguments: Mapping[str, Any]) -> bool:
    """Say whether a call's arguments have exactly the values that a rule names, as text."""
    return all(
        isinstance(arguments.get(key), str) and arguments[key] == value
        for key, value in where.items()
    )


def later(time: str, seconds: float) -> str:
    """Return a time of the log that is so many seconds later."""
    then = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_over(expires: str, now: str) -> bool:
    """Say whether a time has come; an empty one never does."""
    return bool(expires) and datetime.fromisoformat(now) >= datetime.fromisoformat(expires)


def _deny(why: str) -> Judgement:
    return Judgement(decision="deny", why=why)


def _ask(why: str) -> Judgement:
    return Judgement(decision="ask", why=why)


def _allow(why: str) -> Judgement:
    return Judgement(decision="allow", why=why)
