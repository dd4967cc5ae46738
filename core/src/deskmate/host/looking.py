"""The files in a thread's folders for whoever looks at them: listed, read, and taken for pictures, by names that were granted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deskmate.errors import UserError
from deskmate.host.viewing import Version
from deskmate.types.files import Grant
from deskmate.types.places import Places

if TYPE_CHECKING:
    from deskmate.changes.disk import Folders
    from deskmate.ports import Blobs, Sandbox
    from deskmate.types.events import Event

SHOWN = 1_000
FILE_LIMIT_BYTES = 64 << 20
TEXT_LIMIT_BYTES = 512 << 10
_CHUNK = 1 << 20


async def grants_of(places: Places, thread: str) -> tuple[Grant, ...]:
    """Return the folders that a thread may use. Raises UserError if there is no such thread."""
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        return grants_in(await store.events())


def grants_in(events: Sequence[Event]) -> tuple[Grant, ...]:
    """Return the folders that a thread may use by its log."""
    from deskmate.types.events import GrantsSet  # noqa: PLC0415

    for event in reversed(events):
        if isinstance(event.payload, GrantsSet):
            return event.payload.grants
    return ()


def entries_in(grants: Sequence[Grant], path: str) -> tuple[list[tuple[str, int | None]], bool]:
    """Return name and size (None: a folder) of what lies in a workspace folder, and whether there is more. Blocks.

    What is hidden and links are left out. Raises UserError if it cannot be looked into.
    """
    from deskmate.changes.disk import names_in  # noqa: PLC0415

    found: list[tuple[str, int | None]] = []
    with _opened(grants, path) as folders, folders.folder(path) as folder:
        names = [name for name in names_in(folder) if not name.startswith(".")]
        for name in names[:SHOWN]:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                found.append((name, None))
            elif stat.S_ISREG(status.st_mode):
                found.append((name, status.st_size))
    return found, len(names) > SHOWN


def pieces_of(grants: Sequence[Grant], path: str) -> Iterator[bytes]:
    """Return a file's bytes in pieces; it is open until they are read. Blocks. Raises UserError."""
    with _opened(grants, path) as folders, folders.file(path) as opened:
        file = os.fdopen(os.dup(opened), "rb")

    def content() -> Iterator[bytes]:
        with file:
            while piece := file.read(_CHUNK):
                yield piece

    return content()


def text_of(grants: Sequence[Grant], path: str) -> tuple[str, bool]:
    """Return the beginning of a text file, and whether there is more. Blocks. Raises UserError."""
    with _opened(grants, path) as folders, folders.file(path) as opened:
        content = os.pread(opened, TEXT_LIMIT_BYTES + 1, 0)
    if b"\0" in content[:8_000] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path} is no text.", hint="Take it away and open it in its own program.")
    code = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = content[:TEXT_LIMIT_BYTES].decode(code, "replace")
    return text, len(content) > TEXT_LIMIT_BYTES


def taken(grants: Sequence[Grant], path: str, blobs: Blobs) -> Version:
    """Return a file as a version whose pictures can be drawn, its content in the blobs. Blocks. Raises UserError."""
    from deskmate.changes.disk import pieces  # noqa: PLC0415

    with _opened(grants, path) as folders, folders.file(path) as opened:
        size = os.fstat(opened).st_size
        if size > FILE_LIMIT_BYTES:
            raise UserError(
                f"{path} is larger than {FILE_LIMIT_BYTES >> 20} MiB.",
                hint="Take it away and open it in its own program.",
            )
        return Version(path=path, size=size, sha256=blobs.put(pieces(opened)))


async def words_of(sandbox: Sandbox, blobs: Blobs, version: Version) -> tuple[str, bool]:
    """Return the words of a Word or PDF file, taken out of it in a machine of its own, and whether there are more.

    Raises UserError if it has none, SandboxUnavailable and such.
    """
    from deskmate.host.showing import asked  # noqa: PLC0415

    answer, _ = await asked(sandbox, blobs, version, "office__cells_text", {})
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise UserError(f"{version.path} has no words that can be shown.")
    return answer["text"], answer.get("next") is not None


@contextmanager
def _opened(grants: Sequence[Grant], path: str) -> Iterator[Folders]:
    """Yield the granted folders. Raises UserError for a path that leads to nothing in them."""
    from deskmate.changes.disk import Folders  # noqa: PLC0415

    name = path.partition("/")[0]
    wanted = [grant for grant in grants if grant.name == name]
    if not wanted or "\0" in path:
        raise UserError(f"There is no {path!r} in the folders of this thread.")
    folders = Folders(wanted)
    try:
        yield folders
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    finally:
        folders.close()
