"""The Messages API's two shapes that Deskmate translates: its request, and its errors."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from deskmate.errors import DeskmateError, ModelRejected, ModelUnavailable
from deskmate.models.caching import MOST, mark_messages, mark_prefix
from deskmate.models.catalogue import ModelInfo
from deskmate.ports import ModelRequest
from deskmate.types.ids import Digest
from deskmate.types.messages import Message, Text, ToolResult, block_to_json
from deskmate.types.registry import ToolSpec

MISSING = "[here was a picture, which cannot be shown to you]"
_PASSING = ("overloaded_error", "rate_limit_error", "api_error", "timeout_error")
"""Error types that go by, also where they come in a stream whose status was 200."""


def request_body(request: ModelRequest, info: ModelInfo) -> dict[str, Any]:
    """Return the request's JSON, with cache breakpoints where the next request will look for them."""
    tools = [_tool(tool) for tool in request.tools]
    system: list[dict[str, Any]] = [{"type": "text", "text": text} for text in request.system]
    shown = request.pictures if info.pictures else {}
    messages = [_message(message, shown) for message in request.messages]
    taken = mark_prefix(tools, system, request.shared) if tools or system else 0
    mark_messages(messages, MOST - taken)
    body: dict[str, Any] = {
        "model": info.id,
        "max_tokens": min(request.max_tokens, info.max_output_tokens),
        "messages": messages,
    }
    if system:
        body["system"] = system
    if tools:
        body["tools"] = tools
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": dict(tool.input_schema),
    }


def _message(message: Message, shown: Mapping[Digest, bytes]) -> dict[str, Any]:
    content = [
        _result(block, shown)
        if isinstance(block, ToolResult) and block.pictures
        else block_to_json(block)
        for block in message.content
        if not isinstance(block, Text) or block.text.strip()
    ]
    # The API takes neither an empty text nor a message without blocks.
    return {"role": message.role, "content": content or [{"type": "text", "text": "(no words)"}]}


def _result(block: ToolResult, shown: Mapping[Digest, bytes]) -> dict[str, Any]:
    """Return a result with its pictures; one whose content is not at hand is said to be missing."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": block.text or "(no words)"}]
    for picture in block.pictures:
        content = shown.get(picture.sha256)
        if content is None:
            parts.append({"type": "text", "text": MISSING})
            continue
        data = base64.b64encode(content).decode()
        source = {"type": "base64", "media_type": picture.media, "data": data}
        parts.append({"type": "image", "source": source})
    return {**block_to_json(block), "content": parts}


def pictures_in(request: ModelRequest) -> int:
    """Return how many pictures a request shows."""
    results = (
        block
        for message in request.messages
        for block in message.content
        if isinstance(block, ToolResult)
    )
    return sum(len(result.pictures) for result in results)


def wire_errors() -> tuple[type[Exception], ...]:
    """Return what the SDK raises, and what it lets through where a server breaks the stream's rules."""
    import anthropic  # noqa: PLC0415 - heavy
    import httpx2  # noqa: PLC0415

    loose = (ValueError, RuntimeError, LookupError, AttributeError, AssertionError, TypeError)
    return (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, OSError, *loose)


def translate_error(error: Exception, model: str, url: str) -> DeskmateError:
    """Return our error for one of `wire_errors`."""
    import anthropic  # noqa: PLC0415 - heavy
    import httpx2  # noqa: PLC0415

    if isinstance(error, anthropic.APIStatusError):
        return _status_error(error, model, url)
    if isinstance(error, anthropic.APITimeoutError):
        return ModelUnavailable(f"{model} at {url} did not answer in time.")
    if isinstance(error.__cause__, httpx2.DecodingError):
        return ModelUnavailable(f"The reply of {model} cannot be taken: {error.__cause__}.")
    if isinstance(error, anthropic.APIConnectionError):
        hint = "Is the server running, and is this machine online?"
        return ModelUnavailable(f"{url} cannot be reached.", hint=hint)
    if isinstance(error, httpx2.HTTPError | httpx2.StreamError | OSError):
        return ModelUnavailable(f"The reply of {model} was cut: {error or type(error).__name__}.")
    return ModelUnavailable(f"{url} sent a reply that cannot be understood: {error}"[:300])


def _status_error(error: Any, model: str, url: str) -> DeskmateError:
    status, kind, said = error.status_code, _kind(error.body), _message_of(error)
    if kind in _PASSING or status in (408, 409, 429) or status >= 500:
        what = {429: "limits how often it may be asked", 529: "is overloaded"}.get(status, "failed")
        if kind == "overloaded_error":
            what = "is overloaded"
        return ModelUnavailable(
            f"{model} {what}: {said}",
            retry_after_s=retry_after_s(error.response.headers.get("retry-after")),
        )
    hints = {
        400: "The request does not suit this model or server; see `deskmate model list`.",
        401: "The server does not know this key: check ANTHROPIC_API_KEY (own server: DESKMATE_MODEL_KEY).",
        402: "The account has no credit left.",
        403: f"This key may not use {model}.",
        404: f"Is {model} the model's name there? See `deskmate model list`.",
        413: "The conversation is too large for one request; go on in a new thread.",
    }
    return ModelRejected(
        f"{url} refused the request ({status}): {said}", hint=hints.get(status, ""), status=status
    )


def _kind(body: Any) -> str:
    """The error's type; some servers leave the outer object out."""
    if isinstance(body, Mapping):
        inner = body.get("error")
        if isinstance(inner, Mapping):
            return str(inner.get("type", ""))
        return str(body.get("type", ""))
    return ""


def _message_of(error: Any) -> str:
    body = error.body
    if isinstance(body, Mapping):
        inner = body.get("error")
        for holder in (inner, body):
            if isinstance(holder, Mapping) and isinstance(holder.get("message"), str):
                return " ".join(str(holder["message"]).split())[:300]
        if isinstance(inner, str):
            return inner[:300]
    return " ".join(str(error.message).split())[:300]


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date; None where it says neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
