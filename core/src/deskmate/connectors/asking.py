"""A server's question to the user in the middle of a call: what may be asked, how it is shown, what an answer says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.connectors.pins import canonical, without_patterns
from deskmate.errors import ToolInputError
from deskmate.shown import one_line
from deskmate.types.connectors import Question

FIELDS_LIMIT = 12
_MESSAGE, _FIELD = 1_000, 160
_SCHEMA_BYTES = 8 << 10
_SECRET = re.compile(
    r"pass ?(?:word|phrase|code)|\b(?:token|secret|credential|pin|cvv|cvc)s?\b|api.?key|private.?key|"
    r"(?:credit|debit|bank).?card",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[_\W]+|(?<=[a-z])(?=[A-Z])")
DECLINE = "decline"
_YES = frozenset({"yes", "y", "true", "ok", "1", "ja", "oui", "accept"})
_NO = frozenset({"no", "n", "false", "0", "nein", "non"})
_SCALARS = ("string", "number", "integer", "boolean", "array")


def read_question(connector: str, message: str, schema: Mapping[str, Any]) -> Question | str:
    """Return the question as the user may be asked it, or why not: a server is never told a secret in this way."""
    fields = schema.get("properties")
    if not isinstance(fields, Mapping) or len(fields) > FIELDS_LIMIT:
        return "it asks for what is no short form"
    if len(canonical(schema)) > _SCHEMA_BYTES:
        return "its form is too long"
    for name, field in fields.items():
        if not isinstance(field, Mapping) or field.get("type", "string") not in _SCALARS:
            return "its form has fields that no words can fill"
        said = " ".join(map(str, (name, field.get("title", ""), field.get("description", ""))))
        if field.get("format") == "password" or _SECRET.search(" ".join(_PARTS.split(said))):
            return f"it asks for a secret ({one_line(str(name), 40)})"
    if _SECRET.search(message):
        return "it asks for a secret"
    lines = (f"{connector} asks: {one_line(message, _MESSAGE)}", *_lines(schema))
    return Question(connector=connector, message=message, schema=schema, text="\n".join(lines))


def asked_again(question: Question, why: str) -> Question:
    """Return a question whose answer did not fit, with why."""
    from dataclasses import replace  # noqa: PLC0415

    return replace(question, text=f"{one_line(why, 300)}\n{question.text}")


def content_of(question: Question, text: str) -> Mapping[str, Any] | None:
    """Return what the user's words fill a form with, None if they decline. Raises ToolInputError for what does not fit."""
    import jsonschema  # noqa: PLC0415 - heavy
    import referencing  # noqa: PLC0415
    import referencing.exceptions  # noqa: PLC0415

    words = text.strip()
    if words.lower() == DECLINE:
        return None
    fields: Mapping[str, Any] = question.schema.get("properties", {})
    if not fields:
        if words.lower() in _NO:
            return None
        if words.lower() not in _YES:
            raise ToolInputError(f"Say yes, or {DECLINE}.")
        return {}
    given = _given(fields, words)
    content = {name: _value(str(name), fields[name], given[name]) for name in given}
    for name, field in fields.items():
        if name not in content and "default" in field:
            content[name] = field["default"]
    form = without_patterns(question.schema)
    try:
        jsonschema.Draft202012Validator.check_schema(form)
        # an empty registry: a server's form must not make this machine fetch anything
        jsonschema.Draft202012Validator(form, registry=referencing.Registry()).validate(content)
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path))
        raise ToolInputError(f"{f'{place}: ' if place else ''}{error.message[:200]}") from error
    except (jsonschema.SchemaError, referencing.exceptions.Unresolvable, RecursionError) as error:
        raise ToolInputError("The server's form cannot be filled.") from error
    return content


def _given(fields: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Return field → what was said of it. Raises ToolInputError."""
    if words.startswith("{"):
        try:
            found = json.loads(words)
        except ValueError as error:
            raise ToolInputError("That is no JSON object.") from error
        if unknown := [name for name in found if name not in fields]:
            raise ToolInputError(f"There is no field {unknown[0]!r}.")
        return dict(found)
    names = {str(name).lower(): str(name) for name in fields}
    names |= {
        str(field["title"]).lower(): str(name) for name, field in fields.items() if "title" in field
    }
    said: dict[str, Any] = {}
    for line in words.splitlines():
        name, mark, value = line.partition(":")
        if mark and (known := names.get(name.strip().lower().lstrip("- "))):
            said[known] = value.strip()
    if said:
        return said
    if len(fields) == 1:
        return {str(next(iter(fields))): words}
    raise ToolInputError("Answer with one line for each field: NAME: VALUE.")


def _value(name: str, field: Mapping[str, Any], said: Any) -> Any:
    if not isinstance(said, str):
        return said
    match field.get("type", "string"):
        case "boolean":
            if said.lower() in _YES | _NO:
                return said.lower() in _YES
            raise ToolInputError(f"{name} wants yes or no.")
        case "integer" | "number" as kind:
            try:
                return int(said) if kind == "integer" else float(said)
            except ValueError as error:
                raise ToolInputError(f"{name} wants a number.") from error
        case "array":
            items = field.get("items")
            chosen = [part.strip() for part in said.split(",") if part.strip()]
            return [_choice(items if isinstance(items, Mapping) else {}, one) for one in chosen]
    return _choice(field, said)


def _choice(field: Mapping[str, Any], said: str) -> str:
    """Return the value that a choice is called by its words; what is none is left as it was said."""
    return next((value for value, label in _choices(field) if said.lower() in (value.lower(), label.lower())), said)  # fmt: skip


def _choices(field: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    values = field.get("enum")
    if isinstance(values, list):
        labels = field.get("enumNames")
        labels = labels if isinstance(labels, list) and len(labels) == len(values) else values
        yield from ((str(value), str(label)) for value, label in zip(values, labels, strict=True))
    for key in ("oneOf", "anyOf"):
        for one in field.get(key) or ():
            if isinstance(one, Mapping) and "const" in one:
                yield str(one["const"]), str(one.get("title", one["const"]))


def _lines(schema: Mapping[str, Any]) -> Iterator[str]:
    fields: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    for name, field in fields.items():
        about = one_line(str(field.get("description") or field.get("title") or ""), _FIELD)
        kind = "yes or no" if field.get("type") == "boolean" else str(field.get("type", "string"))
        items = field.get("items")
        choices = [label for _, label in _choices(items if isinstance(items, Mapping) else field)]
        one_of = f"one of {', '.join(one_line(label, 60) for label in choices[:30])}" if choices else kind  # fmt: skip
        if choices and field.get("type") == "array":
            one_of = one_of.replace("one of", "some of", 1)
        must = "" if name in required else ", may be left out"
        default = f", else {one_line(str(field['default']), 60)}" if "default" in field else ""
        yield f"- {one_line(str(name), 60)} ({one_of}{must}{default}){f': {about}' if about else ''}"
    how = "Answer with NAME: VALUE, a line for each" if len(fields) > 1 else "Answer"
    if not fields:
        how = "Answer yes"
    yield f"{how}; the call is then made again with it. {DECLINE!r} says no to the server."
