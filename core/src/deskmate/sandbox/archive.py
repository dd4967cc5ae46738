"""Tar streams between host and guest: a plain writer, and a strict reader of our own.

What the guest sends is read entry by entry from a byte stream: regular files with the names that were
asked for, in that order, and nothing else. Nothing is ever unpacked to a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from deskmate.errors import ProtocolError
from deskmate.ports import BlobReader
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

_BLOCK = 512
_CHUNK = 1 << 18
_NAME_LIMIT_BYTES = 4096
_PAX_LIMIT_BYTES = 1 << 16
_PAX_ALLOWED = {"path", "mtime", "atime", "ctime"}
_KINDS = {"file": b"0", "dir": b"5", "symlink": b"2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a tar stream to the guest. `name`: its name in the stream."""

    name: str
    entry: Entry

    @property
    def digest(self) -> Digest | None:
        """The content's digest, None for anything but files."""
        return self.entry.sha256 if self.entry.kind == "file" else None


def items_of(
    entries: Iterable[Entry], prefix: str = "", *, shared: bool = False
) -> tuple[Item, ...]:
    """Return the entries as items, parents before children; `prefix` goes before every name.

    `shared`: in the guest the group may do what the owner may, so that workers share the files.
    """
    ordered = sorted(entries, key=lambda entry: entry.path.split("/"))
    if shared:
        ordered = [replace(entry, mode=_shared(entry.mode)) for entry in ordered]
    return tuple(Item(name=prefix + entry.path, entry=entry) for entry in ordered)


def _shared(mode: int) -> int:
    return mode & 0o707 | (mode & 0o700) >> 3


def stream_size(items: Iterable[Item]) -> int:
    """Return the exact length in bytes of what `stream` yields for the items."""
    total = 2 * _BLOCK
    for item in items:
        size = item.entry.size if item.digest else 0
        total += len(_header(item)) + size + _padding(size)
    return total


def stream(items: Sequence[Item], blobs: BlobReader) -> Iterator[bytes]:
    """Yield the tar stream of the items in pieces of about 256 KiB.

    Raises CorruptData when a blob is missing or damaged, ProtocolError when its size is another.
    """
    buffer = bytearray()
    for item in items:
        buffer += _header(item)
        if item.digest:
            sent = 0
            for chunk in blobs.chunks(item.digest):
                sent += len(chunk)
                buffer += chunk
                if len(buffer) >= _CHUNK:
                    yield bytes(buffer)
                    buffer.clear()
            if sent != item.entry.size:
                raise ProtocolError(
                    f"{item.name} has {sent} bytes, its entry says {item.entry.size}"
                )
            buffer += bytes(_padding(sent))
    buffer += bytes(2 * _BLOCK)
    yield bytes(buffer)


def _header(item: Item) -> bytes:
    entry = item.entry
    name = item.name.encode("utf-8", "surrogateescape")
    target = entry.target.encode("utf-8", "surrogateescape") if entry.kind == "symlink" else b""
    size = entry.size if item.digest else 0
    records = b""
    if len(name) > 100:
        records += _record(b"path", name)
    if len(target) > 100:
        records += _record(b"linkpath", target)
    if size >= 8 << 30:
        records += _record(b"size", str(size).encode())
    head = b""
    if records:
        head = (
            _raw(b"pax", 0o644, len(records), 0, b"x", b"")
            + records
            + bytes(_padding(len(records)))
        )
    mtime = max(0, entry.mtime_ns // 1_000_000_000)
    kind = _KINDS[entry.kind]
    return head + _raw(name[:100], entry.mode, min(size, (8 << 30) - 1), mtime, kind, target[:100])


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _raw(name: bytes, mode: int, size: int, mtime: int, kind: bytes, target: bytes) -> bytes:
    fields = [
        name.ljust(100, b"\0"),
        b"%07o\0" % (mode & 0o777),
        b"%07o\0" % 1000,
        b"%07o\0" % 3000,
        b"%011o\0" % size,
        b"%011o\0" % min(mtime, (8 << 30) - 1),
        b" " * 8,
        kind,
        target.ljust(100, b"\0"),
        b"ustar\x0000",
    ]
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    checksum = b"%06o\0 " % sum(block)
    return block[:148] + checksum + block[156:]


def _padding(size: int) -> int:
    return -size % _BLOCK


class Received:
    """A tar stream that the guest sent, read strictly, once, from front to back."""

    def __init__(self, source: BinaryIO, total: int) -> None:
        """`total`: the announced length in bytes; not one byte more is read."""
        self._source = source
        self._left = total
        self._unread = 0
        self._pad = 0

    def file(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the content of the next entry, which must be the regular file `name` of `size` bytes.

        Must be read to its end before the next call. Raises ProtocolError for anything else.
        """
        self._finish_entry()
        found, length = self._next_file()
        if found != name:
            raise ProtocolError(f"the guest sent {found[:200]!r} where {name!r} was asked for")
        if length != size:
            raise ProtocolError(f"the guest sent {length} bytes for {name!r}, it had said {size}")
        self._unread, self._pad = length, _padding(length)
        return self._content()

    def end(self) -> None:
        """Make sure that only zero blocks are left. Raises ProtocolError otherwise."""
        self._finish_entry()
        while self._left:
            if self._read(min(self._left, _CHUNK)).strip(b"\0"):
                raise ProtocolError("the guest sent more than was asked for")

    def _content(self) -> Iterator[bytes]:
        while self._unread:
            chunk = self._read(min(self._unread, _CHUNK))
            self._unread -= len(chunk)
            yield chunk

    def _finish_entry(self) -> None:
        if self._unread:
            raise ProtocolError("the entry before was not read to its end")
        if self._pad:
            self._read(self._pad)
            self._pad = 0

    def _next_file(self) -> tuple[str, int]:
        long_name: bytes | None = None
        for _ in range(3):
            block = self._read(_BLOCK)
            name, size, kind = _parse(block)
            if kind in (b"0", b"\0"):
                return _text(long_name if long_name is not None else name), size
            if long_name is not None or kind not in (b"L", b"x"):
                raise ProtocolError(
                    f"the guest sent a tar entry of type {kind!r}; only files may come"
                )
            limit = _NAME_LIMIT_BYTES + 1 if kind == b"L" else _PAX_LIMIT_BYTES
            if not 0 < size <= limit:
                raise ProtocolError(f"the guest sent an extended tar header of {size} bytes")
            data = self._read(size)
            self._read(_padding(size))
            long_name = data.rstrip(b"\0") if kind == b"L" else _pax_path(data)
        raise ProtocolError("the guest sent a chain of extended tar headers")

    def _read(self, size: int) -> bytes:
        if size > self._left:
            raise ProtocolError("the guest's tar stream is longer than it had said")
        data = self._source.read(size)
        if len(data) != size:
            raise ProtocolError("the guest's tar stream is shorter than it had said")
        self._left -= size
        return data


def _parse(block: bytes) -> tuple[bytes, int, bytes]:
    total = sum(block) - sum(block[148:156]) + 8 * 32
    if _octal(block[148:156], "checksum") != total:
        raise ProtocolError("the guest sent a tar header with a wrong checksum")
    if not block.startswith(b"ustar", 257):
        raise ProtocolError("the guest sent a tar header of an old format")
    size = _octal(block[124:136], "size")
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:265] == b"ustar\x0000" else b""
    return (prefix + b"/" + name if prefix else name), size, block[156:157]


def _octal(field: bytes, what: str) -> int:
    if field[:1] == b"\x80":  # GNU's binary form, for sizes beyond 8 GiB
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits or len(digits) > 11 or not set(digits) <= set(b"01234567"):
        raise ProtocolError(f"the guest sent a tar header whose {what} is not a number")
    return int(digits, 8)


def _pax_path(data: bytes) -> bytes | None:
    path = None
    while data:
        length, space, _ = data[:12].partition(b" ")
        if not space or not length.isdigit() or not len(length) + 2 < int(length) <= len(data):
            raise ProtocolError("the guest sent a malformed extended tar header")
        record = data[len(length) + 1 : int(length)]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or _text(key) not in _PAX_ALLOWED:
            raise ProtocolError(f"the guest sent the extended tar field {key[:40]!r}")
        if key == b"path":
            path = value[:-1]
        data = data[int(length) :]
    return path


def _text(name: bytes) -> str:
    if not 0 < len(name) <= _NAME_LIMIT_BYTES or b"\0" in name:
        raise ProtocolError("the guest sent a tar entry with an impossible name")
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError("the guest sent a tar entry whose name is not UTF-8") from error
