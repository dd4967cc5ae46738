"""Whether files in a folder changed: names, sizes and times are compared, content is not read."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deskmate.errors import DeskmateError, UserError
from deskmate.types.places import Places

LIMIT_FILES = 20_000
NAMED = 3
Look = Mapping[str, tuple[int, int]]
"""Path below the folder → size, and time of the last change in nanoseconds."""


def look_at(folder: Path, pattern: str = "") -> Look:
    """Return the files of a folder, those of hidden names left out. Blocks.

    Raises UserError for a folder that is not there, or too large to be watched.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not there.", hint="Put the folder back, or remove the schedule."
        )
    found: dict[str, tuple[int, int]] = {}
    for path, entry in _files(folder):
        if pattern and not fnmatch.fnmatchcase(entry.name, pattern):
            continue
        try:
            seen = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it went this very moment
        found[path] = (seen.st_size, seen.st_mtime_ns)
        if len(found) > LIMIT_FILES:
            raise UserError(
                f"{folder} holds more than {LIMIT_FILES:,} files, too many to watch.",
                hint="Name a folder below it, or a pattern.",
            )
    return found


def _files(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            entries = list(os.scandir(folder / below))
        except OSError:
            continue
        for entry in entries:
            path = f"{below}{entry.name}"
            if entry.name.startswith((".", "~$")):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{path}/")
            elif entry.is_file(follow_symlinks=False):
                yield path, entry


def differing(before: Look, now: Look) -> tuple[str, ...]:
    """Return the paths that came, went or changed, sorted."""
    return tuple(sorted(path for path in {*before, *now} if before.get(path) != now.get(path)))


def named(paths: Sequence[str]) -> str:
    """Return for people which files changed."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(paths[:NAMED])}{more} changed"


def to_note(look: Look) -> str:
    """Return a look as it is stored."""
    return json.dumps({path: list(facts) for path, facts in look.items()}, ensure_ascii=False)


def from_note(note: str) -> Look:
    """Return a stored look."""
    return {path: (size, time) for path, (size, time) in json.loads(note).items()}


async def written_by(places: Places, threads: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Return what was applied from these threads: path on the host → digests of its content."""
    found: dict[str, set[str]] = {}
    for thread in threads:
        try:
            await _add_written(places, thread, found)
        except DeskmateError:
            continue  # a thread that is gone wrote nothing that we know of
    return {path: frozenset(digests) for path, digests in found.items()}


async def _add_written(places: Places, thread: str, found: dict[str, set[str]]) -> None:
    from deskmate.changes.history import history  # noqa: PLC0415
    from deskmate.host.scheduling.outcome import host_path  # noqa: PLC0415
    from deskmate.store.blobs import BlobStore  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        events = await store.events()
    for applied in history(events, BlobStore(places.blobs)):
        for step in applied.plan.steps:
            path = host_path(applied.plan.grants, step.path)
            if path is not None and step.after is not None and step.after.sha256:
                found.setdefault(str(path), set()).add(step.after.sha256)


def is_own(file: Path, digests: frozenset[str]) -> bool:
    """Say whether a file holds what a run wrote there. Blocks."""
    if not digests or not file.is_file():
        return False
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() in digests
