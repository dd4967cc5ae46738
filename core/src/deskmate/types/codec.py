"""Frozen dataclasses to JSON and back, by their type hints.

Reads only shapes that a JSON Schema or our own writer has vouched for; anything else is CorruptData.
A type's hints are looked at once: each gets a reader of its own, since a log has thousands of events.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from deskmate.errors import CorruptData
from deskmate.types.messages import Block, block_from_json, block_to_json

T = TypeVar("T")
_Reader = Callable[[Any], Any]
_PLAIN = frozenset({str, int, float, bool, type(None)})
_ROWS = frozenset({list, tuple})


def to_json(value: Any, *, defaults: bool = False) -> Any:
    """Return `value` as JSON; dataclasses become objects, with default-valued fields on demand."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:  # the usual kinds first: what stands below asks much more of them
        return {str(key): to_json(item, defaults=defaults) for key, item in value.items()}
    if kind in _ROWS:
        return [to_json(item, defaults=defaults) for item in value]
    if isinstance(value, Block):
        value = block_to_json(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            name: to_json(item, defaults=defaults)
            for name, default in _defaults(type(value))
            if not _is(item := getattr(value, name), default) or defaults
        }
    if isinstance(value, tuple | list):
        return [to_json(item, defaults=defaults) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item, defaults=defaults) for key, item in value.items()}
    return value


def from_json(cls: type[T], data: Any) -> T:
    """Return a `cls` read from `data`. Raises CorruptData where the shape does not fit."""
    try:
        found: T = _reader(typing.cast(Any, cls))(data)
        return found
    except _Misfit as error:
        raise CorruptData(f"{cls.__name__}{error.where}{error.what}") from error


@functools.cache
def _defaults(cls: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Return each field's name and default value, MISSING where it has none."""
    return tuple(
        (
            field.name,
            field.default if field.default_factory is MISSING else field.default_factory(),
        )
        for field in fields(cls)
    )


def _is(value: Any, default: Any) -> bool:
    if default is MISSING:
        return False
    # 0, 0.0 and False are equal and not the same; a Mapping of any class may stand for a default
    return bool(value == default) and (type(value) is type(default) or type(value) not in _PLAIN)


class _Misfit(Exception):
    """What does not fit, and where; each level on the way out puts its own step before the place."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where

    def below(self, step: str) -> _Misfit:
        self.where = step + self.where
        return self


@functools.cache
def _reader(hint: Any) -> _Reader:
    """Return the function that reads one type; it raises _Misfit."""
    if isinstance(hint, typing.NewType):
        return _reader(hint.__supertype__)
    if hint == Block:
        return lambda data: block_from_json(_expect(data, Mapping))
    if hint is Any:
        return lambda data: data
    if is_dataclass(hint):
        return _object_reader(typing.cast(type[Any], hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _tuple_reader(_reader(arguments[0]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(_reader(arguments[1]))
    if origin is typing.Literal:
        return _literal_reader(arguments)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(arguments)
    return _plain_reader(hint)


def _object_reader(cls: type[Any]) -> _Reader:
    known: list[tuple[dict[str, _Reader], dict[str, type[Any] | None]]] = []

    def read(data: Any) -> Any:
        if type(data) is not dict:
            data = dict(_expect(data, Mapping))
        if not known:  # not sooner: a type may refer to itself
            hints = typing.get_type_hints(cls)
            # whole or not at all: other threads read, too
            known.append(
                (
                    {field.name: _reader(hints[field.name]) for field in fields(cls)},
                    {field.name: _exact(hints[field.name]) for field in fields(cls)},
                )
            )
        readers, exact = known[0]
        if not data.keys() <= readers.keys():
            unknown = sorted(data.keys() - readers.keys())
            raise _Misfit(f" has unknown fields {', '.join(unknown)}")
        values, name = data, ""
        try:
            for name, item in data.items():
                if type(item) is not exact[name]:
                    if values is data:  # what is left as it came needs no copy
                        values = data.copy()
                    values[name] = readers[name](item)
        except _Misfit as error:
            raise error.below(f".{name}") from None
        try:
            return cls(**values)
        except TypeError as error:
            raise _Misfit(f": {error}") from error

    return read


def _exact(hint: Any) -> type[Any] | None:
    """Return the class whose own instances are taken as they are, None where each is looked at."""
    while isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    return hint if hint in _PLAIN else None


def _tuple_reader(item_reader: _Reader) -> _Reader:
    def read(data: Any) -> Any:
        items: list[Any] = []
        try:
            for item in _expect(data, list):
                items.append(item_reader(item))
        except _Misfit as error:
            # what is no list has no place in it
            raise error.below(f"[{len(items)}]" if isinstance(data, list) else "") from None
        return tuple(items)

    return read


def _mapping_reader(value_reader: _Reader) -> _Reader:
    def read(data: Any) -> Any:
        pairs = _expect(data, Mapping)
        found, key = {}, ""
        try:
            for key, item in pairs.items():
                found[key] = value_reader(item)
        except _Misfit as error:
            raise error.below(f".{key}") from None
        return found

    return read


def _literal_reader(allowed: tuple[Any, ...]) -> _Reader:
    def read(data: Any) -> Any:
        if data not in allowed:
            raise _Misfit(f" is {data!r}, expected one of {allowed}")
        return data

    return read


def _union_reader(arguments: tuple[Any, ...]) -> _Reader:
    optional = type(None) in arguments
    readers = [_reader(argument) for argument in arguments if argument is not type(None)]

    def read(data: Any) -> Any:
        if data is None and optional:
            return None
        wrong = _Misfit(" is empty")
        for reader in readers:
            try:
                return reader(data)
            except _Misfit as error:
                wrong = error
        raise wrong

    return read


def _plain_reader(hint: Any) -> _Reader:
    def read(data: Any) -> Any:
        if type(data) is hint:
            return data
        if hint is float and isinstance(data, int) and not isinstance(data, bool):
            return float(data)
        if hint is int and isinstance(data, bool):
            raise _Misfit(" is a truth value, expected a whole number")
        return _expect(data, hint)

    return read


def _expect(data: Any, kind: Any) -> Any:
    if not isinstance(data, kind):
        name = getattr(kind, "__name__", str(kind))
        raise _Misfit(f" is {type(data).__name__}, expected {name}")
    return data
