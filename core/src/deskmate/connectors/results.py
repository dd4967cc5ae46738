"""What a connector's tool answered, as text for the model: bounded, inert, with what cannot be shown named."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.ports import ToolOutcome
from deskmate.protocol.remote import RemoteResult
from deskmate.shown import one_line

PARTS_LIMIT = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def outcome_of(result: RemoteResult) -> ToolOutcome:
    """Return a call's outcome. What others wrote stays one text; nothing of it is evidence or a deliverable."""
    lines = [line for part in result.content[:PARTS_LIMIT] for line in _lines(part)]
    if len(result.content) > PARTS_LIMIT:
        lines.append(f"[{len(result.content) - PARTS_LIMIT} more parts are left out]")
    text = "\n".join(lines)
    structured = result.structured
    if structured is not None and not text.strip():
        text = json.dumps(structured, ensure_ascii=False)
    return ToolOutcome(text=inert(text), is_error=result.is_error)


def inert(text: str) -> str:
    """Return text in which what could command a terminal or turn the reading direction is spelled out."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\r\n", "\n"))


def _lines(part: Mapping[str, Any]) -> Iterator[str]:
    match part.get("type"):
        case "text":
            yield str(part.get("text", ""))
        case "image" | "audio":
            yield _binary(str(part["type"]), part.get("mimeType"), part.get("data"))
        case "resource":
            yield from _resource(part.get("resource"))
        case "resource_link":
            name = one_line(str(part.get("title") or part.get("name") or ""), 200)
            yield f"[link: {name} {one_line(str(part.get('uri', '')), 500)}]"
        case other:
            yield f"[a part of kind {one_line(str(other), 40)} is left out]"


def _resource(resource: Any) -> Iterator[str]:
    if not isinstance(resource, Mapping):
        return
    yield f"[{one_line(str(resource.get('uri', '')), 500)}]"
    if isinstance(resource.get("text"), str):
        yield resource["text"]
    elif "blob" in resource:
        yield _binary("file", resource.get("mimeType"), resource["blob"])


def _binary(kind: str, mime: Any, data: Any) -> str:
    """Name what is left out by its size and digest, so that it can be told whether it changed."""
    try:
        content = base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError):
        return f"[{kind}: not readable, left out]"
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"[{kind} {one_line(str(mime or ''), 80)}, {len(content):,} bytes, sha256 {digest}…, not shown]"
