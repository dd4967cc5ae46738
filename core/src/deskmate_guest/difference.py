"""The raw facts of what a workspace changed, read from the overlay's upper folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

Fact = dict[str, Any]
_OPAQUE = "trusted.overlay.opaque"
_REFUSED = ("trusted.overlay.redirect", "trusted.overlay.metacopy")
_CHUNK = 1 << 20
_SIZE_LIMIT_BYTES = 8 << 30


def write_difference(stream: BinaryIO, upper: Path, home: Path, grants: frozenset[str]) -> None:
    """Write `{"changes": [...], "home": [...]}` as one JSON document, one fact after the other."""
    changes = (
        fact for fact in walk(upper) if not (fact["kind"] == "dir" and fact["path"] in grants)
    )
    stream.write(b'{"changes":[')
    _write_list(stream, changes)
    stream.write(b'],"home":[')
    _write_list(stream, walk(home))
    stream.write(b"]}")


def _write_list(stream: BinaryIO, facts: Iterator[Fact]) -> None:
    for number, fact in enumerate(facts):
        if number:
            stream.write(b",")
        # names that are not UTF-8 keep their bytes as escaped surrogates, which the host refuses
        stream.write(json.dumps(fact, separators=(",", ":")).encode())


def walk(root: Path) -> Iterator[Fact]:
    """Yield one fact for each entry below `root`, sorted, folders before what is in them."""
    stack = [""]
    while stack:
        inside = stack.pop()
        folders = []
        with os.scandir(root / inside) as rows:
            entries = sorted(rows, key=lambda row: row.name)
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            yield _fact(root, path, entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
        stack.extend(reversed(folders))


def _fact(root: Path, path: str, status: os.stat_result) -> Fact:
    real = root / path
    fact: Fact = {"path": path, "mtime_ns": status.st_mtime_ns}
    for name in _REFUSED:
        if _attribute(real, name):
            return {**fact, "kind": "other", "reason": f"it carries {name}"}
    if stat.S_ISDIR(status.st_mode):
        kind = "opaque" if _attribute(real, _OPAQUE) == b"y" else "dir"
        return {**fact, "kind": kind, "mode": 0o755}
    if stat.S_ISLNK(status.st_mode):
        return {**fact, "kind": "symlink", "mode": 0o777, "target": str(real.readlink())}
    if stat.S_ISREG(status.st_mode):
        if status.st_size > _SIZE_LIMIT_BYTES:  # a sparse file may claim to be of any size
            return {**fact, "kind": "other", "reason": f"{status.st_size} bytes are too many"}
        # as in git, only the owner's execute bit counts; the host knows what the others were
        mode = 0o755 if status.st_mode & 0o100 else 0o644
        return {**fact, "kind": "file", "mode": mode, **_content(real)}
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return {"path": path, "kind": "gone"}
    return {**fact, "kind": "other", "reason": _KINDS.get(stat.S_IFMT(status.st_mode), "unknown")}


_KINDS = {
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


def _content(path: Path) -> Fact:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"size": size, "sha256": digest.hexdigest()}


def _attribute(path: Path, name: str) -> bytes:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""
