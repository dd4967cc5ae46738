"""What threads there are and how each stands, computed from a few of their events."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deskmate.errors import DeskmateError
from deskmate.store import schema
from deskmate.store.lock import is_locked
from deskmate.store.thread import LOCK_FILE
from deskmate.types.ids import ThreadId

ATTENTION = ("needs you", "interrupted", "over budget", "damaged")
"""States in which a thread waits for its user."""
_STATES = {"needs_you": "needs you", "over_budget": "over budget"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSummary:
    """One line about a thread.

    `state`: new, working, interrupted, needs you, done, rejected, over budget, stopped, failed or
    damaged. `changed`: time of the last event. `pending`: changes that wait for a review. `pinned`,
    `archived`: as the user marked it. `forked_from`: the thread it was forked from. `project`: id of the project it is in. `problem`: why a damaged thread cannot be read.
    """

    thread: ThreadId
    title: str = ""
    state: str = "new"
    changed: str = ""
    events: int = 0
    pending: int = 0
    plugins: Mapping[str, str] = field(default_factory=dict)
    pinned: bool = False
    archived: bool = False
    forked_from: str = ""
    project: str = ""
    problem: str = ""


def by_attention(threads: Iterable[ThreadSummary]) -> list[ThreadSummary]:
    """Return threads as people look for them: what needs them, what is at work, pinned, the rest."""

    def rank(summary: ThreadSummary) -> int:
        if summary.state in ATTENTION:
            return 0
        return 1 if summary.state == "working" else 2 if summary.pinned else 3

    return sorted(threads, key=rank)  # stable: the newest first in each group


def list_threads(threads: Path) -> tuple[ThreadSummary, ...]:
    """Return all threads, the one changed last first. A damaged one is in the list, as such."""
    folders = sorted(threads.glob("t-*")) if threads.is_dir() else []
    found = [summary_of(folder) for folder in folders if (folder / schema.FILE).is_file()]
    placed = [running_state(summary, threads) for summary in found]
    return tuple(sorted(placed, key=lambda summary: summary.changed, reverse=True))


def running_state(summary: ThreadSummary, threads: Path) -> ThreadSummary:
    """Return the summary of a thread whose run has no end: interrupted, unless somebody works in it now."""
    if summary.state != "working" or is_locked(threads / summary.thread / LOCK_FILE):
        return summary
    return replace(summary, state="interrupted")


def summary_of(folder: Path) -> ThreadSummary:
    """Return what a thread's log says of it; a run without an end counts as working."""
    thread = ThreadId(folder.name)
    try:
        db = schema.open_database(folder, write=False)
        try:
            rows = db.execute(
                f"select kind, payload from events where {schema.LISTED} order by seq"  # noqa: S608 - our own words
            ).fetchall()
            last = db.execute("select seq, time from events order by seq desc limit 1")
            size, changed = last.fetchone() or (0, "")
        finally:
            db.close()
        facts = _read(rows)
    except sqlite3.Error as error:
        problem = schema.explain(error, folder.name).message
        return ThreadSummary(thread=thread, state="damaged", problem=problem)
    except DeskmateError as error:
        return ThreadSummary(thread=thread, state="damaged", problem=error.message)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"The log holds an event that cannot be read: {error!r}."
        return ThreadSummary(thread=thread, state="damaged", problem=problem)
    return ThreadSummary(
        thread=thread,
        title=facts["title"],
        state=_state(facts),
        changed=changed,
        events=size,
        pending=facts["pending"],
        plugins=facts["plugins"],
        pinned=facts["pinned"],
        archived=facts["archived"],
        forked_from=facts["forked_from"],
        project=facts["project"],
    )


def _read(rows: list[tuple[str, str]]) -> dict[str, Any]:
    facts: dict[str, Any] = {"title": "", "plugins": {}, "pending": 0, "run": "", "reason": ""}
    facts |= {"pinned": False, "archived": False, "forked_from": "", "project": ""}
    for kind, text in rows:
        payload = json.loads(text)
        match kind:
            case "PluginsSet":
                facts["plugins"] = payload["versions"]
            case "UserSaid" | "RunResumed":
                facts |= {"run": payload["run"], "reason": ""}
                facts["title"] = facts["title"] or payload.get("text", "").partition("\n")[0][:80]
            case "RunFinished":
                facts["reason"] = payload["reason"]
            case "ChangesStaged":
                facts["pending"] = sum(payload[name] for name in ("created", "modified", "deleted"))
            case "ChangesDiscarded":
                facts["pending"] = payload.get(
                    "left", facts["pending"] * bool(payload.get("paths"))
                )
            case "ApplyFinished" if payload["applied"]:
                facts["pending"] = payload.get("left", 0)
            case _:
                _read_owner(kind, payload, facts)
    return facts


def _read_owner(kind: str, payload: Mapping[str, Any], facts: dict[str, Any]) -> None:
    """Take in what the user made of the thread."""
    match kind:
        case "ThreadCreated" | "ThreadRenamed":
            facts["title"] = payload["title"]
        case "ThreadMarked":
            facts |= {name: bool(payload.get(name)) for name in ("pinned", "archived")}
        case "ProjectSet":
            facts["project"] = payload["project"]
        case "ThreadForked":  # a fork of a fork has its parent's own record below its own
            facts["forked_from"] = facts["forked_from"] or payload["parent"]


def _state(facts: Mapping[str, Any]) -> str:
    if not facts["run"]:
        return "new"
    if not facts["reason"]:
        return "working"
    if facts["reason"] == "done" and facts["pending"]:
        return "needs you"
    reason = str(facts["reason"])
    return _STATES.get(reason, reason)
