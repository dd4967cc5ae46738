"""Signatures under deliverables: a named person stands for these very bytes, as an event of the thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deskmate.errors import UserError
from deskmate.ports import BlobReader, Store
from deskmate.types.events import ChangesStaged, DeliverableSigned, Event
from deskmate.types.ids import Digest, RunId

NAME_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Signable:
    """A deliverable of the last run that had any. `signed`: who signed it last, None where nobody did.

    `holds`: that signature is for the bytes of now.
    """

    run: RunId
    path: str
    title: str
    sha256: Digest
    signed: DeliverableSigned | None = None

    @property
    def holds(self) -> bool:
        """Say whether the last signature is for these bytes."""
        return self.signed is not None and self.signed.sha256 == self.sha256


def signable(events: Sequence[Event], blobs: BlobReader) -> tuple[Signable, ...]:
    """Return the deliverables of the newest run that presented some, with their signatures.

    Raises UserError if there are none, CorruptData if the list of changes is lost.
    """
    from deskmate.changes.review import read_difference  # noqa: PLC0415

    staged = next(
        (e.payload for e in reversed(events) if _presents(e.payload)),
        None,
    )
    if not isinstance(staged, ChangesStaged):
        raise UserError("This thread has no result to sign.", hint="A run presents its results.")
    changes = read_difference(staged.difference, blobs).changes
    contents = {change.path: change.after.sha256 for change in changes if change.after}
    signed = {e.payload.path: e.payload for e in events if isinstance(e.payload, DeliverableSigned)}
    return tuple(
        Signable(
            run=staged.run,
            path=item.path,
            title=item.title,
            sha256=digest,
            signed=signed.get(item.path),
        )
        for item in staged.deliverables
        if (digest := contents.get(item.path)) is not None
    )


def _presents(payload: object) -> bool:
    return isinstance(payload, ChangesStaged) and bool(payload.deliverables)


async def sign(store: Store, blobs: BlobReader, path: str, name: str, role: str = "") -> Signable:
    """Store that `name` signed the deliverable at `path` as it is now; return it.

    Raises UserError if there is no such deliverable, or no name.
    """
    name, role = " ".join(name.split()), " ".join(role.split())
    if not name or len(name) > NAME_LIMIT or len(role) > NAME_LIMIT:
        raise UserError(
            f"A signature needs the name of a person, at most {NAME_LIMIT} characters.",
            hint='--name "Ann Lee"',
        )
    found = signable(await store.events(), blobs)
    chosen = [item for item in found if item.path == path]
    if not chosen:
        names = ", ".join(item.path for item in found) or "none that was written"
        raise UserError(f"{path} is no result of the last run; there are {names}.")
    item = chosen[0]
    record = DeliverableSigned(run=item.run, path=path, sha256=item.sha256, name=name, role=role)
    await store.append(record)
    return Signable(run=item.run, path=path, title=item.title, sha256=item.sha256, signed=record)
