"""What is erased in a thread is erased in its forks, and every other place that holds it is named."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner
from tests.unit.store.test_erasing import LONG, SECRET, Archive
from tests.unit.store.test_invariants import SAID

from deskmate.cli import root
from deskmate.errors import UserError
from deskmate.host.erasing import Choice, ErasedEverywhere, erase_events, ranges
from deskmate.host.forking import fork_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.owning import delete_thread
from deskmate.store.schema import FILE
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.places import Places

pytestmark = pytest.mark.anyio
Command = Callable[[str], Awaitable[str]]
EVERYTHING = Choice(everything=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
async def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    await made.make()
    return made


@pytest.fixture
def command(tmp_path: Path) -> Command:
    async def run(line: str) -> str:
        return await anyio.to_thread.run_sync(in_thread, line)

    def in_thread(line: str) -> str:
        environ = {"DESKMATE_HOME": str(tmp_path)}
        for part in line.split(" && "):
            words = shlex.split(part)[1:]
            words += ["--yes"] if words[0] == "audit" else []
            result = CliRunner().invoke(root, words, env=environ, standalone_mode=False)
            assert result.exception is None, result.output
        return result.stdout

    return run


async def fork(places: Places, thread: str, seq: int | None = None) -> str:
    return (await fork_thread(places, thread, seq=seq)).thread


async def erase(places: Places, thread: str, choice: Choice = EVERYTHING) -> ErasedEverywhere:
    return await erase_events(places, thread, choice, "asked for")


async def are_sound(places: Places, *threads: str) -> bool:
    for thread in threads:
        async with open_thread(places.threads, thread, write=False) as store:
            report = await verify_thread(store, BlobStore(places.blobs), settled=True)
            assert report.problems == ()
    return True


async def test_forks_and_their_forks_lose_it_too_and_stay_whole(
    archive: Archive, places: Places
) -> None:
    one = await fork(places, archive.thread)
    two = await fork(places, one)
    early = await fork(places, archive.thread, 2)
    assert len(archive.holds("12 Elm Street")) == 4
    done = await erase(places, archive.thread)
    assert done.forks.keys() == {one, two, early}
    assert done.left == ()
    assert archive.holds("12 Elm Street") == []
    assert await are_sound(places, archive.thread, one, two, early)
    async with open_thread(places.threads, two, write=False) as store:
        assert {event.kind for event in await store.events()} >= {"ThreadForked", "Erased"}


async def test_a_fork_loses_only_what_was_named_and_by_its_own_numbers(
    archive: Archive, places: Places
) -> None:
    one = await fork(places, archive.thread)
    done = await erase(places, archive.thread, Choice(events=("6",)))
    assert done.events == (6,)
    assert done.forks == {one: (7,)}
    assert archive.holds(LONG[-60:]) == []
    assert archive.holds(SECRET)  # the request


async def test_what_a_fork_said_after_it_was_forked_is_its_own(
    archive: Archive, places: Places
) -> None:
    early = await fork(places, archive.thread, 2)
    done = await erase(places, archive.thread, Choice(events=("6",)))
    assert done.forks == {}
    assert done.left == ()
    async with open_thread(places.threads, early, write=False) as store:
        assert not any(event.kind == "Erased" for event in await store.events())


async def test_erased_in_a_fork_the_others_are_named_and_the_named_command_does_it(
    archive: Archive, places: Places, command: Command
) -> None:
    one, other = await fork(places, archive.thread), await fork(places, archive.thread)
    done = await erase(places, one, Choice(events=("7",)))
    assert (done.events, done.forks) == ((7,), {})
    assert {(place.thread, place.events) for place in done.left} == {
        (archive.thread, (6,)),
        (other, (7,)),
    }
    assert archive.holds(LONG[-60:])
    for place in done.left:
        if archive.holds(LONG[-60:]):
            await command(place.command)
    assert archive.holds(LONG[-60:]) == []
    assert await are_sound(places, archive.thread, one, other)


async def test_an_early_fork_of_a_fork_keeps_what_is_its_own(
    archive: Archive, places: Places
) -> None:
    one = await fork(places, archive.thread)
    early = await fork(places, one, 3)  # with events 1 and 2 of the first thread
    async with open_thread(places.threads, early, write=False) as store:
        before = await store.events()
    done = await erase(places, archive.thread, Choice(events=("3-7",)))
    assert done.forks.keys() == {one}
    assert done.left == ()
    async with open_thread(places.threads, early, write=False) as store:
        assert await store.events() == before


@pytest.mark.parametrize("depth", [1, 2])
async def test_forks_of_a_thread_that_is_gone_for_good_still_know_each_other(
    archive: Archive, places: Places, command: Command, depth: int
) -> None:
    parent = archive.thread
    one = await fork(places, parent)
    for _ in range(depth):
        parent, gone = await fork(places, parent), parent
        shutil.rmtree(places.threads / gone)
    done = await erase(places, one, Choice(events=("7",)))
    (place,) = done.left
    assert (place.thread, place.events) == (parent, (6 + depth,))
    await command(place.command)
    assert archive.holds(LONG[-60:]) == []


async def test_a_deleted_fork_is_named_and_the_named_command_does_it(
    archive: Archive, places: Places, command: Command
) -> None:
    one = await fork(places, archive.thread)
    delete_thread(places.threads, one)
    done = await erase(places, archive.thread)
    (place,) = done.left
    assert (place.thread, "brought back" in place.why) == (one, True)
    await command(place.command)
    assert archive.holds("12 Elm Street") == []


async def test_a_fork_at_work_is_named_and_the_rest_is_done(
    archive: Archive, places: Places
) -> None:
    one, two = await fork(places, archive.thread), await fork(places, archive.thread)
    async with open_thread(places.threads, one) as store:
        await store.append(SAID)
    done = await erase(places, archive.thread)
    assert done.forks.keys() == {two}
    (place,) = done.left
    assert (place.thread, "under way" in place.why) == (one, True)


async def test_a_log_that_cannot_be_read_is_named(archive: Archive, places: Places) -> None:
    one = await fork(places, archive.thread)
    (places.threads / one / FILE).write_bytes(b"no database at all" * 400)
    done = await erase(places, archive.thread)
    (place,) = done.left
    assert (place.thread, place.events) == (one, ())
    assert "damaged" in place.why


async def test_a_kill_between_forks_and_thread_is_finished_by_the_same_command(
    archive: Archive, places: Places, tmp_path: Path
) -> None:
    threads = [archive.thread, await fork(places, archive.thread)]
    line = [sys.executable, "-m", "deskmate", "audit", "erase", "--thread", archive.thread]
    line += ["--all", "--why", "asked for", "--yes"]
    environ = {**os.environ, "DESKMATE_HOME": str(tmp_path)}
    for failpoint in ("log:Erased:before:1", "log:Erased:after:1", "log:Erased:before:2"):
        done = subprocess.run(line, env={**environ, "DESKMATE_FAILPOINT": failpoint}, check=False)
        if failpoint != "log:Erased:before:2":  # by then there is but one left to do
            assert done.returncode == -9
        assert await are_sound(places, *threads)
    subprocess.run(line, env=environ, check=False)
    assert archive.holds("12 Elm Street") == []
    assert await are_sound(places, *threads)


async def test_where_nothing_is_left_anywhere_it_is_said(archive: Archive, places: Places) -> None:
    await fork(places, archive.thread)
    await erase(places, archive.thread, Choice(events=("6",)))
    with pytest.raises(UserError, match="nothing to erase"):
        await erase(places, archive.thread, Choice(events=("6",)))


async def test_the_command_says_what_it_did_and_what_it_cannot_reach(
    archive: Archive, places: Places, command: Command
) -> None:
    one = await fork(places, archive.thread)
    text = await command(f"deskmate audit erase --thread {one} --event 7 --why 'asked for'")
    assert f"{one}: 1 events erased; the chain of records is whole" in text
    assert f"! {archive.thread} still holds 1 of these events" in text
    assert f"deskmate audit erase --thread {archive.thread} --event 6 --why 'asked for'" in text
    assert "exports, backups, recordings" in text


def test_numbers_are_told_as_ranges() -> None:
    assert ranges({9, 1, 2, 3, 7, 8}) == ("1-3", "7-9")
    assert ranges({4}) == ("4",)
    assert ranges(()) == ()
