"""What `deskmate bench` measured on this machine before, and what has got slower since."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from deskmate import __version__
from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json

FILE = "bench.jsonl"
SLOWER = 1.25
"""A figure this many times the usual one is told: less is the weather of a shared machine."""
_COMPARED = 5
_KEPT = 500
_GROWING = ("ratio", "read_share", "items_per_s")
"""Figures of which more is better; of all other measured ones less is."""
_SETTINGS = (
    "isolation",
    "plugins",
    "restores",
    "memory_vms",
    "files",
    "size_mib",
    "sheets",
    "rows",
    "appends",
    "events",
    "turns",
    "first_token_ms",
    "engine",
    "items",
    "slots",
)
"""What was asked for, not measured: only runs that agree in it are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a bench. `bench`: its name. `at`: when, UTC. `figures`: as its JSON has them."""

    bench: str
    at: str
    version: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """A figure that is worse than usual. `usual`: the median of the last runs like this one."""

    figure: str
    usual: float
    now: float


def remember(folder: Path, bench: str, figures: Any, at: str) -> tuple[Slower, ...]:
    """Add a run to the history in `folder`, and return what is worse than usual here.

    `figures`: a dataclass. Raises OSError if the file cannot be written.
    """
    now = Measured(bench=bench, at=at, version=__version__, figures=to_json(figures))
    before = read_history(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f".{FILE}.part"
    rows = [json.dumps(to_json(run), sort_keys=True) for run in (*before, now)]
    part.write_text("\n".join(rows[-_KEPT:]) + "\n", "utf-8")
    part.replace(folder / FILE)
    return compare(before, now)


def read_history(folder: Path) -> tuple[Measured, ...]:
    """Return the runs in the order they were made. Lines that cannot be read are left out."""
    try:
        lines = (folder / FILE).read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(from_json(Measured, json.loads(line)))
        except (ValueError, CorruptData):
            continue
    return tuple(found)


def compare(before: Sequence[Measured], now: Measured) -> tuple[Slower, ...]:
    """Return the figures of a run that are clearly worse than in the last ones like it."""
    alike = [run for run in before if run.bench == now.bench and _settings(run) == _settings(now)]
    slower = []
    for name, value in now.figures.items():
        usual = [run.figures.get(name) for run in alike[-_COMPARED:]]
        numbers = [float(number) for number in usual if _is_number(number)]
        if name in _SETTINGS or not _is_number(value) or not numbers:
            continue
        middle = statistics.median(numbers)
        worse = middle > value * SLOWER if name in _GROWING else value > middle * SLOWER
        if worse and middle > 0:
            slower.append(Slower(figure=name, usual=middle, now=float(value)))
    return tuple(slower)


def _settings(run: Measured) -> dict[str, Any]:
    return {name: run.figures[name] for name in _SETTINGS if name in run.figures}


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
