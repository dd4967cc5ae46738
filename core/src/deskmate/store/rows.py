"""An event as a row of a thread's database: made, read, and checked against the chain."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import jiter

from deskmate.errors import CorruptData
from deskmate.store import chain
from deskmate.store.sealing import seal
from deskmate.types.codec import from_json, to_json
from deskmate.types.events import KINDS, Event, Payload

SELECT = "select seq, time, kind, payload, prev_hash, hash, sealed, salt from events"
INSERT = "insert into events values (?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_UNDER = "insert into events select ?, ?, ?, ?, ?, ?, ?, ? from lease where token = ?"
"""Stores nothing under a lease that somebody else has taken since."""
Row = tuple[int, str, str, str, str, str, str | None, str | None]
"""An event in the database: `sealed` and `salt` are there where it holds something personal."""


def make_event(seq: int, time: str, payload: Payload, prev_hash: str) -> tuple[Event, Row]:
    """Return the event and its database row. Raises CorruptData for what JSON cannot carry."""
    kind = type(payload).__name__
    try:
        row = make_row(seq, time, kind, to_json(payload), prev_hash)
    except (ValueError, TypeError) as error:
        raise CorruptData(f"A {kind} event cannot be stored: {error}.") from error
    event = Event(seq=seq, time=time, payload=payload, prev_hash=prev_hash, hash=row[5])
    return event, row


def make_row(seq: int, time: str, kind: str, payload: Mapping[str, Any], prev_hash: str) -> Row:
    """Return the row of an event, sealed where something of it is personal. `payload` has lists, no tuples."""
    text = chain.canonical_text(payload)
    if not _is_text(text):
        payload = chain.normal(payload)
        text = chain.canonical(payload).decode()
    sealed, salt = seal(kind, payload, text, secrets.token_hex) or (None, None)
    digest = chain.row_hash(seq, time, kind, sealed or text, prev_hash)
    return seq, time, kind, text, prev_hash, digest, sealed, salt


def _is_text(text: str) -> bool:
    """Say whether there is no half of a surrogate pair in it, which a reader of JSON joins with its other half."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parsed(payload: str) -> Any:
    """Return the JSON of a payload, as `json.loads` gives it and twice as quick. Raises ValueError."""
    try:
        return jiter.from_json(payload.encode(), allow_inf_nan=False)
    except ValueError:  # half of a surrogate pair as an escape, a great depth, or no JSON at all
        return json.loads(payload)


def stored_events(connection: sqlite3.Connection) -> Iterator[tuple[Event, str]]:
    """Yield every event of a log with its payload as it is stored. Raises CorruptData, sqlite3.Error."""
    head = chain.GENESIS
    for seq, row in enumerate(connection.execute(f"{SELECT} order by seq"), start=1):
        event = read_event(row, seq, head)
        head = event.hash
        yield event, row[3]


def checked_rows(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield every row of a log that fits into the chain. Raises CorruptData at the first other, sqlite3.Error."""
    head = chain.GENESIS
    for seq, row in enumerate(connection.execute(f"{SELECT} order by seq"), start=1):
        check_row(row, seq, head)
        head = row[5]
        yield row


def read_event(row: tuple[Any, ...], seq: int, head: str) -> Event:
    """Return the event of a database row that must be number `seq` and follow `head`."""
    check_row(row, seq, head)
    number, time, kind, payload, prev_hash, digest, _, _ = row
    data = from_json(KINDS[kind], parsed(payload))
    return Event(seq=number, time=time, payload=data, prev_hash=prev_hash, hash=digest)


def check_row(row: tuple[Any, ...], seq: int, head: str) -> None:
    """Raise CorruptData where a database row is not number `seq`, does not follow `head` or was altered."""
    number, time, kind, payload, prev_hash, digest, sealed, salt = row
    if number != seq or prev_hash != head or kind not in KINDS:
        raise _broken(seq)
    fits = chain.row_hash(number, time, kind, sealed or payload, prev_hash) == digest
    if fits and sealed:
        fits = bool(salt) and chain.commitment(salt, payload) in sealed
    if not fits and not _is_sound(as_record(row)):
        raise _broken(seq)


def _is_sound(record: Mapping[str, Any]) -> bool:
    """Decide the long way: it was erased, or its keys stand in another order."""
    if not isinstance(record["payload"], dict) or chain.record_hash(record) != record["hash"]:
        return False
    return "sealed" not in record or chain.is_seal_sound(record)


def as_record(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a database row as a plain record; a payload that is not JSON stays text."""
    number, time, kind, payload, prev_hash, digest, sealed, salt = row
    record = {
        "seq": number,
        "time": time,
        "kind": kind,
        "payload": _strict(payload),
        "prev_hash": prev_hash,
        "hash": digest,
    }
    return record if sealed is None else {**record, "sealed": _strict(sealed), "salt": salt}


def _strict(text: Any) -> Any:
    with suppress(ValueError, TypeError):
        return chain.parse(text)
    return text


def _broken(seq: int) -> CorruptData:
    return CorruptData(
        f"Event {seq} of the log was altered, or one before it is missing.",
        hint="See deskmate thread verify; import the thread's last export.",
    )


def erase_rows(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Leave of these rows what is public. Their hashes stay as they are and fit."""
    connection.executemany(
        "update events set payload = '{' || substr(sealed, 83), salt = '' where seq = ?",
        [(seq,) for seq in seqs],
    )
