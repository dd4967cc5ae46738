"""A page is read at an address that stands somewhere, verbatim: no address that was made up can carry anything away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deskmate.agent.provenance import READS, addresses_in, place_of
from deskmate.types.events import EgressAsked, Event, Outcome, ToolFinished, UserSaid
from deskmate.types.ids import RunId, ToolUseId

MakeLog = Callable[..., tuple[Event, ...]]


def said(text: str) -> UserSaid:
    return UserSaid(run=RunId("r"), text=text, model="m")


def answered(tool: str, text: str, outcome: Outcome = "ok") -> ToolFinished:
    return ToolFinished(tool_use_id=ToolUseId("u"), tool=tool, outcome=outcome, text=text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Read https://example.org/a?b=c.", "https://example.org/a?b=c"),
        ("(https://example.org)", "https://example.org/"),
        ("HTTPS://Example.ORG/Path#part", "https://example.org/Path"),
        ("[it](https://example.org/a_(b))", "https://example.org/a_(b)"),
        ("https://example.org:443/x", "https://example.org/x"),
        ("<https://example.org/x>", "https://example.org/x"),
    ],
)
def test_addresses_are_found_as_people_write_them(
    make_log: MakeLog, text: str, address: str
) -> None:
    assert place_of(make_log(said(text)), address, ()) == "your words, event 1"


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a?b=cc",
        "https://example.org/a?b=",
        "https://example.org/a",
        "https://example.org/a?b=c&d=secret",
        "https://evil.example.org/a?b=c",
        "https://example.org.evil.test/a?b=c",
        "http://example.org/a?b=c",
        f"https://example.org/{'x' * 3000}",
    ],
)
def test_an_address_that_differs_by_one_character_stands_nowhere(
    make_log: MakeLog, address: str
) -> None:
    assert place_of(make_log(said("Read https://example.org/a?b=c now")), address, ()) == ""


def test_only_answers_of_allowed_sources_count(make_log: MakeLog) -> None:
    log = make_log(
        said("Search"),
        answered("workspace__read", "https://example.org/a"),
        answered("crm__find", "https://example.org/b"),
        answered("search__web", "see https://example.org/c", "error"),
        answered("search__web", "see https://example.org/d"),
    )
    found: dict[str, Any] = {
        c: place_of(log, f"https://example.org/{c}", {"search"}) for c in "abcd"
    }
    assert found == {"a": "", "b": "", "c": "", "d": "an answer of search__web, event 5"}


def test_one_address_is_read_a_few_times_only(make_log: MakeLog) -> None:
    sent = EgressAsked(
        request="1", method="GET", host="example.org", port=443, path="/a", allowed=True, why=""
    )
    log = make_log(said("https://example.org/a https://example.org/b"), *[sent] * READS)
    assert place_of(log, "https://example.org/a", ()) == ""
    assert place_of(log, "https://example.org/b", ()) == "your words, event 1"


def test_what_is_no_address_is_none() -> None:
    assert (
        addresses_in("https://user@example.org/ https://example.org:8443/ https://[::1 https:///x")
        == frozenset()
    )
