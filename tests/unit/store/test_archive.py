from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.store import archive
from deskmate.store.archive import export_thread, import_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.store.verify import verify_thread
from deskmate.types.events import BaseTaken, ToolFinished, UserSaid
from deskmate.types.ids import RunId, ThreadId, ToolUseId
from deskmate.types.messages import Picture

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
            pictures=(Picture(media="image/png", sha256=blobs.put(b"\x89PNG"), bytes=4),),
        )
        await store.append(UserSaid(run=RunId("r-1"), text="a\u2028b\n", model="m"), result)
        target = tmp_path / "thread.zip"
        assert await export_thread(store, blobs, target) == 2
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
        assert (report.blobs, len(report.problems)) == (2, 1)  # a result that nobody asked for
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


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


async def test_what_the_log_does_not_need_is_not_taken(tmp_path: Path) -> None:
    _, source = await _export(tmp_path)
    stray = hashlib.sha256(b"stray").hexdigest()
    with zipfile.ZipFile(source, "a") as old:
        old.writestr(f"blobs/{stray}", b"stray")
        old.writestr(f"blobs/{'0' * 64}", b"not even what its name says")
    other = tmp_path / "other-blobs"
    await import_thread(source, tmp_path / "other", BlobStore(other))
    assert len(_names(other)) == 2
    assert f"{stray}.zst" not in _names(other)


async def test_a_damaged_blob_is_never_stored_under_any_name(tmp_path: Path) -> None:
    _, source = await _export(tmp_path)
    changed = tmp_path / "changed.zip"
    _rewrite(source, changed, "blobs/", b"other bytes")
    other = tmp_path / "other-blobs"
    with pytest.raises(CorruptData, match="damaged"):
        await import_thread(changed, tmp_path / "other", BlobStore(other))
    assert _names(other) == set()


@pytest.mark.parametrize(
    ("limit", "value", "match"),
    [("TOTAL_LIMIT_BYTES", 9_999, "would unpack to"), ("COUNT_LIMIT", 3, "holds 5 files")],
)
async def test_an_archive_that_would_fill_the_disk_is_refused_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, match: str
) -> None:
    _, source = await _export(tmp_path)
    monkeypatch.setattr(archive, limit, value)
    other = tmp_path / "other-blobs"
    with pytest.raises(UserError, match=match):
        await import_thread(source, tmp_path / "other", BlobStore(other))
    assert not other.exists()
    assert not (tmp_path / "other").exists()


async def test_a_list_of_files_that_is_far_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    thread = await create_thread(tmp_path / "threads", "Lists", version="1")
    async with open_thread(tmp_path / "threads", thread) as store:
        manifest = blobs.put(b'{"entries": [' + b" " * 50_000 + b"]}")
        await store.append(BaseTaken(manifest=manifest, files=0, size=0))
        await export_thread(store, blobs, tmp_path / "thread.zip")
    monkeypatch.setattr(archive, "_LOG_LIMIT_BYTES", 20_000)
    with pytest.raises(UserError, match="too large for a list"):
        await import_thread(
            tmp_path / "thread.zip", tmp_path / "other", BlobStore(tmp_path / "other-blobs")
        )
