"""A file of a change set for whoever looks at it: its bytes, and pictures of what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deskmate.errors import UserError
from deskmate.types.ids import Digest
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.ports import Blobs, Progress, Sandbox
    from deskmate.types.events import Event

Side = Literal["before", "after"]
PICTURE_BYTES = 8 << 20
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
"""Kinds of pictures that a browser shows by itself, by their first bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One side of a change. `size`: in bytes."""

    path: str
    size: int
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and its media type."""

    media: str
    content: bytes


def version_in(
    events: Sequence[Event], blobs: Blobs, path: str, run: str = "", side: Side = "after"
) -> Version:
    """Return a file as the last change set, or that of `run`, has it.

    The path is compared with those in the set and opened nowhere. Raises UserError if it is none of them.
    """
    from deskmate.changes.review import read_difference  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415

    for change in read_difference(find_staged(events, run).difference, blobs).changes:
        entry = change.after if side == "after" else change.before
        if change.path == path and entry is not None and entry.sha256:
            return Version(path=path, size=entry.size, sha256=entry.sha256)
    raise UserError(f"{path} is no file of the change set.", hint="See deskmate changes show.")


def version_of(blobs: Blobs, path: str, digest: str) -> Version | None:
    """Return content that is kept, under a file's name; None where it is not. Blocks."""
    name = Digest(digest)
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not blobs.has(name):
        return None
    return Version(path=path, size=sum(map(len, blobs.chunks(name))), sha256=name)


async def file_version(
    places: Places, thread: str, path: str, run: str = "", side: Side = "after"
) -> Version:
    """Return a file of a thread's changes. Raises as `version_in`."""
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        return version_in(await store.events(), BlobStore(places.blobs), path, run, side)


async def pictures(
    sandbox: Sandbox,
    blobs: Blobs,
    version: Version,
    *,
    first: int,
    count: int,
    dpi: int,
    progress: Progress,
) -> tuple[Picture, ...]:
    """Return a picture as it is, or pictures of `count` of a document's pages, drawn by a machine of its own.

    Raises UserError if it is neither, or has no page `first`; SandboxUnavailable and such.
    """
    from deskmate.host.page_images import page_images  # noqa: PLC0415

    if version.size <= PICTURE_BYTES:
        content = blobs.read(version.sha256)
        for head, media in _PICTURES:
            if content.startswith(head):
                return (Picture(media=media, content=content),)
    found = await page_images(
        sandbox,
        blobs,
        version.sha256,
        pages=f"{first}-{first + count - 1}",
        dpi=dpi,
        progress=progress,
    )
    return tuple(Picture(media="image/png", content=blobs.read(page.image)) for page in found)
