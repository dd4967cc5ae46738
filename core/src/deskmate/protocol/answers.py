"""Reads a guest's answers into nouns. What does not fit the shape is a ProtocolError."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeVar, cast, get_args

from deskmate.errors import CorruptData, ProtocolError
from deskmate.ports import CallState, ToolOutcome, ValidationReport
from deskmate.types.codec import from_json
from deskmate.types.files import Deliverable, Evidence
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest
from deskmate.types.messages import PICTURE_LIMIT_BYTES, PICTURES_LIMIT, Picture, media_of
from deskmate.types.registry import Registry
from deskmate.types.wire import META_DELIVERABLES, META_EVIDENCE, META_NEEDS, META_WROTE

T = TypeVar("T")
_PARTS_LIMIT = 64
_NEEDS_LIMIT = 1000
_RESULT_PARTS = {"content", "isError", "structuredContent", "_meta", "resultType"}


def field(reply: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    """Return one field, which must be the only one, of the given type."""
    value = reply.get(name)
    if set(reply) != {name} or not isinstance(value, kind) or isinstance(value, bool):
        raise ProtocolError(f"the guest's answer is not just a {name}")
    return value


def read_names(reply: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of plugins' names: those that are loaded, or those with workers."""
    names = field(reply, name, list)
    if not all(isinstance(each, str) for each in names):
        raise ProtocolError(f"the guest's {name} are not names")
    return tuple(names)


def read_registry(reply: Mapping[str, Any]) -> Registry:
    """Return the registry."""
    return _read(Registry, reply)


def read_status(reply: Mapping[str, Any]) -> tuple[CallState, ToolOutcome | None]:
    """Return a call's state, and its outcome if it is finished."""
    state = reply.get("state")
    if state not in get_args(CallState) or set(reply) - {"state", "result"}:
        raise ProtocolError("the guest's status is malformed")
    if (state == "finished") != ("result" in reply):
        raise ProtocolError("the guest's status has a result where there is none, or none")
    outcome = read_outcome(reply["result"]) if state == "finished" else None
    return cast(CallState, state), outcome


def read_outcome(reply: Any) -> ToolOutcome:
    """Return the outcome in a `CallToolResult`."""
    if not isinstance(reply, Mapping) or set(reply) - _RESULT_PARTS:
        raise ProtocolError("a tool's result has unknown parts")
    failed, meta = reply.get("isError", False), reply.get("_meta", {})
    if not isinstance(failed, bool) or not isinstance(meta, Mapping):
        raise ProtocolError("a tool's result is malformed")
    if not isinstance(wrote := meta.get(META_WROTE, False), bool):
        raise ProtocolError("a tool's result does not say whether it wrote")
    parts = _parts(reply.get("content"))
    pictures, held = _pictures(part for part in parts if part.get("type") == "image")
    return ToolOutcome(
        text=_text(part for part in parts if part.get("type") != "image"),
        pictures=pictures,
        held=held,
        is_error=failed,
        structured=reply.get("structuredContent"),
        evidence=_read_all(Evidence, meta.get(META_EVIDENCE, [])),
        deliverables=_read_all(Deliverable, meta.get(META_DELIVERABLES, [])),
        wrote=wrote,
        needs=_needs(meta.get(META_NEEDS, [])),
    )


def read_report(reply: Mapping[str, Any], paths: Set[str]) -> ValidationReport:
    """Return the findings and rules; a finding must be about one of `paths`."""
    if set(reply) != {"findings", "rules"} or not isinstance(reply["rules"], list):
        raise ProtocolError("the guest's report is malformed")
    findings = _read_all(Finding, reply["findings"])
    if any(finding.path not in paths for finding in findings):
        raise ProtocolError("a finding is about a file that was not to be checked")
    if not all(isinstance(rule, str) for rule in reply["rules"]):
        raise ProtocolError("the guest's report names rules that are no names")
    return ValidationReport(findings=findings, rules=tuple(reply["rules"]))


def _needs(rows: Any) -> tuple[str, ...]:
    if not isinstance(rows, list) or len(rows) > _NEEDS_LIMIT:
        raise ProtocolError("a tool's result does not say which files it needs")
    if not all(isinstance(path, str) for path in rows):
        raise ProtocolError("a tool's result needs files that are no paths")
    return tuple(rows)


def _parts(content: Any) -> list[Mapping[str, Any]]:
    if not isinstance(content, list) or len(content) > _PARTS_LIMIT:
        raise ProtocolError("a tool's result has no content")
    if not all(isinstance(part, dict) for part in content):
        raise ProtocolError("a tool's result has content that is malformed")
    return content


def _text(parts: Iterable[Mapping[str, Any]]) -> str:
    texts = []
    for part in parts:
        if part.get("type") != "text":
            raise ProtocolError("a tool's result has content that is neither text nor a picture")
        if set(part) != {"type", "text"} or not isinstance(part["text"], str):
            raise ProtocolError("a tool's text is malformed")
        texts.append(part["text"])
    return "\n".join(texts)


def _pictures(
    parts: Iterable[Mapping[str, Any]],
) -> tuple[tuple[Picture, ...], dict[Digest, bytes]]:
    """Return a result's pictures and their content, which is never opened here."""
    pictures: list[Picture] = []
    held: dict[Digest, bytes] = {}
    for part in parts:
        data = part.get("data")
        if set(part) != {"type", "data", "mimeType"} or not isinstance(data, str):
            raise ProtocolError("a tool's picture is malformed")
        try:
            content = base64.b64decode(data, validate=True)
        except ValueError as error:
            raise ProtocolError("a tool's picture is malformed") from error
        media = media_of(content)
        if media is None or media != part["mimeType"] or len(content) > PICTURE_LIMIT_BYTES:
            raise ProtocolError("a tool's picture is of another kind or longer than it may be")
        digest = Digest(hashlib.sha256(content).hexdigest())
        pictures.append(Picture(media=media, sha256=digest, bytes=len(content)))
        held[digest] = content
    if len(pictures) > PICTURES_LIMIT:
        raise ProtocolError("a tool's result has too many pictures")
    return tuple(pictures), held


def _read(cls: type[T], data: Any) -> T:
    try:
        return from_json(cls, data)
    except CorruptData as error:
        raise ProtocolError(f"the guest's answer is malformed: {error.message}") from error


def _read_all(cls: type[T], rows: Any) -> tuple[T, ...]:
    if not isinstance(rows, list):
        raise ProtocolError("the guest's answer has no list where one belongs")
    return tuple(_read(cls, row) for row in rows)
