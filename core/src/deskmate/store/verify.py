"""Checks a thread against what Deskmate promises of every log (I1 to I3, I11) and of its blobs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from deskmate.errors import CorruptData
from deskmate.ports import BlobReader
from deskmate.store import chain
from deskmate.store.approvals import check_approvals
from deskmate.store.thread import HEAD_FILE, ThreadStore
from deskmate.types.ids import Digest

BLOB_FIELDS = {
    "BaseTaken": "manifest",
    "ContentTaken": "manifest",
    "CheckpointMade": "manifest",
    "ChangesStaged": "difference",
    "ChangesDiscarded": "difference",
    "ApplyStarted": "plan",
    "ToolFinished": "full",
}
"""Kind of event → the field that names a blob. The lists of files in them name further blobs."""
LISTS = frozenset({"manifest", "difference", "plan"})
"""Fields whose blob is a list of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found. `problems`: one line each, empty when all is sound. `blobs`: how many were read."""

    thread: str
    events: int
    head: str
    blobs: int
    problems: tuple[str, ...]


async def verify_thread(
    store: ThreadStore, blobs: BlobReader, *, checkpoint: chain.Checkpoint | None = None
) -> VerifyReport:
    """Check the whole log, its witness or the given checkpoint, and every blob it needs."""
    records = await store.rows()
    witness = checkpoint or read_witness(store)
    return await anyio.to_thread.run_sync(_verify, records, blobs, witness)


def read_witness(store: ThreadStore) -> chain.Checkpoint | None:
    """Return the head noted at the last orderly close, None if there is none. Raises CorruptData."""
    path = store.folder / HEAD_FILE
    return parse_checkpoint(path.read_text()) if path.exists() else None


def parse_checkpoint(text: str) -> chain.Checkpoint:
    """Return the checkpoint in a JSON text. Raises CorruptData."""
    try:
        data = json.loads(text)
        return chain.Checkpoint(
            thread=str(data["thread"]), size=int(data["size"]), head=str(data["head"])
        )
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptData(f"The checkpoint cannot be read: {error}.") from error


def _verify(
    records: Sequence[Mapping[str, Any]], blobs: BlobReader, checkpoint: chain.Checkpoint | None
) -> VerifyReport:
    report = chain.check(records, checkpoint)
    problems = [report.problem] if report.problem else []
    sound = records[: report.size]
    problems += _check_tools(sound)
    problems += _check_intents(sound)
    problems += check_approvals(sound)
    count = 0
    for digest, needed_by in sorted(needed_blobs(sound, blobs).items()):
        count += 1
        if problem := _check_blob(blobs, digest):
            problems.append(f"{problem} (needed by {needed_by})")
    return VerifyReport(
        thread=report.thread,
        events=len(records),
        head=report.head,
        blobs=count,
        problems=tuple(problems),
    )


def _check_tools(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """I2: every tool use has exactly one result once its run has ended; no result without a use."""
    uses: set[str] = set()
    results: Counter[str] = Counter()
    for record in records:
        payload = record["payload"]
        if record["kind"] == "ModelReplied":
            uses |= {
                str(block.get("id"))
                for block in payload.get("content", ())
                if block.get("type") == "tool_use"
            }
        elif record["kind"] == "ToolFinished":
            use = str(payload.get("tool_use_id"))
            results[use] += 1
            if use not in uses:
                yield f"event {record['seq']}: a result for {use}, which nobody asked for"
        elif missing := sorted(uses - results.keys()) if _needs_results(record) else ():
            yield f"event {record['seq']}: {record['kind']} without a result for {missing[0]}"
            uses -= set(missing)
    for use, count in sorted(results.items()):
        if count > 1:
            yield f"{use} has {count} results"


def _needs_results(record: Mapping[str, Any]) -> bool:
    """Say whether all tool uses must have their result by now: a new request, an orderly end."""
    return record["kind"] == "ModelAsked" or (
        record["kind"] == "RunFinished" and record["payload"].get("reason") in ("done", "rejected")
    )


_INTENTS = {
    "ModelReplied": "ModelAsked",
    "ModelFailed": "ModelAsked",
    "ApplyFinished": "ApplyStarted",
}
"""Outcome → the intent it must follow; each intent allows one outcome."""


def _check_intents(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """I3: no outcome without its intent before it. A synthetic tool result needs none."""
    open_intents: Counter[tuple[str, str]] = Counter()
    started: set[str] = set()
    for record in records:
        kind, payload = record["kind"], record["payload"]
        key = str(payload.get("plan", payload.get("turn", "")))
        if kind in _INTENTS.values():
            open_intents[kind, key] += 1
        elif kind in _INTENTS:
            if not open_intents[_INTENTS[kind], key]:
                yield f"event {record['seq']}: {kind} without {_INTENTS[kind]}"
            else:
                open_intents[_INTENTS[kind], key] -= 1
        elif kind == "ToolStarted":
            started.add(str(payload.get("tool_use_id")))
        elif kind == "ToolFinished" and _ran(payload) and payload["tool_use_id"] not in started:
            yield f"event {record['seq']}: a tool finished that was never started"


def _ran(payload: Mapping[str, Any]) -> bool:
    return payload.get("outcome") == "ok" and not payload.get("synthetic")


def needed_blobs(records: Iterable[Mapping[str, Any]], blobs: BlobReader) -> dict[Digest, str]:
    """Return every blob that the log needs → what needs it: lists of files, and the files in them."""
    needed: dict[Digest, str] = {}
    for record in records:
        field = BLOB_FIELDS.get(record["kind"], "")
        digest = record["payload"].get(field)
        if not isinstance(digest, str) or digest in needed:
            continue
        needed[Digest(digest)] = f"event {record['seq']}"
        if field in LISTS:
            for inner in _listed(Digest(digest), blobs):
                needed.setdefault(inner, f"event {record['seq']}")
    return needed


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
