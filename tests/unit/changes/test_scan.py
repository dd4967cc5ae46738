from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from deskmate.changes.disk import Folders
from deskmate.changes.scan import ScanLimits, take_base
from deskmate.errors import UserError
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry, Grant
from deskmate.types.ids import Digest


def _grant(folder: Path, name: str = "docs") -> Grant:
    folder.mkdir(exist_ok=True)
    return Grant(name=name, folder=str(folder))


def test_every_entry_is_recorded_and_every_content_kept(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    (tmp_path / "docs" / "sub").mkdir(mode=0o750)
    file = tmp_path / "docs" / "sub" / "nda.docx"
    file.write_bytes(b"content")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    blobs = MemoryBlobs()
    base = take_base([grant], blobs)
    folder, entry = base.entries
    assert (folder.path, folder.kind, folder.mode) == ("docs/sub", "dir", 0o750)
    assert entry == Entry(
        path="docs/sub/nda.docx",
        kind="file",
        mode=0o640,
        size=7,
        sha256=Digest(hashlib.sha256(b"content").hexdigest()),
        mtime_ns=1_700_000_000_123_456_789,
    )
    assert blobs.read(entry.sha256 or Digest("")) == b"content"
    assert (base.files, base.size, base.skipped) == (1, 7, {})


@pytest.mark.attack("F8")
def test_links_are_entries_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"secret")
    grant = _grant(tmp_path / "docs")
    (tmp_path / "docs" / "file").symlink_to(tmp_path / "secret" / "key")
    (tmp_path / "docs" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "docs" / "up").symlink_to("..")
    blobs = MemoryBlobs()
    base = take_base([grant], blobs)
    assert {entry.path: (entry.kind, entry.target) for entry in base.entries} == {
        "docs/file": ("symlink", str(tmp_path / "secret" / "key")),
        "docs/folder": ("symlink", str(tmp_path / "secret")),
        "docs/up": ("symlink", ".."),
    }
    assert blobs.content == {}


@pytest.mark.attack("F8")
def test_what_cannot_be_copied_is_reported_and_hangs_nothing(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    os.mkfifo(tmp_path / "docs" / "pipe")
    (tmp_path / "docs" / "line\nbreak").write_bytes(b"")
    (tmp_path / "docs" / os.fsdecode(b"latin\xe9")).write_bytes(b"")
    here = os.open(tmp_path / "docs", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{here}/socket")
        base = take_base([grant], MemoryBlobs())
    os.close(here)
    assert base.entries == ()
    assert base.skipped == {
        "docs/pipe": "it is neither a file nor a folder",
        "docs/socket": "it is neither a file nor a folder",
        "docs/line\nbreak": "its name holds control or direction characters",
        "docs/latin\\udce9": "its name is not text",
    }


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    (tmp_path / "docs" / "x").touch(mode=0)
    assert "cannot be read" in take_base([grant], MemoryBlobs()).skipped["docs/x"]


def test_a_file_that_does_not_stand_still_is_reported(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    file = tmp_path / "docs" / "log"
    file.write_bytes(b"")

    class Restless(MemoryBlobs):
        def put(self, content: bytes | Iterable[bytes]) -> Digest:
            digest = super().put(content)
            file.write_bytes(file.read_bytes() + b"more\n")
            return digest

    base = take_base([grant], Restless())
    assert base.skipped == {"docs/log": "it was being changed while it was read"}
    assert base.entries == ()


def test_a_missing_folder_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing cannot be opened: No such file"):
        take_base([Grant(name="docs", folder=str(tmp_path / "missing"))], MemoryBlobs())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="Not a directory"):
        take_base([Grant(name="docs", folder=str(tmp_path / "file"))], MemoryBlobs())


@pytest.mark.attack("F8")
def test_overlapping_grants_and_twin_names_are_refused(tmp_path: Path) -> None:
    outer, inner = _grant(tmp_path / "a", "a"), _grant(tmp_path / "a" / "b", "b")
    near = _grant(tmp_path / "ab", "ab")
    with pytest.raises(UserError, match="overlap"):
        take_base([outer, inner], MemoryBlobs())
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UserError, match="overlap"):
        take_base([outer, Grant(name="link", folder=str(tmp_path / "link"))], MemoryBlobs())
    with pytest.raises(UserError, match="are called a"):
        take_base([outer, Grant(name="a", folder=near.folder)], MemoryBlobs())
    for name in ("", "..", "a/b", "a\n"):
        with pytest.raises(UserError, match="cannot be the name"):
            take_base([Grant(name=name, folder=near.folder)], MemoryBlobs())
    assert take_base([outer, near], MemoryBlobs()).skipped == {}


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    for number in range(5):
        (tmp_path / "docs" / str(number)).write_bytes(b"x")
    with pytest.raises(UserError, match="more than 4 files"):
        take_base([grant], MemoryBlobs(), limits=ScanLimits(files=4))
    with (tmp_path / "docs" / "huge").open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no space, would take hours to read
    with pytest.raises(UserError, match="more than 16 GiB"):
        take_base([grant], MemoryBlobs())


def test_folders_too_deep_and_deskmates_own_are_left_out(tmp_path: Path) -> None:
    grant = _grant(tmp_path / "docs")
    own = tmp_path / "docs" / "deskmate"
    own.mkdir()
    (own / "blob").write_bytes(b"x")
    (tmp_path / "docs" / "1" / "2" / "3").mkdir(parents=True)
    base = take_base([grant], MemoryBlobs(), exclude=[own], limits=ScanLimits(depth=2))
    assert [entry.path for entry in base.entries] == ["docs/1"]
    assert set(base.skipped) == {"docs/deskmate", "docs/1/2"}


@pytest.mark.attack("F1")
def test_a_folder_swapped_for_a_link_while_it_is_read_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"outside")
    grant = _grant(tmp_path / "docs")
    inner = tmp_path / "docs" / "inner"
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            inner.mkdir()
            (inner / "x").write_bytes(b"inside")
            (inner / "x").unlink()
            inner.rmdir()
            inner.symlink_to(outside)
            inner.unlink()

    racer = threading.Thread(target=swap)
    racer.start()
    seen = set()
    try:
        with Folders([grant]) as folders:
            for _ in range(300):
                blobs = MemoryBlobs()
                take_base([grant], blobs)
                seen |= set(blobs.content.values())
                if content := _read(folders, "docs/inner/x"):
                    seen.add(content)
    finally:
        stop.set()
        racer.join()
    # what grows while it is read may be caught in the middle; nothing else was ever inside
    assert all(b"inside".startswith(content) for content in seen), seen


def _read(folders: Folders, path: str) -> bytes | None:
    found: list[bytes] = []

    def keep(pieces: Iterable[bytes]) -> Digest:
        found.extend(pieces)
        return Digest("")

    try:
        folders.look(path, keep)
    except OSError:
        return None
    return b"".join(found)


@pytest.mark.parametrize("size", [1, 9 << 20])
def test_a_file_that_grows_without_end_is_left_out(tmp_path: Path, size: int) -> None:
    grant = _grant(tmp_path / "docs")
    file = tmp_path / "docs" / "log"
    file.write_bytes(b"x" * size)

    class GrowingBlobs(MemoryBlobs):
        def put(self, content: bytes | Iterable[bytes]) -> Digest:
            if isinstance(content, bytes):
                with file.open("ab") as stream:
                    stream.write(b"more")
                return super().put(content)

            def grown() -> Iterable[bytes]:
                for count, piece in enumerate(content):
                    assert count < 100, "it is read without end"
                    with file.open("ab") as stream:
                        stream.write(b"more")
                    yield piece

            return super().put(b"".join(grown()))

    base = take_base([grant], GrowingBlobs())
    assert base.entries == ()
    assert base.skipped == {"docs/log": "it was being changed while it was read"}
