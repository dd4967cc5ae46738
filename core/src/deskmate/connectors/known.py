"""The directory of known connectors: what there is and how each is added. Data; nothing of it is asked or fetched here."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from deskmate.connectors.book import NAME, NAME_LIMIT
from deskmate.errors import ConfigError
from deskmate.shown import one_line

FILE = "known-connectors.toml"
"""Name of a directory of the user's or the administrator's."""
_FILE_LIMIT = 1 << 20
_WORDS_LIMIT = 40
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownConnector:
    """One entry. `add`: the words behind `deskmate connector add NAME`. `of`: the file that it is from, "" for Deskmate's own."""

    name: str
    about: str
    add: tuple[str, ...]
    categories: tuple[str, ...] = ()
    of: str = ""


def known_connectors(*folders: Path) -> tuple[KnownConnector, ...]:
    """Return all entries by name: Deskmate's own, then those of `known-connectors.toml` in these folders, the last one counts.

    Raises ConfigError for a file that cannot be read.
    """
    own = resources.files("deskmate.connectors").joinpath("known.toml").read_bytes()
    found = {entry.name: entry for entry in _read(own, "")}
    for folder in folders:
        path = folder / FILE
        try:
            with path.open("rb") as file:
                data = file.read(_FILE_LIMIT + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
        found |= {entry.name: entry for entry in _read(data, str(path))}
    return tuple(found[name] for name in sorted(found))


def _read(data: bytes, path: str) -> tuple[KnownConnector, ...]:
    try:
        if len(data) > _FILE_LIMIT:
            raise ValueError("larger than 1 MiB")
        rows = tomllib.loads(data.decode())
        return tuple(_entry(name, row, path) for name, row in rows.items())
    except (ValueError, TypeError, KeyError) as error:
        hint = "Write a table an entry, with about and add: see docs/how-to/connectors.md."
        raise ConfigError(f"{path} is no directory of connectors: {error}", hint=hint) from error


def _entry(name: str, row: Any, path: str) -> KnownConnector:
    if not NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise ValueError(f"{name!r} cannot be a connector's name")
    if unknown := set(row) - {"about", "add", "categories"}:
        raise ValueError(f"{name} has {sorted(unknown)[0]!r}, which is nothing of an entry")
    if not isinstance(row["add"], list) or not isinstance(row.get("categories", []), list):
        raise TypeError(f"{name}: add and categories are lists")
    words = (*row["add"], *row.get("categories", ()), row["about"])
    if len(words) > _WORDS_LIMIT or not all(map(_PLAIN.fullmatch, words)):
        raise ValueError(f"{name} has words that no command can have")
    return KnownConnector(
        name=name,
        about=one_line(row["about"], 200),
        add=tuple(row["add"]),
        categories=tuple(row.get("categories", ())),
        of=path,
    )
