"""What an organisation allows on this machine: a file of the administrator's, which users cannot widen."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from deskmate.errors import ConfigError, UserError
from deskmate.types.files import Grant
from deskmate.types.network import NetworkRule

FILE = Path("/etc/deskmate/organisation.toml")
OWNER = 0
"""Whose file it must be: who can change it can widen it."""
_HINT = "Ask whoever administers this machine."
_SHAPE: Mapping[str, frozenset[str]] = {
    "plugins": frozenset({"allow"}),
    "models": frozenset({"allow", "servers"}),
    "hosts": frozenset({"allow"}),
    "connectors": frozenset({"allow"}),
    "hooks": frozenset({"allow"}),
    "folders": frozenset({"modes"}),
    "apply": frozenset({"modes"}),
}
Patterns = tuple[str, ...] | None
"""What is allowed, by pattern; None: anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """What is allowed; None everywhere where there is no file.

    `plugins`: names. `models`: names as `--model` takes them, such as `sonnet` or `local:*`. `servers`: hosts that models are
    reached at. `hosts`: that a virtual machine may be let reach. `connectors`: addresses of servers. `hooks`: plugins whose
    commands may run at moments of a thread. `folders`, `apply`: modes.
    """

    plugins: Patterns = None
    models: Patterns = None
    servers: Patterns = None
    hosts: Patterns = None
    connectors: Patterns = None
    hooks: Patterns = None
    folders: Patterns = None
    apply: Patterns = None

    def check_plugins(self, names: Iterable[str]) -> None:
        """Raise UserError if one of these may not be enabled."""
        for name in names:
            _check(self.plugins, name, f"the plugin {name}")

    def check_model(self, name: str, servers: Iterable[str]) -> None:
        """Raise UserError if this model, or a server that it is asked at, may not be used."""
        _check(self.models, name, f"the model {name}")
        for server in servers:
            _check(self.servers, server, f"models at {server}")

    def check_hosts(self, rules: Iterable[NetworkRule]) -> None:
        """Raise UserError if one of these may not be reached."""
        for rule in rules:
            _check(self.hosts, rule.host, f"requests to {rule.host}")

    def within(self, rules: Sequence[NetworkRule]) -> tuple[NetworkRule, ...]:
        """Return those rules that are allowed."""
        return tuple(rule for rule in rules if _fits(self.hosts, rule.host))

    @property
    def lets_read_pages(self) -> bool:
        """Say whether pages may be read at hosts that nobody named beforehand."""
        return self.hosts is None

    def check_connector(self, url: str) -> None:
        """Raise UserError if a connector's server may not be used."""
        _check(self.connectors, url, f"connectors at {url}")

    def check_hooks(self, plugin: str) -> None:
        """Raise UserError if the hooks of a plugin may not run."""
        _check(self.hooks, plugin, f"hooks of the plugin {plugin}")

    def lets_hooks(self, plugin: str) -> bool:
        """Say whether the hooks of a plugin may run, once the user allowed them."""
        return _fits(self.hooks, plugin)

    def check_folders(self, grants: Iterable[Grant]) -> None:
        """Raise UserError if a folder is granted in a mode that is not allowed."""
        for grant in grants:
            _check(self.folders, grant.mode, f"folders in the mode {grant.mode} ({grant.folder})")

    def check_apply(self, mode: str) -> None:
        """Raise UserError if changes may not be written in this mode."""
        _check(self.apply, mode, f"--apply {mode}")

    @property
    def lines(self) -> tuple[str, ...]:
        """What holds, a line each; () if nothing is forbidden."""
        shown = {
            "plugins": self.plugins, "models": self.models, "model servers": self.servers, "hosts": self.hosts,
            "connectors": self.connectors, "hooks": self.hooks, "folder modes": self.folders, "apply modes": self.apply,
        }  # fmt: skip
        return tuple(
            f"{name}: {', '.join(allowed) or 'none'}"
            for name, allowed in shown.items()
            if allowed is not None
        )


def read_organisation(file: Path | None = None) -> Organisation:
    """Return what the administrator's file allows; without the file nothing is forbidden.

    Raises ConfigError if the file cannot be read, is not what it should be, or could be changed by others than its owner:
    then nothing is allowed rather than too much.
    """
    path = file or FILE
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            text = stream.read().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Organisation()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", hint=_HINT) from error
    if status.st_uid != OWNER or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path} could be changed by others than the administrator, so it allows nothing.",
            hint="As root: chown root and chmod 644 for the file.",
        )
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", hint=_HINT) from error
    return _parsed(path, data)


def _parsed(path: Path, data: Mapping[str, Any]) -> Organisation:
    found: dict[str, Patterns] = {}
    for table, keys in data.items():
        if table not in _SHAPE or not isinstance(keys, dict) or set(keys) - _SHAPE[table]:
            known = ", ".join(
                f"[{name}] {' '.join(sorted(words))}" for name, words in _SHAPE.items()
            )
            raise ConfigError(
                f"{path}: there is no such setting in [{table}].", hint=f"Known are: {known}."
            )
        for key, values in keys.items():
            if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
                raise ConfigError(f"{path}: {key} of [{table}] is no list of texts.", hint=_HINT)
            found["servers" if key == "servers" else table] = tuple(values)
    return Organisation(**found)


def _fits(allowed: Patterns, value: str) -> bool:
    return allowed is None or any(fnmatchcase(value, pattern) for pattern in allowed)


def _check(allowed: Patterns, value: str, what: str) -> None:
    if not _fits(allowed, value):
        listed = ", ".join(allowed or ()) or "none"
        raise UserError(f"Your organisation does not allow {what}; allowed: {listed}.", hint=_HINT)
