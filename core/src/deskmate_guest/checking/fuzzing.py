"""Odd arguments that fit a tool's schema, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_TEXTS = (
    "", " ", "a", "nowhere.txt", "../../etc/passwd", "/etc/passwd", "/workspace/", ".", "a/b/../../..",
    "\u202e\u200b", "\U0001f600" * 40, "'; --", "{}", "[1,", "null", "0", "-1", "1e400", "2026-02-30",
    "line\nline\r\n\ttab", "%s %n {0}", "x" * 5_000, "A1:XFD1048576", "=1+1", "(" * 500, "C:\\x",
)  # fmt: skip
_INTEGERS = (0, 1, -1, 2, 7, 10**6, 2**31, -(2**63), 10**18)
_NUMBERS = (0.0, -0.0, 0.5, -1.5, 1e-300, 1e300, 100.0)
_PLAIN: Mapping[str, Sequence[Any]] = {
    "integer": _INTEGERS, "number": _NUMBERS, "boolean": (True, False), "null": (None,),
}  # fmt: skip
_DEPTH_LIMIT = 5


def odd_arguments(
    schema: Mapping[str, Any], count: int, *, seed: str, paths: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield `count` argument objects that fit the schema.

    Args:
        schema: of type object, as a tool's signature gives it.
        count: how many, at least 1.
        seed: the same seed gives the same arguments.
        paths: names of files that are there; they stand for texts now and then.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    texts = (*_TEXTS, *paths)
    required = set(schema.get("required", ()))
    for number in range(count):
        yield {
            # two texts of one call differ, and each meets all of them
            name: _value(about, chance, texts, number + 7 * position, 0)
            for position, (name, about) in enumerate(schema.get("properties", {}).items())
            if name in required or number < len(texts) or chance.random() < 0.5
        }


def _value(
    about: Mapping[str, Any], chance: random.Random, texts: Sequence[str], number: int, depth: int
) -> Any:
    if "const" in about or "enum" in about:
        return chance.choice(list(about.get("enum", (about.get("const"),))))
    if choices := about.get("anyOf") or about.get("oneOf"):
        return _value(chance.choice(list(choices)), chance, texts, number, depth + 1)
    kind = about.get("type", "string")
    kind = chance.choice(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return _array(about, chance, texts, number, depth)
    if kind == "object":
        return _object(about, chance, texts, number, depth)
    if kind in _PLAIN:
        return chance.choice(_PLAIN[kind])
    return texts[number % len(texts)]  # so each of them comes up once the tries are as many


def _array(
    about: Mapping[str, Any], chance: random.Random, texts: Sequence[str], number: int, depth: int
) -> list[Any]:
    if depth > _DEPTH_LIMIT:
        return []
    items = about.get("items") or {"type": "string"}
    return [
        _value(items, chance, texts, number + n, depth + 1) for n in range(chance.choice((0, 1, 3)))
    ]


def _object(
    about: Mapping[str, Any], chance: random.Random, texts: Sequence[str], number: int, depth: int
) -> dict[str, Any]:
    known = about.get("properties", {})
    required = set(about.get("required", ()))
    found = {
        name: _value(inner, chance, texts, number, depth + 1)
        for name, inner in known.items()
        if depth <= _DEPTH_LIMIT and (name in required or chance.random() < 0.6)
    }
    more = about.get("additionalProperties")
    if not known and depth <= _DEPTH_LIMIT and more is not False:
        inner = more if isinstance(more, Mapping) and more else {"type": "string"}
        for _ in range(chance.choice((0, 1, 2))):
            found[chance.choice(texts)] = _value(inner, chance, texts, number, depth + 1)
    return found
