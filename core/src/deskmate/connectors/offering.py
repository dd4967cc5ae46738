"""What a server has beside tools, told as tools: each prompt is one, and two list and read its resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.protocol.remote import Offered
from deskmate.shown import one_line
from deskmate.types.connectors import RemoteTool

PROMPT = "prompt:"
"""Begins the name of a prompt among a connector's tools."""
LIST, READ = "resource:list", "resource:read"
_TEMPLATES_LIMIT = 20
_TEMPLATE = 160
_PROMPTS_LIMIT = 100
_ARGUMENTS_LIMIT = 20


def beside_tools(offered: Offered) -> tuple[RemoteTool, ...]:
    """Return a server's prompts and resources as tools; names that are there twice are left to who pins them."""
    prompts = tuple(_prompt(row) for row in offered.prompts[:_PROMPTS_LIMIT])
    return prompts if offered.templates is None else (*prompts, *_resources(offered.templates))


def plain_name(tool: RemoteTool) -> str:
    """Return the words that a tool's name for the model is made of."""
    match tool.kind:
        case "prompt":
            return f"prompt_{tool.name.removeprefix(PROMPT)}"
        case "resource":
            return "list_resources" if tool.name == LIST else "read_resource"
    return tool.name


def _prompt(row: Mapping[str, Any]) -> RemoteTool:
    rows = [one for one in row.get("arguments") or () if isinstance(one, Mapping)]
    names = [str(one.get("name", "")) for one in rows[:_ARGUMENTS_LIMIT]]
    properties = {
        name: {"type": "string", "description": str(one.get("description") or name)}
        for name, one in zip(names, rows, strict=False)
    }
    required = [name for name, one in zip(names, rows, strict=False) if one.get("required")]
    return RemoteTool(
        name=f"{PROMPT}{row.get('name', '')}",
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        input_schema={
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
        kind="prompt",
    )


def _resources(templates: tuple[Mapping[str, Any], ...]) -> tuple[RemoteTool, ...]:
    lines = list(_template_lines(templates))
    made = ["Addresses may also be made after the server's templates:", *lines] if lines else []
    address = {"type": "string", "maxLength": 2_000, "description": "The resource's address (URI)."}
    cursor = {
        "type": "string",
        "maxLength": 500,
        "description": "Where to go on, as the list before said it.",
    }
    return (
        RemoteTool(
            name=LIST,
            title="List resources",
            description="List what the server has to read: documents, records, files, each by its address.",
            input_schema=_arguments({"cursor": cursor}),
            kind="resource",
        ),
        RemoteTool(
            name=READ,
            title="Read a resource",
            description="\n".join(("Read one resource of the server by its address.", *made)),
            input_schema=_arguments({"uri": address}, "uri"),
            kind="resource",
        ),
    )


def _template_lines(templates: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    for row in templates[:_TEMPLATES_LIMIT]:
        about = row.get("description") or row.get("title") or row.get("name") or ""
        yield f"- {one_line(str(row.get('uriTemplate', '')), _TEMPLATE)}: {one_line(str(about), _TEMPLATE)}"
    if len(templates) > _TEMPLATES_LIMIT:
        yield f"- and {len(templates) - _TEMPLATES_LIMIT} more"


def _arguments(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
