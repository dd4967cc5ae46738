from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import create_thread, open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import ToolFinished, UserSaid
from deskmate.types.ids import RunId, ThreadId, ToolUseId

pytestmark = pytest.mark.anyio


async def _export(tmp_path: Path) -> tuple[ThreadId, Path]:
    blobs = BlobStore(tmp_path / "blobs")
    thread = await create_thread(tmp_path / "threads", "Prüfung \u2028", version="1")
    async with open_thread(tmp_path / "threads", thread) as store:
        result = ToolFinished(
            tool_use_id=ToolUseId("toolu_1"),
            tool="legal__read",
            outcome="error",
            text="…",
            full=blobs.put(b"long text " * 1000),
            synthetic=True,
        )
        await store.append(UserSaid(run=RunId("r-1"), text="a\u2028b\n", model="m"), result)
        target = tmp_path / "thread.zip"
        assert await export_thread(store, blobs, target) == 1
        with pytest.raises(UserError, match="exists already"):
            await export_thread(store, blobs, target)
    return thread, target


async def test_a_thread_comes_back_with_the_same_hashes_and_files(tmp_path: Path) -> None:
    thread, archive = await _export(tmp_path)
    other = BlobStore(tmp_path / "other-blobs")
    assert await import_thread(archive, tmp_path / "other", other) == thread
    async with open_thread(tmp_path / "threads", thread, write=False) as store:
        before = await store.events()
    async with open_thread(tmp_path / "other", thread) as store:
        assert await store.events() == before
        report = await verify_thread(store, other)
        assert (report.blobs, len(report.problems)) == (1, 1)  # a result that nobody asked for
    with pytest.raises(UserError, match="here already"):
        await import_thread(archive, tmp_path / "other", other)


def _rewrite(source: Path, target: Path, name: str, content: bytes | None) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            if not entry.startswith(name):
                new.writestr(entry, old.read(entry))
            elif content is not None:
                new.writestr(entry, content)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("blobs/", b"other bytes", "damaged"),
        ("blobs/", None, "lacks blob"),
        ("events.jsonl", b"{}\n", "damaged"),
        ("events.jsonl", b"", "not the one"),
        ("events.jsonl", b"\xff\xfe", "not an exported thread"),
        ("events.jsonl", None, "not an exported thread"),
        ("manifest.json", b'{"format": "other"}', "format 'other'"),
        ("manifest.json", b"[]", "not an exported thread"),
    ],
)
async def test_a_changed_archive_is_refused_and_leaves_no_thread(
    tmp_path: Path, name: str, content: bytes | None, match: str
) -> None:
    _, archive = await _export(tmp_path)
    changed = tmp_path / "changed.zip"
    _rewrite(archive, changed, name, content)
    with pytest.raises(DeskmateError, match=match):
        await import_thread(changed, tmp_path / "other", BlobStore(tmp_path / "other-blobs"))
    assert not list((tmp_path / "other").glob("*"))


async def test_names_that_point_elsewhere_are_never_unpacked(tmp_path: Path) -> None:
    _, archive = await _export(tmp_path)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("../../evil", b"x")
        file.writestr("/etc/evil", b"x")
        file.writestr("blobs/../../evil", b"x")
    before = set(tmp_path.rglob("*evil*"))
    await import_thread(archive, tmp_path / "other", BlobStore(tmp_path / "other-blobs"))
    assert set(tmp_path.rglob("*evil*")) == before


async def test_a_file_that_is_no_archive_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match="not an exported thread"):
        await import_thread(tmp_path / "x.zip", tmp_path / "t", BlobStore(tmp_path / "b"))


async def test_a_damaged_log_is_not_exported(tmp_path: Path) -> None:
    thread, _ = await _export(tmp_path)
    import sqlite3

    db = sqlite3.connect(tmp_path / "threads" / thread / "thread.db")
    db.execute("drop trigger events_no_update")
    db.execute("update events set kind = 'Refused' where seq = 2")
    db.commit()
    db.close()
    async with open_thread(tmp_path / "threads", thread, write=False) as store:
        with pytest.raises(CorruptData, match="record 2 was altered"):
            await export_thread(store, BlobStore(tmp_path / "blobs"), tmp_path / "new.zip")
    assert not (tmp_path / "new.zip").exists()


async def test_an_archive_of_endless_brackets_is_refused_in_one_line(tmp_path: Path) -> None:
    _, archive = await _export(tmp_path)
    for name in ("events.jsonl", "manifest.json"):
        nested = tmp_path / f"{name}.zip"
        _rewrite(archive, nested, name, b"[" * 200_000)
        with pytest.raises(DeskmateError):
            await import_thread(nested, tmp_path / "other", BlobStore(tmp_path / "other-blobs"))
    assert not (tmp_path / "other").exists()
