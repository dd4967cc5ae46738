"""Where an address stands that a page is to be read at: in the user's words, or in what an allowed source answered.

An address that the model or a document made up could carry the user's data to whoever owns it. One that stands verbatim in
words which somebody else wrote before carries no more than that it was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from deskmate.types.events import EgressAsked, Event, ToolFinished, UserSaid

ADDRESS_LIMIT = 2_000
READS = 5
"""How often a thread may read one address."""
_COMPARED = 500
_ADDRESS = re.compile(r"https://[^\s<>\"'`|\\^{}]{1,4000}", re.IGNORECASE)
_AFTER = ".,;:!?)]*_"
"""What ends a sentence or closes a bracket behind an address."""


def place_of(events: Iterable[Event], address: str, sources: Collection[str]) -> str:
    """Return where an address stands, "" if nowhere: exactly as it is, but for its fragment.

    Args:
        events: the thread's log.
        address: `https://host/path?query`.
        sources: names of the connectors whose answers count.
    """
    log = tuple(events)
    if len(address) > ADDRESS_LIMIT or times_read(log, address) >= READS:
        return ""
    for event in log:
        match event.payload:
            case UserSaid(text=text) if address in addresses_in(text):
                return f"your words, event {event.seq}"
            case ToolFinished(tool=tool, outcome="ok", text=text) if tool.partition("__")[
                0
            ] in sources and address in addresses_in(text):
                return f"an answer of {tool}, event {event.seq}"
    return ""


def times_read(events: Iterable[Event], address: str) -> int:
    """Return how often this address was asked for and let through: reading it again and again could spell something out."""
    host, _, path = address.removeprefix("https://").partition("/")
    begin = f"/{path}"[:_COMPARED]
    asked = (event.payload for event in events if isinstance(event.payload, EgressAsked))
    return sum(one.allowed and one.host == host and one.path.startswith(begin) for one in asked)


def addresses_in(text: str) -> frozenset[str]:
    """Return the addresses that a text holds, in the form in which they are compared."""
    return frozenset(_found(text))


def _found(text: str) -> Iterator[str]:
    for match in _ADDRESS.finditer(text):
        text = match[0]
        while text:
            if plain := _plain(text):
                yield plain
            if text[-1] not in _AFTER:
                break
            text = text[:-1]


def _plain(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not host or port not in (None, 443) or "@" in parts.netloc:
        return ""
    query = f"?{parts.query}" if parts.query else ""
    return f"https://{host}{parts.path or '/'}{query}"
