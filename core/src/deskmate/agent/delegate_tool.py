"""The tool that hands questions to sub-agents, as the model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deskmate.shown import one_line
from deskmate.types.registry import RoleSpec, ToolSpec

DELEGATE = "thread__delegate"
MOST_TASKS = 8
ROLES_LISTED, ROLE_CHARACTERS, ROLES_NAMED = 16, 240, 100

DELEGATE_TOOL = ToolSpec(
    plugin="thread",
    name=DELEGATE,
    title="Delegate",
    description="Hand questions about files to sub-agents that read beside each other, each with a fresh context, and get "
    "their answers with the places they rest on. Use it where much must be read for short answers: several long "
    "documents, many sheets. They see the files as they are now and nothing of this conversation; they write nothing, send "
    "nothing and cannot ask. What they cost is in this run's budget. Their evidence can be named in claims.",
    input_schema={
        "type": "object",
        "properties": {
            "tasks": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_TASKS,
                "items": {
                    "type": "object",
                    "properties": {
                        "title": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 80,
                            "description": "A few words; the user sees them.",
                        },
                        "task": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 8_000,
                            "description": "What to find out, with all that has to be known for it.",
                        },
                        "files": {
                            "type": "array",
                            "maxItems": 100,
                            "items": {"type": "string", "minLength": 1, "maxLength": 1_000},
                            "description": "Paths, folders or patterns that it may read; all granted files if empty.",
                        },
                    },
                    "required": ["title", "task"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["tasks"],
        "additionalProperties": False,
    },
    risk="read",
)


def delegate_tool(roles: Sequence[RoleSpec]) -> ToolSpec:
    """Return the tool as a thread with these roles is offered it: a few are described, more are named."""
    if not roles:
        return DELEGATE_TOOL
    lines = [
        f"- {role.name}: {one_line(role.description, ROLE_CHARACTERS)}"
        for role in roles[:ROLES_LISTED]
    ]
    if more := [role.name for role in roles[ROLES_LISTED:ROLES_NAMED]]:
        lines.append(f"- also: {', '.join(more)}")
    if len(roles) > ROLES_NAMED:
        lines.append(f"- and {len(roles) - ROLES_NAMED} more")
    text = "\n".join(
        (DELEGATE_TOOL.description, "A task may name a role, as plugins describe them:", *lines)
    )
    tasks: dict[str, Any] = DELEGATE_TOOL.input_schema["properties"]["tasks"]
    item = tasks["items"]
    role = {
        "type": "string",
        "maxLength": 200,
        "description": "Name of the role in which it works; none if it is left out.",
    }
    with_role = {**item, "properties": {**item["properties"], "role": role}}
    schema = {
        **DELEGATE_TOOL.input_schema,
        "properties": {"tasks": {**tasks, "items": with_role}},
    }
    return replace(DELEGATE_TOOL, description=text, input_schema=schema)
