from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.store.listing import ThreadSummary, list_threads
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import (
    ApplyFinished,
    ChangesDiscarded,
    ChangesStaged,
    Payload,
    PluginsSet,
    RunFinished,
    RunResumed,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId

pytestmark = pytest.mark.anyio
DIGEST = Digest("0" * 64)
SAID = UserSaid(run=RunId("r-1"), text="Review this\nplease", model="m")
STAGED = ChangesStaged(run=RunId("r-1"), difference=DIGEST, created=1, modified=1, deleted=0)
DONE = RunFinished(run=RunId("r-1"), reason="done")
PARTLY = ApplyFinished(plan=DIGEST, applied=True, left=1)


async def _summary(tmp_path: Path, *payloads: Payload, title: str = "NDA") -> ThreadSummary:
    thread = await create_thread(tmp_path, title, version="1")
    async with open_thread(tmp_path, thread) as store:
        if payloads:
            await store.append(*payloads)
    return next(summary for summary in list_threads(tmp_path) if summary.thread == thread)


@pytest.mark.parametrize(
    ("payloads", "state", "pending"),
    [
        ((), "new", 0),
        ((SAID,), "interrupted", 0),
        ((SAID, DONE), "done", 0),
        ((SAID, STAGED, DONE), "needs you", 2),
        ((SAID, STAGED, DONE, ApplyFinished(plan=DIGEST, applied=True)), "done", 0),
        ((SAID, STAGED, DONE, ApplyFinished(plan=DIGEST, applied=False)), "needs you", 2),
        ((SAID, STAGED, DONE, ApplyFinished(plan=DIGEST, applied=True, left=0)), "done", 0),
        ((SAID, STAGED, DONE, PARTLY), "needs you", 1),
        ((SAID, STAGED, DONE, PARTLY, ApplyFinished(plan=DIGEST, applied=True, left=0)), "done", 0),
        ((SAID, STAGED, DONE, PARTLY, ChangesDiscarded(difference=DIGEST)), "done", 0),
        ((SAID, STAGED, DONE, ChangesDiscarded(difference=DIGEST, paths=("a",))), "needs you", 2),
        (
            (SAID, STAGED, DONE, ChangesDiscarded(difference=DIGEST, paths=("a",), left=1)),
            "needs you",
            1,
        ),
        (
            (SAID, STAGED, DONE, ChangesDiscarded(difference=DIGEST, paths=("a",), left=0)),
            "done",
            0,
        ),
        ((SAID, RunFinished(run=RunId("r-1"), reason="rejected")), "rejected", 0),
        ((SAID, RunFinished(run=RunId("r-1"), reason="needs_you")), "needs you", 0),
        ((SAID, RunFinished(run=RunId("r-1"), reason="over_budget")), "over budget", 0),
        ((SAID, DONE, RunResumed(run=RunId("r-1"))), "interrupted", 0),
    ],
)
async def test_a_thread_stands_as_its_events_say(
    tmp_path: Path, payloads: tuple[Payload, ...], state: str, pending: int
) -> None:
    summary = await _summary(tmp_path, *payloads)
    assert (summary.state, summary.pending, summary.events) == (state, pending, 1 + len(payloads))


async def test_a_thread_in_which_somebody_writes_is_working(tmp_path: Path) -> None:
    thread = await create_thread(tmp_path, "", version="1")
    async with open_thread(tmp_path, thread) as store:
        await store.append(SAID, PluginsSet(lock=DIGEST, versions={"legal": "1.0"}))
        (summary,) = list_threads(tmp_path)
        assert summary.state == "working"
        assert summary.title == "Review this"
        assert summary.plugins == {"legal": "1.0"}


async def test_the_last_changed_is_first_and_a_damaged_one_is_listed(tmp_path: Path) -> None:
    damaged = await _summary(tmp_path)
    (tmp_path / damaged.thread / "thread.db").write_bytes(b"junk" * 1000)
    older = await _summary(tmp_path)
    newer = await _summary(tmp_path, SAID)
    found = list_threads(tmp_path)
    assert [item.thread for item in found] == [newer.thread, older.thread, damaged.thread]
    assert found[2].state == "damaged"
    assert "damaged" in found[2].problem


def test_no_folder_means_no_threads(tmp_path: Path) -> None:
    assert list_threads(tmp_path / "none") == ()
