"""The user's secrets on this machine: in the system's keyring, else sealed in a file that only the user may read.

They are read here and put into requests by the broker. Nothing of them goes into a machine or a log.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from deskmate.connectors.redaction import SHORTEST
from deskmate.connectors.sealed import FileKey
from deskmate.errors import ConfigError, UserError

SERVICE = "deskmate"
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PLUGIN = re.compile(r"(?:(?:connector|deskmate)\.)?[a-z][a-z0-9_-]{0,63}")
"""A plugin, or what is none: a connector's owner, and Deskmate's own, have a dot so that no plugin can have the name."""
_LIMIT = 16_384


class Keyring(Protocol):
    """What of the `keyring` package's backends is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return a value."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a value."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget a value."""


class Vault:
    """Secrets by plugin and name. The file lists all names, and holds the values, sealed, without a keyring."""

    def __init__(self, folder: Path, keyring: Keyring | None) -> None:
        """`folder`: of the user's settings. `keyring`: None where this machine has none."""
        self._file = folder / "secrets.json"
        self._keyring = keyring
        self._key = FileKey(folder)

    @property
    def place(self) -> str:
        """Where values are kept, in words."""
        if self._keyring is not None:
            return "the system's keyring"
        return (
            f"{self._file}, sealed with the key in {self._key.file.name} beside it, both readable by you alone (this machine "
            "has no keyring): a copy of one without the other is worth nothing, but who can read your files can read both"
        )

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return (plugin, name) of every secret, sorted."""
        found = []
        for key in sorted(self._read()):
            plugin, _, name = key.partition("/")
            found.append((plugin, name))
        return tuple(found)

    def get(self, plugin: str, name: str) -> str | None:
        """Return a secret, None if there is none. Raises ConfigError if the keyring refuses."""
        key = f"{plugin}/{name}"
        entry = self._read().get(key)
        if entry is None or "value" in entry:  # as it was kept before there were seals
            return entry["value"] if entry else None
        if "sealed" in entry:
            return self._key.open(key, entry["sealed"])
        if self._keyring is None:
            raise ConfigError(
                f"The secret {key} is in a keyring that cannot be reached.",
                hint=f"Unlock it, or set the secret again: deskmate secret set {plugin} {name}",
            )
        value: str | None = self._asked(lambda ring: ring.get_password(SERVICE, key))
        return value

    def set(self, plugin: str, name: str, value: str) -> None:
        """Keep a secret. Raises UserError for a name or a value that cannot be one, ConfigError."""
        key = _key(plugin, name)
        if not SHORTEST <= len(value) <= _LIMIT or not value.isprintable() or not value.isascii():
            raise UserError(
                f"The value is no secret that can be sent: it needs {SHORTEST} to {_LIMIT} plain characters.",
                hint="Paste it once more, without line breaks.",
            )
        entries = self._read()
        if self._keyring is not None:
            self._asked(lambda ring: ring.set_password(SERVICE, key, value))
            entries[key] = {}
        else:
            entries[key] = {"sealed": self._key.seal(key, value)}
        self._write(entries)

    def remove(self, plugin: str, name: str) -> bool:
        """Forget a secret; say whether there was one. Raises ConfigError if the keyring refuses."""
        key = f"{plugin}/{name}"
        entries = self._read()
        entry = entries.pop(key, None)
        if entry is None:
            return False
        if not entry.keys() & {"value", "sealed"} and self._keyring is not None:
            self._asked(lambda ring: ring.delete_password(SERVICE, key))
        self._write(entries)
        return True

    def seal_plain(self) -> int:
        """Seal what an earlier version kept in clear, and return how many that were. Raises ConfigError, OSError."""
        entries = self._read()
        plain = {key: entry["value"] for key, entry in entries.items() if "value" in entry}
        if plain:
            self._write(
                {
                    **entries,
                    **{key: {"sealed": self._key.seal(key, value)} for key, value in plain.items()},
                }
            )
        return len(plain)

    def values(self) -> Mapping[tuple[str, str], str]:
        """Return all secrets that can be read now."""
        found = {}
        for plugin, name in self.names():
            try:
                value = self.get(plugin, name)
            except ConfigError:
                continue
            if value is not None:
                found[plugin, name] = value
        return found

    def _asked(self, question: Any) -> Any:
        from keyring.errors import KeyringError  # noqa: PLC0415 - heavy

        try:
            return question(self._keyring)
        except KeyringError as error:
            raise ConfigError(
                f"The system's keyring refuses: {type(error).__name__}.", hint="Unlock it first."
            ) from error

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            text = self._file.read_text("utf-8")
        except FileNotFoundError:
            return {}
        try:
            entries = json.loads(text)["secrets"]
            return {str(key): dict(entry) for key, entry in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{self._file} cannot be read.", hint="Move it away and set the secrets again."
            ) from error

    def _write(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_name(f".secrets.{os.getpid()}")
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump({"secrets": entries}, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)


def open_vault(folder: Path, *, to_read: bool = False) -> Vault:
    """Return the vault of this user, with the system's keyring where there is one that works.

    `to_read`: nothing will be kept; where nothing is kept yet, no keyring is looked for.
    """
    if (folder / "secrets.json").exists():
        Vault(folder, None).seal_plain()
    elif to_read:
        return Vault(folder, None)
    import keyring  # noqa: PLC0415 - heavy
    from keyring.backends import fail, null  # noqa: PLC0415

    ring = keyring.get_keyring()
    usable = not isinstance(ring, fail.Keyring | null.Keyring)
    return Vault(folder, ring if usable else None)


def _key(plugin: str, name: str) -> str:
    if not _PLUGIN.fullmatch(plugin) or not _NAME.fullmatch(name):
        raise UserError(
            f"{plugin}/{name} is no name of a secret.",
            hint="deskmate secret set PLUGIN NAME, as the plugin's manifest names it: API_KEY",
        )
    return f"{plugin}/{name}"
