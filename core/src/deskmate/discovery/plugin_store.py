"""The plugin store: wheels that were unpacked as data, beside pip's, and never on `sys.path`.

`store.json` alone says what is installed, and is replaced in one step: who dies while a wheel is unpacked
leaves folders that nothing names.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deskmate.discovery.folder_lock import folder_lock
from deskmate.discovery.metadata import Installed, normalise, read_bounded, read_installed
from deskmate.errors import CorruptData, PluginError
from deskmate.types.codec import from_json, to_json
from deskmate.types.foreign import ForeignKind

INDEX = "store.json"
_FORMAT = 1
_INDEX_LIMIT_BYTES = 8 << 20
_LOCK_DEADLINE_S = 600.0
_ITEMS, _SITE, _WHEELS, _OVERLAYS = "items", "site", "wheels", "overlays"
_FEW_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlugin:
    """A distribution in the store. `folder`: its name below `items`. `wheel`, `sha256`: what it came as.

    `record`: sha256 of its RECORD, by which all of its files are checked. `guest`: file name of a guest
    package's wheel → sha256. `source`: `file`, `wheelhouse` or `index`. `time`: RFC 3339 UTC.
    """

    name: str
    version: str
    folder: str
    wheel: str
    sha256: str
    record: str
    plugins: tuple[str, ...]
    source: str
    time: str
    guest: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForeign:
    """A plugin in another program's format. `name`: here. `own_name`: as its author calls it.

    `digest`: over paths, modes and contents. `listing`, `about`: sha256 of the files about it. `source`, `member`:
    the folder or archive that it was added from, and its folder in there. `entry`: what a marketplace said of it.
    """

    name: str
    own_name: str
    version: str
    kind: ForeignKind
    title: str
    summary: str
    folder: str
    digest: str
    listing: str
    about: str
    source: str
    time: str
    member: str = ""
    marketplace: str = ""
    skills: int = 0
    diagnostics: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIndex:
    """All of it. `seen`: `name==version` → sha256 of what was ever installed: it cannot become another.

    `previous`: normalised name → the version that the present one took the place of; its files are kept.
    """

    plugins: tuple[StoredPlugin, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[StoredForeign, ...] = ()
    previous: Mapping[str, StoredPlugin] = field(default_factory=dict)

    def get(self, name: str) -> StoredPlugin | None:
        """Return the distribution of this name, or the one that brings the plugin of this name."""
        for stored in self.plugins:
            if normalise(stored.name) == normalise(name) or name in stored.plugins:
                return stored
        return None


class PluginStore:
    """One folder of the user's data."""

    def __init__(self, folder: Path) -> None:
        """`folder`: need not exist; reading makes nothing."""
        self.folder = folder

    def index(self) -> StoreIndex:
        """Return what is installed, empty without a store.

        Raises PluginError: it is damaged, or code of it could be imported here.
        """
        try:
            data = json.loads(read_bounded(self.folder / INDEX, _INDEX_LIMIT_BYTES))
            if data.get("format") != _FORMAT:
                raise CorruptData("another format")
            index = from_json(StoreIndex, data["store"])
        except FileNotFoundError:
            return StoreIndex()
        except (
            OSError,
            ValueError,
            LookupError,
            AttributeError,
            CorruptData,
            RecursionError,
        ) as error:
            raise PluginError(
                f"The plugin store's list {self.folder / INDEX} cannot be read.",
                hint="Put it back from a backup, or remove the folder and install the plugins anew.",
            ) from error
        self._check_path()
        return index

    def installed(self, stored: StoredPlugin) -> Installed:
        """Return one distribution as discovery reads it. Raises PluginError if it is not what was installed."""
        site = self.item(stored) / _SITE
        infos = [*site.glob("*.dist-info")]
        found = read_installed(infos[0]) if len(infos) == 1 else None
        if found is None or _sha256(found.info / "RECORD") != stored.record:
            raise PluginError(
                f"{stored.name} {stored.version} in the plugin store is not what was installed.",
                hint=f"Remove it and install it anew: deskmate plugin remove {stored.name}",
            )
        return replace(found, origin="store")

    def wheels(self, stored: StoredPlugin) -> Mapping[str, str]:
        """Return its guest packages: absolute file → sha256."""
        folder = self.item(stored) / _WHEELS
        return {str(folder / name): sha256 for name, sha256 in stored.guest.items()}

    def item(self, stored: StoredPlugin | StoredForeign) -> Path:
        """Return the folder of one of the store. Raises PluginError where its list is damaged."""
        if stored.folder != Path(stored.folder).name or stored.folder.startswith("."):
            raise PluginError(f"The plugin store's list names the folder {stored.folder!r}.")
        return self.folder / _ITEMS / stored.folder

    def overlay(self, name: str) -> Path:
        """Return the folder of the user's own files for a foreign plugin; it may not be there."""
        return self.folder / _OVERLAYS / name

    def _check_path(self) -> None:
        """The promise that nothing of the store is imported on the host."""
        own = self.folder.resolve()
        for entry in sys.path:
            if Path(entry).resolve().is_relative_to(own):
                raise PluginError(
                    f"{entry} of the plugin store is on Python's path, so its code could run here.",
                    hint="Take it out of PYTHONPATH.",
                )

    @contextmanager
    def changing(self) -> Iterator[StoreChange]:
        """Give the store to this process alone; what is not committed at the end is gone."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with folder_lock(self.folder, "changing", _LOCK_DEADLINE_S):
            self._sweep()
            staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self.folder))
            try:
                yield StoreChange(self, self.index(), staging)
            finally:
                self._sweep()

    def _sweep(self) -> None:
        """Remove what no list names: of a process that was killed, or of a version that was replaced."""
        for left in self.folder.glob(".staging-*"):
            shutil.rmtree(left, ignore_errors=True)
        index = self.index()
        kept = {stored.folder for stored in index.plugins} | {one.folder for one in index.foreign}
        kept |= {stored.folder for stored in index.previous.values()}
        items = self.folder / _ITEMS
        for item in items.iterdir() if items.is_dir() else ():
            if item.name not in kept:
                shutil.rmtree(item, ignore_errors=True)

    def write(self, index: StoreIndex) -> None:
        """Make this the list, in one step."""
        part = self.folder / f"{INDEX}.part"
        content = json.dumps({"format": _FORMAT, "store": to_json(index)}, indent=1, sort_keys=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(content + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / INDEX)
        _sync_folder(self.folder)


class StoreChange:
    """A change under way: put what is new into `staging`, then commit."""

    def __init__(self, store: PluginStore, before: StoreIndex, staging: Path) -> None:
        """`staging`: an empty folder on the store's file system."""
        self._store, self.before, self.staging = store, before, staging

    def site(self, number: int) -> Path:
        """Return the folder for the unpacked wheel of one distribution."""
        return self._made(number, _SITE)

    def wheels(self, number: int) -> Path:
        """Return the folder for its guest packages."""
        return self._made(number, _WHEELS)

    def folder(self, number: int) -> Path:
        """Return the folder for one foreign plugin."""
        return self._made(number, "")

    def _made(self, number: int, part: str) -> Path:
        folder = self.staging / f"item-{number}" / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def install(self, new: Mapping[int, StoredPlugin]) -> None:
        """Make number → distribution, laid out in `site(number)` and `wheels(number)`, installed: all or none."""
        items = self._store.folder / _ITEMS
        items.mkdir(exist_ok=True)
        for number, stored in new.items():
            _sync_tree(self.staging / f"item-{number}")
            (self.staging / f"item-{number}").rename(items / stored.folder)
        _sync_folder(items)
        names = {normalise(stored.name) for stored in new.values()}
        kept = [old for old in self.before.plugins if normalise(old.name) not in names]
        seen = {f"{normalise(one.name)}=={one.version}": one.sha256 for one in new.values()}
        plugins = tuple(sorted((*kept, *new.values()), key=lambda stored: normalise(stored.name)))
        replaced = {
            normalise(old.name): old
            for old in self.before.plugins
            if normalise(old.name) in names
            and old.folder not in {one.folder for one in new.values()}
        }
        self._store.write(
            replace(
                self.before,
                plugins=plugins,
                seen={**self.before.seen, **seen},
                previous={**self.before.previous, **replaced},
            )
        )

    def roll_back(self, now: StoredPlugin, to: StoredPlugin) -> None:
        """Put the previous version in the place of the present one, which becomes the previous one."""
        kept = [stored for stored in self.before.plugins if stored != now]
        plugins = tuple(sorted((*kept, to), key=lambda stored: normalise(stored.name)))
        previous = {**self.before.previous, normalise(now.name): now}
        self._store.write(replace(self.before, plugins=plugins, previous=previous))

    def bring(self, new: Mapping[int, StoredForeign]) -> None:
        """Make number → foreign plugin, laid out in `folder(number)`, the one of its name: all or none."""
        items = self._store.folder / _ITEMS
        items.mkdir(exist_ok=True)
        for number, stored in new.items():
            target = items / stored.folder
            if not target.exists():  # the same content was there before
                _sync_tree(self.staging / f"item-{number}")
                (self.staging / f"item-{number}").rename(target)
            self._store.overlay(stored.name).mkdir(parents=True, exist_ok=True)
        _sync_folder(items)
        names = {stored.name for stored in new.values()}
        kept = [old for old in self.before.foreign if old.name not in names]
        foreign = tuple(sorted((*kept, *new.values()), key=lambda stored: stored.name))
        self._store.write(replace(self.before, foreign=foreign))

    def drop(self, gone: StoredForeign) -> None:
        """Take a foreign plugin out; the user's overlay stays."""
        kept = tuple(stored for stored in self.before.foreign if stored != gone)
        self._store.write(replace(self.before, foreign=kept))

    def remove(self, gone: StoredPlugin) -> None:
        """Take one distribution out, with its previous version; what its versions were is remembered."""
        kept = tuple(stored for stored in self.before.plugins if stored != gone)
        name = normalise(gone.name)
        previous = {key: old for key, old in self.before.previous.items() if key != name}
        self._store.write(replace(self.before, plugins=kept, previous=previous))


def record_digest(info: Path) -> str:
    """Return the sha256 of a dist-info's RECORD."""
    return _sha256(info / "RECORD")


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(read_bounded(file)).hexdigest()
    except OSError:
        return ""


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_tree(folder: Path) -> None:
    found = [*os.walk(folder)]
    if sum(len(names) for _, _, names in found) > _FEW_FILES:
        os.sync()  # one by one, thousands of files take minutes on some disks
        return
    for path, _, names in found:
        for name in names:
            with (Path(path) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(path))
