"""The model settings of the user's `config.toml`, and what a button chose."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deskmate.errors import ConfigError

CHOICE = "model.json"
"""What was chosen by a button: a file of its own, since the other one is written by hand and has its comments."""


def read_settings(folder: Path) -> Mapping[str, Any]:
    """Return the settings in `folder`: of its `config.toml`, and below them what a button chose; none without files.

    Raises ConfigError if one cannot be read.
    """
    return {**_read_choice(folder / CHOICE), **read_own(folder)}


def read_own(folder: Path) -> Mapping[str, Any]:
    """Return what the user wrote into `config.toml`. Raises ConfigError if it cannot be read."""
    path = folder / "config.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", hint="Mend or remove it."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", hint="Mend or remove it.") from error


def _read_choice(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_bytes())
        return {name: str(found[name]) for name in ("model", "model_url") if name in found}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read.", hint="Remove it, and choose the model again."
        ) from error
