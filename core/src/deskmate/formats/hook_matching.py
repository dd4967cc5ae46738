"""Which tool uses and words a hook is meant for, by its matcher and its condition. Strangers' patterns, so none may take long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_QUANTIFIED = 3
_NAME_LIMIT = 200
_NAMES = re.compile(r"[\w |,-]+")
_SPLIT = re.compile(r"&&|\|\||[;|\n]")
_ASSIGNMENT = re.compile(r"\A\s*[A-Za-z_]\w*=\S*\s+")
_RULE = re.compile(r"\A\s*([\w-]+)\s*(?:\((.*)\))?\s*\Z", re.DOTALL)


def matches(matcher: str, subject: str) -> bool:
    """Say whether a matcher means a subject. A pattern that could take long is never tried, and means nothing."""
    if matcher in ("", "*"):
        return True
    if _NAMES.fullmatch(matcher):
        return subject in [name.strip() for name in matcher.replace(",", "|").split("|")]
    if not is_quick(matcher):
        return False
    return re.search(matcher, subject[:_NAME_LIMIT]) is not None


def is_quick(pattern: str) -> bool:
    """Say whether a matcher can be tried: names, or a pattern that cannot take long, with few repetitions and none of a group."""
    if _NAMES.fullmatch(pattern) or pattern in ("", "*"):
        return True
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern)
    if len(re.findall(r"[*+?{]", bare)) > _QUANTIFIED or re.search(r"\)[*+?{]", bare):
        return False
    if re.search(r"\\\d|\(\?", pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def fits_rule(rule: str, tool: str, arguments: Mapping[str, Any]) -> bool:
    """Say whether a use is one that a rule such as `Bash(git commit *)` or `Edit(*.ts)` means; a rule that cannot be read means all."""
    found = _RULE.match(rule)
    if found is None:
        return True
    name, pattern = found[1], found[2]
    if name != tool:
        return False
    if not pattern or pattern == "*":
        return True
    if tool == "Bash":
        command = str(arguments.get("command", ""))
        parts = [_without_assignments(part) for part in _SPLIT.split(command)]
        return any(_is_like(_with_prefix(pattern), part) for part in parts)
    path = arguments.get("file_path", arguments.get("path", ""))
    return any(_is_like(pattern, end) for end in _ends(str(path)))


def _without_assignments(command: str) -> str:
    while found := _ASSIGNMENT.match(command):
        command = command[found.end() :]
    return command.strip()


def _with_prefix(pattern: str) -> str:
    """`git:*` is the older way to write a command and whatever follows it."""
    return f"{pattern[:-2]}*" if pattern.endswith(":*") else pattern


def _ends(path: str) -> Iterator[str]:
    yield path
    for place, mark in enumerate(path):
        if mark == "/":
            yield path[place + 1 :]


def _is_like(pattern: str, text: str) -> bool:
    """Match `*` against anything, in time that grows with both lengths only."""
    if pattern.endswith(" *") and text == pattern[:-2]:
        return True
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first) or len(text) < len(first) + len(rest[-1]):
        return False
    place, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return place <= end and text.endswith(rest[-1])
