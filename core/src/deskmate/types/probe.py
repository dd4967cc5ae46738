"""What a probe saw of a plugin: how it loads, what its tools do, whether its gates judge.

A probe runs beside the plugin's own code, so its report is a claim: the host reads it within bounds and judges it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PROBE_LIMIT_BYTES = 4 << 20
ObservedKind = Literal["write", "read", "network", "process", "import", "state"]
Outcome = Literal["answer", "refused", "fault", "late", "died", "unfit"]
GateVerdict = Literal["pass", "refuse", "crash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One thing that code did outside its own memory. `what`: a path, a host, a program, or in words."""

    kind: ObservedKind
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSeen:
    """How the plugin loaded. `error`: why it did not. `registry`: what it brings, as a guest reports it."""

    error: str = ""
    seconds: float = 0.0
    observed: tuple[Observed, ...] = ()
    registry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSeen:
    """One call of a tool. `digest`: of all that it answered. `files`: workspace path → digest of what it left.

    `problem`: what of its answer is not what the case expects.
    """

    number: int
    tool: str
    outcome: Outcome
    text: str = ""
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    observed: tuple[Observed, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzSeen:
    """What odd arguments did to a tool. `faults`: each as one line with the arguments."""

    tool: str
    tried: int
    faults: tuple[str, ...] = ()
    observed: tuple[Observed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSeen:
    """What a rule said of one example. `wanted`: what the example is for. `text`: its first word, or why none."""

    number: int
    rule: str
    wanted: GateVerdict
    found: GateVerdict
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """All that one process with the plugin in it saw. `problem`: why it did not come to its end.

    `left`: tools and rules of which an example was not tried, because it takes the office image and this machine has none.
    """

    load: LoadSeen = field(default_factory=LoadSeen)
    calls: tuple[CallSeen, ...] = ()
    fuzz: tuple[FuzzSeen, ...] = ()
    gates: tuple[GateSeen, ...] = ()
    problem: str = ""
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """Two sessions of the same plugin with another order of sets; what differs is not determined.

    `cases_problem`: why its examples cannot be read.
    """

    first: SessionSeen
    second: SessionSeen = field(default_factory=SessionSeen)
    cases_problem: str = ""
