"""What one process does to a folder, system call by system call, and the folders that a power cut could leave of it.

`read_trace` reads strace's lines into operations. `Disk.image` decides which of them a disk would have kept at a cut:
what an fsync covers that had returned, and of the rest what chance picks, in any order and also in part. That is harsher
than any one file system: names need an fsync of their folder, data one of their file, and nothing else orders them.
"""

from __future__ import annotations

import os
import random
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CALLS = (
    "openat,open,creat,close,lseek,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,"
    "fsync,fdatasync,syncfs,sync,chmod,fchmod,copy_file_range,sendfile,mmap"
)
SECTOR = 512
UMASK = os.umask(0o22)
os.umask(UMASK)
Mode = Literal["least", "most", "journal", "any"]
"""What of the unsynced is kept: nothing, all, a first part of names and chance's choice of data, chance's choice."""
_LINE = re.compile(r"(\d+) +(?:(\w+)\((.*)\) += +(-?\d+)(.*)|.*)")
_HALF = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_REST = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
_HEX = re.compile(rb"\\x([0-9a-f]{2})")
_WORD = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?|<((?:\\x[0-9a-f]{2})*)>')


@dataclass(eq=False, slots=True)
class Node:
    """A file, folder or link as it was when recording began; operations change copies of it."""

    kind: Literal["file", "dir", "link"]
    mode: int
    content: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One thing that was done, or `ack`: what the user was told by then; or `sync`: of `node`, None of all."""

    kind: Literal["data", "size", "mode", "names", "sync", "ack"]
    node: Node | None = None
    offset: int = 0
    content: bytes = b""
    names: tuple[tuple[Node, str, Node | None], ...] = ()

    def is_covered_by(self, sync: Op) -> bool:
        """Say whether a sync after this makes it durable."""
        if sync.node is None:
            return True
        if self.kind == "names":
            return any(folder is sync.node for folder, _, _ in self.names)
        return self.node is sync.node


class Disk:
    """A folder and all that was done to it since recording began."""

    def __init__(self, root: Path) -> None:
        """`root`: read now, and taken as durable."""
        self._root = str(root)
        self._top = _read(root)
        self._live: dict[int, dict[str, Node]] = {}
        self._positions: dict[int, int] = {}
        self.ops: list[Op] = []

    # -- recording

    def take_trace(self, lines: Iterable[str]) -> None:
        """Take in what strace wrote. Raises ValueError for what is not understood."""
        for call, words, result in read_trace(lines):
            if result >= 0 and (handler := getattr(self, f"_on_{call}", None)) is not None:
                handler(words, result)

    def _names(self, folder: Node) -> dict[str, Node]:
        return self._live.setdefault(id(folder), dict(folder.names))

    def _find(self, path: str) -> tuple[Node, str, Node | None] | None:
        """Return folder, name and node of a path below the root, None elsewhere."""
        if not path.startswith(f"{self._root}/"):
            return None
        *above, name = path[len(self._root) + 1 :].split("/")
        folder = self._top
        for step in above:
            below = self._names(folder).get(step)
            if below is None:
                return None
            folder = below
        return folder, name, self._names(folder).get(name)

    def _node(self, words: Words) -> Node | None:
        path = words.file
        if path == self._root:
            return self._top
        found = None if path.endswith(" (deleted)") else self._find(path)
        return found[2] if found else None

    def _rename(self, old: str, new: str) -> None:
        source, target = self._find(old), self._find(new)
        if source is None and target is None:
            return
        if source is None or target is None or source[2] is None:
            raise ValueError(f"a rename out of or into the folder: {old} {new}")
        changes = ((source[0], source[1], None), (target[0], target[1], source[2]))
        self._change(*changes)

    def _change(self, *changes: tuple[Node, str, Node | None]) -> None:
        for folder, name, node in changes:
            names = self._names(folder)
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node
        self.ops.append(Op(kind="names", names=changes))

    def _make(self, path: str, node: Node) -> None:
        if found := self._find(path):
            self._change((found[0], found[1], node))

    def _on_openat(self, words: Words, result: int) -> None:
        flags = words.text
        found = self._find(path := words.path(0))
        if found is None:
            return
        if found[2] is None and "O_CREAT" in flags:
            self._make(path, Node(kind="file", mode=words.mode))
        elif "O_TRUNC" in flags and found[2] is not None:
            self.ops.append(Op(kind="size", node=found[2], offset=0))
        self._positions[result] = -1 if "O_APPEND" in flags else 0

    _on_open = _on_openat

    def _on_close(self, words: Words, result: int) -> None:
        self._positions.pop(words.number(0), None)

    def _on_lseek(self, words: Words, result: int) -> None:
        self._positions[words.number(0)] = result

    def _on_write(self, words: Words, result: int) -> None:
        if words.file == f"{self._root}/acks":
            self.ops.append(Op(kind="ack", content=words.content[:result]))
            return
        node, file = self._node(words), words.number(0)
        if node is None:
            return
        position = self._positions.get(file, 0)
        if position < 0:
            position = self._size(node)
        else:
            self._positions[file] = position + result
        self._data(node, position, words.content[:result])

    _on_writev = _on_write

    def _on_pwrite64(self, words: Words, result: int) -> None:
        if node := self._node(words):
            self._data(node, words.last, words.content[:result])

    def _data(self, node: Node, offset: int, content: bytes) -> None:
        self.ops.append(Op(kind="data", node=node, offset=offset, content=content))

    def _size(self, node: Node) -> int:
        size = len(node.content)
        for op in self.ops:
            if op.node is node and op.kind == "data":
                size = max(size, op.offset + len(op.content))
            elif op.node is node and op.kind == "size":
                size = op.offset
        return size

    def _on_ftruncate(self, words: Words, result: int) -> None:
        if node := self._node(words):
            self.ops.append(Op(kind="size", node=node, offset=words.last))

    def _on_fallocate(self, words: Words, result: int) -> None:
        if self._node(words):
            raise ValueError("fallocate is not understood")

    _on_copy_file_range = _on_sendfile = _on_link = _on_linkat = _on_truncate = _on_fallocate
    _on_pwritev = _on_pwritev2 = _on_sync = _on_fallocate

    def _on_fchmod(self, words: Words, result: int) -> None:
        if node := self._node(words):
            self.ops.append(Op(kind="mode", node=node, offset=int(words.text.split(",")[-1], 8)))

    def _on_chmod(self, words: Words, result: int) -> None:
        found = self._find(words.path(0))
        if found and found[2]:
            self.ops.append(
                Op(kind="mode", node=found[2], offset=int(words.text.split(",")[-1], 8))
            )

    def _on_mmap(self, words: Words, result: int) -> None:
        shared = "MAP_SHARED" in words.text and "PROT_WRITE" in words.text
        if shared and self._node(words) and not words.file.endswith("-shm"):
            raise ValueError(f"{words.file} is mapped for writing")

    def _on_rename(self, words: Words, result: int) -> None:
        self._rename(words.path(0), words.path(1))

    _on_renameat = _on_renameat2 = _on_rename

    def _on_unlink(self, words: Words, result: int) -> None:
        if found := self._find(words.path(0)):
            self._change((found[0], found[1], None))

    _on_unlinkat = _on_rmdir = _on_unlink

    def _on_mkdir(self, words: Words, result: int) -> None:
        self._make(words.path(0), Node(kind="dir", mode=words.mode))

    _on_mkdirat = _on_mkdir

    def _on_symlinkat(self, words: Words, result: int) -> None:
        self._make(words.path(1), Node(kind="link", mode=0o777, content=words.content))

    _on_symlink = _on_symlinkat

    def _on_fsync(self, words: Words, result: int) -> None:
        if node := self._node(words):
            self.ops.append(Op(kind="sync", node=node))

    _on_fdatasync = _on_fsync

    def _on_syncfs(self, words: Words, result: int) -> None:
        self.ops.append(Op(kind="sync"))

    # -- cutting

    def acks(self, cut: int) -> bytes:
        """Return what the user had been told by the cut."""
        return b"".join(op.content for op in self.ops[:cut] if op.kind == "ack")

    def kept(self, cut: int, mode: Mode, chance: random.Random) -> Iterator[Op]:
        """Yield the operations that are on the disk after a cut, torn ones in part."""
        syncs = [(at, op) for at, op in enumerate(self.ops[:cut]) if op.kind == "sync"]
        odds = chance.random()
        last_name = chance.randrange(cut + 1)
        for at, op in enumerate(self.ops[:cut]):
            if op.kind in ("sync", "ack"):
                continue
            if mode == "most" or any(later > at and op.is_covered_by(s) for later, s in syncs):
                yield op
            elif mode == "least":
                continue
            elif mode == "journal" and op.kind == "names":
                if at < last_name:
                    yield op
            elif chance.random() < odds:
                yield _torn(op, chance)

    def write_image(self, ops: Iterable[Op], target: Path) -> None:
        """Make `target` what is on the disk when just these operations are."""
        image = _Image()
        for op in ops:
            image.take(op)
        image.lay(self._top, target)


class _Image:
    """What is on the disk: of each node its names, content and mode where they changed."""

    def __init__(self) -> None:
        self._names: dict[int, dict[str, Node]] = {}
        self._content: dict[int, bytearray] = {}
        self._modes: dict[int, int] = {}

    def take(self, op: Op) -> None:
        for folder, name, node in op.names:
            below = self._names.setdefault(id(folder), dict(folder.names))
            if node is None:
                below.pop(name, None)
            else:
                below[name] = node
        if op.node is not None and op.kind == "mode":
            self._modes[id(op.node)] = op.offset
        elif op.node is not None:
            held = self._content.setdefault(id(op.node), bytearray(op.node.content))
            end = op.offset + len(op.content)
            held.extend(bytes(max(0, end - len(held))))
            if op.kind == "size":
                del held[op.offset :]
            else:
                held[op.offset : end] = op.content

    def lay(self, node: Node, path: Path) -> None:
        if node.kind == "link":
            path.symlink_to(os.fsdecode(node.content))
            return
        if node.kind == "file":
            path.write_bytes(self._content.get(id(node), node.content))
        else:
            path.mkdir(exist_ok=True)
            for name, below in self._names.get(id(node), node.names).items():
                self.lay(below, path / name)
        path.chmod(self._modes.get(id(node), node.mode))


def _torn(op: Op, chance: random.Random) -> Op:
    """Sometimes only some first sectors of a write are on the disk."""
    if op.kind != "data" or chance.random() < 0.5:
        return op
    whole = SECTOR - op.offset % SECTOR
    ends = [*range(whole, len(op.content), SECTOR), len(op.content)]
    return Op(
        kind="data", node=op.node, offset=op.offset, content=op.content[: chance.choice(ends)]
    )


def _read(path: Path) -> Node:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Node(kind="link", mode=mode, content=os.fsencode(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        names = {below.name: _read(below) for below in sorted(path.iterdir())}
        return Node(kind="dir", mode=mode, names=names)
    return Node(kind="file", mode=mode, content=path.read_bytes())


class Words:
    """The arguments of one call, as strace writes them with all strings in hex."""

    def __init__(self, text: str, result: str) -> None:
        self.text = text
        self._result = result
        self._found = [*_WORD.finditer(text)]

    @property
    def file(self) -> str:
        """Path of the first descriptor."""
        return next((_text(found[3]) for found in self._found if found[3] is not None), "")

    @property
    def content(self) -> bytes:
        """All strings together. Raises ValueError if strace cut one."""
        strings = [found for found in self._found if found[1] is not None]
        if any(found[2] for found in strings):
            raise ValueError("strace cut a string")
        return b"".join(_bytes(found[1]) for found in strings)

    @property
    def last(self) -> int:
        """The last argument as a number."""
        return int(self.text.rsplit(",", 1)[-1])

    @property
    def mode(self) -> int:
        """The mode that something new gets."""
        return int(self.text.rsplit(",", 1)[-1], 8) & ~UMASK

    def number(self, index: int) -> int:
        """A descriptor's number."""
        return int(self.text.split(",")[index].partition("<")[0])

    def path(self, index: int) -> str:
        """The path of a string argument, joined to the descriptor before it where it is relative."""
        folder, seen = "", -1
        for found in self._found:
            if found[3] is not None:
                folder = _text(found[3])
                continue
            seen += 1
            if seen == index:
                return os.path.normpath(os.path.join(folder, _text(found[1])))  # noqa: PTH118
        raise ValueError(f"no path in {self.text}")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return os.fsdecode(_bytes(text))


def read_trace(lines: Iterable[str]) -> Iterator[tuple[str, Words, int]]:
    """Yield call, arguments and result of each line; a call that others interrupt counts when it ends."""
    halves: dict[str, str] = {}
    for line in lines:
        if half := _HALF.match(line):
            halves[half[1]] = half[3]
            continue
        if rest := _REST.match(line):
            line = f"{rest[1]} {rest[2]}({halves.pop(rest[1])}{rest[3]}"
        found = _LINE.match(line)
        if found and found[2]:
            yield found[2], Words(found[3], found[5]), int(found[4])
