"""Names that some systems take for one: they differ only in case, accents, or invisible characters."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from deskmate.changes.disk import Folders
from deskmate.changes.names import fold


class Names:
    """The names of the granted folders as a change set would leave them, by what they fold to."""

    def __init__(self, folders: Folders, here: Collection[str], gone: Collection[str]) -> None:
        """`here`: paths that the change set brings or keeps; `gone`: paths that it removes."""
        self._folders = folders
        self._gone = gone
        self._here: dict[str, dict[str, list[str]]] = {}
        self._disk: dict[str, dict[str, list[str]]] = {}
        for path in here:
            above = path.rpartition("/")[0]
            self._here.setdefault(above, {}).setdefault(fold(path), []).append(path)

    def twins(self, path: str) -> list[str]:
        """Return the other paths in the same folder that fold to the same name, sorted."""
        above = path.rpartition("/")[0]
        if above not in self._disk:
            table = self._disk[above] = {}
            for name in self._folders.names(above):
                if (there := f"{above}/{name}") not in self._gone:
                    table.setdefault(fold(there), []).append(there)
        folded = fold(path)
        both = {
            *self._here.get(above, {}).get(folded, ()),
            *self._disk[above].get(folded, ()),
        }
        return sorted(both - {path})


def twin_flags(path: str, names: Names) -> Iterator[str]:
    """Yield what to say of a new name that has a twin."""
    if found := names.twins(path):
        other = found[0].rpartition("/")[2]
        yield f"another name differs only in case or accents: {other}"
