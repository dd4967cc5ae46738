"""Reads a skill: SKILL.md with its front matter, and procedure.toml where rules can do the job."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deskmate.types.registry import SkillSpec

_SIZE_LIMIT_BYTES = 256 * 1024
_STEP = {
    "type": "object",
    "properties": {
        "id": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]*$",
            "not": {"enum": ["request", "item"]},
        },
        "say": {"type": "string"},
        "tool": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
        "arguments": {"type": "object"},
        "for_each": {"type": "string", "pattern": r"^\$[a-z]"},
        "when": {"type": "string", "pattern": r"^\$[a-z]"},
        "on_error": {"enum": ["continue", "stop"]},
    },
    "required": ["id", "tool"],
    "additionalProperties": False,
}
_PROCEDURE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "triggers": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "steps": {"type": "array", "items": _STEP, "minItems": 1, "maxItems": 100},
        "closing": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    },
    "required": ["title", "steps", "closing"],
    "additionalProperties": False,
}
"""The shape in docs/reference/procedure-toml.md."""


class SkillError(Exception):
    """A skill cannot be read; the message says why, in one line."""


def read_skill(plugin: str, folder: Path) -> SkillSpec:
    """Return the skill in `folder`. Raises SkillError."""
    head, body = _front_matter(_text(folder / "SKILL.md"))
    name, description = head.get("name", folder.name), head.get("description", "")
    if not isinstance(name, str) or not isinstance(description, str) or not description.strip():
        raise SkillError("SKILL.md needs a name and a description")
    procedure = None
    if (folder / "procedure.toml").exists():
        procedure = _procedure(_text(folder / "procedure.toml"))
    triggers = (procedure or {}).get("triggers", [])
    return SkillSpec(
        plugin=plugin,
        name=name,
        description=" ".join(description.split()),
        body=body.strip(),
        triggers=tuple(trigger.lower() for trigger in triggers),
        procedure=procedure,
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise SkillError(f"{path.name} is over {_SIZE_LIMIT_BYTES // 1024} KiB")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SkillError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SkillError(f"{path.name} is not UTF-8") from error


def _front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        raise SkillError("SKILL.md has no front matter")
    ends = [n for n, line in enumerate(lines) if n and line.strip() in ("---", "...")]
    if not ends:
        raise SkillError("SKILL.md's front matter does not end")
    try:
        head = yaml.safe_load("\n".join(lines[1 : ends[0]]))
    except yaml.YAMLError as error:
        raise SkillError(f"SKILL.md's front matter is not YAML: {_first(error)}") from error
    if not isinstance(head, dict):
        raise SkillError("SKILL.md's front matter is not a mapping")
    return head, "\n".join(lines[ends[0] + 1 :])


def _procedure(text: str) -> Mapping[str, Any]:
    # costs a third of a second in the guest; only plugins with procedures pay for it, in the template
    import jsonschema  # noqa: PLC0415

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SkillError(f"procedure.toml is not TOML: {error}") from error
    try:
        jsonschema.Draft202012Validator(_PROCEDURE).validate(data)
    except jsonschema.ValidationError as error:
        raise SkillError(f"procedure.toml: {error.json_path}: {error.message}") from error
    identifiers = [step["id"] for step in data["steps"]]
    if len(set(identifiers)) != len(identifiers):
        raise SkillError("procedure.toml: two steps have the same id")
    return data


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
