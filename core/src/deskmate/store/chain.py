r"""The hash chain of a thread's log: canonical records, their hashes, and a verifier.

Standard library only, so that an exported log can be checked with this one file. A record is
`{"seq", "time", "kind", "payload", "prev_hash", "hash"}`; `hash` is the hex SHA-256 over
`"deskmate-log-v1\0"`, the 32 bytes of `prev_hash`, and the canonical JSON of the record without `hash`.

A record may have `sealed` and `salt` too. Then the hash covers `sealed` in the place of `payload`: its public
part and, under `!commitment`, the hex SHA-256 over `"deskmate-payload-v1\0"`, the salt as it is written and the
canonical JSON of the payload. An erased record has an empty salt and the public part as payload; a later record
of kind `Erased` names its number.

Canonical JSON: keys sorted by code point, no spaces, UTF-8, control characters and lone surrogates
escaped, whole numbers in decimal, other numbers as Python's shortest text that reads back the same
(`0.1`, `1e-07`); NaN and infinities do not exist. The order of keys in a file therefore does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = b"deskmate-log-v1\0"
PAYLOAD_PREFIX = b"deskmate-payload-v1\0"
COMMITMENT = "!commitment"
"""Sorts before all names of fields, so that the public part is the text behind it."""
GENESIS = "0" * 64
"""`prev_hash` of the first record."""
FIELDS = frozenset({"seq", "time", "kind", "payload", "prev_hash", "hash"})
SEAL = frozenset({"sealed", "salt"})
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)
_quoted = json.encoder.encode_basestring  # what that encoder makes of a text, without its frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's length and head, to be kept where the log's owner cannot reach it."""

    thread: str
    size: int
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a check found. `size` and `head`: of the sound part; `problem` is empty when all is sound.

    `erased`: how many records say only that there was one.
    """

    thread: str
    size: int
    head: str
    problem: str = ""
    erased: int = 0


def canonical_text(value: Any) -> str:
    """Return the canonical JSON of `value`. Raises ValueError for NaN, TypeError for what is not JSON."""
    return _ENCODER.encode(value)  # json.dumps would make an encoder for each event


def canonical(value: Any) -> bytes:
    """Return the canonical JSON as UTF-8; a lone surrogate stays the JSON escape it came as."""
    return canonical_text(value).encode("utf-8", "backslashreplace")


def normal(value: Any) -> Any:
    """Return `value` as a reader of its JSON gets it: tuples as lists, surrogate pairs joined."""
    return json.loads(json.dumps(value, allow_nan=False))


def record_hash(record: Mapping[str, Any]) -> str:
    """Return the hex hash of a record; a `hash` field in it is left out."""
    body = {key: value for key, value in record.items() if key in FIELDS and key != "hash"}
    if "sealed" in record:
        body["payload"] = record["sealed"]
    return _digest(record["prev_hash"], canonical(body))


def row_hash(seq: int, time: str, kind: str, payload: str, prev_hash: str) -> str:
    """Return what `record_hash` gives, from a (sealed) payload that is canonical text already. Fast."""
    text = (
        f'{{"kind":{_quoted(kind)},"payload":{payload},'
        f'"prev_hash":"{prev_hash}","seq":{seq},"time":{_quoted(time)}}}'
    )
    return _digest(prev_hash, text.encode("utf-8", "backslashreplace"))


def commitment(salt: str, payload: str) -> str:
    """Return what a sealed record says of its payload, which is canonical text."""
    body = salt.encode() + payload.encode("utf-8", "backslashreplace")
    return hashlib.sha256(PAYLOAD_PREFIX + body).hexdigest()


def _digest(prev_hash: str, body: bytes) -> str:
    return hashlib.sha256(PREFIX + bytes.fromhex(prev_hash) + body).hexdigest()


def parse(text: str) -> Any:
    """Return the JSON of `text`. Raises ValueError, also where an object names a key twice."""
    return json.loads(text, object_pairs_hook=_no_twins)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found


def check(
    records: Iterable[Mapping[str, Any]], checkpoint: Checkpoint | None = None
) -> ChainReport:
    """Check a whole log: every hash, every link, numbers dense from 1, and the checkpoint if given.

    Reading the records may raise ValueError (not JSON); that is reported like a broken record.
    """
    thread, size, head, at_checkpoint = "", 0, GENESIS, GENESIS
    erased: dict[int, bool] = {}
    wanted = checkpoint.size if checkpoint else -1
    try:
        for record in records:
            if problem := _problem(record, size + 1, head):
                return ChainReport(thread=thread, size=size, head=head, problem=problem)
            size, head = size + 1, record["hash"]
            if size == 1:
                thread = str(record["payload"].get("thread", ""))
            if record.get("salt") == "":
                erased[size] = False
            if record["kind"] == "Erased":
                erased |= {seq: True for seq in record["payload"]["seqs"] if seq in erased}
            if size == wanted:
                at_checkpoint = head
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        problem = f"record {size + 1} cannot be read: {error}"
        return ChainReport(thread=thread, size=size, head=head, problem=problem)
    problem = _against(checkpoint, thread, size, at_checkpoint) if checkpoint else ""
    if unsaid := [seq for seq, is_said in erased.items() if not is_said]:
        problem = problem or f"record {unsaid[0]} was erased, and no record says so"
    return ChainReport(thread=thread, size=size, head=head, problem=problem, erased=len(erased))


def _problem(record: Mapping[str, Any], seq: int, head: str) -> str:
    if not isinstance(record, Mapping) or record.keys() not in (FIELDS, FIELDS | SEAL):
        return f"record {seq} does not have the fields of a record"
    if not isinstance(record["payload"], Mapping):
        return f"record {seq} has no payload"
    if record["seq"] != seq or isinstance(record["seq"], bool):
        return f"record {seq} is missing or out of place: number {record['seq']} stands there"
    if record["prev_hash"] != head:
        return f"record {seq} does not follow from the record before it"
    if record_hash(record) != record["hash"]:
        return f"record {seq} was altered: its hash does not fit its content"
    if "sealed" in record and not is_seal_sound(record):
        return f"record {seq} was altered: its content is not what was sealed"
    return ""


def is_seal_sound(record: Mapping[str, Any]) -> bool:
    """Say whether a sealed record's payload is what was sealed, or only its public part."""
    sealed, salt = record["sealed"], record["salt"]
    if not isinstance(sealed, Mapping) or not isinstance(salt, str):
        return False
    if not salt:
        public = {**record["payload"], COMMITMENT: sealed.get(COMMITMENT)}
        return canonical(public) == canonical(sealed)  # as Python has it, 1 and true are the same
    return commitment(salt, canonical_text(record["payload"])) == sealed.get(COMMITMENT)


def _against(checkpoint: Checkpoint, thread: str, size: int, at_checkpoint: str) -> str:
    if checkpoint.thread != thread:
        return f"the checkpoint is of thread {checkpoint.thread}, the log of {thread or 'none'}"
    if size < checkpoint.size:
        return f"the log was cut: {size} records, the checkpoint has seen {checkpoint.size}"
    if at_checkpoint != checkpoint.head:
        return f"the log was rewritten: record {checkpoint.size} is not the one of the checkpoint"
    return ""


def read_lines(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a JSON Lines file; empty lines do not count. Raises ValueError."""
    for line in lines:
        if line.strip():
            yield parse(line)
