"""The strict tar reader and the writer, against the standard library's tar."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest

from deskmate.errors import ProtocolError
from deskmate.sandbox.archive import Item, Received, items_of, stream, stream_size
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Entry
from deskmate.types.ids import Digest


def _tar(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for info, content in members:
            info.size = len(content) if info.isreg() else info.size
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def _received(data: bytes) -> Received:
    return Received(io.BytesIO(data), len(data))


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("name", ["/workspace/a.txt", "/workspace/" + "d/" * 40 + "ä" * 40])
def test_files_come_as_they_were_asked_for(name: str, format: int) -> None:
    data = _tar((_member(name), b"one"), (_member("/workspace/b"), b""), format=format)
    received = _received(data)
    assert b"".join(received.file(name, 3)) == b"one"
    assert b"".join(received.file("/workspace/b", 0)) == b""
    received.end()


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
        tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"g", b"V",
    ],
)  # fmt: skip
def test_anything_but_a_regular_file_is_refused(kind: bytes) -> None:
    info = _member("x", kind)
    info.linkname = "/etc/passwd"
    with pytest.raises(ProtocolError):
        _received(_tar((info, b""))).file("x", 0)


@pytest.mark.parametrize("name", ["../x", "y", "/etc/passwd", "x/../y"])
def test_a_name_that_was_not_asked_for_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="asked for"):
        _received(_tar((_member(name), b"1"))).file("x", 1)


def test_another_size_than_announced_is_refused() -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        _received(_tar((_member("x"), b"12"))).file("x", 1)


def test_a_stream_that_ends_early_is_refused() -> None:
    data = _tar((_member("x"), b"1" * 2000))[:1000]
    content = _received(data).file("x", 2000)
    with pytest.raises(ProtocolError, match="longer"):
        list(content)


def test_an_entry_too_many_is_refused() -> None:
    received = _received(_tar((_member("x"), b"1"), (_member("extra"), b"2")))
    list(received.file("x", 1))
    with pytest.raises(ProtocolError, match="more"):
        received.end()


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(_tar((_member("x"), b"1")))
    data[0] ^= 1
    with pytest.raises(ProtocolError, match="checksum"):
        _received(bytes(data)).file("x", 1)


@pytest.mark.parametrize("field", ["GNU.sparse.major", "size", "linkpath", "SCHILY.xattr.user.x"])
def test_odd_extended_fields_are_refused(field: str) -> None:
    info = _member("x")
    info.pax_headers = {field: "1"}
    with pytest.raises(ProtocolError, match="extended"):
        _received(_tar((info, b"1"), format=tarfile.PAX_FORMAT)).file("x", 1)


def test_random_bytes_never_escape_as_another_error() -> None:
    for number in range(300):
        noise = hashlib.shake_128(number.to_bytes(4, "big")).digest(2048)
        base = bytearray(_tar((_member("x"), b"1" * 100)))
        base[number % 512] = noise[0]
        for data in (noise, bytes(base)):
            received = _received(data)
            try:
                list(received.file("x", 100))
                received.end()
            except ProtocolError:
                continue


def test_what_the_writer_writes_other_tars_read() -> None:
    blobs = MemoryBlobs()
    content = b"text" * 1000
    long = "folder/" + "n" * 180 + ".txt"
    digest = blobs.put(content)
    entries = [
        Entry(path=long, kind="file", mode=0o640, size=4000, sha256=digest, mtime_ns=5 * 10**9),
        Entry(path="folder", kind="dir", mode=0o755),
        Entry(path="folder/link", kind="symlink", mode=0o777, target="t" * 150),
    ]
    items = items_of(entries, "pre/")
    data = b"".join(stream(items, blobs))
    assert len(data) == stream_size(items)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {member.name: member for member in archive.getmembers()}
        assert list(found) == ["pre/folder", "pre/folder/link", "pre/" + long]
        assert found["pre/folder/link"].linkname == "t" * 150
        assert (found["pre/" + long].mode, found["pre/" + long].mtime) == (0o640, 5)
        extracted = archive.extractfile("pre/" + long)
        assert extracted is not None
        assert extracted.read() == content


def test_a_blob_of_another_size_stops_the_stream() -> None:
    blobs = MemoryBlobs()
    entry = Entry(path="x", kind="file", mode=0o644, size=9, sha256=Digest(blobs.put(b"four")))
    with pytest.raises(ProtocolError, match="4 bytes"):
        list(stream([Item(name="x", entry=entry)], blobs))
