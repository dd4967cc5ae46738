"""How much of a model's context window a request takes, and when that is too much.

Servers count tokens, and say after each reply how many the prompt had. So what was sent before is measured; only what
was added since is estimated, by its characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from deskmate.agent.state import State
from deskmate.ports import Model, ModelRequest, Windowed
from deskmate.types.messages import Block, Opaque, Text, ToolResult, ToolUse

CHARACTERS_PER_TOKEN = 2.5
"""Fewer than text really has, so that an estimate without a measure is an upper one."""
PICTURE_CHARACTERS = 4_000
"""What a picture counts for: 1,600 tokens, the most that models take for one of this size."""
OUTPUT_SHARE = 4
"""A reply may take a fourth of a small window."""
FULL = 0.85
"""Share of what is left for the prompt from which on the conversation is compacted: estimates may err."""
KEPT = 0.25
"""Share of that which the turns that are kept as they were may take."""
RESULT_SHARE = 8
"""One result may take an eighth of the window."""


def window_of(model: Model) -> int | None:
    """Return how many tokens the model's prompt and reply may have together, None where nobody knows."""
    return model.context_tokens if isinstance(model, Windowed) else None


def output_limit(window: int | None, wanted: int) -> int:
    """Return how long a reply may be so that there is room for a prompt."""
    return wanted if window is None else min(wanted, max(window // OUTPUT_SHARE, 1))


def prompt_limit(window: int, output: int) -> int:
    """Return the tokens of a prompt from which on the conversation is compacted."""
    return int((window - output_limit(window, output)) * FULL)


def result_limit(window: int | None, wanted_bytes: int) -> int:
    """Return how many bytes of one result the model may see at once."""
    if window is None:
        return wanted_bytes
    return min(wanted_bytes, max(int(window * CHARACTERS_PER_TOKEN) // RESULT_SHARE, 1_000))


def size_of(request: ModelRequest) -> int:
    """Return the characters of what is sent: system, tools, messages."""
    system = sum(map(len, request.system))
    tools = sum(
        len(tool.name) + len(tool.description) + len(json.dumps(tool.input_schema, default=str))
        for tool in request.tools
    )
    return system + tools + sum(blocks_size(message.content) for message in request.messages)


def blocks_size(content: Iterable[Block]) -> int:
    """Return the characters of a message's blocks."""
    size = 0
    for block in content:
        match block:
            case Text(text=text):
                size += len(text)
            case ToolResult(text=text, pictures=pictures):
                size += len(text) + PICTURE_CHARACTERS * len(pictures)
            case ToolUse(input=input_, name=name):
                size += len(name) + len(json.dumps(input_, ensure_ascii=False, default=str))
            case Opaque(data=data):
                size += len(json.dumps(data, ensure_ascii=False, default=str))
    return size


def tokens_of(state: State, size: int) -> int:
    """Return the estimated tokens of a prompt of `size` characters in this thread."""
    if state.measured is None:
        return int(size / CHARACTERS_PER_TOKEN)
    known, tokens = state.measured
    if size >= known:
        return tokens + int((size - known) / CHARACTERS_PER_TOKEN)
    return int(size * tokens / known)


def characters_of(state: State, tokens: int) -> int:
    """Return about how many characters so many tokens are in this thread."""
    if state.measured is None:
        return int(tokens * CHARACTERS_PER_TOKEN)
    known, measured = state.measured
    return int(tokens * known / measured)
