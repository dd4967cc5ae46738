"""Messages to a thread that is at work: a small file each, so that they outlive any process and any may add one."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio.to_thread

from deskmate.errors import StorageFailed, UserError
from deskmate.store.blobs import make_folder, sync_folder, write_file
from deskmate.store.thread import thread_folder, utc_now
from deskmate.types.waiting import Queued

FOLDER = "waiting"
PAUSE = "pause"
QUEUE_LIMIT = 20
"""Messages that may wait in one thread."""
TEXT_LIMIT = 200_000


class WaitingMessages:
    """Over `<thread>/waiting`. What begins with the current nanosecond sorts by when it was said."""

    def __init__(self, threads: Path, thread: str) -> None:
        """Raises UserError if there is no such thread."""
        self._folder = thread_folder(threads, thread) / FOLDER

    def put(self, text: str, *, folder: str = "", attached: Sequence[str] = ()) -> Queued:
        """Keep a message durably. `folder`, `attached`: of the files that go with it. Raises UserError if it is empty, too long or one too many; StorageFailed."""
        if not text.strip():
            raise UserError("There is nothing to say.", hint="Write what the run should know.")
        if len(text) > TEXT_LIMIT:
            raise UserError(f"The message is longer than {TEXT_LIMIT:,} characters.")
        if len(self.all()) >= QUEUE_LIMIT:
            raise UserError(
                f"{QUEUE_LIMIT} messages wait already.", hint="Wait for the run to hear them."
            )
        queued = Queued(
            id=f"q-{time.time_ns():020d}-{secrets.token_hex(3)}",
            text=text,
            time=utc_now(),
            attached=tuple(attached),
            folder=folder,
        )
        kept = {"text": text, "time": queued.time, "attached": queued.attached, "folder": folder}
        content = json.dumps(kept, ensure_ascii=False)
        self._write(f"{queued.id}.json", content.encode("utf-8", "replace"))
        return queued

    def all(self) -> tuple[Queued, ...]:
        """Return what waits, the oldest first; a file that cannot be read is none of ours."""
        if not self._folder.is_dir():
            return ()
        found = []
        for file in sorted(self._folder.glob("q-*.json")):
            with suppress(OSError, ValueError, LookupError, TypeError):
                row = json.loads(file.read_bytes())
                found.append(
                    Queued(
                        id=file.stem,
                        text=str(row["text"]),
                        time=str(row["time"]),
                        attached=tuple(map(str, row.get("attached", ()))),
                        folder=str(row.get("folder", "")),
                    )
                )
        return tuple(found)

    def withdraw(self, message: str) -> bool:
        """Forget a message by its id; False: it does not wait any more."""
        if message not in {queued.id for queued in self.all()}:
            return False
        try:
            (self._folder / f"{message}.json").unlink()
        except FileNotFoundError:  # another process was quicker
            return False
        sync_folder(self._folder)
        return True

    def ask_pause(self) -> None:
        """Have the run pause when its step is done."""
        self._write(PAUSE, b"")

    def pauses(self) -> bool:
        """Say whether a pause is wanted."""
        return (self._folder / PAUSE).exists()

    def drop_pause(self) -> bool:
        """Forget that a pause was wanted; say whether it was."""
        try:
            (self._folder / PAUSE).unlink()
        except FileNotFoundError:
            return False
        return True

    def _write(self, name: str, content: bytes) -> None:
        try:
            make_folder(self._folder)
            write_file(self._folder / name, content)
        except OSError as error:
            raise StorageFailed(
                f"The message cannot be kept: {error.strerror or error}.",
                hint="Free some space and say it again.",
            ) from error


class Listening:
    """The same for a run, which must not block its loop: the port `Waiting`."""

    def __init__(self, messages: WaitingMessages) -> None:
        self._messages = messages

    async def messages(self) -> Sequence[Queued]:
        """Return what waits, the oldest first."""
        return await anyio.to_thread.run_sync(self._messages.all)

    async def drop(self, message: str) -> bool:
        """Forget a message by its id."""
        return await anyio.to_thread.run_sync(self._messages.withdraw, message)

    async def take_pause(self) -> bool:
        """Say whether a pause is wanted, once."""
        return await anyio.to_thread.run_sync(self._messages.drop_pause)
