"""Answers from a recorded run, for tests and continuous integration. Always labelled as such."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from deskmate.errors import ConfigError, CorruptData, ModelRejected
from deskmate.ports import ModelReply, ModelRequest
from deskmate.types.codec import from_json
from deskmate.types.limits import Usage
from deskmate.types.messages import NOTE, Message, Opaque, Text, ToolResult, ToolUse, text_of

FORMAT = 1


class ReplayModel:
    """Gives the reply that was recorded for a conversation of the same shape."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError if the file cannot be read as a recording."""
        self._path = path
        self._replies = _load(path)

    @property
    def name(self) -> str:
        """`replay:` and the file."""
        return f"replay:{self._path}"

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the recorded reply. Raises ModelRejected if none was recorded for this."""
        shape = shape_of(request.messages)
        for recorded, reply in self._replies:
            if recorded == shape:
                if words := text_of(reply.content):
                    on_text(words)
                label = f"replayed from {self._path.name}"
                return replace(reply, label=label, usage=Usage(cost_usd=0.0))
        raise ModelRejected(
            f"{self._path} has no reply for this conversation, which ends with: {_tail(shape)}. "
            f"It has {len(self._replies)}, the last after: {_tail(self._replies[-1][0])}.",
            hint="Record it again with --record: the request, the plugins or the files differ.",
        )

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """A replay costs nothing."""
        return 0.0


def shape_of(messages: Iterable[Message]) -> list[list[str]]:
    """Return what must agree: roles, kinds of blocks, tools, and the user's first 200 characters.

    Ids, results' texts and the program's notes may differ from run to run.
    """
    return [[message.role, *_blocks(message)] for message in messages]


def _blocks(message: Message) -> Iterable[str]:
    for block in message.content:
        match block:
            case Text(text=text) if message.role == "user":
                if not text.startswith(NOTE):
                    yield f"says {text[:200]}"
            case Text():
                yield "text"
            case ToolUse(name=name):
                yield f"uses {name}"
            case ToolResult(is_error=is_error):
                yield "error" if is_error else "result"
            case Opaque(data=data):
                yield str(data.get("type", "?"))


def _tail(shape: list[list[str]]) -> str:
    return ", ".join(shape[-1][1:]) or "nothing" if shape else "nothing"


def _load(path: Path) -> list[tuple[list[list[str]], ModelReply]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"The recording {path} cannot be read: {why}.") from error
    replies = [_parse(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not replies:
        raise ConfigError(f"The recording {path} is empty.", hint="Make one with --record FILE.")
    return replies


def _parse(path: Path, number: int, line: str) -> tuple[list[list[str]], ModelReply]:
    try:
        data: Any = json.loads(line)
        if data["format"] != FORMAT:
            raise ConfigError(f"{path}, line {number}: format {data['format']} is not known here.")
        return data["shape"], from_json(ModelReply, data["reply"])
    except (ValueError, KeyError, TypeError, CorruptData) as error:
        raise ConfigError(
            f"{path}, line {number} is not a recorded reply: {error}",
            hint="Make a recording with --record FILE.",
        ) from error
