"""Which created file is a deleted one at another place: by content, and among equals by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deskmate.types.files import Change, Entry


def find_moves(changes: Sequence[Change]) -> dict[str, str]:
    """Return new path → old path of moved files.

    Equal content that went once and came once is a move. Where several files have it, those that keep
    their name and, of equal names, their folder's name are; the rest are copies and deletions.
    """
    gone = _by_content((change.path, change.before) for change in changes if change.after is None)
    come = _by_content((change.path, change.after) for change in changes if change.before is None)
    moves: dict[str, str] = {}
    for content, paths in come.items():
        moves |= _pairs(gone.get(content, []), paths, empty=content[1] == 0)
    return moves


def _by_content(
    found: Iterable[tuple[str, Entry | None]],
) -> Mapping[tuple[str, int], list[str]]:
    table: dict[tuple[str, int], list[str]] = {}
    for path, entry in found:
        if entry and entry.kind == "file" and entry.sha256:
            table.setdefault((entry.sha256, entry.size), []).append(path)
    return table


def _pairs(gone: Sequence[str], come: Sequence[str], *, empty: bool) -> dict[str, str]:
    if len(gone) == len(come) == 1 and not empty:
        return {come[0]: gone[0]}
    found: dict[str, str] = {}
    for parts in (2, 1):  # folder and name, then the name alone; one candidate a side, or none
        left = _by_tail([path for path in gone if path not in found.values()], parts)
        right = _by_tail([path for path in come if path not in found], parts)
        found |= {
            paths[0]: left[tail][0]
            for tail, paths in right.items()
            if len(paths) == 1 and len(left.get(tail, ())) == 1
        }
    return found


def _by_tail(paths: Sequence[str], parts: int) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for path in paths:
        table.setdefault("/".join(path.split("/")[-parts:]), []).append(path)
    return table
