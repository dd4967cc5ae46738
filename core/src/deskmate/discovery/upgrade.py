"""What a newer version of a plugin changes, going back to the one before, and a list of exactly what is installed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.discovery.consent import permissions_digest, widening
from deskmate.discovery.installed import Catalogue, is_built_in, read_plugin
from deskmate.discovery.lock import permissions
from deskmate.discovery.manifest_cache import ManifestCache
from deskmate.discovery.metadata import normalise, read_bounded
from deskmate.discovery.plugin_store import PluginStore, StoredPlugin
from deskmate.discovery.revocation import Revocations
from deskmate.errors import DeskmateError, PluginError
from deskmate.types.registry import InstalledPlugin

LOCK_FORMAT = 1
_TEXTS = (".md", ".toml")
_TEXT_LIMIT_BYTES = 256 * 1024
_LINES_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What of a plugin differs from its previous version. `more`, `less`: permissions in words. `texts`: as a diff."""

    plugin: str
    before: str
    now: str
    more: tuple[str, ...]
    less: tuple[str, ...]
    files: tuple[str, ...]
    texts: tuple[str, ...]


def upgrades_of(stored: StoredPlugin, store: PluginStore) -> tuple[Upgrade, ...]:
    """Return, for each plugin of a distribution, what differs from the version before; empty where none is kept.

    Raises PluginError if one of the two is not what was installed.
    """
    old = store.index().previous.get(normalise(stored.name))
    if old is None:
        return ()
    now, before = _plugins(stored, store), _plugins(old, store)
    return tuple(_upgrade(before.get(name), plugin, old) for name, plugin in now.items())


def roll_back(name: str, store: PluginStore) -> tuple[StoredPlugin, StoredPlugin]:
    """Put the version before in the place of the present one; return both, the one that is used now first.

    Raises PluginError if there is none, or it was changed or revoked since.
    """
    with store.changing() as change:
        now = change.before.get(name)
        if now is None:
            raise PluginError(
                f"There is no {name!r} in the plugin store.", hint="deskmate plugin list"
            )
        old = change.before.previous.get(normalise(now.name))
        if old is None:
            raise PluginError(
                f"No version before {now.name} {now.version} is kept.",
                hint="One is kept from an upgrade on, until the plugin is removed.",
            )
        _plugins(old, store)
        Revocations(store.folder).check(old.name, old.version, old.sha256)
        change.roll_back(now, old)
    return old, now


def lock_of(catalogue: Catalogue, store: PluginStore) -> dict[str, Any]:
    """Return exactly which plugins are installed: versions, digests, what each may do. Those of Deskmate are left out."""
    index = store.index()
    rows = {}
    for plugin in catalogue.plugins:
        if is_built_in(plugin):
            continue
        stored = index.get(plugin.name) if plugin.origin == "store" else None
        rows[plugin.name] = {
            "distribution": normalise(plugin.distribution),
            "version": plugin.version,
            "origin": plugin.origin,
            "sha256": stored.sha256 if stored else "",
            "guest": dict(stored.guest) if stored else {},
            "permissions": permissions_digest(plugin),
        }
    return {"format": LOCK_FORMAT, "plugins": rows}


def lock_differences(locked: Any, now: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words how what is installed differs from a lock. Raises PluginError if it is none."""
    try:
        rows = dict(locked["plugins"]) if locked["format"] == LOCK_FORMAT else None
        if rows is None or not all(isinstance(row, dict) for row in rows.values()):
            raise TypeError
    except (TypeError, KeyError, ValueError) as error:
        raise PluginError(
            "That is no lock of plugins.", hint="deskmate plugin lock --out FILE"
        ) from error
    there = now["plugins"]
    for name in sorted({*rows, *there}):
        if name not in there:
            yield f"{name} {rows[name].get('version')} is not installed"
        elif name not in rows:
            yield f"{name} {there[name]['version']} is installed, and not in the lock"
        else:
            for key, value in there[name].items():
                if rows[name].get(key) != value:
                    yield f"{name}: {key} is {value}, the lock has {rows[name].get(key)}"


def _plugins(stored: StoredPlugin, store: PluginStore) -> Mapping[str, InstalledPlugin]:
    installed = store.installed(stored)
    return {
        name: read_plugin(installed, name, package, (), ManifestCache(None))
        for name, package in installed.plugins
    }


def _upgrade(before: InstalledPlugin | None, now: InstalledPlugin, old: StoredPlugin) -> Upgrade:
    wanted = permissions(now.manifest)
    had = permissions(before.manifest) if before else {}
    old_files = {
        path: real for path, real in (before.files if before else {}).items() if _own(path)
    }
    new_files = {path: real for path, real in now.files.items() if _own(path)}
    files, texts = [], list[str]()
    for path in sorted({*old_files, *new_files}):
        one, other = _content(old_files.get(path)), _content(new_files.get(path))
        if one == other:
            continue
        files.append(path if one and other else f"{path} ({'new' if other else 'gone'})")
        if path.endswith(_TEXTS):
            texts.extend(_diff(path, one, other))
    return Upgrade(
        plugin=now.name,
        before=old.version,
        now=now.version,
        more=tuple(widening(had, wanted)),
        less=tuple(widening(wanted, had)),
        files=tuple(files),
        texts=tuple(texts[:_LINES_LIMIT]),
    )


def _own(path: str) -> bool:
    return ".dist-info/" not in path


def _content(real: str | None) -> bytes:
    if real is None:
        return b""
    try:
        return read_bounded(Path(real), 64 << 20)
    except (OSError, DeskmateError) as error:
        raise PluginError(f"{real} cannot be read: {error}") from error


def _diff(path: str, one: bytes, other: bytes) -> Iterator[str]:
    if len(one) + len(other) > _TEXT_LIMIT_BYTES:
        yield f"{path}: too large to be compared line by line"
        return
    before, now = (content.decode("utf-8", "replace").splitlines() for content in (one, other))
    names = (f"before/{path}", f"now/{path}")
    yield from difflib.unified_diff(before, now, *names, lineterm="", n=1)
