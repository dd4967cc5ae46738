"""Which change set of a thread is meant, read from its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deskmate.errors import UserError
from deskmate.types.events import (
    BaseTaken,
    ChangesDiscarded,
    ChangesStaged,
    Event,
    GrantsSet,
    Validated,
)
from deskmate.types.files import Grant
from deskmate.types.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A run's change set with what applying it needs.

    `base_files`: how many files there were. `errors`: what the output checks found in its deliverables.
    """

    run: str
    difference: Digest
    grants: tuple[Grant, ...]
    base_files: int = 0
    errors: int = 0
    discarded: bool = False


def find_staged(events: Sequence[Event], run: str = "") -> Staged:
    """Return the last change set, or the last one of `run`. Raises UserError if there is none."""
    grants: tuple[Grant, ...] = ()
    base_files = 0
    found: tuple[ChangesStaged, int] | None = None
    discarded: set[Digest] = set()
    errors = 0
    for event in events:
        match event.payload:
            case GrantsSet(grants=granted):
                grants = granted
            case BaseTaken(files=files):
                base_files = files
            case ChangesStaged() as staged if not run or staged.run == run:
                found = (staged, base_files)
                discarded.discard(staged.difference)
                errors = 0
            case Validated(run=of, findings=findings) if found and of == found[0].run:
                errors = sum(finding.level == "error" for finding in findings)
            case ChangesDiscarded(difference=difference, paths=()):
                discarded.add(difference)
    if found is None:
        raise UserError(
            f"Run {run} has no change set." if run else "This thread has no change set.",
            hint="A run stages its changes when it ends.",
        )
    staged, files = found
    return Staged(
        run=staged.run,
        difference=staged.difference,
        grants=grants,
        base_files=files,
        errors=errors,
        discarded=staged.difference in discarded,
    )
