"""Frozen dataclasses to JSON and back, by their type hints.

Reads only shapes that a JSON Schema or our own writer has vouched for; anything else is CorruptData.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from deskmate.errors import CorruptData
from deskmate.types.messages import Block, block_from_json, block_to_json

T = TypeVar("T")


def to_json(value: Any, *, defaults: bool = False) -> Any:
    """Return `value` as JSON; dataclasses become objects, with default-valued fields on demand."""
    if isinstance(value, Block):
        return block_to_json(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name), defaults=defaults)
            for field in fields(value)
            if defaults or not _is_default(field, getattr(value, field.name))
        }
    if isinstance(value, tuple | list):
        return [to_json(item, defaults=defaults) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item, defaults=defaults) for key, item in value.items()}
    return value


def from_json(cls: type[T], data: Any) -> T:
    """Return a `cls` read from `data`. Raises CorruptData where the shape does not fit."""
    return typing.cast(T, _read(cls, data, cls.__name__))


def _is_default(field: Any, value: Any) -> bool:
    if field.default is not MISSING:
        return bool(value == field.default and type(value) is type(field.default))
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return False


@functools.cache
def _hints(cls: type[Any]) -> Mapping[str, Any]:
    return typing.get_type_hints(cls)


def _read(hint: Any, data: Any, where: str) -> Any:
    if isinstance(hint, typing.NewType):
        return _read(hint.__supertype__, data, where)
    if hint == Block:
        return block_from_json(_expect(data, Mapping, where))
    if hint is Any:
        return data
    if is_dataclass(hint):
        return _read_object(hint, _expect(data, Mapping, where), where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        items = _expect(data, list, where)
        return tuple(_read(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(items))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        pairs = _expect(data, Mapping, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in pairs.items()}
    if origin is typing.Literal:
        if data not in arguments:
            raise CorruptData(f"{where} is {data!r}, expected one of {arguments}")
        return data
    if origin in (typing.Union, types.UnionType):
        return _read_union(arguments, data, where)
    return _read_plain(hint, data, where)


def _read_union(arguments: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in arguments:
        return None
    wrong: CorruptData | None = None
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _read(argument, data, where)
        except CorruptData as error:
            wrong = error
    raise wrong or CorruptData(f"{where} is empty")


def _read_plain(hint: Any, data: Any, where: str) -> Any:
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if hint is int and isinstance(data, bool):
        raise CorruptData(f"{where} is a truth value, expected a whole number")
    return _expect(data, hint, where)


def _read_object(cls: Any, data: Mapping[str, Any], where: str) -> Any:
    hints = _hints(cls)
    if unknown := sorted(set(data) - set(hints)):
        raise CorruptData(f"{where} has unknown fields {', '.join(unknown)}")
    values = {name: _read(hints[name], data[name], f"{where}.{name}") for name in data}
    try:
        return cls(**values)
    except TypeError as error:
        raise CorruptData(f"{where}: {error}") from error


def _expect(data: Any, kind: Any, where: str) -> Any:
    if not isinstance(data, kind):
        name = getattr(kind, "__name__", str(kind))
        raise CorruptData(f"{where} is {type(data).__name__}, expected {name}")
    return data
