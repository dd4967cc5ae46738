"""The columns of a table as the user wrote them: a TOML file, checked with a JSON Schema."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from deskmate.errors import ConfigError
from deskmate.types.tables import CELLS_LIMIT, Column

SPEC_LIMIT_BYTES = 1 << 20
_HINT = "See docs/reference/table-columns.md."
_TEXTS = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 2_000},
    "maxItems": 50,
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["columns"],
    "properties": {
        "columns": {
            "type": "array",
            "minItems": 1,
            "maxItems": CELLS_LIMIT,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "question"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 80},
                    "question": {"type": "string", "minLength": 1, "maxLength": 1_000},
                    "type": {"enum": ["text", "number", "money", "date", "yes_no", "choice"]},
                    "choices": _TEXTS,
                    "patterns": _TEXTS,
                    "no_patterns": _TEXTS,
                    "pick": {"enum": ["only", "first", "last"]},
                },
            },
        }
    },
}


def read_columns(path: Path) -> tuple[Column, ...]:
    """Return the columns of a specification. Raises ConfigError that names what is wrong and where."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The columns {path} cannot be read: {error.strerror}.") from error
    if len(content) > SPEC_LIMIT_BYTES:
        raise ConfigError(f"The columns {path} are larger than 1 MiB.")
    try:
        data = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.", hint=_HINT) from error
    return columns_of(data, str(path))


def columns_of(data: Mapping[str, Any], source: str) -> tuple[Column, ...]:
    """Return the columns of a specification. `source`: where it comes from, for people. Raises as `read_columns`."""
    try:
        jsonschema.validate(data, SCHEMA)
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path)) or "all of it"
        raise ConfigError(f"{source}: {place}: {error.message[:200]}.", hint=_HINT) from error
    columns = tuple(_column(entry) for entry in data["columns"])
    _check(source, columns)
    return columns


def _column(entry: Mapping[str, Any]) -> Column:
    return Column(
        name=" ".join(entry["name"].split()),
        question=entry["question"].strip(),
        kind=entry.get("type", "text"),
        choices=tuple(entry.get("choices", ())),
        patterns=tuple(entry.get("patterns", ())),
        no_patterns=tuple(entry.get("no_patterns", ())),
        pick=entry.get("pick", "only"),
    )


def _check(source: str, columns: tuple[Column, ...]) -> None:
    seen: set[str] = set()
    for column in columns:
        where = f"{source}: the column {column.name!r}"
        if not column.name or column.name.casefold() in seen:
            raise ConfigError(
                f"{where} is there twice or has no name.", hint="Name each column once."
            )
        seen.add(column.name.casefold())
        if (column.kind == "choice") != bool(column.choices):
            raise ConfigError(f"{where}: choices and the type choice belong together.", hint=_HINT)
        if column.no_patterns and column.kind != "yes_no":
            raise ConfigError(f"{where}: only the type yes_no has no_patterns.", hint=_HINT)
        for pattern in (*column.patterns, *column.no_patterns):
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ConfigError(f"{where} has a broken pattern {pattern!r}: {error}.") from error
