"""The model settings of the user's `config.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deskmate.errors import ConfigError


def read_settings(folder: Path) -> Mapping[str, Any]:
    """Return the settings in `folder`'s `config.toml`; without the file there are none.

    Raises ConfigError if it cannot be read.
    """
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
