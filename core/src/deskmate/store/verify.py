"""Checks a thread against what Deskmate promises of every log (I1 to I14) and of its blobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from deskmate.errors import CorruptData
from deskmate.ports import BlobReader
from deskmate.store import chain
from deskmate.store.applied import Applies
from deskmate.store.approvals import check_approvals
from deskmate.store.invariants import CHECKERS, interrupted
from deskmate.store.lock import is_locked
from deskmate.store.signing import Head, parse_checkpoint, problems_of
from deskmate.store.subagents import broken_by_subagents
from deskmate.store.thread import HEAD_FILE, LOCK_FILE, ThreadStore
from deskmate.types.codec import from_json
from deskmate.types.events import KINDS, Event, SubagentDid
from deskmate.types.ids import Digest
from deskmate.types.subagents import inside, records_of, told

BLOB_FIELDS = {
    "BaseTaken": "manifest",
    "ContentTaken": "manifest",
    "CheckpointMade": "manifest",
    "ChangesStaged": "difference",
    "ChangesDiscarded": "difference",
    "ApplyStarted": "plan",
    "ToolFinished": "full",
    "TextTaken": "words",
    "SubagentStarted": "manifest",
}
"""Kind of event → the field that names a blob. The lists of files in them name further blobs."""
LISTS = frozenset({"manifest", "difference", "plan"})
"""Fields whose blob is a list of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found. `problems`: one line each, empty when all is sound. `blobs`: how many were read.

    `notes`: what is not settled yet, such as a run that was interrupted; that is no damage.
    """

    thread: str
    events: int
    head: str
    blobs: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


async def verify_thread(
    store: ThreadStore,
    blobs: BlobReader,
    *,
    heads: Sequence[Head] = (),
    key: str = "",
    settled: bool = False,
) -> VerifyReport:
    """Check the whole log, its witness, every promise, and every blob it needs.

    `heads`: checkpoints of it that were kept elsewhere; `key`: who must have signed them, anybody if empty.
    `settled`: nothing may be under way or left over; what else would be a note is then a problem.
    """
    found = _Found(
        records=await store.rows(),
        problems=await store.faults(),
        notes=await anyio.to_thread.run_sync(leftovers, store.folder),
    )
    witness = read_witness(store)
    work = partial(_verify, found, blobs, witness, settled=settled)
    report = await anyio.to_thread.run_sync(work)
    unfit = () if report.problems else problems_of(heads, found.records, key)
    return replace(report, problems=(*report.problems, *(f"{one} (I1)" for one in unfit)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What lies in a thread's folder: its records, what is wrong with the database, what is left over."""

    records: Sequence[Mapping[str, Any]]
    problems: Sequence[str]
    notes: Sequence[str]


def leftovers(folder: Path) -> tuple[str, ...]:
    """I14: return what a process that ended early left in a thread's folder, one line each."""
    journal = sorted(path.name for path in (folder / "apply").glob("*"))
    temporary = sorted(path.name for path in folder.glob(".*.tmp"))
    found = [f"an apply's journal is left: {name}" for name in journal]
    found += [f"a temporary file is left: {name}" for name in temporary]
    if found and is_locked(folder / LOCK_FILE):
        return ()  # its writer is at work
    return tuple(found)


def read_witness(store: ThreadStore) -> chain.Checkpoint | None:
    """Return the head noted at the last orderly close, None if there is none. Raises CorruptData."""
    path = store.folder / HEAD_FILE
    return parse_checkpoint(path.read_text()) if path.exists() else None


def _verify(
    found: _Found, blobs: BlobReader, checkpoint: chain.Checkpoint | None, *, settled: bool
) -> VerifyReport:
    report = chain.check(found.records, checkpoint)
    problems = [f"{report.problem} (I1)"] if report.problem else []
    sound = found.records[: report.size]
    events, unread = _events_of(sound)
    problems += unread
    notes: list[str] = []
    if not unread:
        problems += _broken_promises(sound, events, blobs, notes)
    problems += found.problems
    notes += found.notes
    count = 0
    for digest, needed_by in sorted(needed_blobs(sound, blobs).items()):
        count += 1
        if problem := _check_blob(blobs, digest):
            problems.append(f"{problem} (needed by {needed_by})")
    if settled:
        problems, notes = problems + notes, []
    return VerifyReport(
        thread=report.thread,
        events=len(found.records),
        head=report.head,
        blobs=count,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _events_of(records: Iterable[Mapping[str, Any]]) -> tuple[list[Event], list[str]]:
    """Return the events of records whose chain is sound, or what cannot be read of them."""
    events: list[Event] = []
    for record in records:
        seq, kind = record["seq"], record["kind"]
        if kind not in KINDS:
            return events, [f"event {seq} is of a kind that this Deskmate does not know: {kind}"]
        try:
            payload = from_json(KINDS[kind], record["payload"])
            if isinstance(payload, SubagentDid):
                told(payload)
        except CorruptData as error:
            return events, [f"event {seq} does not have the shape of its kind: {error.message}"]
        events.append(
            Event(
                seq=seq,
                time=record["time"],
                payload=payload,
                prev_hash=record["prev_hash"],
                hash=record["hash"],
            )
        )
    return events, []


def _broken_promises(
    records: Sequence[Mapping[str, Any]],
    events: Sequence[Event],
    blobs: BlobReader,
    notes: list[str],
) -> Iterator[str]:
    """Yield each promise that does not hold, and note what is not settled yet."""
    for name, check in CHECKERS.items():
        yield from (f"{problem} ({name})" for problem in check(events))
    yield from broken_by_subagents(events)
    for child, own in records_of(records).items():
        yield from (f"{child}: {problem} (I11)" for problem in check_approvals(own))
    applies = Applies(blobs)
    yield from (f"{problem} ({name})" for name, problem in applies.check(events))
    yield from (f"{problem} (I11)" for problem in check_approvals(records))
    for seq in applies.open.values():
        notes.append(f"the apply of event {seq} is not settled: deskmate changes recover")
    if run := interrupted(events):
        notes.append(f"run {run} is under way, or was interrupted: deskmate thread resume")


def needed_blobs(records: Iterable[Mapping[str, Any]], blobs: BlobReader) -> dict[Digest, str]:
    """Return every blob that the log needs → what needs it: lists of files, and the files in them."""
    needed: dict[Digest, str] = {}
    for record in map(inside, records):
        for digest in _shown(record):
            needed.setdefault(digest, f"event {record['seq']}")
        field = BLOB_FIELDS.get(record["kind"], "")
        digest = record["payload"].get(field)
        if not isinstance(digest, str) or digest in needed:
            continue
        needed[Digest(digest)] = f"event {record['seq']}"
        if field in LISTS:
            for inner in _listed(Digest(digest), blobs):
                needed.setdefault(inner, f"event {record['seq']}")
    return needed


def _shown(record: Mapping[str, Any]) -> Iterator[Digest]:
    """Yield the pictures that a result showed to the model, and the files that came with it."""
    payload = record["payload"] if record["kind"] == "ToolFinished" else {}
    for rows in (payload.get("pictures"), payload.get("kept")):
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(digest := row.get("sha256"), str):
                yield Digest(digest)


def _listed(digest: Digest, blobs: BlobReader) -> Iterator[Digest]:
    try:
        content = json.loads(blobs.read(digest))
    except (CorruptData, ValueError):
        return  # the list itself is then reported
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(inner := value.get("sha256"), str):
                yield Digest(inner)
            pending += value.values()
        elif isinstance(value, list):
            pending += value


def _check_blob(blobs: BlobReader, digest: Digest) -> str:
    try:
        for _ in blobs.chunks(digest):
            pass
    except CorruptData as error:
        return error.message
    return ""
