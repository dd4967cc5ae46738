"""An index of plugins: a folder, usually a git checkout, of pinned entries under one signature.

`index.json` names every entry file by its hash and is signed; `entries/<distribution>/<version>.json` says what one
version is; `wheels/` has what the folder brings itself, `reports/` what `plugin check` found. Nothing of it runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from deskmate.discovery.installing import InstallOrder
from deskmate.discovery.lock import canonical
from deskmate.discovery.metadata import normalise, read_bounded
from deskmate.discovery.revocation import Revoked
from deskmate.discovery.wheel import shown
from deskmate.errors import CorruptData, DeskmateError, PluginError
from deskmate.types.codec import from_json, to_json

FORMAT = 1
PREFIX = b"deskmate-plugin-index-v1\0"
ABOUT, ENTRIES, WHEELS, REPORTS = "index.json", "entries", "wheels", "reports"
SEEN = "indexes.json"
_ABOUT_LIMIT_BYTES = 16 << 20
_ENTRY_LIMIT_BYTES = 1 << 20
_PATH = re.compile(rf"{ENTRIES}/[a-z0-9][a-z0-9-]{{0,99}}/[A-Za-z0-9][\w.!+-]{{0,99}}\.json")
_WHEEL = re.compile(r"[\w.!+-]{1,200}\.whl")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A plugin of a wheel. `wants`: what it brings and may do, in the words that enabling it shows."""

    name: str
    summary: str
    wants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of a distribution, pinned. Only `withdrawn`, why nobody may use it any more, is ever changed.

    `guest`: wheels that it needs in the virtual machine, file → sha256. `level`: what `plugin check` attested, and
    `checked_by`: the key that signed its report, both empty where there is none.
    """

    distribution: str
    version: str
    wheel: str
    sha256: str
    size: int
    licence: str
    plugins: tuple[Brought, ...]
    guest: Mapping[str, str] = field(default_factory=dict)
    level: str = ""
    checked_by: str = ""
    withdrawn: str = ""

    @property
    def path(self) -> str:
        """Its file in the index."""
        return f"{ENTRIES}/{normalise(self.distribution)}/{self.version}.json"

    @property
    def pinned(self) -> Entry:
        """What of it never changes."""
        return replace(self, withdrawn="")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an index says of itself. `entries`: file → sha256. `serial`: grows with every signature."""

    name: str
    serial: int
    time: str
    entries: Mapping[str, str]
    format: int = FORMAT
    key: str = ""
    signature: str = ""

    def body(self) -> bytes:
        """Return what the signature is over."""
        return PREFIX + canonical(to_json(replace(self, signature=""), defaults=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index whose signature and entries were verified. `entries`: by distribution, oldest version first."""

    folder: Path
    about: About
    entries: tuple[Entry, ...]

    def find(self, requirement: str) -> Entry:
        """Return the newest entry for a name with an optional version; a pre-release only where it is named.

        Raises PluginError where there is none, or where all that fit were withdrawn.
        """
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

        try:
            wanted = Requirement(requirement)
        except InvalidRequirement as error:
            raise PluginError(f"{shown(requirement)!r} is no name of a plugin.") from error
        named = [one for one in self.entries if _is(one, wanted.name)]
        fitting = [
            one for one in named
            if wanted.specifier.contains(one.version, prereleases=None if wanted.specifier else False)
        ]  # fmt: skip
        usable = [one for one in fitting if not one.withdrawn]
        if usable:
            return usable[-1]
        if fitting:
            raise PluginError(
                f"{fitting[-1].distribution} {fitting[-1].version} was withdrawn: {fitting[-1].withdrawn}",
                hint="Ask for another version, or wait for the next.",
            )
        there = ", ".join(one.version for one in named) or "nothing of that name"
        raise PluginError(
            f"The index {self.about.name} has no {shown(requirement)}.", hint=f"It has: {there}."
        )

    def wheel(self, entry: Entry) -> Path | None:
        """Return the entry's wheel where the index brings it itself."""
        file = self.folder / WHEELS / entry.wheel
        return file if file.is_file() else None

    @contextmanager
    def order(self, entry: Entry, *, cooldown_days: int) -> Iterator[InstallOrder]:
        """Yield the order that installs an entry as it is pinned, from the index's own wheels where it has them.

        Raises PluginError for a wheel of the index that is not the pinned one.
        """
        if not (self.folder / WHEELS / entry.wheel).is_file():
            yield InstallOrder(
                what=(f"{entry.distribution}=={entry.version}",), hashes=(entry.sha256,),
                guest=entry.guest, cooldown_days=cooldown_days,
            )  # fmt: skip
            return
        with tempfile.TemporaryDirectory(prefix="deskmate-index-") as scratch:
            pins = {entry.wheel: entry.sha256, **entry.guest}
            for name, sha256 in pins.items():
                _copy_pinned(self.folder, name, sha256, Path(scratch, name))
            yield InstallOrder(
                what=(str(Path(scratch, entry.wheel)),), wheelhouse=Path(scratch),
                hashes=(entry.sha256,), guest=entry.guest, cooldown_days=0,
            )  # fmt: skip

    def revocations(self) -> tuple[Revoked, ...]:
        """Return what was withdrawn, as entries of the list of revoked versions."""
        return tuple(
            Revoked(name=one.distribution, why=one.withdrawn, sha256=one.sha256)
            for one in self.entries
            if one.withdrawn
        )


def _is(entry: Entry, name: str) -> bool:
    return name in {plugin.name for plugin in entry.plugins} or (
        normalise(entry.distribution) == normalise(name)
    )


def _copy_pinned(folder: Path, name: str, sha256: str, target: Path) -> None:
    try:
        shutil.copyfile(folder / WHEELS / name, target)
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refused(folder, f"lacks {WHEELS}/{shown(name)}") from error
    if found != sha256:
        raise refused(folder, f"holds another {WHEELS}/{shown(name)} than was pinned")


def read_index(folder: Path, *, key: str) -> Index:
    """Return an index whose every entry is the one that was signed.

    `key`: the public key that must have signed; empty: the one that the index names, which proves less.
    Raises PluginError if it is none, was changed, or is signed by somebody else.
    """
    from deskmate.store.signing import fits  # noqa: PLC0415

    about = read_about(folder)
    if key and about.key != key:
        raise refused(folder, f"is signed with another key: {shown(about.key) or 'none'}")
    if not fits(about.key, about.signature, about.body()):
        raise refused(folder, "was changed since it was signed, or is signed with another key")
    entries = [_entry(folder, path, sha256) for path, sha256 in about.entries.items()]
    return Index(folder=folder, about=about, entries=tuple(sorted(entries, key=_order)))


def read_about(folder: Path) -> About:
    """Return what an index says of itself, whoever signed it. Raises PluginError."""
    about = _read(folder, ABOUT, About, _ABOUT_LIMIT_BYTES)
    if about.format != FORMAT:
        raise refused(folder, f"is of format {about.format}; {FORMAT} is known")
    if odd := next((path for path in about.entries if not _PATH.fullmatch(path)), None):
        raise refused(folder, f"lists {shown(odd)}, which is no entry")
    return about


def entries_there(folder: Path) -> Iterator[Entry]:
    """Yield the entries that lie in the folder, signed or not. Raises PluginError for one that is none."""
    for file in sorted(folder.glob(f"{ENTRIES}/*/*.json")):
        yield _entry(folder, file.relative_to(folder).as_posix())


def _entry(folder: Path, path: str, sha256: str = "") -> Entry:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    if sha256 and _sha256(folder, path) != sha256:
        raise refused(folder, f"has another {shown(path)} than was signed")
    entry = _read(folder, path, Entry, _ENTRY_LIMIT_BYTES)
    try:
        Version(entry.version)
    except InvalidVersion as error:
        raise refused(folder, f"has {shown(path)}, whose version is none") from error
    wheels = (entry.wheel, *entry.guest)
    if entry.path != path or not all(_WHEEL.fullmatch(name) for name in wheels):
        raise refused(folder, f"has {shown(path)}, which says it is {shown(entry.path)}")
    return entry


def _read(folder: Path, path: str, kind: type[_T], limit: int) -> _T:
    try:
        return from_json(kind, json.loads(read_bounded(folder / path, limit)))
    except FileNotFoundError as error:
        raise refused(folder, f"has no {shown(path)}") from error
    except (OSError, ValueError, RecursionError, CorruptData, DeskmateError) as error:
        raise refused(folder, f"has a {shown(path)} that cannot be read: {error}") from error


def _sha256(folder: Path, path: str) -> str:
    try:
        return hashlib.sha256(read_bounded(folder / path, _ENTRY_LIMIT_BYTES)).hexdigest()
    except (OSError, DeskmateError) as error:
        raise refused(folder, f"has no {shown(path)} that can be read") from error


def _order(entry: Entry) -> tuple[str, Any]:
    from packaging.version import Version  # noqa: PLC0415

    return normalise(entry.distribution), Version(entry.version)


def refused(folder: Path, why: str) -> PluginError:
    """Return the error for an index that must not be used."""
    return PluginError(
        f"The index {shown(folder.name)} {why}.", hint="Ask whoever publishes it for a sound copy."
    )


class SeenIndexes:
    """The newest serial of each index that was used here, so that nobody is given an old one again."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the plugin store."""
        self._file = folder / SEEN

    def check(self, about: About) -> None:
        """Raise PluginError for an index that is older than one seen before under the same key."""
        seen = self._read().get(f"{about.key} {about.name}", 0)
        if about.serial < seen:
            raise PluginError(
                f"The index {about.name} is of serial {about.serial}; {seen} was seen here before.",
                hint="Somebody serves an old copy: fetch the present one (git pull).",
            )

    def note(self, about: About) -> None:
        """Keep an index's serial."""
        rows = self._read()
        name = f"{about.key} {about.name}"
        rows[name] = max(about.serial, rows.get(name, 0))
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_name(f"{SEEN}.{os.getpid()}")
        with part.open("w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)

    def _read(self) -> dict[str, int]:
        try:
            data = json.loads(read_bounded(self._file, _ENTRY_LIMIT_BYTES))
            return {str(name): int(serial) for name, serial in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, RecursionError, DeskmateError) as error:
            raise PluginError(
                f"The list of indexes {self._file} cannot be read.", hint="Remove it and try again."
            ) from error
