"""What Deskmate promises of every change to the user's files (I8 to I10), checked in the log and its plans.

A plan is read as plain JSON: how it is carried out is no matter of the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deskmate.errors import CorruptData
from deskmate.ports import BlobReader
from deskmate.types.events import ApplyFinished, ApplyStarted, ChangesStaged, Event
from deskmate.types.ids import Digest

_DIGEST_LENGTH = 64
_BY = ("user", "policy", "")


class Applies:
    """The plans of one log, each read once."""

    def __init__(self, blobs: BlobReader) -> None:
        """`blobs`: where plans are; one that cannot be read is reported elsewhere."""
        self._blobs = blobs
        self._plans: dict[Digest, Mapping[str, Any] | None] = {}
        self.open: dict[Digest, int] = {}
        """Plans without an outcome so far → the event that began them."""

    def check(self, events: Iterable[Event]) -> Iterator[tuple[str, str]]:
        """Yield promise and problem, one for each thing that does not hold."""
        staged: set[str] = set()
        done: set[str] = set()
        for event in events:
            match event.payload:
                case ChangesStaged(difference=difference):
                    staged.add(difference)
                case ApplyStarted(plan=digest, by=by):
                    for problem in self._begun(event.seq, digest):
                        yield "I8", f"event {event.seq}: {problem}"
                    for problem in self._origin(digest, by, staged, done):
                        yield "I10", f"event {event.seq}: {problem}"
                case ApplyFinished(plan=digest, applied=applied):
                    self.open.pop(digest, None)
                    if applied:
                        yield from self._carried_out(event.seq, digest)
                        done.add(digest)

    def _begun(self, seq: int, digest: Digest) -> Iterator[str]:
        if self.open:
            yield f"an apply began before that of event {min(self.open.values())} was settled"
        self.open[digest] = seq

    def _origin(self, digest: Digest, by: str, staged: set[str], done: set[str]) -> Iterator[str]:
        """I10: files change by what a run staged or an undo takes back, and somebody wanted it."""
        plan = self._plan(digest)
        if by not in _BY:
            yield f"nobody is named who wanted the apply: {by!r}"
        if plan is None:
            return
        source, undoes = plan.get("source"), plan.get("undoes", ())
        if source is None and not undoes:
            yield "an apply of changes that no run made"
        elif source is not None and source not in staged:
            yield "an apply of a change set that was never staged"
        if unknown := [target for target in undoes if target not in done]:
            yield f"an undo of a plan that was never carried out: {unknown[0][:12]}"

    def _carried_out(self, seq: int, digest: Digest) -> Iterator[tuple[str, str]]:
        plan = self._plan(digest)
        if plan is None:
            return
        modes = {grant["name"]: grant.get("mode", "rw") for grant in plan["grants"]}
        for step in plan["steps"]:
            for problem in _step_problems(step, modes, undo=bool(plan.get("undoes"))):
                yield "I10", f"event {seq}: {step['path']}: {problem}"
        for problem in self._undone_exactly(plan):
            yield "I9", f"event {seq}: {problem}"

    def _undone_exactly(self, plan: Mapping[str, Any]) -> Iterator[str]:
        """I9: an undo brings back exactly what one of its plans found: content, mode, time, attributes."""
        found: dict[str, list[Any]] = {}
        for target in plan.get("undoes", ()):
            undone = self._plan(target)
            for step in undone["steps"] if undone else ():
                found.setdefault(step["path"], []).append(step["before"])
        for step in plan["steps"] if plan.get("undoes") else ():
            after = step["after"]
            if (after or step["before"] or {}).get("kind") == "dir":
                continue  # a folder above may only change its time
            if step["path"] not in found:
                yield f"an undo changed {step['path']}, which its plans had not touched"
            elif after not in found[step["path"]]:
                yield f"{step['path']} is not what it was before it was applied"

    def _plan(self, digest: Digest) -> Mapping[str, Any] | None:
        """Return a plan, None for one that cannot be read."""
        if digest not in self._plans:
            try:
                plan = json.loads(self._blobs.read(digest))
                sound = _is_plan(plan)
            except (CorruptData, ValueError, RecursionError):
                plan, sound = None, False
            self._plans[digest] = plan if sound else None
        return self._plans[digest]


def _is_plan(plan: Any) -> bool:
    if not isinstance(plan, dict):
        return False
    steps, grants = plan.get("steps"), plan.get("grants")
    return (
        isinstance(steps, list)
        and isinstance(grants, list)
        and all(
            isinstance(step, dict) and {"path", "before", "after"} <= step.keys() for step in steps
        )
        and all(isinstance(grant, dict) and "name" in grant for grant in grants)
    )


def _step_problems(
    step: Mapping[str, Any], modes: Mapping[str, str], *, undo: bool
) -> Iterator[str]:
    """I10: base and new content are named; a grant's mode holds."""
    before, after = step["before"], step["after"]
    for side, state in (("before", before), ("after", after)):
        if state and state["kind"] == "file" and len(state.get("sha256") or "") != _DIGEST_LENGTH:
            yield f"its content {side} is not named"
    mode = modes.get(step["path"].split("/", 1)[0])
    if mode is None:
        yield "it is in no granted folder"
    elif mode == "ro":
        yield "it is in a folder that was granted for reading only"
    elif mode == "rw-no-delete" and not undo and before and after is None:
        yield "it was deleted where the grant forbids that"
