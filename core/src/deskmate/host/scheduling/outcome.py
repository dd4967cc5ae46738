"""What is true of a run that nobody watched: it has succeeded only where its deliverable is there and passed its gates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deskmate.host.job import last
from deskmate.ports import BlobReader
from deskmate.types.events import (
    ApplyFinished,
    ChangesStaged,
    Event,
    GrantsSet,
    ModelReplied,
    Payload,
    RunFinished,
    Validated,
)
from deskmate.types.files import Deliverable, Grant
from deskmate.types.ids import Digest
from deskmate.types.messages import text_of
from deskmate.types.schedules import DueState, Schedule

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state that a run is in, and why."""

    state: DueState
    why: str


def of_dry_run(verdict: Verdict) -> Verdict:
    """Return what a verdict says of a dry run: a question in words is one that nobody will answer."""
    if verdict.state != "waiting":
        return verdict
    return Verdict(state="failed", why=f"it asks: {verdict.why}")


def judge(events: Sequence[Event], schedule: Schedule, blobs: BlobReader) -> Verdict:
    """Return what is true of a scheduled run, from its thread's log, the blobs and the user's folders.

    Raises CorruptData for content that is missing or damaged.
    """
    finished = last(events, RunFinished)
    if finished is None:
        return _failed("it has no end in its log")
    match finished.reason:
        case "done":
            return _judge_done(events, schedule, blobs)
        case "needs_you":
            return Verdict(state="waiting", why=finished.text)
        case "rejected":
            return _failed(finished.text)
        case "over_budget":
            return _failed(f"over budget: {finished.text}")
        case "stopped":
            return _failed("it was stopped")
    return _failed(finished.text)


def _judge_done(events: Sequence[Event], schedule: Schedule, blobs: BlobReader) -> Verdict:
    found: list[str] = []
    if schedule.expects_answer:
        reply = last(events, ModelReplied)
        if reply is None or not text_of(reply.content).strip():
            return _failed("it ended without an answer")
        found.append("its answer")
    for pattern in schedule.expects:
        named = [one for one in _deliverables(events) if fits(one.path, pattern)]
        if not named:
            return _failed(f"it ended without its deliverable {pattern}")
        if why := _why_unchecked(events):
            return _failed(why)
        if why := _why_missing(events, schedule, named[-1], blobs):
            return _failed(why)
        found.append(named[-1].path)
    return Verdict(state="succeeded", why=f"there and checked: {', '.join(found)}")


def fits(path: str, pattern: str) -> bool:
    """Say whether a workspace path is meant by a pattern, such as `*.docx` or `reports/summary*.md`."""
    return PurePosixPath(path).match(pattern)


def _deliverables(events: Sequence[Event]) -> tuple[Deliverable, ...]:
    staged = last(events, ChangesStaged)
    return staged.deliverables if staged else ()


def _why_unchecked(events: Sequence[Event]) -> str:
    """Return why the deliverables do not count as checked: the verdict must be on the last change set."""
    staged = _at(events, ChangesStaged)
    checked = _at(events, Validated)
    verdict = last(events, Validated)
    if verdict is None or checked < staged:
        return "its deliverable was not checked"
    return "" if verdict.passed else "its deliverable did not pass its gates"


def _why_missing(
    events: Sequence[Event], schedule: Schedule, named: Deliverable, blobs: BlobReader
) -> str:
    """Return why a deliverable is not there as it was checked, empty if it is."""
    digest = _digests(events, blobs).get(named.path)
    if digest is None or not blobs.has(digest):
        return f"its deliverable {named.path} is not there"
    if schedule.apply == "review":
        return ""
    applied = last(events, ApplyFinished)
    if applied is None or not applied.applied:
        return f"its deliverable {named.path} was not written into your folder"
    file = host_path(_grants(events), named.path)
    if file is None or not file.is_file():
        return f"its deliverable {named.path} is not in your folder"
    return "" if _sha256(file) == digest else f"{named.path} in your folder is another file"


def _digests(events: Sequence[Event], blobs: BlobReader) -> Mapping[str, Digest | None]:
    from deskmate.changes.review import read_difference  # noqa: PLC0415

    staged = last(events, ChangesStaged)
    if staged is None:
        return {}
    difference = read_difference(staged.difference, blobs)
    return {change.path: change.after.sha256 for change in difference.changes if change.after}


def _grants(events: Sequence[Event]) -> tuple[Grant, ...]:
    found = last(events, GrantsSet)
    return found.grants if found else ()


def host_path(grants: Sequence[Grant], path: str) -> Path | None:
    """Return where a workspace path is on the host, None if it is in no granted folder."""
    name, _, rest = path.partition("/")
    folders = [grant.folder for grant in grants if grant.name == name]
    return Path(folders[0]) / rest if folders and rest else None


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _failed(why: str) -> Verdict:
    return Verdict(state="failed", why=why or "it gave no reason")


def _at(events: Sequence[Event], kind: type[Payload]) -> int:
    found = (event.seq for event in reversed(events) if isinstance(event.payload, kind))
    return next(found, 0)
