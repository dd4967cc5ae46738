"""What travels of connectors; part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deskmate.host.connector_running import Kind, Step
from deskmate.types.registry import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """A tool of a connector. `decision`: empty: asked about as the thread's rules say. `risk`: as the user says it.

    `says`: what the server says of it, unverified. `off`: why no thread is offered it.
    """

    name: str
    about: str
    decision: str
    risk: Risk
    says: str
    off: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorRow:
    """A connector with its tools. `login`: how its login stands; empty: it wants none. `secrets`: those that lack."""

    name: str
    url: str
    server: str
    categories: tuple[str, ...]
    of: str
    login: Literal["", "in", "out"]
    secrets: tuple[str, ...]
    tools: tuple[ToolRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectors:
    """All connectors by name."""

    rows: tuple[ConnectorRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a server answered. `added`, `gone`, `changed`: how it differs from what was accepted."""

    server: str
    tools: int
    added: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool with every word of it that the model would read. `differs`: how it is not what was accepted before."""

    name: str
    about: str
    arguments: tuple[str, ...]
    says: str
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """The connector that is on its way; without a name none is. `login`: where to log in, at the host `login_host`.

    `program`: what was fetched and what it may reach, in lines. `tools`: those that accepting is about. `gone`: what was
    accepted and is not there. `left_out`: tool → why it cannot be used.
    """

    name: str
    kind: Kind
    step: Step
    url: str
    server: str
    line: str
    login: str
    login_host: str
    program: tuple[str, ...]
    tools: tuple[Offered, ...]
    gone: tuple[str, ...]
    left_out: Mapping[str, str]
    problem: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A connector that a thread has, or could have. `tools`: how many it offers."""

    name: str
    server: str
    tools: int
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """A host that a thread's machine may ask. `words`: as the user writes it; `by`: who allowed it; `mine`: the user did."""

    host: str
    words: str
    by: str
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a thread reaches from its next run on."""

    connectors: tuple[Reached, ...]
    hosts: tuple[HostRule, ...]


ROOTS = (Connectors, Tested, Underway, Reach)
