"""Every schema that was ever there, kept as SQL, is brought to today's without a record changing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from deskmate.errors import UserError
from deskmate.store import schema
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.listing import summary_of
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import ThreadRenamed

pytestmark = pytest.mark.anyio
SCHEMAS = Path(__file__).parent / "schemas"
EARLIER = sorted(SCHEMAS.glob("*.sql"))
HEADS = {
    "m001_events": "c94dcbce2c1385448fa337bb5bc00258c9a0626e50c6db4ac49d5eb0f0c00c06",
    "m003_listing": "3582f6790a855315e5c3e0a3da0bf5af2fc1ce8b13eb117ccd784ee10721851e",
    "m002_seals": "3582f6790a855315e5c3e0a3da0bf5af2fc1ce8b13eb117ccd784ee10721851e",
}
THREAD = "t-fixture001"


def restored(fixture: Path, threads: Path) -> Path:
    file = threads / THREAD / schema.FILE
    file.parent.mkdir(parents=True)
    db = sqlite3.connect(file)
    db.executescript(fixture.read_text("utf-8"))
    db.close()
    return file


def shape(file: Path) -> set[tuple[str, str, str]]:
    """What is in a database beside its rows."""
    db = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    rows = db.execute("select type, name, coalesce(sql, '') from sqlite_master").fetchall()
    db.close()
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


def test_each_step_of_the_schema_is_kept_as_it_was_left() -> None:
    assert [file.stem for file in EARLIER] == [step.__name__.strip("_") for step in schema._STEPS]
    assert HEADS.keys() == {file.stem for file in EARLIER}


@pytest.mark.parametrize("fixture", EARLIER, ids=lambda file: file.stem)
async def test_an_earlier_schema_becomes_todays_and_its_log_stays_the_same(
    tmp_path: Path, fixture: Path
) -> None:
    file = restored(fixture, tmp_path / "threads")
    fresh = await create_thread(tmp_path / "fresh", "T", version="1")
    async with open_thread(tmp_path / "threads", THREAD) as store:
        events = await store.events()
        assert events[-1].hash == HEADS[fixture.stem]
        assert (await verify_thread(store, BlobStore(tmp_path / "blobs"))).problems == ()
        await store.append(ThreadRenamed(title="Renamed"))
    assert shape(file) == shape(tmp_path / "fresh" / fresh / schema.FILE)
    assert summary_of(file.parent).title == "Renamed"
    db = sqlite3.connect(file)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("delete from events")
    db.close()


@pytest.mark.parametrize("fixture", EARLIER, ids=lambda file: file.stem)
async def test_what_an_earlier_schema_exports_has_the_same_hashes_elsewhere(
    tmp_path: Path, fixture: Path
) -> None:
    restored(fixture, tmp_path / "threads")
    async with open_thread(tmp_path / "threads", THREAD) as store:
        await export_thread(store, BlobStore(tmp_path / "blobs"), tmp_path / "t.zip")
    there = BlobStore(tmp_path / "there/blobs")
    await import_thread(tmp_path / "t.zip", tmp_path / "there/threads", there)
    async with open_thread(tmp_path / "there/threads", THREAD, write=False) as store:
        assert (await store.events())[-1].hash == HEADS[fixture.stem]


class Died(Exception):
    """In the middle of a migration."""


@pytest.mark.parametrize("fixture", EARLIER, ids=lambda file: file.stem)
async def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(
    tmp_path: Path, fixture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def m998_first(db: Database) -> None:
        db.execute("create table first (a)")

    def m999_dies(db: Database) -> None:
        db.execute("alter table events add column more text")
        db.execute("create table second (a)")
        raise Died

    file = restored(fixture, tmp_path / "threads")
    steps = schema._STEPS
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_STEPS", (*steps, m998_first, m999_dies))
        with pytest.raises(Died):
            async with open_thread(tmp_path / "threads", THREAD):
                pass
    names = {name for _, name, _ in shape(file)}
    assert "first" in names  # a step is whole or not there
    assert "second" not in names
    db = sqlite3.connect(file)
    (count,) = db.execute("select count(*) from events").fetchone()
    columns = [row[1] for row in db.execute("pragma table_info(events)")]
    db.close()
    assert count == 7
    assert "more" not in columns
    with pytest.raises(UserError, match="newer Deskmate"):  # the first of the two steps is there
        async with open_thread(tmp_path / "threads", THREAD):
            pass


async def test_an_older_schema_is_not_changed_by_reading(tmp_path: Path) -> None:
    file = restored(EARLIER[0], tmp_path / "threads")
    before = shape(file)
    with pytest.raises(UserError, match="older Deskmate"):
        async with open_thread(tmp_path / "threads", THREAD, write=False):
            pass
    assert shape(file) == before


async def test_a_reader_does_without_the_steps_that_only_make_speed(tmp_path: Path) -> None:
    file = restored(EARLIER[1], tmp_path / "threads")
    before = shape(file)
    async with open_thread(tmp_path / "threads", THREAD, write=False) as store:
        assert len(await store.events()) == 7
    assert summary_of(file.parent).state == "done"
    assert shape(file) == before


def test_lists_are_made_from_the_index_that_holds_only_their_events(tmp_path: Path) -> None:
    file = restored(EARLIER[-1], tmp_path / "threads")
    with closing(schema.open_database(file.parent, write=False)) as db:
        query = f"explain query plan select kind from events where {schema.LISTED} order by seq"
        plan = " ".join(str(row) for row in db.execute(query))
    assert "events_listed" in plan


def test_reading_a_thread_loads_no_library_of_databases(tmp_path: Path) -> None:
    restored(EARLIER[-1], tmp_path / "threads")
    program = (
        "import anyio, sys\nfrom pathlib import Path\nfrom deskmate.store.thread import open_thread\n"
        "async def main():\n"
        f"    async with open_thread(Path({str(tmp_path / 'threads')!r}), {THREAD!r}) as store:\n"
        "        assert len(await store.events()) == 7\n"
        "anyio.run(main)\nassert 'sqlite_utils' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
