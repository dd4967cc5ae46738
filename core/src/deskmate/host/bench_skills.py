"""What many skills cost: 5,000 generated ones in one folder are added, listed by the command, read, ranked and prompted."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deskmate.errors import DeskmateError
from deskmate.ports import Progress
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import Registry

LIST_TARGET_S = 2.0
PROMPT_TARGET_CHARACTERS = 8_000
_LIST_DEADLINE_S = 300
_TOPICS = ("invoice", "contract", "deck", "roadmap", "ticket", "vendor", "forecast", "campaign")
_JOBS = ("review", "write", "summarise", "compare", "check", "plan")
_ASKED = "Please compare the vendors and write a forecast"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillFigures:
    """One run. `list_s`: of `deskmate skill list`, a process of its own, median of three.

    `add_s`: read, copied and pinned. `read_s`: all texts, checked, as at the start of a run. `rank_s`: one request of
    a user ranked among all. `prompt_characters`: of the system prompt and of what is named beside the request.
    """

    skills: int
    add_s: float
    list_s: float
    read_s: float
    rank_s: float
    prompt_characters: int
    targets_met: bool


def bench_skills(folder: Path, progress: Progress, *, count: int = 5_000) -> SkillFigures:
    """Measure. `folder`: where a folder of its own is made meanwhile. Raises what adding raises."""
    from deskmate.agent.skills import catalogue, suggestions  # noqa: PLC0415
    from deskmate.discovery.bringing import BringOrder, bring  # noqa: PLC0415
    from deskmate.discovery.foreign import skill_specs  # noqa: PLC0415
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-skills-", dir=folder) as made:
        home = Path(made) / "home"
        places = Places(data=home / "data", cache=home / "cache", config=home / "config")
        progress(f"writing {count:,} skills")
        _write(Path(made) / "many", count)
        store = PluginStore(places.plugins)
        order = BringOrder(what=str(Path(made) / "many"))
        _, add_s = _timed(lambda: bring(order, store, progress))
        progress("listing them")
        list_s = statistics.median(_timed(lambda: _list(home, count))[1] for _ in range(3))
        plugin = find_plugins([], store=places.plugins).get("many")
        specs, read_s = _timed(lambda: tuple(skill_specs(plugin)))
        registry = Registry(lock=Digest("0" * 64), skills=specs)
        beside, rank_s = _timed(lambda: suggestions(registry)(_ASKED))
        characters = len(catalogue(registry)) + len(beside)
    return SkillFigures(
        skills=count,
        add_s=round(add_s, 3),
        list_s=round(list_s, 3),
        read_s=round(read_s, 3),
        rank_s=round(rank_s, 3),
        prompt_characters=characters,
        targets_met=list_s <= LIST_TARGET_S and characters <= PROMPT_TARGET_CHARACTERS,
    )


def _write(folder: Path, count: int) -> None:
    for number in range(count):
        topic, job = _TOPICS[number % len(_TOPICS)], _JOBS[number // len(_TOPICS) % len(_JOBS)]
        name = f"{job}-{topic}-{number}"
        place = folder / name
        place.mkdir(parents=True)
        body = f"# {name}\n\n" + f"Step of how to {job} a {topic}.\n" * 40
        head = f"---\nname: {name}\ndescription: Use to {job} a {topic} of team {number}. It covers the usual cases.\n---\n"
        (place / "SKILL.md").write_text(head + body, "utf-8")


def _list(home: Path, count: int) -> None:
    """List them as a user does. Raises DeskmateError unless all of them are there."""
    environ = {**os.environ, "DESKMATE_HOME": str(home)}
    command = [sys.executable, "-m", "deskmate", "skill", "list"]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=_LIST_DEADLINE_S, check=False
    )
    found = done.stdout.count("\n/many:") + done.stdout.startswith("/many:")
    if done.returncode or found != count:
        raise DeskmateError(f"skill list shows {found:,} of {count:,} skills: {done.stderr[-300:]}")


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
