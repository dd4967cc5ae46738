"""What came with a message, as its run has it: a folder of the thread's own to read in, and its files named in the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from deskmate.host.orders import RunOrder
from deskmate.types.files import Grant
from deskmate.types.places import Places

FOLDER = "attachments"
"""In the thread's folder; and the name by which a run has it."""


async def attach(places: Places, thread: str, order: RunOrder) -> tuple[RunOrder, tuple[str, ...]]:
    """Return the order with the folder of what came with it, and the files' names. Raises UserError, StorageFailed."""
    if not order.attachments:
        return order, order.attached
    from deskmate.host.attachments import Uploads  # noqa: PLC0415 - few runs need it

    uploads = Uploads(places)
    grant, names = await anyio.to_thread.run_sync(uploads.hand_over, thread, order.attachments)
    return replace(order, grants=(*order.grants, grant)), names


def with_attached(text: str, grants: Sequence[Grant], names: Sequence[str]) -> str:
    """Return the user's words with the places of what came with them, in the folder that was granted last."""
    if not names:
        return text
    return f"{text}\n\nAttached: {', '.join(f'{grants[-1].name}/{name}' for name in names)}"


def is_lost(grant: Grant) -> bool:
    """Say whether a grant is of attachments that did not come along: the log moved to another home, or was restored."""
    folder = Path(grant.folder)
    above = folder.parts[-3:-1]
    ours = len(above) == 2 and above[0].startswith("t-") and above[1] == FOLDER
    return ours and grant.mode == "ro" and not folder.exists()
