"""Runs all checks over a change and returns findings, each anchored at a line that the diff shows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deskmate_engineering.changes import ChangeSet, FileChange
from deskmate_engineering.inspections.classes import KINDS, OFF, SEVERITIES, Hit
from deskmate_engineering.inspections.lines import line_hits
from deskmate_engineering.inspections.migrations import migration_hits
from deskmate_engineering.inspections.python import python_hits
from deskmate_engineering.inspections.sets import set_hits
from deskmate_engineering.secrets import masked


def findings_of(change: ChangeSet, levels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the findings, gravest first. `levels`: class → severity; those that are off are left out.

    A finding: `file`, `line`, `side` (new, or old where the line is one that goes), `text`, `class`, `severity`, `message`.
    """
    found: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for file, hit in _hits(change):
        level = levels[hit.kind]
        line = _anchor(file, hit)
        if level == OFF or line is None:
            continue
        side = "old" if hit.old else "new"
        text = (file.removed if hit.old else file.added)[line]
        path = file.old_path if hit.old else file.path
        found.setdefault(
            (path, side, line, hit.kind),
            {
                "file": path,
                "line": line,
                "side": side,
                "text": masked(text).strip(),
                "class": hit.kind,
                "severity": level,
                "message": " ".join(filter(None, (hit.detail, KINDS[hit.kind].message))),
            },
        )
    order = SEVERITIES.index
    return sorted(
        found.values(), key=lambda f: (order(f["severity"]), f["file"], f["line"], f["class"])
    )


def _hits(change: ChangeSet) -> Iterator[tuple[FileChange, Hit]]:
    for file in change.files:
        if file.added and not file.binary:
            yield from ((file, hit) for hit in _of_file(file))
    yield from set_hits(change)


def _of_file(file: FileChange) -> Iterable[Hit]:
    yield from line_hits(file)
    yield from migration_hits(file)
    tree = file.tree
    if isinstance(tree, ast.Module):
        yield from python_hits(tree)
    elif isinstance(tree, SyntaxError) and not isinstance(file.old_tree, SyntaxError):
        line = tree.lineno or 1
        # the place that Python names may lie behind the change that broke it
        near = [n for n in file.added if n <= line] or list(file.added)
        yield Hit(kind="syntax", line=near[-1], detail=f"Line {line}: {tree.msg}.")


def _anchor(file: FileChange, hit: Hit) -> int | None:
    """Return the first line of what is meant that the change brought (or took away); None where it was there before."""
    lines = file.removed if hit.old else file.added
    span = range(hit.line, max(hit.line, hit.end) + 1)
    return next((number for number in span if number in lines), None)
