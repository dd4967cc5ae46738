"""Files that the user hands to a thread beside its folders: taken in piece by piece, then kept with the thread.

A thread reads them as it reads a folder that it may not write to. They are opened by names of our own making until
they are whole; the user's name for them is checked before it names anything.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import StorageFailed, UserError
from deskmate.host.attaching import FOLDER
from deskmate.store.blobs import DISK_FULL, make_folder, sync_folder, write_file
from deskmate.store.thread import thread_folder
from deskmate.types.files import Grant
from deskmate.types.places import Places

FILE_LIMIT_BYTES = 100 << 20
FILES_LIMIT = 20
STAGED_LIMIT_BYTES = 1 << 30
"""What may wait here of all uploads together."""
KEPT_S = 24 * 3600.0
"""How long an upload waits for the message that it belongs to."""
NAME_LIMIT_BYTES = 200
_ID = re.compile(r"u-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way. `received`: how many of its bytes are here."""

    id: str
    name: str
    size: int
    received: int


class Uploads:
    """Over `<data>/page/uploads`: a file and its name each. Blocks."""

    def __init__(self, places: Places) -> None:
        """Nothing is made before the first upload."""
        self._places = places
        self._folder = places.data / "page" / "uploads"

    def begin(self, name: str, size: int) -> Upload:
        """Announce a file. Raises UserError for a name or size that is refused, StorageFailed."""
        words = checked_name(name)
        if not 0 <= size <= FILE_LIMIT_BYTES:
            raise UserError(
                f"{words} is larger than {FILE_LIMIT_BYTES >> 20} MiB.",
                hint="Put it into a folder and give the thread that folder.",
            )
        with _told(words):
            make_folder(self._folder)
            self._sweep()
            if self._staged() + size > STAGED_LIMIT_BYTES:
                raise UserError("Too much waits to be sent already.", hint="Send it, or remove it.")
            upload = f"u-{secrets.token_hex(8)}"
            about = json.dumps({"name": words, "size": size}, ensure_ascii=False)
            write_file(self._folder / f"{upload}.json", about.encode())
            descriptor = os.open(
                self._part(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            os.close(descriptor)
        return self.get(upload)

    def add(self, upload: str, at: int, piece: bytes) -> Upload:
        """Append a piece. Raises UserError unless it is the next one and fits what was announced; StorageFailed."""
        known = self.get(upload)
        if at != known.received or at + len(piece) > known.size:
            raise UserError("This is not the next piece of the file.", hint="Attach it again.")
        with _told(known.name), self._part(upload).open("ab") as file:
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        return self.get(upload)

    def get(self, upload: str) -> Upload:
        """Return how far an upload is. Raises UserError if there is none."""
        if _ID.fullmatch(upload):
            with suppress(OSError, ValueError, LookupError, TypeError):
                about = json.loads((self._folder / f"{upload}.json").read_bytes())
                return Upload(
                    id=upload,
                    name=checked_name(str(about["name"])),
                    size=int(about["size"]),
                    received=self._part(upload).stat().st_size,
                )
        raise UserError("An attached file is not here any more.", hint="Attach it again.")

    def drop(self, upload: str) -> None:
        """Forget an upload."""
        if _ID.fullmatch(upload):
            self._part(upload).unlink(missing_ok=True)
            (self._folder / f"{upload}.json").unlink(missing_ok=True)

    def check(self, uploads: Sequence[str]) -> None:
        """Raise UserError unless all of these are here whole."""
        if len(uploads) > FILES_LIMIT or len(set(uploads)) < len(uploads):
            raise UserError(f"{FILES_LIMIT} different files can be attached to one message.")
        for found in map(self.get, uploads):
            if found.received != found.size:
                raise UserError(f"{found.name} is not here whole.", hint="Attach it again.")

    def hand_over(self, thread: str, uploads: Sequence[str]) -> tuple[Grant, tuple[str, ...]]:
        """Move uploads into a new folder of the thread's own; return its grant, for reading, and the files' names.

        The folder appears whole. Raises UserError as `check`, StorageFailed.
        """
        self.check(uploads)
        above = thread_folder(self._places.threads, thread) / FOLDER
        names = free_names([self.get(upload).name for upload in uploads])
        with _told(names[0]):
            make_folder(above)
            for leftover in above.glob(".new-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            known = [int(one.name) for one in above.iterdir() if one.name.isdecimal()]
            number = 1 + max(known, default=0)
            part = above / f".new-{number}"
            part.mkdir(mode=0o700)
            for upload, name in zip(uploads, names, strict=True):
                shutil.copyfile(self._part(upload), part / name, follow_symlinks=False)
            sync_folder(part)
            part.rename(above / str(number))
            sync_folder(above)
        for upload in uploads:
            self.drop(upload)
        return Grant(name=FOLDER, folder=str(above / str(number)), mode="ro"), names

    def _part(self, upload: str) -> Path:
        return self._folder / f"{upload}.part"

    def _staged(self) -> int:
        return sum(file.stat().st_size for file in self._folder.glob("u-*.part"))

    def _sweep(self) -> None:
        """Remove what nobody sent."""
        for file in self._folder.glob("u-*"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > KEPT_S:
                    file.unlink()


def withdrawn(places: Places, thread: str, folder: str) -> None:
    """Remove a folder of attachments whose message was taken back; any other folder is left alone."""
    above = thread_folder(places.threads, thread) / FOLDER
    place = Path(folder)
    if place.parent == above and place.name.isdecimal():
        shutil.rmtree(place, ignore_errors=True)


def checked_name(name: str) -> str:
    """Return the name of an attached file without what stands before it. Raises UserError for one no file may have."""
    from deskmate.changes.names import refusal  # noqa: PLC0415

    words = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2]).strip()
    try:
        too_long = len(words.encode("utf-8")) > NAME_LIMIT_BYTES
    except UnicodeEncodeError as error:
        raise UserError("An attached file has a name that is no text.") from error
    why = "its name is too long" if too_long else refusal(f"{FOLDER}/{words}")
    if why or words.startswith("."):
        raise UserError(
            f"A file cannot be attached: {why or 'its name begins with a dot'}.",
            hint="Give it another name.",
        )
    return words


def free_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, those that are there twice (also for a system that knows no capitals) numbered."""
    taken: set[str] = set()
    found = []
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        stem, end = (stem, f"{dot}{suffix}") if stem else (name, "")
        tried, number = name, 2
        while tried.casefold() in taken:
            tried, number = f"{stem}-{number}{end}", number + 1
        taken.add(tried.casefold())
        found.append(tried)
    return tuple(found)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say what is wrong with the disk in words. Raises StorageFailed."""
    try:
        yield
    except OSError as error:
        full = error.errno in DISK_FULL
        why = "the disk is full" if full else error.strerror or str(error)
        raise StorageFailed(
            f"{name} cannot be kept: {why}.", hint="Free some space and attach it again."
        ) from error
