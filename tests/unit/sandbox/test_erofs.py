"""EROFS images as `fsck.erofs` reads them: it checks all of one, and unpacks it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskmate.errors import ProtocolError, UserError
from deskmate.sandbox.erofs import BLOCK, Erofs
from deskmate.types.files import Entry, EntryKind
from deskmate.types.ids import Digest

LIMIT = 64 << 20
Fact = tuple[str, int, int, bytes]
"""Kind, permission bits, time in ns, and content or target."""


def file(path: str, content: bytes, mode: int = 0o644, mtime_ns: int = 1) -> tuple[Entry, bytes]:
    digest = Digest(hashlib.sha256(content).hexdigest())
    entry = Entry(
        path=path, kind="file", mode=mode, size=len(content), sha256=digest, mtime_ns=mtime_ns
    )
    return entry, content


def other(path: str, kind: EntryKind, target: str = "", mode: int = 0o755) -> tuple[Entry, bytes]:
    return Entry(path=path, kind=kind, mode=mode, target=target, mtime_ns=7_000_000_009), b""


@contextmanager
def region(limit: int = LIMIT) -> Iterator[int]:
    with tempfile.TemporaryFile() as disk:
        disk.truncate(limit)
        yield disk.fileno()


def unpack(fd: int, size: int, start: int = 0) -> dict[bytes, Fact]:
    """Return every entry that `fsck.erofs` finds sound."""
    with tempfile.TemporaryDirectory() as folder:
        image, out = Path(folder, "image"), os.fsencode(folder) + b"/out"
        with image.open("wb") as target:
            target.truncate(size)
            for offset in range(0, size, LIMIT):
                piece = os.pread(fd, min(LIMIT, size - offset), start + offset)
                if piece.strip(b"\0"):
                    os.pwrite(target.fileno(), piece, offset)
        command = ["fsck.erofs", f"--extract={folder}/out", "--preserve-perms", str(image)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path[len(out) + 1 :]: fact_of(path) for path in walk(out)}


def walk(top: bytes) -> Iterator[bytes]:
    with os.scandir(top) as rows:
        for row in rows:
            yield row.path
            if row.is_dir(follow_symlinks=False):
                yield from walk(row.path)


def fact_of(path: bytes) -> Fact:
    status = os.lstat(path)
    place = Path(os.fsdecode(path))
    if place.is_symlink():
        return "symlink", 0o777, status.st_mtime_ns, os.fsencode(place.readlink())
    kind, content = ("dir", b"") if place.is_dir() else ("file", place.read_bytes())
    return kind, status.st_mode & 0o777, status.st_mtime_ns, content


def expected(rows: Mapping[str, tuple[Entry, bytes]]) -> dict[bytes, Fact]:
    found: dict[bytes, Fact] = {}
    for path, (entry, content) in rows.items():
        mode = 0o777 if entry.kind == "symlink" else entry.mode
        target = entry.target.encode("utf-8", "surrogateescape")
        data = target if entry.kind == "symlink" else content
        name = path.encode("utf-8", "surrogateescape")
        found[name] = (entry.kind, mode, entry.mtime_ns, data)
    return found


def build(fd: int, rows: Mapping[str, tuple[Entry, bytes]], start: int = 0) -> int:
    image = Erofs(fd, start, LIMIT, time_ns=5)
    for entry, content in rows.values():
        half = len(content) // 2
        image.add(entry, [content[:half], content[half:]] if content else ())
    return image.seal({})


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
SIZES = st.sampled_from([0, 1, 2, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 5 * BLOCK])
TIMES = st.integers(0, 4_000_000_000_999_999_999)
MODES = st.sampled_from([0o644, 0o755, 0o600, 0o664, 0o775, 0o400, 0o777])


@st.composite
def trees(draw: st.DrawFn) -> dict[str, tuple[Entry, bytes]]:
    folders = [""]
    rows: dict[str, tuple[Entry, bytes]] = {}
    for _ in range(draw(st.integers(0, 25))):
        above = draw(st.sampled_from(folders))
        path = f"{above}/{draw(NAMES)}".lstrip("/") if above else draw(NAMES)
        if path in rows or len(path.encode()) > 1500:
            continue
        kind = draw(st.sampled_from(["file", "file", "dir", "symlink"]))
        if kind == "file":
            seed = draw(st.integers(0, 255))
            content = bytes((seed + n) % 251 for n in range(draw(SIZES)))
            rows[path] = file(path, content, draw(MODES), draw(TIMES))
        elif kind == "symlink":
            rows[path] = other(path, "symlink", draw(NAMES))
        else:
            mode = draw(st.sampled_from([0o755, 0o775, 0o700]))
            rows[path] = other(path, "dir", mode=mode)
            folders.append(path)
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees())
def test_any_tree_comes_out_as_it_went_in(rows: dict[str, tuple[Entry, bytes]]) -> None:
    with region() as fd:
        assert unpack(fd, build(fd, rows)) == expected(rows)


def test_a_large_folder_and_a_deep_one_lie_over_many_blocks() -> None:
    rows = {}
    for number in range(3000):  # names around the dot, and one that begins another
        path = f"many/{'!-.0aZé'[number % 7]}{number % 11 * 'x'}{number}"
        rows[path] = file(path, b"%d" % number)
    deep = ""
    for number in range(60):
        deep = f"{deep}/{number:03}{'d' * 50}".lstrip("/")
        rows[deep] = other(deep, "dir")
    rows[f"{deep}/end"] = file(f"{deep}/end", b"end")
    rows["many/" + "l" * 255] = file("many/" + "l" * 255, b"long")
    rows["many"] = other("many", "dir")
    with region() as fd:
        assert unpack(fd, build(fd, rows)) == expected(rows)


def test_names_that_are_not_utf_8_and_images_behind_others_keep_their_bytes() -> None:
    name = os.fsdecode(b"caf\xe9")
    rows = {name: file(name, b"1"), "link": other("link", "symlink", f"to/{name}")}
    with region() as fd:
        first = build(fd, {"a": file("a", b"first")})
        start = first + -first % (1 << 20)
        size = build(fd, rows, start)
        assert unpack(fd, size, start) == expected(rows)
        assert unpack(fd, first) == expected({"a": file("a", b"first")})


@pytest.mark.slow
def test_content_beyond_four_gibibytes_is_found() -> None:
    far = 5 << 30
    rows = {"far": file("far", b"far" * 5000), "near": file("near", b"near")}
    with region(far + LIMIT) as fd:
        image = Erofs(fd, 0, far + LIMIT, time_ns=5)
        image.add(*_listed(rows["near"]))
        image._blocks = far // BLOCK  # as after so much content, which a test need not write
        image.add(*_listed(rows["far"]))
        assert unpack(fd, image.seal({})) == expected(rows)


def _listed(row: tuple[Entry, bytes]) -> tuple[Entry, list[bytes]]:
    return row[0], [row[1]]


def test_folders_above_the_files_have_the_attributes_that_are_known() -> None:
    known = {"a": Entry(path="a", kind="dir", mode=0o750, mtime_ns=123)}
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=5)
        image.add(*_listed(file("a/b/c", b"x")))
        found = unpack(fd, image.seal(known))
    assert found[b"a"] == ("dir", 0o750, 123, b"")
    assert found[b"a/b"] == ("dir", 0o775, 5, b"")


def test_equal_content_is_written_once_and_an_entry_again_replaces_the_first() -> None:
    content = os.urandom(100 * BLOCK)
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=5)
        for path in ("a", "b", "c"):
            image.add(*_listed(file(path, content)))
        image.add(*_listed(file("a", b"later")))
        size = image.seal({})
        found = unpack(fd, size)
    assert size < 110 * BLOCK
    assert found[b"b"][3] == found[b"c"][3] == content
    assert found[b"a"][3] == b"later"


@pytest.mark.parametrize("content", [b"", b"12", b"1234"])
def test_content_of_another_size_than_stated_is_refused(content: bytes) -> None:
    entry = Entry(path="a", kind="file", mode=0o644, size=3, sha256=Digest("0" * 64))
    with region() as fd, pytest.raises(ProtocolError, match="3 bytes"):
        Erofs(fd, 0, LIMIT, time_ns=5).add(entry, [content])


def test_a_full_region_is_told_and_nothing_is_written_beyond_it() -> None:
    with region() as fd:
        image = Erofs(fd, 0, 4 * BLOCK, time_ns=5)
        image.add(*_listed(file("a", b"x" * 3 * BLOCK)))
        with pytest.raises(UserError, match="need more"):
            image.add(*_listed(file("b", b"y" * BLOCK)))
        with pytest.raises(UserError, match="need more"):
            image.seal({})
        assert os.pread(fd, LIMIT, 4 * BLOCK).strip(b"\0") == b""


def test_what_lies_in_a_file_is_refused() -> None:
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=5)
        image.add(*_listed(file("a", b"x")))
        image.add(*_listed(file("a/b", b"x")))
        with pytest.raises(ProtocolError, match="no folder"):
            image.seal({})


def test_content_that_the_disk_takes_in_parts_is_all_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = os.pwritev

    def little(fd: int, pieces: Sequence[bytes], place: int) -> int:
        some = b"".join(bytes(piece) for piece in pieces[:3])[:1300]
        return whole(fd, [some], place)

    monkeypatch.setattr(os, "pwritev", little)
    rows = [file(f"a/{number}", b"%d " % number * 700) for number in range(30)]
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=0)
        for entry, content in rows:
            image.add(entry, [content[:100], content[100:]])
        size = image.seal({})
        found = unpack(fd, size)
    for entry, content in rows:
        assert found[entry.path.encode()][3] == content


def test_files_after_one_that_was_refused_lie_where_they_should() -> None:
    entry, _ = file("a", b"x" * 10_000)
    good, content = file("b", b"y" * 9_000)
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=0)
        with pytest.raises(ProtocolError):
            image.add(entry, [b"x" * 500])
        image.add(good, [content])
        found = unpack(fd, image.seal({}))
    assert found[b"b"][3] == content
    assert b"a" not in found


def test_many_small_files_are_written_by_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    whole = os.pwritev

    def counted(fd: int, pieces: Sequence[bytes], place: int) -> int:
        calls.append(len(pieces))
        return whole(fd, pieces, place)

    monkeypatch.setattr(os, "pwritev", counted)
    with region() as fd:
        image = Erofs(fd, 0, LIMIT, time_ns=0)
        for number in range(3000):
            image.add(*_listed(file(f"{number}", b"%d" % number)))
        image.seal({})
    assert len(calls) < 20
    assert max(calls) <= os.sysconf("SC_IOV_MAX")
