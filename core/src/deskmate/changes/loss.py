"""Files that stay and yet are lost: emptied, cut short, or scrambled into something else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Literal

from deskmate.changes.disk import CHUNK_BYTES, Folders
from deskmate.ports import BlobReader
from deskmate.types.files import Change
from deskmate.types.ids import Digest

Loss = Literal["", "emptied", "cut short", "of another kind"]
_HEAD_BYTES = 512
_SHORTEST_BYTES = 16
_KINDS = (
    (b"PK\x03\x04", "a ZIP or Office file"), (b"PK\x05\x06", "a ZIP or Office file"),
    (b"%PDF-", "a PDF"), (b"\xd0\xcf\x11\xe0", "an old Office file"), (b"\x89PNG", "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"), (b"GIF8", "a GIF"), (b"II*\0", "a TIFF"), (b"MM\0*", "a TIFF"),
    (b"RIFF", "a RIFF file"), (b"SQLite format 3\0", "a SQLite file"), (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf", "a 7z file"), (b"\xfd7zXZ", "an xz file"), (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"BZh", "a bzip2 file"), (b"ID3", "an MP3"), (b"OggS", "an Ogg file"), (b"fLaC", "a FLAC file"),
    (b"\x7fELF", "a program"), (b"MZ", "a program"),
)  # fmt: skip
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def loss_of(change: Change, folders: Folders, blobs: BlobReader | None) -> tuple[Loss, str]:
    """Return how a modified file is lost, and what to say of it; both empty where it is not.

    The user's own file stands for the one before, so it must be that already. `blobs` None: only sizes
    and beginnings that are cut are seen. Raises OSError, CorruptData.
    """
    before, after = change.before, change.after
    if before is None or after is None or before.kind != "file" or after.kind != "file":
        return "", ""
    if not before.size or before.sha256 == after.sha256:
        return "", ""
    if not after.size:
        return "emptied", "it is emptied"
    if after.size < before.size and _begins_with(folders, change.path, after.size) == after.sha256:
        return "cut short", f"it is cut from {before.size:,} to {after.size:,} bytes"
    if blobs is None or after.sha256 is None or min(before.size, after.size) < _SHORTEST_BYTES:
        return "", ""
    was, becomes = _kind(_head(folders, change.path)), _kind(_first(blobs, after.sha256))
    return ("of another kind", f"is no longer {was}") if was and was != becomes else ("", "")


def hard_links(folders: Folders, path: str) -> int:
    """Return how many names a file has. Raises OSError."""
    with folders.file(path) as file:
        return os.fstat(file).st_nlink


def _begins_with(folders: Folders, path: str, size: int) -> str:
    seen = hashlib.sha256()
    with folders.file(path) as file:
        for piece in _pieces(file, size):
            seen.update(piece)
    return seen.hexdigest()


def _pieces(file: int, size: int) -> Iterator[bytes]:
    while size and (piece := os.read(file, min(size, CHUNK_BYTES))):
        size -= len(piece)
        yield piece


def _head(folders: Folders, path: str) -> bytes:
    with folders.file(path) as file:
        return os.read(file, _HEAD_BYTES)


def _first(blobs: BlobReader, digest: Digest) -> bytes:
    for chunk in blobs.chunks(digest):
        if chunk:
            return chunk[:_HEAD_BYTES]
    return b""


def _kind(head: bytes) -> str:
    """Return what a file's beginning says it is; empty for what nobody can tell."""
    for mark, kind in _KINDS:
        if head.startswith(mark):
            return kind
    if head[4:8] == b"ftyp":
        return "a video"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or not _CONTROL & set(head):
        return "text"
    return ""
