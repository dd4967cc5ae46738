"""Messages and content blocks of a thread, in the Messages API's vocabulary.

Blocks that Deskmate itself acts on have a class; every other block (thinking, redacted thinking,
server tool use, citations, blocks of a later API) is an `Opaque` that travels back unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deskmate.types.ids import Digest, ToolUseId

Role = Literal["user", "assistant"]
PictureMedia = Literal["image/png", "image/jpeg"]

NOTE = "[deskmate] "
"""How a text block of a user message begins that Deskmate wrote and not the user."""
NOT_FINISHED = "Not finished: "
"""How the result of a tool use begins that the end of a run cut off."""
GAVE_UP = "gave_up"
"""Stop reason of a model that says itself that it cannot do what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Plain text. `extra` holds further API fields of the block, such as citations."""

    text: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """The model asks for a tool. `name` is the wire name `<plugin>__<tool>`."""

    id: ToolUseId
    name: str
    input: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)


PICTURE_LIMIT_BYTES, PICTURES_LIMIT = 112 * 1024, 3
"""Of one picture, and how many one call may show: a message of the guest has room for no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that a tool shows to the model; its content is a blob. `bytes`: how long that is."""

    media: PictureMedia
    sha256: Digest
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """The answer to one tool use. `pictures`: what the model looks at beside the text."""

    tool_use_id: ToolUseId
    text: str
    is_error: bool = False
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """A block that is kept and sent back exactly as it came. `data` has its API shape."""

    data: Mapping[str, Any]


Block = Text | ToolUse | ToolResult | Opaque


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the conversation."""

    role: Role
    content: tuple[Block, ...]


def block_to_json(block: Block) -> dict[str, Any]:
    """Return the block in its Messages API shape."""
    match block:
        case Text(text=text, extra=extra):
            return {"type": "text", "text": text, **extra}
        case ToolUse(id=id_, name=name, input=input_, extra=extra):
            return {"type": "tool_use", "id": id_, "name": name, "input": dict(input_), **extra}
        case ToolResult(tool_use_id=use, text=text, is_error=is_error):
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": use, "content": text}
            return {**result, "is_error": True} if is_error else result
        case Opaque(data=data):
            return dict(data)


def block_from_json(data: Mapping[str, Any]) -> Block:
    """Return the block for its Messages API shape; unknown kinds become `Opaque`."""
    kind = data.get("type")  # looked at first: patterns of whole blocks take their time
    if kind == "text" and isinstance(text := data.get("text"), str):
        return Text(text=text, extra=_without(data, "type", "text"))
    if kind == "tool_use":
        id_, name, input_ = data.get("id"), data.get("name"), data.get("input")
        if isinstance(id_, str) and isinstance(name, str) and isinstance(input_, dict):
            extra = _without(data, "type", "id", "name", "input")
            return ToolUse(id=ToolUseId(id_), name=name, input=input_, extra=extra)
    if kind == "tool_result":
        use, text = data.get("tool_use_id"), data.get("content")
        if isinstance(use, str) and isinstance(text, str):
            is_error = bool(data.get("is_error", False))
            return ToolResult(tool_use_id=ToolUseId(use), text=text, is_error=is_error)
    return Opaque(data=dict(data))


def _without(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    if len(data) == len(keys):  # the caller has seen them all
        return {}
    return {key: value for key, value in data.items() if key not in keys}


def text_of(content: tuple[Block, ...]) -> str:
    """Return the text blocks of a message, joined by blank lines."""
    return "\n\n".join(block.text for block in content if isinstance(block, Text) and block.text)


def tool_uses_of(content: tuple[Block, ...]) -> tuple[ToolUse, ...]:
    """Return the tool uses of a message in their order."""
    return tuple(block for block in content if isinstance(block, ToolUse))


def media_of(content: bytes) -> PictureMedia | None:
    """Return what kind of picture this content says it is, by its first bytes; None: none that a model takes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/jpeg" if content.startswith(b"\xff\xd8\xff") else None
