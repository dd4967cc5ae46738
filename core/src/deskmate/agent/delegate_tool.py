"""The tool that hands questions to sub-agents, as the model sees it."""

from __future__ import annotations

from deskmate.types.registry import ToolSpec

DELEGATE = "thread__delegate"
MOST_TASKS = 8

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
