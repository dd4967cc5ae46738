"""A pool of workers on one machine or many: who they are, what waits for them, and why a job was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WorkerState = Literal["at_work", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWorker:
    """One worker process, under a name that stays its own over restarts.

    `slots`: how many virtual machines at once; `memory_mib`: what they may take together, None: no limit. `began`,
    `seen`: RFC 3339, UTC, by its own clock. `running`: items in work; `waiting`: items that it has and no room for.
    """

    name: str
    slots: int
    memory_mib: int | None
    version: str
    began: str
    seen: str
    running: int = 0
    waiting: int = 0
    state: WorkerState = "at_work"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """Why a job was stopped before its end. `by`: the worker, or who did it."""

    kind: Literal["over_budget", "failed"]
    message: str
    hint: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """One queue of a pool. `host`: the one worker that takes from it, "" for the queue of all.

    `given_up`: items that were begun so often that nobody begins them again; `stopped`: by a word or a budget.
    """

    host: str
    waiting: int = 0
    running: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """How a pool stands. `stuck`: worker → items that it had begun and that nobody else may take until it is back or forgotten.

    `done`, `stopped`: items of all time.
    """

    engine: str
    workers: tuple[PoolWorker, ...]
    queues: tuple[QueueCounts, ...]
    done: int = 0
    stopped: int = 0
    stuck: Mapping[str, int] = field(default_factory=dict)
    spent_usd: float = 0.0
