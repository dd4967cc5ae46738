"""All threads in one archive, while they are at work, and back again with the same hashes."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import anyio
import pytest

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.backup import export_all, import_all
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import BaseTaken, ThreadRenamed
from deskmate.types.ids import Digest, ThreadId

pytestmark = pytest.mark.anyio


class Home:
    """One user's threads and blobs."""

    def __init__(self, data: Path) -> None:
        self.threads = data / "threads"
        self.root = data / "blobs"
        self.blobs = BlobStore(self.root)

    async def thread(self, *contents: bytes) -> ThreadId:
        inner = [{"path": f"a{n}", "sha256": self.blobs.put(c)} for n, c in enumerate(contents)]
        manifest = self.blobs.put(json.dumps({"entries": inner}).encode())
        thread = await create_thread(self.threads, "T", version="1")
        async with open_thread(self.threads, thread) as store:
            await store.append(BaseTaken(manifest=manifest, files=len(inner), size=1))
        return thread

    async def heads(self) -> dict[str, tuple[int, str]]:
        found = {}
        for folder in sorted(self.threads.glob("t-*")):
            async with open_thread(self.threads, folder.name, write=False) as store:
                events = await store.events()
                assert (await verify_thread(store, self.blobs)).problems == ()
            found[folder.name] = (len(events), events[-1].hash)
        return found

    def file(self, digest: str) -> Path:
        return self.root / digest[:2] / f"{digest}.zst"


@pytest.fixture
def here(tmp_path: Path) -> Home:
    return Home(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Home:
    return Home(tmp_path / "there")


async def test_all_threads_come_back_elsewhere_with_the_same_hashes_and_shared_content_once(
    here: Home, there: Home, tmp_path: Path
) -> None:
    one, two = await here.thread(b"shared", b"one"), await here.thread(b"shared", b"two")
    done = await export_all(here.threads, here.blobs, tmp_path / "all.zip")
    assert done.left_out == {}
    assert set(done.threads) == {one, two}
    names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
    assert len(names) == len(set(names))
    assert sum(name.startswith("blobs/") for name in names) == 5
    back = await import_all(tmp_path / "all.zip", there.threads, there.blobs)
    assert set(back.threads) == {one, two}
    assert await there.heads() == await here.heads()
    again = await import_all(tmp_path / "all.zip", there.threads, there.blobs)
    assert (again.threads, set(again.here)) == ((), {one, two})


async def test_only_what_is_missing_is_brought_back_and_what_is_here_stays(
    here: Home, tmp_path: Path
) -> None:
    import shutil

    one, two = await here.thread(b"one"), await here.thread(b"two")
    await export_all(here.threads, here.blobs, tmp_path / "all.zip")
    before = await here.heads()
    shutil.rmtree(here.threads / one)
    async with open_thread(here.threads, two) as store:
        await store.append(ThreadRenamed(title="Later"))
    back = await import_all(tmp_path / "all.zip", here.threads, here.blobs)
    assert (back.threads, back.here) == ((one,), (two,))
    after = await here.heads()
    assert after[one] == before[one]
    assert after[two][0] == before[two][0] + 1


async def test_threads_that_are_at_work_are_exported_as_they_are_at_one_moment(
    here: Home, there: Home, tmp_path: Path
) -> None:
    threads = [await here.thread(f"{n}".encode()) for n in range(6)]
    stop = False

    async def work(thread: ThreadId) -> None:
        async with open_thread(here.threads, thread) as store:
            number = 0
            while not stop:
                number += 1
                content = here.blobs.put(f"{thread} {number}".encode())
                entries = [{"path": "a", "sha256": content}]
                manifest = here.blobs.put(json.dumps({"entries": entries}).encode())
                await store.append(BaseTaken(manifest=manifest, files=1, size=number))

    async with anyio.create_task_group() as tasks:
        for thread in threads[:2]:
            tasks.start_soon(work, thread)
        for number in range(3):
            done = await export_all(here.threads, here.blobs, tmp_path / f"{number}.zip")
            assert set(done.threads) == set(threads)
        stop = True
    back = await import_all(tmp_path / "2.zip", there.threads, there.blobs)
    assert back.refused == {}
    theirs = await there.heads()  # verified, with all content
    for thread in threads:
        async with open_thread(here.threads, thread, write=False) as store:
            events = await store.events()
        size, head = theirs[thread]
        assert events[size - 1].hash == head


@pytest.mark.parametrize("harm", ["log", "blob", "list"])
async def test_a_damaged_thread_is_left_out_and_named_and_the_others_are_there(
    here: Home, there: Home, tmp_path: Path, harm: str
) -> None:
    good, bad = await here.thread(b"good"), await here.thread(b"bad")
    async with open_thread(here.threads, bad, write=False) as store:
        taken = (await store.events())[-1].payload
    assert isinstance(taken, BaseTaken)
    if harm == "log":
        db = sqlite3.connect(here.threads / bad / "thread.db")
        db.execute("drop trigger events_no_update")
        db.execute("update events set time = 'x'")
        db.commit()
        db.close()
    else:
        listed = json.loads(here.blobs.read(taken.manifest))["entries"][0]["sha256"]
        here.file(taken.manifest if harm == "list" else listed).unlink()
    done = await export_all(here.threads, here.blobs, tmp_path / "all.zip")
    assert done.threads == (good,)
    assert list(done.left_out) == [bad]
    back = await import_all(tmp_path / "all.zip", there.threads, there.blobs)
    assert back.threads == (good,)
    assert set(await there.heads()) == {good}


async def test_a_changed_log_in_a_backup_is_refused_and_the_others_come(
    here: Home, there: Home, tmp_path: Path
) -> None:
    one, two = await here.thread(b"one"), await here.thread(b"two")
    await export_all(here.threads, here.blobs, tmp_path / "all.zip")
    with (
        zipfile.ZipFile(tmp_path / "all.zip") as old,
        zipfile.ZipFile(tmp_path / "changed.zip", "w") as new,
    ):
        for entry in old.namelist():
            content = old.read(entry)
            if entry == f"threads/{one}/events.jsonl":
                content = content.replace(b'"title":"T"', b'"title":"X"')
            new.writestr(entry, content)
    back = await import_all(tmp_path / "changed.zip", there.threads, there.blobs)
    assert back.threads == (two,)
    assert "altered" in back.refused[one]


@pytest.mark.parametrize("name", ["../../evil", "/etc", "t-../x", ""])
async def test_a_backup_cannot_name_a_place(there: Home, tmp_path: Path, name: str) -> None:
    manifest = {"format": "deskmate-backup-1", "threads": [{"thread": name}]}
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("manifest.json", json.dumps(manifest))
    with pytest.raises(UserError, match="no id of one"):
        await import_all(tmp_path / "evil.zip", there.threads, there.blobs)


async def test_what_is_there_is_never_overwritten_and_nothing_half_stays(
    here: Home, tmp_path: Path
) -> None:
    await here.thread(b"one")
    (tmp_path / "all.zip").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        await export_all(here.threads, here.blobs, tmp_path / "all.zip")
    assert (tmp_path / "all.zip").read_text() == "mine"

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export_all(here.threads, here.blobs, tmp_path / "new.zip", stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "here"]


async def test_a_folder_of_json_lines_and_blobs_is_read_by_anyone_and_comes_back(
    here: Home, there: Home, tmp_path: Path
) -> None:
    thread = await here.thread(b"one", b"two")
    target = tmp_path / "folder"
    async with open_thread(here.threads, thread, write=False) as store:
        assert await export_thread(store, here.blobs, target, folder=True) == 3
        with pytest.raises(UserError, match="exists already"):
            await export_thread(store, here.blobs, target, folder=True)
    lines = (target / "events.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]
    assert {path.read_bytes() for path in (target / "blobs").iterdir()} >= {b"one", b"two"}
    assert await import_thread(target, there.threads, there.blobs) == thread
    assert await there.heads() == await here.heads()


async def test_links_in_a_folder_are_not_followed(here: Home, there: Home, tmp_path: Path) -> None:
    thread = await here.thread(b"one")
    target = tmp_path / "folder"
    async with open_thread(here.threads, thread, write=False) as store:
        await export_thread(store, here.blobs, target, folder=True)
    log = target / "events.jsonl"
    log.rename(tmp_path / "elsewhere.jsonl")
    log.symlink_to(tmp_path / "elsewhere.jsonl")
    with pytest.raises(DeskmateError, match="not an exported thread"):
        await import_thread(target, there.threads, there.blobs)
    assert not list(there.threads.glob("t-*"))


async def test_a_folder_that_lacks_content_is_refused(
    here: Home, there: Home, tmp_path: Path
) -> None:
    thread = await here.thread(b"one")
    async with open_thread(here.threads, thread, write=False) as store:
        await export_thread(store, here.blobs, tmp_path / "folder", folder=True)
    next((tmp_path / "folder/blobs").iterdir()).unlink()
    with pytest.raises(CorruptData, match="lacks blob"):
        await import_thread(tmp_path / "folder", there.threads, there.blobs)
    assert not there.blobs.has(Digest("0" * 64))
