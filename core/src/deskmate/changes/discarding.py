"""Throwing a staged change set away, or some paths of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deskmate.changes.apply import Place, review_changes
from deskmate.changes.names import is_below
from deskmate.changes.review import read_difference
from deskmate.changes.staged import Staged, find_staged
from deskmate.errors import DeskmateError, UserError
from deskmate.types.events import ChangesDiscarded


async def discard_changes(place: Place, paths: Sequence[str], run: str = "") -> Staged:
    """Store that a change set, or what lies at or below `paths`, is not wanted. The folders stay as they are.

    Raises UserError for a path that is not in the change set.
    """
    staged = find_staged(await place.store.events(), run)
    changes = read_difference(staged.difference, place.blobs).changes
    for path in paths:
        if not any(is_below(change.path, [path]) for change in changes):
            raise UserError(f"{path} is not in the change set.", hint="See deskmate changes show.")
    if not staged.discarded:
        left = await _left(place, staged, paths) if paths else 0
        discarded = ChangesDiscarded(difference=staged.difference, paths=tuple(paths), left=left)
        await place.store.append(discarded)
    return staged


async def _left(place: Place, staged: Staged, paths: Sequence[str]) -> int | None:
    """Return how many changes stay when these paths go; None where a folder cannot be looked at."""
    events = await place.store.events()
    with suppress(DeskmateError):
        found = await review_changes(place.blobs, staged.difference, staged.grants, events)
        return found.left(paths)
    return None
