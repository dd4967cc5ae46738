"""Content that is read when it is first needed, and what is remembered of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deskmate.changes.content import take_content
from deskmate.changes.digests import RACY_NS, Digests, stamp_of
from deskmate.changes.scan import Base, list_base, take_base
from deskmate.store.blobs import BlobStore
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest


def folder(tmp_path: Path, files: dict[str, bytes]) -> Grant:
    """A granted folder with these files."""
    for name, content in files.items():
        real = tmp_path / "docs" / name
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
    return Grant(name="docs", folder=str(tmp_path / "docs"))


def by_path(base: Base) -> dict[str, Entry]:
    return {entry.path: entry for entry in base.entries}


def test_a_listing_tells_names_and_sizes_and_opens_no_file(tmp_path: Path) -> None:
    grant = folder(tmp_path, {"a.txt": b"alpha", "sub/b.txt": b""})
    (tmp_path / "docs" / "a.txt").chmod(0)
    found = by_path(list_base([grant]))
    assert {path: entry.size for path, entry in found.items()} == {
        "docs/a.txt": 5, "docs/sub": 0, "docs/sub/b.txt": 0
    }  # fmt: skip
    assert {path for path, entry in found.items() if entry.is_listed_only} == {
        "docs/a.txt", "docs/sub/b.txt"
    }  # fmt: skip


def test_what_is_asked_for_is_read_and_nothing_else(tmp_path: Path) -> None:
    grant = folder(tmp_path, {"a.txt": b"alpha", "b.txt": b"beta", "sub/c.txt": b"gamma"})
    listed = by_path(list_base([grant]))
    blobs = MemoryBlobs()
    taken = take_content([grant], [listed["docs/sub/c.txt"], listed["docs/a.txt"]], blobs)
    assert [entry.path for entry in taken.entries] == ["docs/a.txt", "docs/sub/c.txt"]
    digests = [entry.sha256 for entry in taken.entries if entry.sha256]
    assert [blobs.read(digest) for digest in digests] == [b"alpha", b"gamma"]
    assert not taken.lost


def test_a_file_that_changed_after_it_was_listed_is_told_as_it_is_now(tmp_path: Path) -> None:
    grant = folder(tmp_path, {"a.txt": b"alpha"})
    (listed,) = list_base([grant]).entries
    (tmp_path / "docs" / "a.txt").write_bytes(b"longer than before")
    blobs = MemoryBlobs()
    (now,) = take_content([grant], [listed], blobs).entries
    assert (now.size, now.mtime_ns > listed.mtime_ns) == (18, True)
    assert now.sha256 is not None
    assert blobs.read(now.sha256) == b"longer than before"


def test_what_is_gone_or_became_something_else_is_lost_with_the_reason(tmp_path: Path) -> None:
    files = {"gone": b"1", "link": b"2", "folder": b"3", "pipe": b"4", "moved/x": b"5", "ok": b"6"}
    grant = folder(tmp_path, files)
    listed = [entry for entry in list_base([grant]).entries if entry.kind == "file"]
    docs = tmp_path / "docs"
    for name in ("gone", "link", "folder", "pipe"):
        (docs / name).unlink()
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "x").write_text("not granted")
    (docs / "link").symlink_to(secret / "x")
    (docs / "folder").mkdir()
    os.mkfifo(docs / "pipe")
    (docs / "moved").rename(tmp_path / "elsewhere")
    (docs / "moved").symlink_to(secret)
    taken = take_content([grant], listed, MemoryBlobs())
    assert [entry.path for entry in taken.entries] == ["docs/ok"]
    assert taken.lost.keys() == {f"docs/{name}" for name in files} - {"docs/ok"}
    assert "removed" in taken.lost["docs/gone"]


def test_hundreds_of_files_and_large_ones_are_all_read(tmp_path: Path) -> None:
    files = {f"{n % 7}/{n}": os.urandom(n) for n in range(300)} | {"large": os.urandom(9 << 20)}
    grant = folder(tmp_path, files)
    blobs = BlobStore(tmp_path / "blobs")
    with blobs.batch() as batch:
        base = take_base([grant], batch)
    found = {e.path: e.sha256 for e in base.entries if e.sha256 is not None}
    assert {path.removeprefix("docs/"): blobs.read(sha) for path, sha in found.items()} == files


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as settled."""
    monkeypatch.setattr("deskmate.changes.digests.RACY_NS", 0)


@pytest.mark.usefixtures("settled")
def test_a_file_that_stood_still_is_known_and_one_that_changed_is_not(tmp_path: Path) -> None:
    grant = folder(tmp_path, {"a.txt": b"alpha", "b.txt": b"beta"})
    digests, blobs = Digests(tmp_path / "cache" / "digests"), MemoryBlobs()
    read = by_path(take_base([grant], blobs, digests=digests))
    b = tmp_path / "docs" / "b.txt"
    before = b.stat()
    b.write_bytes(b"BETA")
    os.utime(b, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and time
    found = by_path(list_base([grant], digests=digests, blobs=blobs))
    assert found["docs/a.txt"] == read["docs/a.txt"]
    assert found["docs/b.txt"].is_listed_only
    assert all(e.is_listed_only for e in list_base([grant], digests=digests, blobs=None).entries)


def test_a_file_that_was_changed_just_before_it_was_read_is_not_remembered(tmp_path: Path) -> None:
    """It could change again within the clock's grain and look the same."""
    folder(tmp_path, {"a.txt": b"alpha"})
    digests, now = Digests(tmp_path / "digests"), time.time_ns()
    stamp = stamp_of((tmp_path / "docs" / "a.txt").stat())
    recent = stamp._replace(ino=1, ctime_ns=now + RACY_NS)
    settled = stamp._replace(ino=2, ctime_ns=now - 2 * RACY_NS)
    digests.keep([(recent, Digest("a" * 64)), (settled, Digest("b" * 64))])
    with digests.known() as known:
        assert known.digest(recent) is None
        assert known.digest(settled) == "b" * 64


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", ["garbage", "row", "folder"])
def test_a_damaged_cache_vouches_for_nothing_and_stops_nobody(tmp_path: Path, damage: str) -> None:
    import sqlite3

    grant = folder(tmp_path, {"a.txt": b"alpha"})
    cache, blobs = tmp_path / "digests", MemoryBlobs()
    digests = Digests(cache)
    stamp = stamp_of((tmp_path / "docs" / "a.txt").stat())
    digests.keep([(stamp, Digest("a" * 64))])
    with digests.known() as known:
        assert known.digest(stamp) == "a" * 64
    if damage == "garbage":
        cache.write_bytes(b"no database" * 500)
    elif damage == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        with sqlite3.connect(cache) as db:
            db.execute("update digests set sha256 = ?", ("b" * 64,))
    with digests.known() as known:
        assert known.digest(stamp) is None
    (entry,) = take_base([grant], blobs, digests=digests).entries
    assert entry.sha256 is not None
    assert blobs.read(entry.sha256) == b"alpha"
