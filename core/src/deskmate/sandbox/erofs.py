"""EROFS images, written as their files come: the content first, names and attributes when all are there.

Uncompressed, without extended attributes and hard links. A file's content starts at a block of its own; equal
content is written once. The layout is the kernel's (fs/erofs/erofs_fs.h): superblock, content, inodes,
directories; an inode's number is its place after the first block of inodes, in units of 32 bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deskmate.errors import ProtocolError, UserError
from deskmate.types.files import Entry
from deskmate.types.ids import Digest

BLOCK = 4096
AGENT, GROUP = 1000, 3000
"""Owner and group of all files: the guest's agent, and what lets its workers share them."""
TOP = Entry(path="", kind="dir", mode=0o755)
_SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sIHHHB37x")
_INODE = struct.Struct("<HHHHQIIIIQII16x")
_DIRENT = struct.Struct("<QHBx")
_MAGIC = 0xE0F5E1E2
_HAS_MTIME = 2
_EXTENDED = 1
_SLOTS_PER_INODE = _INODE.size // 32
_KINDS = {"file": (0o100000, 1), "dir": (0o040000, 2), "symlink": (0o120000, 7)}
"""Kind → the bits of its mode, and its number in directories."""
_TOGETHER_BYTES, _TOGETHER_PIECES = 4 << 20, 512
"""So much content is written by one call: files lie one behind the other."""


@dataclass(slots=True)
class _Node:
    entry: Entry
    block: int = 0
    size: int = 0
    links: int = 1
    slot: int = 0
    children: dict[bytes, _Node] = field(default_factory=dict)


class Erofs:
    """One image in a region of an open file, which holds zeros there."""

    def __init__(self, fd: int, start: int, limit: int, *, time_ns: int) -> None:
        """`start`, `limit`: the region in bytes. `time_ns`: of the image, and of folders that nobody named."""
        self._fd, self._start, self._limit = fd, start, limit
        self._time_ns = time_ns
        self._blocks = 1
        self._contents: dict[Digest, int] = {}
        self._entries: dict[str, tuple[Entry, int]] = {}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._place = start + BLOCK

    @property
    def size(self) -> int:
        """Bytes from the region's start that are in use."""
        return self._blocks * BLOCK

    def add(self, entry: Entry, content: Iterable[bytes] = ()) -> None:
        """Take an entry in; one of the same path is replaced.

        Args:
            entry: with the permission bits that it gets.
            content: of a file.

        Raises:
            UserError: the region is full.
            ProtocolError: the content has another size than the entry says.
        """
        if entry.kind == "symlink":
            target = _bytes(entry.target)
            block = self._write([target], len(target), entry.path)
        elif entry.kind == "dir" or not entry.size:
            block = 0
        elif entry.sha256 is not None and entry.sha256 in self._contents:
            block = self._contents[entry.sha256]
        else:
            block = self._write(content, entry.size, entry.path)
            if entry.sha256 is not None:
                self._contents[entry.sha256] = block
        self._entries[entry.path] = (entry, block)

    def seal(self, folders: Mapping[str, Entry]) -> int:
        """Write names and attributes; the image is whole then. Returns its size in bytes.

        Args:
            folders: attributes of folders above the entries, where they are no entries themselves.

        Raises UserError when the region is full.
        """
        self.flush()
        nodes = self._tree(folders)
        first = self._take(-(-(len(nodes) + 1) * _INODE.size // BLOCK))
        for slot, node in enumerate(nodes, 1):  # no inode has number 0: that is no file's
            node.slot = slot
        self._list(nodes[0], nodes[0])
        for node in nodes:
            for child in node.children.values():
                if child.entry.kind == "dir":
                    self._list(child, node)
        inodes = b"".join(self._inode(node) for node in nodes)
        self._pwrite(bytes(_INODE.size) + inodes, first)
        self._pwrite(self._superblock(first, nodes[0].slot, len(nodes)), 0)
        return self.size

    def _tree(self, folders: Mapping[str, Entry]) -> list[_Node]:
        """Return the nodes, parents before children, the root first."""
        top = _Node(TOP)
        found = {"": top}
        for path in sorted(self._entries, key=lambda path: path.split("/")):
            entry, block = self._entries[path]
            above, _, name = path.rpartition("/")
            parent = found.get(above) or self._parents(above, found, folders)
            if parent.entry.kind != "dir":
                raise ProtocolError(f"{path} lies in what is no folder")
            size = len(_bytes(entry.target)) if entry.kind == "symlink" else entry.size
            node = _Node(entry, block=block, size=0 if entry.kind == "dir" else size)
            parent.children[_bytes(name)] = found[path] = node
        nodes = [top]
        for node in nodes:  # grows while it is read
            nodes += node.children.values()
        return nodes

    def _parents(self, path: str, found: dict[str, _Node], folders: Mapping[str, Entry]) -> _Node:
        parts = path.split("/")
        node = found[""]
        for length in range(1, len(parts) + 1):
            above = "/".join(parts[:length])
            if above not in found:
                plain = Entry(path=above, kind="dir", mode=0o775, mtime_ns=self._time_ns)
                found[above] = _Node(folders.get(above, plain))
                node.children[_bytes(parts[length - 1])] = found[above]
            node = found[above]
        return node

    def _list(self, node: _Node, parent: _Node) -> None:
        """Write a directory's names."""
        rows = {b".": node, b"..": parent, **node.children}
        blocks = list(_directory(rows))
        node.links = 2 + sum(child.entry.kind == "dir" for child in node.children.values())
        node.block = self._take(len(blocks))
        node.size = (len(blocks) - 1) * BLOCK + len(blocks[-1])
        self._pwrite(b"".join(block.ljust(BLOCK, b"\0") for block in blocks), node.block)

    def _inode(self, node: _Node) -> bytes:
        entry = node.entry
        kind = _KINDS[entry.kind][0]
        mode = 0o777 if entry.kind == "symlink" else entry.mode & 0o777
        seconds, rest = divmod(max(0, entry.mtime_ns), 1_000_000_000)
        owner = (AGENT, GROUP) if entry is not TOP else (0, 0)
        return _INODE.pack(
            _EXTENDED, 0, kind | mode, 0, node.size, node.block, node.slot, *owner, seconds, rest,
            node.links,
        )  # fmt: skip

    def _superblock(self, first: int, root: int, inodes: int) -> bytes:
        seconds, rest = divmod(max(0, self._time_ns), 1_000_000_000)
        return bytes(1024) + _SUPERBLOCK.pack(
            _MAGIC, 0, _HAS_MTIME, BLOCK.bit_length() - 1, 0, root * _SLOTS_PER_INODE, inodes,
            seconds, rest, self._blocks, first, 0, os.urandom(16), b"files", 0, 0, 0, 0, 0,
        )  # fmt: skip

    def _write(self, content: Iterable[bytes], size: int, path: str) -> int:
        """Write content of a known size from a new block on; returns the block."""
        block = self._take(-(-size // BLOCK))
        place = self._start + block * BLOCK
        # elsewhere after a file that was not as long as it should be
        if place != self._place + self._waiting_bytes:
            self.flush()
            self._place = place
        done = 0
        for piece in content:
            if done + len(piece) > size:
                break
            self._append(piece)
            done += len(piece)
        else:
            if done == size:
                self._append(bytes(-size % BLOCK))
                return block
        raise ProtocolError(f"{path} has not the {size} bytes that its entry says")

    def _append(self, piece: bytes) -> None:
        """Write content behind what was written last, together with what follows."""
        if piece:
            self._waiting.append(piece)
            self._waiting_bytes += len(piece)
        if self._waiting_bytes >= _TOGETHER_BYTES or len(self._waiting) >= _TOGETHER_PIECES:
            self.flush()

    def flush(self) -> None:
        """Write what waits to be written together with what follows."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._place = write_all(self._fd, waiting, self._place)

    def _take(self, count: int) -> int:
        """Return the first of so many new blocks."""
        block = self._blocks
        if (block + count) * BLOCK > self._limit:
            raise UserError(
                f"the granted folders need more than the {self._limit >> 20} MiB that are left for "
                "them in the virtual machine",
                hint="grant a smaller folder",
            )
        self._blocks += count
        return block

    def _pwrite(self, content: bytes, block: int) -> None:
        write_all(self._fd, [content], self._start + block * BLOCK)


def write_all(fd: int, pieces: Sequence[bytes], place: int) -> int:
    """Write pieces one behind the other from `place` on, all of them; return where they end."""
    views = [memoryview(piece) for piece in pieces]
    first = 0
    while first < len(views):
        done = os.pwritev(fd, views[first:], place)
        place += done
        while first < len(views) and done >= len(views[first]):
            done -= len(views[first])
            first += 1
        if done:
            views[first] = views[first][done:]
    return place


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _directory(rows: Mapping[bytes, _Node]) -> Iterator[bytes]:
    """Yield a directory's blocks, the names in the order of their bytes over all of them."""
    names: list[bytes] = []
    room = BLOCK
    for name in sorted(rows):
        need = _DIRENT.size + len(name)
        if need > room:
            yield _block(names, rows)
            names, room = [], BLOCK
        names.append(name)
        room -= need
    yield _block(names, rows)


def _block(names: list[bytes], rows: Mapping[bytes, _Node]) -> bytes:
    head, place = [], len(names) * _DIRENT.size
    for name in names:
        node = rows[name]
        head.append(_DIRENT.pack(node.slot * _SLOTS_PER_INODE, place, _KINDS[node.entry.kind][1]))
        place += len(name)
    return b"".join([*head, *names])
