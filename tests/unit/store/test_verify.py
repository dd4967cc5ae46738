from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from deskmate.store.blobs import BlobStore
from deskmate.store.thread import create_thread, open_thread
from deskmate.store.verify import VerifyReport, verify_thread
from deskmate.types.codec import to_json
from deskmate.types.events import (
    ApplyFinished,
    ApplyStarted,
    BaseTaken,
    ModelAsked,
    ModelReplied,
    Payload,
    RunFinished,
    ToolFinished,
    ToolStarted,
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
STARTED = ToolStarted(tool_use_id=USE, tool="legal__read", key="k")
FINISHED = ToolFinished(tool_use_id=USE, tool="legal__read", outcome="ok", text="")
DONE = RunFinished(run=RunId("r-1"), reason="done")
PLAN = Digest("1" * 64)


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
    thread = await _thread(tmp_path, ASKED, REPLIED, STARTED, FINISHED, DONE)
    report = await _verify(tmp_path, thread)
    assert (report.thread, report.events, report.problems) == (thread, 6, ())


@pytest.mark.parametrize(
    ("payloads", "problem"),
    [
        ((REPLIED,), "ModelReplied without ModelAsked"),
        ((ASKED, REPLIED, REPLIED), "ModelReplied without ModelAsked"),
        ((ASKED, REPLIED, DONE), "without a result for toolu_1"),
        ((ASKED, REPLIED, ASKED), "ModelAsked without a result for toolu_1"),
        ((ASKED, REPLIED, STARTED, FINISHED, FINISHED), "toolu_1 has 2 results"),
        ((ASKED, REPLIED, FINISHED), "never started"),
        ((STARTED, FINISHED), "nobody asked for"),
        ((ApplyFinished(plan=PLAN, applied=True),), "ApplyFinished without ApplyStarted"),
        ((ApplyStarted(plan=PLAN),), f"Blob {PLAN} is missing"),
    ],
)
async def test_a_broken_promise_is_named(
    tmp_path: Path, payloads: tuple[Payload, ...], problem: str
) -> None:
    report = await _verify(tmp_path, await _thread(tmp_path, *payloads))
    assert any(problem in found for found in report.problems), report.problems


async def test_a_parked_tool_use_is_no_problem(tmp_path: Path) -> None:
    parked = RunFinished(run=RunId("r-1"), reason="needs_you")
    report = await _verify(tmp_path, await _thread(tmp_path, ASKED, REPLIED, parked))
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
    (problem,) = (await _verify(tmp_path, thread)).problems
    assert "the log was cut: 1 records, the checkpoint has seen 2" in problem


async def test_every_bit_that_changes_a_row_is_noticed(tmp_path: Path) -> None:
    thread = await _thread(tmp_path, ASKED, REPLIED, STARTED, FINISHED, DONE)
    path = tmp_path / "threads" / thread / "thread.db"
    with sqlite3.connect(path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        rows = db.execute("select * from events").fetchall()
    db.close()
    sound = path.read_bytes()
    changed = 0
    for offset in range(0, len(sound), 97):
        path.write_bytes(
            sound[:offset] + bytes([sound[offset] ^ (1 << offset % 8)]) + sound[offset + 1 :]
        )
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                now = db.execute("select * from events order by seq").fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            continue
        finally:
            db.close()
        if now == rows:
            continue
        changed += 1
        assert (await _verify(tmp_path, thread)).problems, offset
    assert changed > 5
