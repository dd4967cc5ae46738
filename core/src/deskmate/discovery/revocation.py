"""Versions of plugins that must not be used any more, whoever installed them: a list of the user's or organisation's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.discovery.metadata import normalise, read_bounded
from deskmate.errors import CorruptData, DeskmateError, PluginError
from deskmate.types.codec import from_json, to_json

FILE = "revoked.json"
_FORMAT = 1
_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One entry. `versions`: a range such as `<1.3`, empty for all. `sha256`: of one wheel, empty for any."""

    name: str
    why: str
    versions: str = ""
    sha256: str = ""

    def fits(self, name: str, version: str, sha256: str) -> bool:
        """Say whether this is about that version."""
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415

        if normalise(self.name) != normalise(name):
            return False
        if self.sha256 and self.sha256 != sha256:
            return False
        return not self.versions or SpecifierSet(self.versions).contains(version, prereleases=True)


class Revocations:
    """The list, one file. What cannot be read refuses: nobody knows what it would say."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the plugin store."""
        self._file = folder / FILE
        self._kept: tuple[Revoked, ...] | None = None

    def entries(self) -> tuple[Revoked, ...]:
        """Return all entries, read once. Raises PluginError where the list cannot be read."""
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def _read(self) -> tuple[Revoked, ...]:
        try:
            data = json.loads(read_bounded(self._file, _LIMIT_BYTES))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, RecursionError, DeskmateError) as error:
            raise self._damaged() from error
        return parse_revoked(data, self._damaged())

    def reason(self, name: str, version: str, sha256: str = "") -> str:
        """Return why a version must not be used, empty if it may."""
        return next((one.why for one in self.entries() if one.fits(name, version, sha256)), "")

    def check(self, name: str, version: str, sha256: str = "") -> None:
        """Raise PluginError for a version that must not be used."""
        if why := self.reason(name, version, sha256):
            raise PluginError(
                f"{name} {version} is revoked: {why}",
                hint="Use another version; deskmate plugin revoke --list shows the list.",
            )

    def add(self, new: tuple[Revoked, ...]) -> None:
        """Put entries on the list, those that are there already once."""
        self._write(tuple(dict.fromkeys((*self.entries(), *new))))

    def drop(self, name: str) -> int:
        """Take all entries of a distribution off the list; return how many there were."""
        entries = self.entries()
        kept = tuple(one for one in entries if normalise(one.name) != normalise(name))
        self._write(kept)
        return len(entries) - len(kept)

    def _write(self, entries: tuple[Revoked, ...]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_name(f"{FILE}.{os.getpid()}")
        text = json.dumps(
            {"format": _FORMAT, "revoked": to_json(entries)}, indent=1, sort_keys=True
        )
        with part.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)
        self._kept = entries

    def _damaged(self) -> PluginError:
        return PluginError(
            f"The list of revoked plugins {self._file} cannot be read.",
            hint="Put it back from a backup, or remove it.",
        )


def parse_revoked(data: Any, otherwise: PluginError) -> tuple[Revoked, ...]:
    """Return the entries of a list from JSON. Raises `otherwise` where it is none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
        raise otherwise
    try:
        rows = tuple(from_json(Revoked, row) for row in data["revoked"])
        for row in rows:
            SpecifierSet(row.versions)
    except (KeyError, TypeError, CorruptData, InvalidSpecifier) as error:
        raise otherwise from error
    return rows
