from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from deskmate.plugin import ToolContext
from deskmate_guest.schema import SchemaError, read_signature, schema_of


class Edit(TypedDict):
    paragraph: int
    note: NotRequired[str]


@dataclass
class Place:
    page: int
    quote: str = ""


def tool(
    path: str,
    edits: list[Edit],
    context: ToolContext,
    mode: Literal["soft", "hard"] = "soft",
    limit: int | None = None,
    names: dict[str, list[float]] | None = None,
) -> str:
    """Edit a document.

    Use it for one file
    at a time.

    Args:
        path: the file,
            relative to the workspace.
        edits: what to do.
        context: not told.
        mode: how.

    Returns:
        Nothing of interest.
    """
    return path + str(edits) + str(context) + mode + str(limit) + str(names)


def test_a_signature_and_its_docstring_become_a_schema() -> None:
    signature = read_signature(tool)
    assert signature.description == "Edit a document.\n\nUse it for one file\nat a time."
    assert signature.context == "context"
    assert signature.input_schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["path", "edits"],
        "properties": {
            "path": {"type": "string", "description": "the file, relative to the workspace."},
            "edits": {
                "type": "array",
                "description": "what to do.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"paragraph": {"type": "integer"}, "note": {"type": "string"}},
                    "required": ["paragraph"],
                },
            },
            "mode": {
                "type": "string",
                "enum": ["soft", "hard"],
                "default": "soft",
                "description": "how.",
            },
            "limit": {"type": ["integer", "null"], "default": None},
            "names": {
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": {"type": "array", "items": {"type": "number"}},
                    },
                    {"type": "null"},
                ],
                "default": None,
            },
        },
    }


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (bool, {"type": "boolean"}),
        (Any, {}),
        (list, {"type": "array"}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}),
        (Mapping[str, Any], {"type": "object"}),
        (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
        (str | int, {"type": ["string", "integer"]}),
        (
            Place,
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {"page": {"type": "integer"}, "quote": {"type": "string"}},
                "required": ["page"],
            },
        ),
    ],
)
def test_annotations_have_a_json_form(hint: Any, schema: dict[str, Any]) -> None:
    assert schema_of(hint, "x") == schema


def no_docstring(path: str) -> None:
    print(path)


def no_annotation(path) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def odd_annotation(path: complex) -> None:
    """Do."""


def any_number(*paths: str) -> None:
    """Do."""


def number_keys(rows: dict[int, str]) -> None:
    """Do."""


def unresolved(path: Nowhere) -> None:  # type: ignore[name-defined] # noqa: F821
    """Do."""


async def asynchronous(path: str) -> None:
    """Do."""


class Endless(TypedDict):
    more: list[Endless]


def endless(tree: Endless) -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (no_docstring, "docstring"),
        (no_annotation, "parameter path has no annotation"),
        (odd_annotation, "parameter path: annotation"),
        (any_number, "no schema"),
        (number_keys, "parameter rows"),
        (unresolved, "Nowhere"),
        (asynchronous, "neither async"),
        (endless, "refers to itself"),
    ],
)
def test_what_a_model_cannot_be_told_is_named(function: Any, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        read_signature(function)
