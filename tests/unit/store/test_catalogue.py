"""The catalogue is what the logs say, at any time, and finds their words."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.store.blobs import BlobStore
from deskmate.store.catalogue import _SEARCH, FILE, Catalogue, match_of
from deskmate.store.listing import list_threads
from deskmate.store.making import create_thread
from deskmate.store.owning import (
    delete_thread,
    deleted_threads,
    mark_thread,
    purge_deleted,
    rename_thread,
    restore_thread,
)
from deskmate.store.thread import open_thread
from deskmate.types.events import (
    ChangesStaged,
    ModelReplied,
    Payload,
    RunFinished,
    TextTaken,
    ThreadRenamed,
    ToolFinished,
    UserSaid,
)
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import Text

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def threads(tmp_path: Path) -> Path:
    return tmp_path / "threads"


@pytest.fixture
def catalogue(tmp_path: Path, threads: Path) -> Catalogue:
    return Catalogue(tmp_path, threads)


def said(text: str, run: str = "r-1") -> UserSaid:
    return UserSaid(run=RunId(run), text=text, model="m")


def tool(text: str) -> ToolFinished:
    return ToolFinished(tool_use_id=ToolUseId("u"), tool="grep", outcome="ok", text=text)


async def make(threads: Path, title: str, *payloads: Payload) -> str:
    thread = await create_thread(threads, title, version="1")
    async with open_thread(threads, thread) as store:
        if payloads:
            await store.append(*payloads)
    return thread


async def test_the_catalogue_says_what_the_logs_say(threads: Path, catalogue: Catalogue) -> None:
    one = await make(threads, "One", said("Review"), RunFinished(run=RunId("r-1"), reason="done"))
    await make(threads, "Two", said("Draft"))
    assert catalogue.summaries() == list_threads(threads)
    async with open_thread(threads, one) as store:
        await store.append(ThreadRenamed(title="First"))
    assert catalogue.summaries() == list_threads(threads)
    assert {summary.title for summary in catalogue.summaries()} == {"First", "Two"}


async def test_words_are_found_wherever_people_wrote_or_read_them(
    threads: Path, catalogue: Catalogue
) -> None:
    reply = ModelReplied(
        turn=1,
        model="m",
        content=(Text(text="The indemnity is one-sided."),),
        stop_reason="end_turn",
    )
    thread = await make(threads, "NDA", said("Müller’s Vertrag"), reply, tool("clause 8.1 found"))
    await make(threads, "Other", said("Nothing of it"))
    for words in ("indemnity", "INDEMN", "muller", "vertrag", "8.1 clause", '"one sided"'):
        hits = catalogue.search(words)
        assert {hit.thread for hit in hits} == {thread}, words
    assert "⟦indemnity⟧" in catalogue.search("indemnity")[0].snippet
    assert catalogue.search("indemnity Vertrag") == ()  # both words in one event


async def test_words_within_documents_are_found(
    threads: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    held = BlobStore(tmp_path / "blobs").put(b"The demurrage is 400 euros a day.")
    lost = Digest("1" * 64)
    taken = [TextTaken(path=f"w/{n}.pdf", sha256=lost, words=n) for n in (held, lost)]
    thread = await make(threads, "Ship", *taken)
    (hit,) = catalogue.search("demurrage")
    assert (hit.thread, hit.kind) == (thread, "TextTaken")
    assert "⟦demurrage⟧" in hit.snippet
    assert len(catalogue.search(lost)) == 1  # by its name, though its words are lost


async def test_names_of_changed_files_and_new_titles_are_found(
    threads: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    changes = {"changes": [{"path": "deal/Harbour_lease.xlsx"}, {"path": "deal/sub/quay.txt"}]}
    listed = blobs.put(json.dumps(changes).encode())
    lost = Digest("0" * 64)
    staged = [
        ChangesStaged(run=RunId("r-1"), difference=one, created=1, modified=0, deleted=0)
        for one in (listed, lost)
    ]
    thread = await make(threads, "First", *staged, ThreadRenamed(title="Wharf matters"))
    for words in ("harbour_lease", "xlsx", "quay", "wharf"):
        assert {hit.thread for hit in catalogue.search(words)} == {thread}, words


async def test_what_was_added_later_is_found_once(threads: Path, catalogue: Catalogue) -> None:
    thread = await make(threads, "T", said("alpha"))
    assert len(catalogue.search("alpha")) == 1
    async with open_thread(threads, thread) as store:
        await store.append(tool("alpha beta"))
        assert len(catalogue.search("beta")) == 1  # also while the writer is still open
    assert len(catalogue.search("alpha")) == 2


async def test_the_best_hits_of_the_best_threads_come_together_with_their_snippets(
    threads: Path, catalogue: Catalogue
) -> None:
    many = await make(threads, "T", *(tool(f"alpha {'alpha ' * n}in {n}") for n in range(6)))
    others = [await make(threads, "T", tool(f"alpha once, {'and more ' * 9}")) for _ in range(4)]
    hits = catalogue.search("alpha")
    assert [hit.thread for hit in hits[:3]] == [many] * 3
    assert {hit.thread for hit in hits[3:]} == set(others)
    assert len(hits) == 7  # no more than three of one thread
    assert all("⟦alpha⟧" in hit.snippet for hit in hits)
    assert {hit.thread for hit in catalogue.search("alpha", limit=1)} == {many}


async def test_matches_come_in_the_order_of_the_index_and_are_not_sorted_again(
    threads: Path, catalogue: Catalogue
) -> None:
    await make(threads, "T", said("alpha"))
    with catalogue._opened() as db:
        db.create_function("is_wanted", 1, bool)
        plan = str(db.execute(f"explain query plan {_SEARCH}", ("alpha", 9)).fetchall())
    # else it would be decided which hits are shown before the best is known
    assert "VIRTUAL TABLE INDEX" in plan
    assert "B-TREE" not in plan


async def test_nothing_of_a_thread_that_is_gone_stays_in_the_catalogue(
    threads: Path, catalogue: Catalogue
) -> None:
    thread = await make(threads, "T", said("alpha"), tool("beta"))
    kept = await make(threads, "T", said("alpha gamma"))
    assert len(catalogue.search("alpha")) == 2
    delete_thread(threads, thread)
    assert {hit.thread for hit in catalogue.search("alpha")} == {kept}
    with catalogue._opened() as db:
        assert {row[0] for row in db.execute("select thread from places")} == {kept}
        assert db.execute("select count(*) from texts").fetchone() == (1,)


@pytest.mark.parametrize("damage", ["remove", "garbage", "cut", "older"])
async def test_a_lost_or_damaged_catalogue_is_made_anew(
    damage: str, threads: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    await make(threads, "T", said("alpha"))
    assert catalogue.search("alpha")
    path = tmp_path / FILE
    for ending in ("-wal", "-shm"):
        path.with_name(FILE + ending).unlink(missing_ok=True)
    if damage == "remove":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(os.urandom(20_000))
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as db:
            db.execute("pragma user_version = 0")
        db.close()
    assert len(catalogue.search("alpha")) == 1
    assert catalogue.summaries() == list_threads(threads)


async def test_a_damaged_thread_is_in_the_list_and_stops_no_search(
    threads: Path, catalogue: Catalogue
) -> None:
    await make(threads, "Sound", said("alpha"))
    broken = await make(threads, "Broken", said("alpha"))
    (threads / broken / "thread.db").write_bytes(b"no database at all" * 100)
    assert {summary.state for summary in catalogue.summaries()} == {"interrupted", "damaged"}
    assert len(catalogue.search("alpha")) == 1


@pytest.mark.parametrize("words", ["", "   ", '""', "!?*", '"'])
def test_no_word_is_a_question_back(words: str) -> None:
    with pytest.raises(UserError, match="no word"):
        match_of(words)


@pytest.mark.parametrize(
    "words", ['a" OR text : "b', "NEAR(", "a AND", "text:x", "x*y", "^b", "a-b", "{b}", "x'); drop"]
)
async def test_no_word_commands_the_index(words: str, threads: Path, catalogue: Catalogue) -> None:
    await make(threads, "T", said("alpha"))
    assert catalogue.search(words) == ()


async def test_a_name_and_marks_are_the_owners(threads: Path) -> None:
    thread = await make(threads, "T", said("alpha"))
    await rename_thread(threads, thread, "  Harbour\n NDA ")
    assert list_threads(threads)[0].title == "Harbour NDA"
    assert (await mark_thread(threads, thread, pinned=True)).pinned
    archived = await mark_thread(threads, thread, archived=True)
    assert (archived.pinned, archived.archived) == (False, True)
    size = archived.events
    assert (await mark_thread(threads, thread, archived=True)).events == size
    pinned = await mark_thread(threads, thread, pinned=True)
    assert (pinned.pinned, pinned.archived) == (True, False)
    with pytest.raises(UserError, match="needs a title"):
        await rename_thread(threads, thread, " \n")


async def test_a_deleted_thread_comes_back_whole_within_thirty_days(
    threads: Path, catalogue: Catalogue
) -> None:
    thread = await make(threads, "T", said("alpha"))
    async with open_thread(threads, thread, write=False) as store:
        before = await store.events()
    delete_thread(threads, thread)
    assert catalogue.summaries() == ()
    assert catalogue.search("alpha") == ()
    ((gone),) = deleted_threads(threads)
    assert (gone.thread, gone.title, gone.days) == (thread, "T", 30)
    restore_thread(threads, thread)
    async with open_thread(threads, thread, write=False) as store:
        assert await store.events() == before
    assert len(catalogue.search("alpha")) == 1


async def test_after_thirty_days_a_deleted_thread_is_gone(threads: Path) -> None:
    thread = await make(threads, "T")
    delete_thread(threads, thread, now=lambda: 0)
    assert purge_deleted(threads, now=lambda: 29.9 * 86_400) == ()
    assert deleted_threads(threads, now=lambda: 29.9 * 86_400)
    assert deleted_threads(threads, now=lambda: 30 * 86_400) == ()
    assert purge_deleted(threads, now=lambda: 30 * 86_400) == (thread,)
    with pytest.raises(UserError, match="no deleted thread"):
        restore_thread(threads, thread)


async def test_a_thread_at_work_is_not_deleted(threads: Path) -> None:
    thread = await make(threads, "T")
    async with open_thread(threads, thread):
        with pytest.raises(UserError, match="working in thread"):
            delete_thread(threads, thread)
    assert (threads / thread).is_dir()


def test_what_is_not_there_is_said(threads: Path) -> None:
    with pytest.raises(UserError, match="no thread"):
        delete_thread(threads, "t-nothing")
    with pytest.raises(UserError, match="no deleted thread"):
        restore_thread(threads, "t-nothing")


def test_where_there_are_no_threads_nothing_is_made(
    threads: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    assert catalogue.summaries() == ()
    assert catalogue.search("alpha") == ()
    assert list(tmp_path.iterdir()) == []


async def test_where_the_catalogue_cannot_be_written_the_list_is_there_all_the_same(
    threads: Path, tmp_path: Path
) -> None:
    await make(threads, "T", said("alpha"))
    (tmp_path / "file").write_text("")
    assert Catalogue(tmp_path / "file", threads).summaries() == list_threads(threads)
