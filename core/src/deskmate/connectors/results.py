"""What a connector's tool answered, as text for the model: bounded, inert, with files named that the host keeps."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deskmate.ports import ToolOutcome
from deskmate.protocol.remote import RemoteResult
from deskmate.shown import one_line
from deskmate.types.files import HELD, Evidence, KeptFile
from deskmate.types.ids import Digest
from deskmate.types.messages import PICTURE_LIMIT_BYTES, PICTURES_LIMIT, Picture, media_of

PARTS_LIMIT = 100
LISTED_LIMIT = 200
FILES_LIMIT = 20
"""Files of one answer that are kept; an answer has 8 MiB at most."""
_STARTS: Mapping[bytes, tuple[str, str]] = {
    b"\x89PNG\r\n\x1a\n": (".png", "image/png"),
    b"\xff\xd8\xff": (".jpg", "image/jpeg"),
    b"GIF87a": (".gif", "image/gif"),
    b"GIF89a": (".gif", "image/gif"),
    b"%PDF-": (".pdf", "application/pdf"),
    b"PK\x03\x04": (".zip", "application/zip"),
    b"OggS": (".ogg", "audio/ogg"),
    b"ID3": (".mp3", "audio/mpeg"),
    b"fLaC": (".flac", "audio/flac"),
}
_CURSOR_LIMIT = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class _Keeping:
    """The files of one answer."""

    def __init__(self) -> None:
        self.files: dict[Digest, KeptFile] = {}
        self.held: dict[Digest, bytes] = {}
        self.pictures: list[Picture] = []

    def line(self, kind: str, mime: Any, data: Any) -> str:
        """Keep a file and return what names it."""
        try:
            content = base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            return f"[{kind}: not readable, left out]"
        said = one_line(str(mime or ""), 80)
        digest = Digest(hashlib.sha256(content).hexdigest())
        about = f"{kind} {said}, {len(content):,} bytes"
        if digest not in self.files and len(self.files) >= FILES_LIMIT:
            return f"[{about}, sha256 {digest[:16]}…, not kept: over {FILES_LIMIT} files]"
        ending, media = _kind_of(content)
        file = KeptFile(
            name=f"{digest[:12]}{ending}", size=len(content), sha256=digest, media=media
        )
        self.files[digest], self.held[digest] = file, content
        if kind != "audio" and digest not in {picture.sha256 for picture in self.pictures}:
            self._show(content, digest)
        seen = any(picture.sha256 == digest for picture in self.pictures)
        return f"[{about}, kept for the user as {file.name}{'' if seen else '; you cannot see it'}]"

    def _show(self, content: bytes, digest: Digest) -> None:
        """Let the model look at a picture that is small enough for it."""
        media = media_of(content)
        if media and len(content) <= PICTURE_LIMIT_BYTES and len(self.pictures) < PICTURES_LIMIT:
            self.pictures.append(Picture(media=media, sha256=digest, bytes=len(content)))


def _kind_of(content: bytes) -> tuple[str, str]:
    """Return ending and media type by the first bytes: what a server says of a file is not relied on."""
    if content[:4] == b"RIFF" and content[8:12] in (b"WEBP", b"WAVE"):
        return (".webp", "image/webp") if content[8:12] == b"WEBP" else (".wav", "audio/wav")
    for start, found in _STARTS.items():
        if content.startswith(start):
            return found
    return ".bin", ""


def outcome_of(result: RemoteResult) -> ToolOutcome:
    """Return a call's outcome. What others wrote stays one text; nothing of it is evidence or a deliverable."""
    keeping = _Keeping()
    lines = [line for part in result.content[:PARTS_LIMIT] for line in _lines(part, keeping)]
    if len(result.content) > PARTS_LIMIT:
        lines.append(f"[{len(result.content) - PARTS_LIMIT} more parts are left out]")
    text = "\n".join(lines)
    structured = result.structured
    if structured is not None and not text.strip():
        text = json.dumps(structured, ensure_ascii=False)
    return ToolOutcome(
        text=inert(text),
        is_error=result.is_error,
        held=keeping.held,
        kept=tuple(keeping.files.values()),
        pictures=tuple(keeping.pictures),
    )


def prompt_outcome(messages: Sequence[Mapping[str, Any]]) -> ToolOutcome:
    """Return a prompt's messages as text; who is to say which of them is told where they are not all the user's."""
    keeping = _Keeping()
    lines = ["[deskmate] The server's instructions, for where the user asked for them:"]
    for message in messages[:PARTS_LIMIT]:
        content = message.get("content")
        said = list(_lines(content, keeping)) if isinstance(content, Mapping) else []
        role = one_line(str(message.get("role")), 20)
        lines += said if role == "user" else [f"[{role}:]", *said]
    if len(messages) > PARTS_LIMIT:
        lines.append(f"[{len(messages) - PARTS_LIMIT} more messages are left out]")
    return ToolOutcome(
        text=inert("\n".join(lines)),
        held=keeping.held,
        kept=tuple(keeping.files.values()),
        pictures=tuple(keeping.pictures),
    )


def list_outcome(rows: Sequence[Mapping[str, Any]], cursor: str) -> ToolOutcome:
    """Return a page of a server's resources, one a line, and how to go on."""
    lines = [_listed(row) for row in rows[:LISTED_LIMIT]]
    if len(rows) > LISTED_LIMIT:
        lines.append(f"[{len(rows) - LISTED_LIMIT} more on this page are left out]")
    if cursor:
        usable = len(cursor) <= _CURSOR_LIMIT and cursor.isprintable()
        lines.append(f"[more: cursor {cursor}]" if usable else "[the server has more and does not say where]")  # fmt: skip
    return ToolOutcome(text="\n".join(lines) or "It has no resources now.")


def _listed(row: Mapping[str, Any]) -> str:
    size = row.get("size")
    about = [
        one_line(str(row.get("uri", "")), 500),
        one_line(str(row.get("title") or row.get("name") or ""), 120),
        one_line(str(row.get("mimeType") or ""), 80),
        f"{size:,} bytes" if isinstance(size, int) else "",
        one_line(str(row.get("description") or ""), 200),
    ]
    return "  ".join(part for part in about if part)


def resource_outcome(connector: str, parts: Sequence[Mapping[str, Any]]) -> ToolOutcome:
    """Return what a resource holds. Each text is evidence: the host keeps the very words, so that a quotation can be checked."""
    keeping = _Keeping()
    lines: list[str] = []
    evidence: list[Evidence] = []
    held: dict[Digest, bytes] = {}
    for part in parts[:PARTS_LIMIT]:
        if not isinstance(part.get("text"), str):
            lines += _resource(part, keeping)
            continue
        text = inert(part["text"])
        content = text.encode("utf-8", "replace")
        source = Digest(hashlib.sha256(content).hexdigest())
        uri = one_line(str(part.get("uri", "")), 500)
        name = f"{connector}-{source[:12]}"
        path = f"{HELD}{connector}/{source[:12]}.txt"
        evidence.append(Evidence(id=name, source=source, path=path, locator={"uri": uri}))
        held[source] = content
        lines += [f"[{uri}; evidence {name}, source {path}]", text]
    if len(parts) > PARTS_LIMIT:
        lines.append(f"[{len(parts) - PARTS_LIMIT} more parts are left out]")
    text = inert("\n".join(lines)) or "It is empty."
    files = tuple(keeping.files.values())
    return ToolOutcome(
        text=text,
        evidence=tuple(evidence),
        held={**held, **keeping.held},
        kept=files,
        pictures=tuple(keeping.pictures),
    )


def inert(text: str) -> str:
    """Return text in which what could command a terminal or turn the reading direction is spelled out."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\r\n", "\n"))


def _lines(part: Mapping[str, Any], keeping: _Keeping) -> Iterator[str]:
    match part.get("type"):
        case "text":
            yield str(part.get("text", ""))
        case "image" | "audio":
            yield keeping.line(str(part["type"]), part.get("mimeType"), part.get("data"))
        case "resource":
            yield from _resource(part.get("resource"), keeping)
        case "resource_link":
            name = one_line(str(part.get("title") or part.get("name") or ""), 200)
            yield f"[link: {name} {one_line(str(part.get('uri', '')), 500)}]"
        case other:
            yield f"[a part of kind {one_line(str(other), 40)} is left out]"


def _resource(resource: Any, keeping: _Keeping) -> Iterator[str]:
    if not isinstance(resource, Mapping):
        return
    yield f"[{one_line(str(resource.get('uri', '')), 500)}]"
    if isinstance(resource.get("text"), str):
        yield resource["text"]
    elif "blob" in resource:
        yield keeping.line("file", resource.get("mimeType"), resource["blob"])
