"""The user's connectors on this machine: one file each, so that two processes never write over each other's."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from deskmate.errors import ConfigError, CorruptData, UserError
from deskmate.types.codec import from_json, to_json
from deskmate.types.connectors import ConnectorEntry

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NAME_LIMIT = 24
RESERVED = frozenset({"deskmate", "network", "office", "skill", "workspace", "connector"})
"""Names that tools, requests and secrets of Deskmate's own go by."""
_FILE_LIMIT = 8 << 20


class Book:
    """Connectors by name."""

    def __init__(self, config: Path) -> None:
        """`config`: the folder of the user's settings."""
        self._folder = config / "connectors"

    def names(self) -> tuple[str, ...]:
        """Return the names of all, sorted."""
        if not self._folder.is_dir():
            return ()
        found = (path.stem for path in self._folder.glob("*.json"))
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    def all(self) -> tuple[ConnectorEntry, ...]:
        """Return all connectors by name. Raises ConfigError if a file cannot be read."""
        return tuple(self.get(name) for name in self.names())

    def find(self, name: str) -> ConnectorEntry | None:
        """Return a connector, None if there is none. Raises ConfigError if its file cannot be read."""
        path = self._path(name)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                data = file.read(_FILE_LIMIT + 1)
            if len(data) > _FILE_LIMIT:
                raise CorruptData("larger than 8 MiB")
            entry = from_json(ConnectorEntry, json.loads(data))
        except FileNotFoundError:
            return None
        except (ValueError, CorruptData) as error:
            hint = f"Move it away and add the connector again: deskmate connector add {name}"
            raise ConfigError(f"{path} cannot be read.", hint=hint) from error
        if entry.name != name:
            raise ConfigError(f"{path} is of another connector.", hint="Move it away.")
        return entry

    def get(self, name: str) -> ConnectorEntry:
        """Return a connector. Raises UserError if there is none."""
        entry = self.find(name)
        if entry is None:
            known = ", ".join(self.names()) or "none yet"
            raise UserError(
                f"There is no connector {name!r}.",
                hint=f"Connectors: {known}. Add one: deskmate connector add NAME URL",
            )
        return entry

    def save(self, entry: ConnectorEntry) -> None:
        """Keep a connector, durably, in place of the one of its name."""
        check_name(entry.name)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._folder / f".{entry.name}.{os.getpid()}"
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(to_json(entry), file, ensure_ascii=False, sort_keys=True, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / f"{entry.name}.json")

    def remove(self, name: str) -> bool:
        """Forget a connector; say whether there was one."""
        path = self._path(name)
        if path is None or not path.exists():
            return False
        path.unlink()
        return True

    def _path(self, name: str) -> Path | None:
        if not NAME.fullmatch(name) or len(name) > NAME_LIMIT:
            return None
        return self._folder / f"{name}.json"


def check_name(name: str) -> None:
    """Raise UserError for what cannot be a connector's name."""
    if not NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise UserError(
            f"{name!r} cannot be a connector's name.",
            hint=f"Use up to {NAME_LIMIT} small letters and digits, parted by single hyphens: our-crm",
        )
    if name in RESERVED:
        raise UserError(
            f"The name {name} is Deskmate's own.", hint="Choose another, such as my-crm."
        )
