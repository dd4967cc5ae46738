"""The rules by which periods are counted: those that come with the plugin, each with its source, and yours of the settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from deskmate.plugin import ToolInputError

Move = Literal["stays", "next", "previous"]
_FILE = Path(__file__).with_name("counting_rules.toml")
_LONGEST = 400
_MOST_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How periods are counted; the day of the event never counts. `words`, `source`: what the table of deadlines says of it.

    `ahead`, `back`: where a last day goes that is no business day, in periods after and before an event. `short_days`: in periods of so
    many days or fewer, only business days count. `clear_before`: the days of a period before an event lie between both.
    `least_working`: business days that a period of so many days or more has at least.
    """

    name: str
    words: str
    source: str
    ahead: Move = "stays"
    back: Move = "stays"
    short_days: int = 0
    clear_before: bool = False
    least_working: int = 0

    @property
    def asks_holidays(self) -> bool:
        """Say whether a day may come out otherwise where there is a holiday."""
        return self.ahead != "stays" or self.back != "stays" or bool(self.short_days)

    @property
    def told(self) -> str:
        """The rule in words, with its source."""
        return f"{self.words} ({self.source})"


@lru_cache(maxsize=1)
def built_in() -> Mapping[str, Rule]:
    """Return the rules that come with the plugin."""
    data = tomllib.loads(_FILE.read_text("utf-8"))
    return MappingProxyType({name: _read(name, about) for name, about in data.items()})


def rule_named(name: str, config: Mapping[str, Any]) -> Rule:
    """Return a rule by name: one of the setting `deadline_rules`, else one that comes with the plugin.

    Raises:
        ToolInputError: there is none of that name, or its setting cannot be read.
    """
    own = config.get("deadline_rules") or {}
    if name in own:
        return _read(name, own[name])
    if name in built_in():
        return built_in()[name]
    known = ", ".join(sorted({*built_in(), *own}))
    raise ToolInputError(f"There is no rule of counting {name!r}; known are {known}.")


def contract_rule(*, moved: bool = False) -> Rule:
    """Return how contracts count. `moved`: the contract says itself that last days which are no business days move on."""
    rule = built_in()["contract"]
    if not moved:
        return rule
    return Rule(
        name="contract, moved",
        words="The day of the event is not counted; every day counts; a last day that is no business day is moved to the next one",
        source="as the contract says",
        ahead="next",
        back="next",
    )


def _read(name: str, about: Any) -> Rule:
    """Return a rule as a table gives it."""
    known = {field.name for field in fields(Rule)} - {"name"}
    if (
        not isinstance(about, Mapping)
        or not set(about) <= known
        or not {"words", "source"} <= set(about)
    ):
        raise ToolInputError(
            f"The rule {name!r} is a table with words and source, and any of {', '.join(sorted(known - {'words', 'source'}))}."
        )
    for key, value in about.items():
        if problem := _problem(key, value):
            raise ToolInputError(f"The rule {name!r}: {key} is {problem}.")
    return Rule(name=name, **cast("dict[str, Any]", dict(about)))


def _problem(key: str, value: Any) -> str:
    if key in ("words", "source"):
        return (
            "" if isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST else "a short text"
        )
    if key in ("ahead", "back"):
        return "" if value in get_args(Move) else f"one of {', '.join(get_args(Move))}"
    if key == "clear_before":
        return "" if isinstance(value, bool) else "true or false"
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_DAYS
    return "" if whole else f"a number from 0 to {_MOST_DAYS}"
