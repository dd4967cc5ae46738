"""What commands do after their own work is done and shown: free the space of unused content, now and then."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from deskmate.cli.output import Session

if TYPE_CHECKING:
    from deskmate.store.collection import Collected


def tidy_up(session: Session, *, is_due: bool = False) -> Collected | None:
    """Collect unused content, for about a second at most, if a day has passed or `is_due`; None where it was not done.

    Never fails and never speaks: `deskmate thread gc` tells what is in the way.
    """
    from deskmate.store.collection import collect_when_due  # noqa: PLC0415 - after the work only

    with suppress(KeyboardInterrupt):  # whoever is in a hurry
        return collect_when_due(session.places.threads, session.places.blobs, is_due=is_due)
    return None
