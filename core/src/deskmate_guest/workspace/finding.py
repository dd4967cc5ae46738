"""Finds files by name and lines by content."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext, ToolInputError

_MOST_NAMES = 1000
_MOST_HITS = 200
_LARGE_BYTES = 5 << 20
_HIT_CHARACTERS = 300


def glob(context: ToolContext, pattern: str = "**/*") -> dict[str, Any]:
    """List files of the workspace by a pattern, with their sizes.

    Args:
        pattern: such as `**/*.docx` or `contracts/*`; `**` stands for any folders.
        context: filled in by Deskmate.
    """
    wanted = _as_regex(pattern.removeprefix("/workspace/"))
    rows = _names(context, wanted)
    files = [{"path": path, "bytes": size} for path, size in rows[: _MOST_NAMES + 1]]
    result: dict[str, Any] = {"files": files[:_MOST_NAMES]}
    if len(files) > _MOST_NAMES:
        result["note"] = f"Only the first {_MOST_NAMES}; use a narrower pattern."
    return result


def grep(pattern: str, context: ToolContext, path: str = "") -> dict[str, Any]:
    """Search text files for a regular expression (Python's), line by line.

    Documents such as DOCX and PDF are not text; they are skipped and counted.

    Args:
        pattern: regular expression, such as `(?i)liability`.
        path: a folder or file of the workspace; empty for all.
        context: filled in by Deskmate.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ToolInputError(f"{pattern!r} is not a regular expression: {error}.") from error
    start = context.target(path or ".")
    if not start.exists():
        raise ToolInputError(f"{path} is not there; list what is with workspace__glob.")
    hits: list[dict[str, Any]] = []
    skipped = 0
    for real, name in _candidates(start, context):
        found = _hits(real, name, wanted, _MOST_HITS + 1 - len(hits))
        if found is None:
            skipped += 1
            continue
        hits += found
        if len(hits) > _MOST_HITS:
            break
    result: dict[str, Any] = {"hits": hits[:_MOST_HITS], "skipped_files": skipped}
    if len(hits) > _MOST_HITS:
        result["note"] = f"Only the first {_MOST_HITS}; use a narrower pattern or path."
    return result


def _candidates(start: Path, context: ToolContext) -> Iterator[tuple[Path, str]]:
    if start.is_file():
        yield start, context.name_of(start)
        return
    top = context.workspace.resolve()
    for name, _ in _files(start):
        yield start / name, (start / name).relative_to(top).as_posix()


def _hits(real: Path, name: str, wanted: re.Pattern[str], most: int) -> list[dict[str, Any]] | None:
    """Return the matching lines, None for what is not text or too large."""
    try:
        if real.stat().st_size > _LARGE_BYTES:
            return None
        data = real.read_bytes()
    except OSError:
        return None
    if b"\0" in data[:8192]:
        return None
    lines = data.decode("utf-8", "replace").splitlines()
    rows = (
        {"path": name, "line": number, "text": line[:_HIT_CHARACTERS]}
        for number, line in enumerate(lines, start=1)
        if wanted.search(line)
    )
    return list(itertools.islice(rows, most))


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield path and size of the regular files below `root`, sorted by folder; links are not followed."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(f"{root}/{inside}") as found:
                rows = sorted(found, key=lambda row: row.name)
        except OSError:
            continue
        for row in rows:
            if row.is_file(follow_symlinks=False):
                yield inside + row.name, row.stat(follow_symlinks=False).st_size
        folders = [row.name for row in rows if row.is_dir(follow_symlinks=False)]
        waiting += [f"{inside}{name}/" for name in reversed(folders) if name != ".git"]


def _names(context: ToolContext, wanted: re.Pattern[str]) -> list[tuple[str, int]]:
    """Return path and size of the files that match, sorted by folder: those that are only listed, too."""
    found = {
        path: size
        for path, size in context.listed.items()
        if wanted.fullmatch(path) and "/.git/" not in f"/{path}"
    }
    there = [row for row in _files(context.workspace) if wanted.fullmatch(row[0])]
    if not found:
        return there
    found.update(there)
    return sorted(found.items(), key=lambda row: row[0].rpartition("/"))


@functools.lru_cache(maxsize=64)
def _as_regex(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a glob in which `**` spans folders and `*` does not."""
    parts = []
    for part in pattern.split("/"):
        if part in ("", "."):
            continue
        if part == "**":
            parts.append("(?:[^/]+/)*")
            continue
        text = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        parts.append(text + "/")
    text = "".join(parts)
    return re.compile(text.removesuffix("/") if not text.endswith("*") else text + "[^/]+")
