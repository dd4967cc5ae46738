"""What is done with a file that the user changed while a run changed it, too: theirs gives way, or both are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from deskmate.changes.disk import Folders
from deskmate.changes.names import protection
from deskmate.changes.plan import State, Step
from deskmate.changes.review import ChangeSet, Item
from deskmate.errors import UserError

_NAMES = 100


def why_not_over(item: Item, seen: str) -> str:
    """Return why the user's version cannot give way, empty if it can. `seen`: digest of the one that the user looked at."""
    if name := protection(item.path):
        return f"{name} is a protected name: other programs act on it"
    found = item.found
    if found is not None and found.kind != "file":
        return item.why
    if (found.sha256 if found and found.sha256 else "") != seen:
        return "it was changed once more meanwhile: look at it again"
    return ""


def steps_beside(changes: ChangeSet, paths: Collection[str], folders: Folders) -> Iterator[Step]:
    """Yield a step for each of these paths: the run's version under a free name beside the user's.

    Raises UserError for a path whose file the user did not change, or that the run deletes.
    """
    taken = {item.path for item in changes.items}
    for item in changes.items:
        if item.path not in paths:
            continue
        after = item.change.after
        if item.standing != "conflict" or after is None or after.kind != "file":
            raise UserError(
                f"There are no two versions of {item.path} to keep.",
                hint="Look at the changes again.",
            )
        name = _free_name(item.path, taken, folders)
        taken.add(name)
        mode = after.mode & 0o666 | 0o600
        yield Step(
            path=name,
            before=None,
            after=State(kind="file", mode=mode, size=after.size, sha256=after.sha256),
        )


def _free_name(path: str, taken: Collection[str], folders: Folders) -> str:
    """Return such as `Offer (Deskmate).docx`, which nothing has yet. Raises UserError."""
    file = PurePosixPath(path)
    for number in range(1, _NAMES):
        mark = "Deskmate" if number == 1 else f"Deskmate {number}"
        name = str(file.with_name(f"{file.stem} ({mark}){file.suffix}"))
        if name not in taken and folders.look(name) is None:
            return name
    raise UserError(f"There is no free name beside {path}.", hint="Tidy up there and try again.")
