"""A tool's return value or exception as the `CallToolResult` that goes over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deskmate.plugin.contributions import ToolAnswer
from deskmate.types.codec import to_json
from deskmate.types.frames import json_text
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
    result: Result = {"content": [{"type": "text", "text": text}], "isError": False, "_meta": meta}
    if not isinstance(plain, str):
        result["structuredContent"] = plain
    return result


def error_result(text: str, *, wrote: bool = False, needs: Sequence[str] = ()) -> Result:
    """Return a failed result that tells the model `text`. `needs`: files that were not there yet."""
    content = [{"type": "text", "text": text[:20_000]}]
    meta: Result = {META_WROTE: wrote, **({META_NEEDS: list(needs)} if needs else {})}
    return {"content": content, "isError": True, "_meta": meta}
