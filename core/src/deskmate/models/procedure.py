"""Procedures of skills: their schema, and how references in them find earlier results. Data, no code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate.errors import PluginError

_REFERENCE = {"type": "string", "pattern": r"^\$[A-Za-z_][\w-]*(\.[\w-]+)*$"}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["title", "steps", "closing"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string"},
        "triggers": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "tool"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "pattern": r"^(?!request$|item$)[A-Za-z_][\w-]*$"},
                    "say": {"type": "string"},
                    "tool": {"type": "string"},
                    "arguments": {"type": "object"},
                    "for_each": _REFERENCE,
                    "when": _REFERENCE,
                    "on_error": {"enum": ["stop", "continue"]},
                },
            },
        },
        "closing": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}},
        },
    },
}

_EXACT = re.compile(r"\$[A-Za-z_][\w-]*(?:\.[\w-]+)*")
_SLOT = re.compile(r"\{\{\s*\$?([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}")


class Missing:
    """What a reference gives that leads nowhere."""


MISSING = Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a tool with arguments, once or for each item of a list."""

    id: str
    tool: str
    say: str
    arguments: Mapping[str, Any]
    for_each: str | None
    when: str | None
    go_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A skill's procedure, checked."""

    title: str
    triggers: tuple[str, ...]
    steps: tuple[Step, ...]
    closing: str


def parse_procedure(data: Mapping[str, Any], skill: str) -> Procedure:
    """Return the procedure. Raises PluginError that names what is wrong where."""
    import jsonschema  # noqa: PLC0415 - heavy

    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)
    )
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "the file"
        raise PluginError(f"The procedure of {skill} is wrong at {place}: {error.message[:200]}")
    steps = tuple(_step(step) for step in data["steps"])
    names = [step.id for step in steps]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PluginError(f"The procedure of {skill} has two steps with the id {twice[0]}.")
    return Procedure(
        title=data["title"],
        triggers=tuple(data.get("triggers", ())),
        steps=steps,
        closing=data["closing"]["text"],
    )


def _step(data: Mapping[str, Any]) -> Step:
    return Step(
        id=data["id"],
        tool=data["tool"],
        say=data.get("say", ""),
        arguments=data.get("arguments", {}),
        for_each=data.get("for_each"),
        when=data.get("when"),
        go_on=data.get("on_error") == "continue",
    )


def look_up(reference: str, values: Mapping[str, Any]) -> Any:
    """Return what `$name.path` leads to, MISSING if it leads nowhere.

    List items go by number; a name where the value is a list collects it from each entry that has it.
    """
    return _follow(values, reference.removeprefix("$").split("."))


def _follow(value: Any, parts: Sequence[str]) -> Any:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if isinstance(value, Mapping):
        return _follow(value[part], rest) if part in value else MISSING
    if not isinstance(value, Sequence) or isinstance(value, str):
        return MISSING
    if part.isdigit():
        return _follow(value[int(part)], rest) if int(part) < len(value) else MISSING
    found = [_follow(entry, parts) for entry in value]
    collected = [entry for entry in found if entry is not MISSING]
    return collected if collected or not value else MISSING


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return `value` with every string that is exactly one reference replaced.

    What is missing is left out of its object or list, so that the tool's own default holds.
    """
    if isinstance(value, str):
        return look_up(value, values) if _EXACT.fullmatch(value) else value
    if isinstance(value, Mapping):
        filled = {key: fill(item, values) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item is not MISSING}
    if isinstance(value, list | tuple):
        return [item for item in (fill(item, values) for item in value) if item is not MISSING]
    return value


def fill_text(template: str, values: Mapping[str, Any]) -> str:
    """Return the closing text with each `{{reference}}` in its text form."""
    return _SLOT.sub(lambda match: text_form(look_up(match[1], values)), template)


def text_form(value: Any) -> str:
    """Return a value as people read it; what is missing reads `none`."""
    if value is MISSING or value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_in_line(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "\n".join(_in_line(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _in_line(value: Any) -> str:
    """Return a value inside of another one on one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_in_line(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_in_line(item) for item in value) or "none"
    return " ".join(text_form(value).split())
