"""What the user agreed to for each plugin, and what a newer version wants beyond it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deskmate.discovery.installed import is_built_in
from deskmate.discovery.lock import canonical, permissions
from deskmate.discovery.metadata import normalise, read_bounded
from deskmate.errors import DeskmateError, PluginError
from deskmate.types.ids import Digest
from deskmate.types.registry import InstalledPlugin

FILE = "accepted.json"
_FORMAT = 1
_RISKS = ("read", "write", "send")
_ROOMS = {"memory_mib": (384, "MiB of memory"), "timeout_s": (120, "seconds a call")}


class Consents:
    """The user's answers, one file. What cannot be read counts as no answer."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the plugin store."""
        self._file = folder / FILE

    def missing(self, plugin: InstalledPlugin) -> tuple[str, ...]:
        """Return in words what the plugin wants that the user never agreed to, empty if nothing.

        Who was never asked agrees, by naming a plugin, to what stays in the virtual machine.
        """
        if is_built_in(plugin):
            return ()
        now = permissions(plugin.manifest)
        before = self._accepted(plugin)
        return tuple(beyond_the_machine(now) if before is None else widening(before, now))

    def accept(self, plugins: Sequence[InstalledPlugin]) -> None:
        """Remember that the user agrees to what these plugins want now."""
        known = self._read()
        new = {
            plugin.name: {
                "distribution": normalise(plugin.distribution),
                "version": plugin.version,
                "permissions": permissions(plugin.manifest),
            }
            for plugin in plugins
            if not is_built_in(plugin)
        }
        if all(known.get(name) == entry for name, entry in new.items()):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_name(f"{FILE}.{os.getpid()}")
        content = {"format": _FORMAT, "accepted": {**known, **new}}
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)

    def _accepted(self, plugin: InstalledPlugin) -> Mapping[str, Any] | None:
        entry = self._read().get(plugin.name)
        if not isinstance(entry, dict):
            return None
        if entry.get("distribution") != normalise(plugin.distribution):
            return {}  # another one under the same name: all that it wants is new
        found = entry.get("permissions")
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(read_bounded(self._file))
            found = data["accepted"] if data["format"] == _FORMAT else {}
        except (OSError, ValueError, LookupError, TypeError, RecursionError, DeskmateError):
            return {}
        return found if isinstance(found, dict) else {}


def permissions_digest(plugin: InstalledPlugin) -> Digest:
    """Return the digest of what a plugin may do, for a thread's record."""
    return Digest(hashlib.sha256(canonical(permissions(plugin.manifest))).hexdigest())


def check_consent(plugins: Sequence[InstalledPlugin], consents: Consents) -> None:
    """Remember plugins that stay in the virtual machine; refuse those that want what nobody agreed to.

    Raises:
        PluginError: the hint names the command that asks.
    """
    for plugin in plugins:
        if wanted := consents.missing(plugin):
            raise PluginError(
                f"Plugin {plugin.name} {plugin.version} wants what you have not agreed to: "
                f"{'; '.join(wanted)}.",
                hint=f"See deskmate plugin show {plugin.name}; agree with deskmate plugin enable "
                f"{plugin.name}",
            )
    consents.accept(plugins)


def beyond_the_machine(wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of permissions reaches out of the virtual machine."""
    inside = {
        "tools": {n: "write" for n, risk in wanted.get("tools", {}).items() if risk != "send"},
        **{
            key: wanted[key] for key in ("memory_mib", "timeout_s", "data_classes") if key in wanted
        },
    }
    yield from widening(inside, wanted)


def widening(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield, in words, what `now` allows that `before` does not."""
    yield from _tools(before.get("tools", {}), now.get("tools", {}))
    hosts = {rule["host"]: set(_methods(rule)) for rule in before.get("hosts", ())}
    for rule in now.get("hosts", ()):
        if new := [m for m in _methods(rule) if m not in hosts.get(rule["host"], set())]:
            yield f"to reach {rule['host']} ({', '.join(new)})"
    secrets = {(s["name"], host) for s in before.get("secrets", ()) for host in s["send_to"]}
    for secret in now.get("secrets", ()):
        if new := [host for host in secret["send_to"] if (secret["name"], host) not in secrets]:
            yield f"your secret {secret['name']} sent to {', '.join(new)}"
    for key, word in (("connectors", "connectors to"), ("data_classes", "data of the class")):
        if new := [item for item in now.get(key, ()) if item not in before.get(key, ())]:
            yield f"{word} {', '.join(new)}"
    for key, (default, unit) in _ROOMS.items():
        if now.get(key, default) > before.get(key, default):
            yield f"{now[key]} {unit}"


def _tools(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name, risk in now.items():
        old = before.get(name)
        if old not in _RISKS or _RISKS.index(risk) > _RISKS.index(old):
            yield f"the tool {name} ({risk})"


def _methods(rule: Mapping[str, Any]) -> Sequence[str]:
    found: Sequence[str] = rule.get("methods", ("GET", "HEAD"))
    return found
