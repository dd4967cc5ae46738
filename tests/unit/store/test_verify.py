from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from deskmate.errors import DeskmateError
from deskmate.store import chain
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import VerifyReport, verify_thread
from deskmate.types.codec import to_json
from deskmate.types.events import (
    BaseTaken,
    ModelAsked,
    ModelReplied,
    Payload,
    RunFinished,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.files import Entry
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import ToolUse

pytestmark = pytest.mark.anyio
USE = ToolUseId("toolu_1")
ASKED = ModelAsked(turn=1, model="m", request=Digest("0" * 64))
REPLIED = ModelReplied(
    turn=1,
    model="m",
    content=(ToolUse(id=USE, name="legal__read", input={}),),
    stop_reason="tool_use",
)
RUN = RunId("r-1")
SAID = UserSaid(run=RUN, text="go", model="m")
STARTED = ToolStarted(tool_use_id=USE, tool="legal__read", key=f"t-x:{USE}")
FINISHED = ToolFinished(tool_use_id=USE, tool="legal__read", outcome="ok", text="")
DONE = RunFinished(run=RUN, reason="done")


async def _thread(tmp_path: Path, *payloads: Payload) -> ThreadId:
    thread = await create_thread(tmp_path / "threads", "x", version="1")
    async with open_thread(tmp_path / "threads", thread) as store:
        if payloads:
            await store.append(*payloads)
    return thread


async def _verify(tmp_path: Path, thread: ThreadId) -> VerifyReport:
    async with open_thread(tmp_path / "threads", thread, write=False) as store:
        return await verify_thread(store, BlobStore(tmp_path / "blobs"))


async def test_an_orderly_run_is_sound(tmp_path: Path) -> None:
    thread = await _thread(tmp_path, SAID, ASKED, REPLIED, STARTED, FINISHED, DONE)
    report = await _verify(tmp_path, thread)
    assert (report.thread, report.events, report.problems) == (thread, 7, ())
    assert report.notes == ()


async def test_a_parked_tool_use_is_no_problem(tmp_path: Path) -> None:
    parked = RunFinished(run=RUN, reason="needs_you")
    report = await _verify(tmp_path, await _thread(tmp_path, SAID, ASKED, REPLIED, parked))
    assert report.problems == ()


async def test_a_damaged_or_missing_file_of_the_base_is_found(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    content = blobs.put(b"contract")
    entry = Entry(path="docs/nda.txt", kind="file", mode=0o644, size=8, sha256=content)
    manifest = blobs.put(json.dumps({"entries": [to_json(entry)]}).encode())
    thread = await _thread(tmp_path, BaseTaken(manifest=manifest, files=1, size=8))
    report = await _verify(tmp_path, thread)
    assert (report.blobs, report.problems) == (2, ())
    path = tmp_path / "blobs" / content[:2] / f"{content}.zst"
    path.write_bytes(b"junk")
    assert "damaged" in (await _verify(tmp_path, thread)).problems[0]
    path.unlink()
    assert "missing" in (await _verify(tmp_path, thread)).problems[0]
    (tmp_path / "blobs" / manifest[:2] / f"{manifest}.zst").unlink()
    assert manifest in (await _verify(tmp_path, thread)).problems[0]


async def test_a_cut_end_is_found_by_the_witness_of_the_last_close(tmp_path: Path) -> None:
    thread = await _thread(tmp_path, ASKED)
    db = sqlite3.connect(tmp_path / "threads" / thread / "thread.db")
    db.execute("drop trigger events_no_delete")
    db.execute("delete from events where seq = 2")
    db.commit()
    db.close()
    problem, guard = (await _verify(tmp_path, thread)).problems
    assert "events_no_delete is gone" in guard
    assert "the log was cut: 1 records, the checkpoint has seen 2" in problem


@pytest.mark.parametrize(
    "flips", [60, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
async def test_every_flipped_bit_that_changes_a_record_is_found(tmp_path: Path, flips: int) -> None:
    """SQLite has no checksum of a page: the chain is what finds it. Most flips hit records, some free space."""
    said = [replace(SAID, text=f"{n}: {'clause ' * (n % 90)}") for n in range(400)]
    thread = await _thread(tmp_path, *said)
    path = tmp_path / "threads" / thread / "thread.db"
    with sqlite3.connect(path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        rows = db.execute("select * from events").fetchall()
    db.close()
    sound, chance = path.read_bytes(), random.Random(20261128)
    changed = found = 0
    for _ in range(flips):
        bit = chance.randrange(len(sound) * 8)
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                now = db.execute("select * from events order by seq").fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            now = []  # it cannot even be read
        finally:
            db.close()
        changed += now != rows
        noticed = await _is_noticed(tmp_path, thread)
        found += noticed and now != rows
        assert noticed or now == rows, bit
    print(f"{flips} flips, {changed} changed a record, {found} found")
    assert changed > flips / 2


async def _is_noticed(tmp_path: Path, thread: ThreadId) -> bool:
    try:
        return bool((await _verify(tmp_path, thread)).problems)
    except DeskmateError:
        return True


HOLLOW = (
    "drop trigger events_no_delete; create trigger events_no_delete before delete on events"
    " begin select 1; end"
)
EATER = "create trigger eater after insert on events begin update lease set token = 0; end"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("drop trigger events_no_update", "lets events be changed: events_no_update is gone (I7)"),
        ("drop trigger events_no_delete", "lets events be changed: events_no_delete is gone (I7)"),
        (HOLLOW, "lets events be changed: events_no_delete is another one (I7)"),
        (EATER, "does what Deskmate does not: a trigger eater (I7)"),
        ("pragma journal_mode=delete", "not as a write-ahead log (I7)"),
        ("delete from lease", "the lease of the one writer is gone (I12)"),
        ("drop table lease", "is damaged"),
    ],
)
async def test_a_database_that_could_lose_events_is_found(
    tmp_path: Path, statement: str, problem: str
) -> None:
    thread = await _thread(tmp_path)
    db = sqlite3.connect(tmp_path / "threads" / thread / "thread.db")
    db.executescript(statement)
    db.commit()
    db.close()
    problems = (await _verify(tmp_path, thread)).problems
    assert any(problem in found for found in problems), problems


async def test_a_sound_chain_of_nonsense_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    thread = await _thread(tmp_path)
    text = chain.canonical({"tool_use_id": 7}).decode()
    for seq, kind in ((2, "ToolStarted"), (3, "Novelty")):
        with sqlite3.connect(tmp_path / "threads" / thread / "thread.db") as db:
            head = db.execute("select hash from events where seq = ?", [seq - 1]).fetchone()[0]
            digest = chain.row_hash(seq, "2026", kind, text, head)
            row = (seq, "2026", kind, text, head, digest)
            db.execute("insert into events values (?, ?, ?, ?, ?, ?, null, null)", row)
        db.close()
    (problem,) = (await _verify(tmp_path, thread)).problems
    assert problem.startswith("event 2 does not have the shape of its kind")
