"""A fork has what was said and the files as they were, and nothing of its parent's is done twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deskmate.agent.manifests import digest_of
from deskmate.agent.state import fold
from deskmate.changes.apply import Place, apply_changes
from deskmate.changes.staged import find_staged
from deskmate.changes.undo import undo_changes
from deskmate.errors import CorruptData, UserError
from deskmate.host import Host, RunOrder, RunResult
from deskmate.host.forking import Fork, fork_thread
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.collection import collect
from deskmate.store.listing import summary_of
from deskmate.store.making import create_thread
from deskmate.store.owning import delete_thread, mark_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.testing.fake_sandbox import FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import (
    ApplyStarted,
    ApprovalAsked,
    ApprovalGiven,
    CheckpointMade,
    Event,
    ModelAsked,
    ModelReplied,
    RunFinished,
    ThreadForked,
    ToolFinished,
    ToolStarted,
    UserSaid,
)
from deskmate.types.files import Grant
from deskmate.types.ids import Digest, RunId, ThreadId, ToolUseId
from deskmate.types.messages import ToolUse
from deskmate.types.places import Places, find_places

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return find_places({"DESKMATE_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "note.txt").write_text("one")
    return folder


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def write(text: str, path: str = "work/note.txt") -> Line:
    return (("workspace__write", {"path": path, "content": text}),)


READ: Line = (("workspace__read", {"path": "work/note.txt"}),)


async def go(
    places: Places, thread: ThreadId | None, *script: Line, folders: Sequence[Path] = ()
) -> RunResult:
    """Carry one request out; the script's lines are those of this request."""
    said = 0
    if thread:
        events = await log(places, thread)
        said = sum(isinstance(event.payload, ModelReplied) for event in events)
    lines: tuple[Line, ...] = ("",) * said + script
    host = Host(places, sandbox=FakeSandbox({}), model=ScriptedModel(lines))
    grants = tuple(Grant(name=folder.name, folder=str(folder)) for folder in folders)
    order = RunOrder(text="Go", grants=grants)
    return await host.run(order, thread, observer=lambda item: None, approver=Nobody())


async def log(places: Places, thread: ThreadId) -> tuple[Event, ...]:
    async with open_thread(places.threads, thread, write=False) as store:
        return await store.events()


async def apply(places: Places, thread: ThreadId) -> Any:
    async with open_thread(places.threads, thread) as store:
        place = Place(store=store, blobs=BlobStore(places.blobs), journal=store.folder / "apply")
        staged = find_staged(await store.events())
        return await apply_changes(place, staged.difference, staged.grants)


def last_read(events: Sequence[Event]) -> str:
    results = [event.payload for event in events if isinstance(event.payload, ToolFinished)]
    return next(one.text for one in reversed(results) if one.tool == "workspace__read")


def seqs(events: Sequence[Event], kind: type) -> list[int]:
    return [event.seq for event in events if isinstance(event.payload, kind)]


async def sound(places: Places, thread: ThreadId) -> None:
    async with open_thread(places.threads, thread, write=False) as store:
        assert (await verify_thread(store, BlobStore(places.blobs))).problems == ()


async def test_the_files_are_those_of_the_event_not_of_the_folder_and_not_of_later_work(
    places: Places, work: Path
) -> None:
    first = await go(places, None, write("two"), write("three"), "Done.", folders=[work])
    events = await log(places, first.thread)
    (work / "note.txt").write_text("changed by its owner")
    begun, written = seqs(events, ToolStarted), seqs(events, ToolFinished)
    wanted = {begun[0]: "one", written[0]: "two", begun[1]: "two", written[1]: "three"}
    for seq, content in wanted.items():
        fork = await fork_thread(places, first.thread, seq=seq)
        await go(places, fork.thread, READ, "Read.")
        assert last_read(await log(places, fork.thread)) == content, seq
        await sound(places, fork.thread)
    await sound(places, first.thread)
    assert await log(places, first.thread) == events


async def test_a_fork_goes_on_with_its_files_over_many_runs_until_its_changes_are_applied(
    places: Places, work: Path
) -> None:
    first = await go(places, None, READ, "Read.", folders=[work])
    fork = await fork_thread(places, first.thread)
    (work / "note.txt").write_text("changed by its owner")
    (work / "new.txt").write_text("new")
    for _ in range(2):
        await go(places, fork.thread, READ, "Read.")
        assert last_read(await log(places, fork.thread)) == "one"
    await go(places, fork.thread, write("mine", "work/mine.txt"), write("fork's"), "Done.")
    outcome = await apply(places, fork.thread)
    assert outcome.written == ("work/mine.txt",)
    assert "work/note.txt" in outcome.left_out  # it is another by now
    assert (work / "note.txt").read_text() == "changed by its owner"
    await go(places, fork.thread, (("workspace__glob", {"pattern": "work/*"}),), "Read.")
    listed = [
        e.payload for e in await log(places, fork.thread) if isinstance(e.payload, ToolFinished)
    ]
    assert "new.txt" in listed[-1].text
    await sound(places, fork.thread)


async def test_a_fork_after_an_apply_has_the_files_as_they_were_applied(
    places: Places, work: Path
) -> None:
    first = await go(
        places, None, write("two"), write("more", "work/more.txt"), "Done.", folders=[work]
    )
    await apply(places, first.thread)
    (work / "note.txt").write_text("changed by its owner")
    fork = await fork_thread(places, first.thread)
    await go(places, fork.thread, READ, "Read.")
    assert last_read(await log(places, fork.thread)) == "two"
    other = await fork_thread(places, fork.thread)
    await go(places, other.thread, READ, "Read.")
    assert last_read(await log(places, other.thread)) == "two"
    assert summary_of(places.threads / other.thread).forked_from == fork.thread
    assert fold(await log(places, other.thread)).thread == other.thread
    await sound(places, other.thread)


async def test_a_folder_that_the_fork_gets_anew_is_read_as_it_is(
    places: Places, work: Path, tmp_path: Path
) -> None:
    first = await go(places, None, READ, "Read.", folders=[work])
    fork = await fork_thread(places, first.thread)
    (work / "note.txt").write_text("changed by its owner")
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.txt").write_text("a")
    await go(places, fork.thread, READ, "Read.", folders=[more])
    assert last_read(await log(places, fork.thread)) == "one"
    read: Line = (("workspace__read", {"path": "more/a.txt"}),)
    await go(places, fork.thread, read, "Read.")
    assert last_read(await log(places, fork.thread)) == "a"


async def test_a_fork_before_anything_was_read_has_what_was_read_then(
    places: Places, work: Path
) -> None:
    first = await go(places, None, READ, "Read.", folders=[work])
    (work / "note.txt").write_text("changed by its owner")
    said = seqs(await log(places, first.thread), UserSaid)[0]
    fork = await fork_thread(places, first.thread, seq=said)
    assert fork.files_seq > said
    await go(places, fork.thread, READ, "Read.")
    assert last_read(await log(places, fork.thread)) == "one"
    blank = await fork_thread(places, first.thread, seq=1)
    assert blank.files_seq == 0


async def test_the_log_says_where_it_comes_from_and_keeps_times_and_payloads(
    places: Places, work: Path
) -> None:
    first = await go(places, None, READ, "Read.", folders=[work])
    await mark_thread(places.threads, first.thread, pinned=True)
    before = await log(places, first.thread)
    fork = await fork_thread(places, first.thread, title="  Another\n way ")
    after = await log(places, fork.thread)
    origin = after[0].payload
    assert isinstance(origin, ThreadForked)
    assert (origin.thread, origin.parent) == (fork.thread, first.thread)
    assert (origin.seq, origin.head) == (len(before), before[-1].hash)
    copied = after[1 : len(before) + 1]
    assert [(one.time, one.payload) for one in copied] == [
        (one.time, one.payload) for one in before
    ]
    summary = summary_of(places.threads / fork.thread)
    assert (summary.title, summary.pinned, summary.forked_from) == (
        "Another way",
        False,
        first.thread,
    )
    assert summary_of(places.threads / first.thread).pinned


async def _open_work(places: Places) -> tuple[ThreadId, dict[str, int]]:
    """A thread in the middle of everything: a call begun, one approved, one asked, a plan begun."""
    blobs = BlobStore(places.blobs)
    thread = await create_thread(places.threads, "Open", version="1")
    uses = tuple(
        ToolUse(id=ToolUseId(f"toolu_{n}"), name="lab__send", input={"n": n}) for n in (1, 2)
    )
    plan = blobs.put(b'{"steps": []}')
    request = digest_of({"request": "GET x"})
    async with open_thread(places.threads, thread) as store:
        stored = await store.append(
            UserSaid(run=RunId("r-1"), text="Go", model="m"),
            ModelAsked(turn=1, model="m", request=Digest("0" * 64)),
            ModelReplied(turn=1, model="m", content=uses, stop_reason="tool_use"),
            ApprovalAsked(
                tool_use_id=ToolUseId(""),
                tool="network",
                arguments=request,
                why="?",
                shown={"request": "GET x"},
            ),
            ApprovalGiven(tool_use_id=ToolUseId(""), arguments=request, allow=True),
            ApprovalAsked(
                tool_use_id=uses[0].id, tool="lab__send", arguments=digest_of({"n": 1}), why="?"
            ),
            ApprovalGiven(tool_use_id=uses[0].id, arguments=digest_of({"n": 1}), allow=True),
            ToolStarted(tool_use_id=uses[0].id, tool="lab__send", key=f"{thread}:{uses[0].id}"),
            ApplyStarted(plan=plan),
        )
    return thread, {event.kind: event.seq for event in stored}


@pytest.mark.parametrize("kind", ["ApprovalGiven", "ToolStarted", "ApplyStarted"])
async def test_what_was_begun_or_approved_stays_with_the_parent(places: Places, kind: str) -> None:
    thread, seq = await _open_work(places)
    assert fold(await log(places, thread)).permits
    fork = await fork_thread(places, thread, seq=seq[kind])
    events = await log(places, fork.thread)
    state = fold(events)
    assert state.open_uses == ()
    assert not state.permits
    assert state.ended is not None
    assert state.ended.reason == "stopped"
    results = [e.payload for e in events if isinstance(e.payload, ToolFinished)]
    assert {(one.outcome, one.synthetic) for one in results} == {("interrupted", True)}
    assert len(results) == 2
    await sound(places, fork.thread)


async def test_a_question_to_the_user_can_be_answered_in_the_fork(places: Places) -> None:
    use = ToolUse(id=ToolUseId("toolu_1"), name="workspace__ask", input={"question": "Which?"})
    thread = await create_thread(places.threads, "Open", version="1")
    async with open_thread(places.threads, thread) as store:
        await store.append(
            UserSaid(run=RunId("r-1"), text="Go", model="m"),
            ModelAsked(turn=1, model="m", request=Digest("0" * 64)),
            ModelReplied(turn=1, model="m", content=(use,), stop_reason="tool_use"),
            RunFinished(run=RunId("r-1"), reason="needs_you", text="Which?"),
        )
    fork = await fork_thread(places, thread)
    result = await go(places, fork.thread, "This one, then.")
    assert result.reason == "done"
    answers = [
        e.payload for e in await log(places, fork.thread) if isinstance(e.payload, ToolFinished)
    ]
    assert [(one.outcome, one.text) for one in answers] == [("ok", "Go")]


@pytest.mark.parametrize("seq", [0, -1, 99])
async def test_an_event_that_is_not_there_is_refused(places: Places, seq: int) -> None:
    thread = await create_thread(places.threads, "Short", version="1")
    with pytest.raises(UserError, match="has 1 to 1"):
        await fork_thread(places, thread, seq=seq)
    assert [path.name for path in places.threads.iterdir()] == [thread]


async def test_a_damaged_log_is_not_forked(places: Places) -> None:
    thread = await create_thread(places.threads, "Short", version="1")
    db = sqlite3.connect(places.threads / thread / "thread.db")
    db.execute("drop trigger events_no_update")
    db.execute("update events set time = 'x'")
    db.commit()
    db.close()
    with pytest.raises(CorruptData):
        await fork_thread(places, thread)
    assert [path.name for path in places.threads.iterdir()] == [thread]


async def test_a_thread_that_is_at_work_can_be_forked(places: Places, work: Path) -> None:
    first = await go(places, None, write("two"), "Done.", folders=[work])
    async with open_thread(places.threads, first.thread) as store:
        fork: Fork = await fork_thread(places, first.thread)
        await store.append(UserSaid(run=RunId("r-9"), text="On", model="m"))
    made = [
        event
        for event in await log(places, fork.thread)
        if isinstance(event.payload, CheckpointMade)
    ]
    assert len(made) == 1


async def test_after_a_collection_an_undo_brings_back_every_byte_and_a_fork_outlives_its_parent(
    places: Places, work: Path
) -> None:
    first = await go(places, None, write("two"), "Done.", folders=[work])
    early = await fork_thread(
        places, first.thread, seq=seqs(await log(places, first.thread), ToolStarted)[0]
    )
    await apply(places, first.thread)
    assert (work / "note.txt").read_text() == "two"
    stray = BlobStore(places.blobs).put(b"nobody's")
    assert collect(places.threads, places.blobs).removed == 1
    assert not BlobStore(places.blobs).has(stray)
    async with open_thread(places.threads, first.thread) as store:
        place = Place(store=store, blobs=BlobStore(places.blobs), journal=store.folder / "apply")
        await undo_changes(place)
    assert (work / "note.txt").read_text() == "one"
    delete_thread(places.threads, first.thread, now=lambda: 1_000.0)
    done = collect(places.threads, places.blobs, now=lambda: 1_000.0 + 31 * 86_400)
    assert done.purged == (first.thread,)
    assert done.removed > 0
    (work / "note.txt").unlink()
    await go(places, early.thread, READ, "Read.")
    assert last_read(await log(places, early.thread)) == "one"
    await sound(places, early.thread)


async def test_a_fork_moves_to_another_machine_with_its_files(
    places: Places, work: Path, tmp_path: Path
) -> None:
    first = await go(places, None, write("two"), "Done.", folders=[work])
    fork = await fork_thread(places, first.thread)
    async with open_thread(places.threads, fork.thread, write=False) as store:
        await export_thread(store, BlobStore(places.blobs), tmp_path / "fork.zip")
    there = find_places({"DESKMATE_HOME": str(tmp_path / "there")}, tmp_path)
    await import_thread(tmp_path / "fork.zip", there.threads, BlobStore(there.blobs))
    assert await log(there, fork.thread) == await log(places, fork.thread)
    (work / "note.txt").unlink()
    await go(there, fork.thread, READ, "Read.")
    assert last_read(await log(there, fork.thread)) == "two"
