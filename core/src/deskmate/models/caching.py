"""Where a request's cache breakpoints stand, by the documented rules of prompt caching.

A breakpoint says: keep what comes before this block's end (tools, then system, then messages), byte for byte. A request may
have four. The server looks for what it kept at each of them, and at the 20 blocks before it, but no further; and keeps
nothing below a minimum of tokens. So the marks go where the next request will look: the end of what all threads with
these plugins share, the end of what is the project's, and the end of the last two messages of the user, since the last
one of this request is the one before the last of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MARK = {"cache_control": {"type": "ephemeral"}}
MOST = 4
LOOK_BACK = 19
"""Blocks before a breakpoint that are surely looked at."""
LEAST_TOKENS = 1_024
"""The lowest minimum that any model has; what is shorter is marked in vain."""
_CHARACTERS_PER_TOKEN = 2.5
_CACHEABLE = ("text", "tool_use", "tool_result")

Blocks = list[dict[str, Any]]


def mark_prefix(tools: Blocks, system: Blocks, shared: int) -> int:
    """Mark the ends of the stable prefix, in place; return how many breakpoints that took.

    `shared`: how many of the system blocks are the same in other threads.
    """
    if not system:
        return _mark(tools, len(tools) - 1) if _is_worth(tools) else 0
    ends = {len(system) - 1}
    if 0 < shared < len(system):
        ends.add(shared - 1)
    return sum(
        _mark(system, end) for end in sorted(ends) if _is_worth([*tools, *system[: end + 1]])
    )


def mark_messages(messages: Sequence[dict[str, Any]], left: int) -> None:
    """Mark the conversation in place with at most `left` breakpoints.

    Where the last message of the user is longer than the server looks back, marks stand in it as well: what was sent of
    it before, in a request that was not answered, is found by one of them.
    """
    blocks = [block for message in messages for block in message["content"]]
    ends: list[int] = []
    at = -1
    for message in messages:
        at += len(message["content"])
        if message["role"] == "user":
            ends.append(at)
    if not ends:
        return
    wanted = ends[-1:-3:-1]
    before = wanted[1] if len(wanted) > 1 else -1
    wanted += range(wanted[0] - LOOK_BACK, max(before, 0), -LOOK_BACK)
    for place in wanted:
        if left > 0:
            left -= _mark(blocks, place)


def _mark(blocks: Blocks, place: int) -> int:
    """Mark a block if it takes a mark; return how many breakpoints that took."""
    block = blocks[place]
    if "type" in block and block["type"] not in _CACHEABLE:
        return 0
    block.update(MARK)
    return 1


def _is_worth(blocks: Blocks) -> bool:
    size = sum(len(str(block)) for block in blocks)
    return size / _CHARACTERS_PER_TOKEN >= LEAST_TOKENS
