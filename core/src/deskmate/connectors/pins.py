"""A server's tools as the user accepts them: bounded, named for the model, pinned by a digest, compared with what is there."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deskmate.connectors.offering import PROMPT, beside_tools, plain_name
from deskmate.protocol.remote import Offered
from deskmate.shown import one_line
from deskmate.types.connectors import ConnectorEntry, PinnedTool, RemoteTool
from deskmate.types.ids import Digest
from deskmate.types.registry import ToolSpec

READY_S = 25.0
"""How long connecting and the look at the definitions may take; within what the toolbox grants beyond a call's own time."""
PROGRAM_READY_S = 605.0
"""The same where a virtual machine has to be there first, perhaps to be frozen anew, and a program to start in it."""
TOOLS_LIMIT = 200
DESCRIPTION_LIMIT = 4_000
SCHEMA_BYTES = 48 << 10
SCHEMA_DEPTH = 24
_WIRE_LIMIT = 64
_NAME_LIMIT = 200
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_COMBINED = ("oneOf", "anyOf", "allOf")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_DIFF_LINES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a server offers. `tools`: usable ones. `left_out`: name → why one is not. `stderr`: of its program."""

    tools: tuple[PinnedTool, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How a server differs from what was accepted, by its own names of tools. `changed`: name → lines that differ."""

    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.added or self.gone or self.changed)

    def off(self) -> dict[str, str]:
        """Return the accepted tools that are not to be used: name → why."""
        return {
            **dict.fromkeys(self.changed, "its definition changed since you accepted it"),
            **dict.fromkeys(self.gone, "the server does not offer it any more"),
        }


def read_listing(connector: str, rows: Sequence[Mapping[str, Any]]) -> Listing:
    """Return the tools that a server listed, pinned; names that cannot be told apart or used are left out."""
    return read_offered(connector, Offered(tools=tuple(rows)))


def read_offered(connector: str, offered: Offered) -> Listing:
    """Return what a server has, pinned: its tools, its prompts, and the two tools that list and read its resources."""
    rows = offered.tools
    tools: dict[str, PinnedTool] = {}
    left_out: dict[str, str] = {}
    wires: set[str] = set()
    listed = [_tool(str(row.get("name", "")), row) for row in rows[:TOOLS_LIMIT]]
    for tool in (*listed, *beside_tools(offered)):
        if tool.name in tools or _short(tool.name) in left_out:
            left_out[_short(tool.name)] = "it is listed twice; the first one counts"
        elif why := why_unusable(tool):
            left_out[_short(tool.name)] = why
        else:
            wire = wire_name(connector, plain_name(tool), wires)
            wires.add(wire)
            tools[tool.name] = PinnedTool(
                tool=tool, wire=wire, digest=digest_of_tool(connector, tool)
            )
    for row in rows[TOOLS_LIMIT:]:
        left_out[_short(str(row.get("name", "")))] = f"only the first {TOOLS_LIMIT} tools count"
    return Listing(tools=tuple(tools.values()), left_out=left_out)


def _tool(name: str, row: Mapping[str, Any]) -> RemoteTool:
    hints = row.get("annotations") or {}
    output = row.get("outputSchema")
    return RemoteTool(
        name=name,
        title=str(row.get("title") or hints.get("title") or ""),
        description=str(row.get("description") or ""),
        input_schema=row.get("inputSchema") or {},
        output_schema=output if isinstance(output, Mapping) else None,
        hints={key: bool(hints[key]) for key in _HINTS if isinstance(hints.get(key), bool)},
    )


def why_unusable(tool: RemoteTool) -> str:
    """Return why a tool cannot be offered to a model, "" if it can."""
    schema = tool.input_schema
    if not tool.name or len(tool.name) > _NAME_LIMIT:
        return f"its name is empty or longer than {_NAME_LIMIT} characters"
    if len(tool.description) > DESCRIPTION_LIMIT:
        return f"its description is longer than {DESCRIPTION_LIMIT} characters"
    if schema.get("type") != "object" or any(key in schema for key in _COMBINED):
        return "its arguments are not described as one object"
    if _depth(schema) > SCHEMA_DEPTH or len(canonical(schema)) > SCHEMA_BYTES:
        return "the description of its arguments is too large"
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping) or not all(map(_PROPERTY.fullmatch, properties)):
        return "it has arguments whose names no model can write"
    return _why_no_schema(schema)


def _why_no_schema(schema: Mapping[str, Any]) -> str:
    import jsonschema  # noqa: PLC0415 - heavy

    try:
        jsonschema.Draft202012Validator.check_schema(dict(schema))
    except (jsonschema.SchemaError, RecursionError):
        return "the description of its arguments is no JSON Schema"
    return ""


def _depth(value: Any, depth: int = 0) -> int:
    if depth > SCHEMA_DEPTH:
        return depth
    if isinstance(value, Mapping):
        return max((_depth(item, depth + 1) for item in value.values()), default=depth)
    if isinstance(value, list | tuple):
        return max((_depth(item, depth + 1) for item in value), default=depth)
    return depth


def wire_name(connector: str, name: str, taken: Iterable[str] = ()) -> str:
    """Return the name by which the model calls a tool: always below its connector's, and never another's.

    What a model could not write, or what looks like another name, is replaced, and then told apart by a digest.
    """
    room = _WIRE_LIMIT - len(connector) - 2
    plain_name = _ODD.sub("_", name)
    if plain_name != name or len(name) > room or f"{connector}__{name}" in taken:
        mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain_name = f"{plain_name[: room - 9]}_{mark}"
    return f"{connector}__{plain_name}"


def canonical(value: Any) -> bytes:
    """Return JSON data as the bytes that digests are taken of."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def digest_of_tool(connector: str, tool: RemoteTool) -> Digest:
    """Return the digest of all that a server says of a tool, and of whose it is."""
    whole = {"connector": connector, **_facts(tool)}
    return Digest(hashlib.sha256(canonical(whole)).hexdigest())


def _facts(tool: RemoteTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input_schema": dict(tool.input_schema),
        "output_schema": tool.output_schema,
        "hints": dict(tool.hints),
        **({"kind": tool.kind} if tool.kind != "tool" else {}),
    }


def digest_of_tools(pins: Iterable[PinnedTool]) -> Digest:
    """Return the digest of all definitions that were accepted."""
    return Digest(hashlib.sha256(canonical(sorted(pin.digest for pin in pins))).hexdigest())


def drift(accepted: Iterable[PinnedTool], now: Iterable[PinnedTool]) -> Drift:
    """Return how what is there differs from what was accepted."""
    before = {pin.tool.name: pin for pin in accepted}
    found = {pin.tool.name: pin for pin in now}
    return Drift(
        added=tuple(name for name in found if name not in before),
        gone=tuple(name for name in before if name not in found),
        changed={
            name: tuple(_difference(pin.tool, found[name].tool))
            for name, pin in before.items()
            if name in found and found[name].digest != pin.digest
        },
    )


def _difference(before: RemoteTool, now: RemoteTool) -> Iterator[str]:
    """Yield the lines that differ, whole, since somebody accepts them: a unified diff without its head."""
    old, new = (
        json.dumps(_facts(tool), indent=1, sort_keys=True, ensure_ascii=False).splitlines()
        for tool in (before, now)
    )
    lines = [
        line
        for line in difflib.unified_diff(old, new, n=0, lineterm="")
        if line[:2] not in ("@@", "--", "++")
    ]
    yield from (one_line(line) for line in lines[:_DIFF_LINES])
    if len(lines) > _DIFF_LINES:
        yield f"… and {len(lines) - _DIFF_LINES} more lines"


def specs_of(entry: ConnectorEntry) -> tuple[ToolSpec, ...]:
    """Return a connector's tools as the model and the policy see them."""
    return tuple(
        ToolSpec(
            plugin=entry.name,
            name=pin.wire,
            title=one_line(pin.tool.title or pin.tool.name, 100),
            description=_described(entry, pin.tool),
            input_schema=without_patterns(pin.tool.input_schema),
            risk=entry.setting(pin.tool.name).risk,
            timeout_s=entry.timeout_s + _more_time(entry),
            definition=pin.digest,
        )
        for pin in entry.offered()
    )


def _more_time(entry: ConnectorEntry) -> int:
    """Return how many seconds a first call may take beyond its own, as the toolbox does not know it."""
    return round(PROGRAM_READY_S - READY_S) if entry.program is not None else 0


def without_patterns(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without regular expressions: a server's own could keep this machine busy for ever.

    `names`: the keys are names of arguments, so none of them means anything. The server checks its arguments itself.
    """
    if isinstance(schema, Mapping):
        return {
            key: without_patterns(item, names=not names and key == "properties")
            for key, item in schema.items()
            if names
            or not (key == "patternProperties" or (key == "pattern" and isinstance(item, str)))
        }
    return [without_patterns(item) for item in schema] if isinstance(schema, list) else schema


def _described(entry: ConnectorEntry, tool: RemoteTool) -> str:
    about = f" ({', '.join(entry.categories)})" if entry.categories else ""
    match tool.kind:
        case "resource":
            return f"[connector {entry.name}{about}] {tool.description}"
        case "prompt":
            called = f"/{entry.name}:{tool.name.removeprefix(PROMPT)}"
            return (
                f"[connector {entry.name}{about}; instructions that its server offers for a kind of work, to be fetched when "
                f"the user's message begins with {called} or asks for them; the server says:] {tool.description or tool.name}"
            )
    return f"[connector {entry.name}{about}; its server says:] {tool.description or tool.name}"


def _short(name: str) -> str:
    return one_line(name, 100)
