"""What came with a message, as its run has it: a folder of the thread's own to read in, and its files named in the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import anyio.to_thread

from deskmate.host.orders import RunOrder
from deskmate.types.files import Grant
from deskmate.types.places import Places


async def attach(places: Places, thread: str, order: RunOrder) -> tuple[RunOrder, tuple[str, ...]]:
    """Return the order with the folder of what came with it, and the files' names. Raises UserError, StorageFailed."""
    if not order.attachments:
        return order, ()
    from deskmate.host.attachments import Uploads  # noqa: PLC0415 - few runs need it

    uploads = Uploads(places)
    grant, names = await anyio.to_thread.run_sync(uploads.hand_over, thread, order.attachments)
    return replace(order, grants=(*order.grants, grant)), names


def with_attached(text: str, grants: Sequence[Grant], names: Sequence[str]) -> str:
    """Return the user's words with the places of what came with them, in the folder that was granted last."""
    if not names:
        return text
    return f"{text}\n\nAttached: {', '.join(f'{grants[-1].name}/{name}' for name in names)}"
