"""Writes the contract as TypeScript: every dataclass that can be reached becomes an interface."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal

from deskmate.web import contract

_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_HEAD = (
    "// Made by `python -m deskmate.web.typescript` from core/src/deskmate/web/contract.py.\n"
    "// A test compares the two: change it there.\n"
)


def typescript() -> str:
    """Return the whole contract."""
    found: dict[str, str] = {}
    for root in (*contract.ROOTS, *typing.get_args(contract.Message)):
        _declare(root, found)
    body = " | ".join(cls.__name__ for cls in typing.get_args(contract.Body))
    message = " | ".join(cls.__name__ for cls in typing.get_args(contract.Message))
    unions = f"export type Body = {body}\n\nexport type Message = {message}\n"
    return _HEAD + "\n" + "\n".join(found[name] for name in sorted(found)) + "\n" + unions


def _declare(cls: type[Any], found: dict[str, str]) -> None:
    if cls.__name__ in found:
        return
    found[cls.__name__] = ""  # a class may lead to itself
    hints = typing.get_type_hints(cls)
    lines = [f"  {item.name}: {_type(hints[item.name], found)}" for item in fields(cls)]
    found[cls.__name__] = "\n".join([f"export interface {cls.__name__} {{", *lines, "}", ""])


def _type(hint: Any, found: dict[str, str]) -> str:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint is contract.Body:
        for cls in typing.get_args(hint):
            _declare(cls, found)
        return "Body"
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type(part, found) for part in inner)
    if origin is tuple:
        part = _type(inner[0], found)
        return f"({part})[]" if "|" in part else f"{part}[]"
    if origin is not None and issubclass(origin, Mapping):
        return f"Record<string, {_type(inner[1], found)}>"
    if isinstance(hint, typing.NewType):
        return _type(hint.__supertype__, found)
    if is_dataclass(hint) and isinstance(hint, type):
        _declare(hint, found)
        return hint.__name__
    raise TypeError(f"{hint!r} has no TypeScript here")


if __name__ == "__main__":
    print(typescript(), end="")  # noqa: T201 - this is what it is for
