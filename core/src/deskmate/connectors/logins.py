"""Logins of connectors: tokens in the vault, what is no secret of them in a file beside the connector."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deskmate.connectors.vault import Vault
from deskmate.errors import ConfigError
from deskmate.protocol.oauth import Login
from deskmate.types.connectors import ConnectorEntry

ACCESS, REFRESH, CLIENT = "ACCESS_TOKEN", "REFRESH_TOKEN", "CLIENT_SECRET"
_SECRET = {"access_token": ACCESS, "refresh_token": REFRESH}
_FILE_LIMIT = 1 << 20


class Logins:
    """The logins of this user."""

    def __init__(self, config: Path, vault: Vault) -> None:
        """`config`: the folder of the user's settings."""
        self._folder, self._vault = config / "connectors", vault

    def get(self, entry: ConnectorEntry) -> Login:
        """Return a connector's login, an empty one without. Raises ConfigError."""
        known = self._read(entry.name)
        token, client = dict(known.get("token", {})), dict(known.get("client", {}))
        for word, name in _SECRET.items():
            if value := self._vault.get(entry.owner, name):
                token[word] = value
        if value := self._vault.get(entry.owner, CLIENT):
            client["client_secret"] = value
        if "access_token" not in token:
            token = {}
        return Login(
            token=token,
            client=client,
            server=known.get("server", {}),
            expires_at=known.get("expires_at"),
            wants=str(known.get("wants", "")),
        )

    def keep(self, entry: ConnectorEntry, login: Login) -> None:
        """Keep a login. Raises UserError for a token that is no text to be kept, ConfigError."""
        for word, name in _SECRET.items():
            if value := login.token.get(word):
                self._vault.set(entry.owner, name, str(value))
            else:
                self._vault.remove(entry.owner, name)
        if secret := login.client.get("client_secret"):
            self._vault.set(entry.owner, CLIENT, str(secret))
        self._write(
            entry.name,
            {
                "token": {key: value for key, value in login.token.items() if key not in _SECRET},
                "client": {
                    key: value for key, value in login.client.items() if key != "client_secret"
                },
                "server": dict(login.server),
                "expires_at": login.expires_at,
                "wants": login.wants,
            },
        )

    def forget(self, entry: ConnectorEntry) -> None:
        """Forget a login."""
        self._path(entry.name).unlink(missing_ok=True)
        for name in (ACCESS, REFRESH, CLIENT):
            self._vault.remove(entry.owner, name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.login.json"

    def _read(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(_FILE_LIMIT))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(
                f"{path} cannot be read.", hint="Move it away and log in again."
            ) from error
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, known: Mapping[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f".{name}.login.{os.getpid()}"
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(dict(known), file, sort_keys=True, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path(name))


def secrets_of(login: Login) -> dict[str, str]:
    """Return the values of a login that must be found nowhere, by the names that people know them by."""
    found = {
        name: str(login.token[word]) for word, name in _SECRET.items() if login.token.get(word)
    }
    if secret := login.client.get("client_secret"):
        found[CLIENT] = str(secret)
    return found


def token_place(login: Login) -> str:
    """Return the address that tokens are renewed at, "" where that is not known."""
    address = str(login.server.get("token_endpoint", ""))
    parts = urlsplit(address)
    return address if parts.scheme in ("http", "https") and parts.hostname else ""
