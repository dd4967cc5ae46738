"""Which files of large granted folders a tool call needs, before it runs."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from deskmate.types.registry import ToolSpec
from deskmate.types.wire import WORKSPACE

_STRING_LIMIT = 4096
_STRINGS_LIMIT = 10_000


def needed(
    spec: ToolSpec,
    arguments: Mapping[str, Any],
    settings: Mapping[str, Any],
    listed: Collection[str],
) -> set[str]:
    """Return which of the `listed` paths must be there before a call of this tool.

    `settings`: its plugin's; like arguments they may name files. See `deskmate.plugin.Tool.reads`.
    """
    if spec.reads is None:
        return set(listed)
    named = {path_of(text) for text in _strings((arguments, settings))}
    found = named & set(listed)
    for pattern in spec.reads:
        if pattern.startswith("{") and pattern.endswith("}"):
            tops = [path_of(text) for text in _strings(arguments.get(pattern[1:-1], ""))]
            found |= _below(tops, listed)
        else:
            found |= _matching(pattern.casefold(), listed)
    return found


def path_of(text: str) -> str:
    """Return the workspace path that a text names, empty for the workspace itself."""
    path = posixpath.normpath(text.removeprefix(WORKSPACE + "/").removeprefix(WORKSPACE))
    return "" if path == "." else path


def _below(tops: Sequence[str], listed: Iterable[str]) -> set[str]:
    if "" in tops or not tops:
        return set(listed)
    return {path for path in listed if any(path == t or path.startswith(t + "/") for t in tops)}


def _matching(pattern: str, listed: Iterable[str]) -> set[str]:
    if "/" in pattern:
        return {path for path in listed if fnmatchcase(path.casefold(), pattern)}
    return {path for path in listed if fnmatchcase(path.rpartition("/")[2].casefold(), pattern)}


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings in a JSON value, bounded."""
    waiting, seen = [value], 0
    while waiting and seen < _STRINGS_LIMIT:
        item = waiting.pop()
        seen += 1
        if isinstance(item, str) and len(item) <= _STRING_LIMIT:
            yield item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
