"""The lock: exactly which plugins, files and permissions a set is made of, and the set's digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deskmate import __version__
from deskmate.types.codec import to_json
from deskmate.types.ids import Digest
from deskmate.types.registry import InstalledPlugin, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPlugin:
    """One plugin of a set.

    `root`: its import root in the layer, `lib` or `plugins/<name>`. `files`: path in the layer →
    sha256. `wheels`: `name==version sha256` of what its `[guest] packages` brought.
    """

    name: str
    distribution: str
    version: str
    package: str
    order: int
    root: str
    files: Mapping[str, Digest]
    permissions: Mapping[str, Any]
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A set of plugins, in order. `digest`: sha256 of its canonical JSON."""

    plugins: tuple[LockedPlugin, ...]
    digest: Digest


def lock_plugin(
    plugin: InstalledPlugin, root: str, files: Mapping[str, Digest], wheels: Sequence[str] = ()
) -> LockedPlugin:
    """Return the lock of one plugin whose files (path in the layer → sha256) were read."""
    return LockedPlugin(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        package=plugin.package,
        order=plugin.manifest.order,
        root=root,
        files=dict(sorted(files.items())),
        permissions=permissions(plugin.manifest),
        wheels=tuple(sorted(wheels)),
    )


def make_lock(plugins: Sequence[LockedPlugin]) -> Lock:
    """Return the lock of a set. The same set of the same files has the same digest everywhere."""
    content = {"format": 1, "deskmate": __version__, "plugins": to_json(tuple(plugins))}
    return Lock(
        plugins=tuple(plugins), digest=Digest(hashlib.sha256(canonical(content)).hexdigest())
    )


def permissions(manifest: Manifest) -> Mapping[str, Any]:
    """Return what the user agrees to at enable time; any widening of it asks again."""
    named = to_json(manifest)
    kept = ("tools", "hosts", "secrets", "connectors", "memory_mib", "timeout_s", "data_classes")
    return {key: named[key] for key in kept if key in named}


def guest_lock(lock: Lock, code: Digest) -> bytes:
    """Return lock.json as the guest reads it (docs/reference/guest-protocol.md).

    `code`: digest of Deskmate's own files in the layer.
    """
    keys = ("name", "package", "version", "order", "root")
    # what has no code of ours gets no process, and may have any name
    own = (plugin for plugin in lock.plugins if plugin.package)
    rows = [{key: getattr(plugin, key) for key in keys} for plugin in own]
    return canonical({"plugins": rows, "lock": lock.digest, "code": code}) + b"\n"


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces, as UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
