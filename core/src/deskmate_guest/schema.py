"""A tool's JSON Schema, from its annotations and its Google-style docstring."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

import docstring_parser

from deskmate.plugin.contexts import ToolContext

Schema = dict[str, Any]
_PLAIN: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_DEPTH_LIMIT = 8


class SchemaError(Exception):
    """A tool's signature cannot be told to a model; the message names the parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a tool's function tells about itself. `context`: name of its ToolContext parameter."""

    description: str
    input_schema: Schema
    context: str
    hints: Mapping[str, Any]


def read_signature(function: Callable[..., Any]) -> Signature:
    """Return the description and input schema of a tool. Raises SchemaError."""
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise SchemaError("must be a plain function, neither async nor a generator")
    doc = docstring_parser.parse(inspect.getdoc(function) or "", docstring_parser.Style.GOOGLE)
    description = "\n\n".join(filter(None, (doc.short_description, doc.long_description)))
    if not description:
        raise SchemaError("has no docstring; the model needs to know what it does")
    texts = {param.arg_name: " ".join((param.description or "").split()) for param in doc.params}
    hints = _hints_of(function)
    properties: Schema = {}
    required: list[str] = []
    context = ""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise SchemaError(f"parameter {name}: *args and **kwargs have no schema")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise SchemaError(f"parameter {name}: must be usable by name")
        if hints.get(name) is ToolContext:
            context = name
            continue
        properties[name] = _property(name, parameter, hints, texts)
        if parameter.default is parameter.empty:
            required.append(name)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return Signature(description=description, input_schema=schema, context=context, hints=hints)


def _hints_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError) as error:
        raise SchemaError(f"has an annotation that cannot be resolved: {error}") from error


def _property(
    name: str, parameter: inspect.Parameter, hints: Mapping[str, Any], texts: Mapping[str, str]
) -> Schema:
    if name not in hints:
        raise SchemaError(f"parameter {name} has no annotation")
    schema = schema_of(hints[name], f"parameter {name}")
    if texts.get(name):
        schema["description"] = texts[name]
    if parameter.default is not parameter.empty and _is_plain_json(parameter.default):
        schema["default"] = parameter.default
    return schema


def schema_of(hint: Any, where: str, depth: int = 0) -> Schema:
    """Return the JSON Schema of one annotation; `where` names it in the SchemaError."""
    if depth > _DEPTH_LIMIT:
        raise SchemaError(f"{where} is nested too deeply or refers to itself")
    if hint in (Any, object):
        return {}
    if hint in (None, type(None)):
        return {"type": "null"}
    if isinstance(hint, type) and hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, typing.NewType):
        return schema_of(hint.__supertype__, where, depth + 1)
    if typing.is_typeddict(hint):
        return _typed_dict(hint, where, depth)
    if is_dataclass(hint):
        return _dataclass(hint, where, depth)
    if hint in (list, tuple, Sequence):
        return {"type": "array"}
    if hint in (dict, Mapping):
        return {"type": "object"}
    return _generic(hint, where, depth)


def _generic(hint: Any, where: str, depth: int) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        schema = schema_of(arguments[0], where, depth)
        texts = [extra for extra in arguments[1:] if isinstance(extra, str)]
        return {**schema, "description": " ".join(texts)} if texts else schema
    if origin is Literal:
        return _literal(arguments, where)
    if origin in (Union, types.UnionType):
        return _union(arguments, where, depth)
    if origin in (typing.Required, typing.NotRequired):
        return schema_of(arguments[0], where, depth)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": schema_of(arguments[0], where, depth + 1)}
    if isinstance(origin, type) and origin is not tuple:
        if issubclass(origin, Mapping) and arguments[0] is str:
            values = schema_of(arguments[1], where, depth + 1)
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if issubclass(origin, Sequence):
            return {"type": "array", "items": schema_of(arguments[0], where, depth + 1)}
    raise SchemaError(f"{where}: annotation {hint!r} has no JSON form")


def _literal(values: tuple[Any, ...], where: str) -> Schema:
    kinds = {_PLAIN.get(type(value)) for value in values}
    if None in kinds:
        raise SchemaError(f"{where}: Literal may hold strings, numbers and truth values only")
    schema: Schema = {"enum": list(values)}
    return {"type": kinds.pop(), **schema} if len(kinds) == 1 else schema


def _union(arguments: tuple[Any, ...], where: str, depth: int) -> Schema:
    parts = [schema_of(argument, where, depth + 1) for argument in arguments]
    if all(set(part) == {"type"} and isinstance(part["type"], str) for part in parts):
        return {"type": [part["type"] for part in parts]}
    return {"anyOf": parts}


def _typed_dict(hint: Any, where: str, depth: int) -> Schema:
    # with annotations as text, a TypedDict itself does not see NotRequired
    hints = typing.get_type_hints(hint, include_extras=True)
    properties = {
        name: schema_of(part, f"{where}.{name}", depth + 1) for name, part in hints.items()
    }
    required = [
        name
        for name, part in hints.items()
        if get_origin(part) is typing.Required
        or (name in hint.__required_keys__ and get_origin(part) is not typing.NotRequired)
    ]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _dataclass(hint: Any, where: str, depth: int) -> Schema:
    hints = typing.get_type_hints(hint)
    properties = {
        part.name: schema_of(hints[part.name], f"{where}.{part.name}", depth + 1)
        for part in fields(hint)
    }
    required = [
        part.name
        for part in fields(hint)
        if part.default is MISSING and part.default_factory is MISSING
    ]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _is_plain_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain_json(item) for key, item in value.items())
    return value is None or isinstance(value, str | int | float | bool)
