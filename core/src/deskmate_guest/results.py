"""A tool's return value or exception as the `CallToolResult` that goes over the wire."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from deskmate.plugin.contributions import ToolAnswer
from deskmate.types.codec import to_json
from deskmate.types.frames import json_text
from deskmate.types.messages import PICTURE_LIMIT_BYTES, PICTURES_LIMIT, media_of
from deskmate.types.wire import META_DELIVERABLES, META_EVIDENCE, META_NEEDS, META_WROTE

Result = dict[str, Any]
TEXT_LIMIT_BYTES = 512 * 1024


def answer_result(value: Any, *, wrote: bool) -> Result:
    """Return the result for what a tool returned: JSON, a string, or a ToolAnswer."""
    answer = value if isinstance(value, ToolAnswer) else ToolAnswer(result=value)
    meta: Result = {META_WROTE: wrote}
    if answer.evidence:
        meta[META_EVIDENCE] = to_json(tuple(answer.evidence))
    if answer.deliverables:
        meta[META_DELIVERABLES] = to_json(tuple(answer.deliverables))
    plain = to_json(answer.result)
    try:
        text = plain if isinstance(plain, str) else json_text(plain)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        return error_result(f"The tool returned something that is not JSON: {error}", wrote=wrote)
    if size > TEXT_LIMIT_BYTES:
        return error_result(
            f"The result has {size} bytes, over the limit of {TEXT_LIMIT_BYTES}. "
            "Ask for less, or have it written to a file.",
            wrote=wrote,
        )
    try:
        pictures = [_picture(content) for content in answer.pictures[: PICTURES_LIMIT + 1]]
    except ValueError as error:
        return error_result(
            f"The tool returned a picture that cannot be shown: {error}", wrote=wrote
        )
    if len(pictures) > PICTURES_LIMIT:
        why = f"The tool returned more than {PICTURES_LIMIT} pictures."
        return error_result(why, wrote=wrote)
    content = [{"type": "text", "text": text}, *pictures]
    result: Result = {"content": content, "isError": False, "_meta": meta}
    if not isinstance(plain, str):
        result["structuredContent"] = plain
    return result


def _picture(content: bytes) -> Result:
    media = media_of(content)
    if media is None:
        raise ValueError("it is neither PNG nor JPEG")
    if len(content) > PICTURE_LIMIT_BYTES:
        raise ValueError(f"it has {len(content)} bytes, over the limit of {PICTURE_LIMIT_BYTES}")
    return {"type": "image", "data": base64.b64encode(content).decode(), "mimeType": media}


def error_result(text: str, *, wrote: bool = False, needs: Sequence[str] = ()) -> Result:
    """Return a failed result that tells the model `text`. `needs`: files that were not there yet."""
    content = [{"type": "text", "text": text[:20_000]}]
    meta: Result = {META_WROTE: wrote, **({META_NEEDS: list(needs)} if needs else {})}
    return {"content": content, "isError": True, "_meta": meta}
