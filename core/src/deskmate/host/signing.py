"""Signatures under deliverables: a named person stands for these very bytes, as an event of the thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deskmate.errors import UserError
from deskmate.ports import BlobReader, Store
from deskmate.types.events import ERASED, ChangesStaged, DeliverableSigned, Event
from deskmate.types.ids import Digest, RunId

if TYPE_CHECKING:
    from deskmate.changes.review import Item
    from deskmate.types.files import Change

NAME_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Signable:
    """A deliverable of the last run that had any. `signed`: who signed it last, None where nobody did.

    `changed`: why these bytes are not those of now; empty where they are. `holds`: the signature is for the bytes of now.
    """

    run: RunId
    path: str
    title: str
    sha256: Digest
    signed: DeliverableSigned | None = None
    changed: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the last signature is for these bytes, and they are still those of now."""
        return self.signed is not None and self.signed.sha256 == self.sha256 and not self.changed


async def signable(events: Sequence[Event], blobs: BlobReader) -> tuple[Signable, ...]:
    """Return the deliverables of the newest run that presented some, with their signatures.

    Raises UserError if there are none or a granted folder is missing, CorruptData if the list of changes is lost.
    """
    from deskmate.changes.apply import review_changes  # noqa: PLC0415
    from deskmate.changes.review import read_difference  # noqa: PLC0415
    from deskmate.changes.staged import find_staged  # noqa: PLC0415

    of_runs = [e.payload for e in events if isinstance(e.payload, ChangesStaged)]
    first = next((n for n in reversed(range(len(of_runs))) if of_runs[n].deliverables), None)
    if first is None:
        raise UserError("This thread has no result to sign.", hint="A run presents its results.")
    staged, later = of_runs[first], of_runs[first + 1 :]
    grants = find_staged(events).grants
    reviewed = await review_changes(blobs, staged.difference, grants, events)
    items = {item.path: item for item in reviewed.items}
    since = [
        {change.path: change for change in read_difference(one.difference, blobs).changes}
        for one in later
    ]
    signed = {
        e.payload.path: e.payload
        for e in events
        if isinstance(e.payload, DeliverableSigned) and e.payload.name != ERASED
    }
    return tuple(
        Signable(
            run=staged.run,
            path=deliverable.path,
            title=deliverable.title,
            sha256=item.change.after.sha256,
            signed=signed.get(deliverable.path),
            changed=_changed(item, since),
        )
        for deliverable in staged.deliverables
        if (item := items.get(deliverable.path)) and item.change.after and item.change.after.sha256
    )


def _changed(item: Item, since: Sequence[Mapping[str, Change]]) -> str:
    """Return why what was presented is not what there is now, in the folder or in the workspace."""
    if item.standing in ("conflict", "discarded"):
        return item.why
    for changes in since:
        now = changes.get(item.path)
        if now is not None and (now.after is None or now.after.sha256 != _sha256(item)):
            return "a later run changed it"
        if now is None and item.standing != "applied":
            return "a later run took it back"
    return ""


def _sha256(item: Item) -> Digest | None:
    return item.change.after.sha256 if item.change.after else None


async def sign(store: Store, blobs: BlobReader, path: str, name: str, role: str = "") -> Signable:
    """Store that `name` signed the deliverable at `path` as it is now; return it.

    Raises UserError if there is no such deliverable, it is another one by now, or there is no name.
    """
    name, role = " ".join(name.split()), " ".join(role.split())
    if not name or len(name) > NAME_LIMIT or len(role) > NAME_LIMIT:
        raise UserError(
            f"A signature needs the name of a person, at most {NAME_LIMIT} characters.",
            hint='--name "Ann Lee"',
        )
    found = await signable(await store.events(), blobs)
    chosen = [item for item in found if item.path == path]
    if not chosen:
        names = ", ".join(item.path for item in found) or "none that was written"
        raise UserError(f"{path} is no result of the last run; there are {names}.")
    item = chosen[0]
    if item.changed:
        raise UserError(
            f"{path} is not what the run presented: {item.changed}.",
            hint="Have the present version checked and presented by a run, then sign that.",
        )
    record = DeliverableSigned(run=item.run, path=path, sha256=item.sha256, name=name, role=role)
    await store.append(record)
    return replace(item, signed=record)
