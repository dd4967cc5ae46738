"""Which pool a command is about: its options, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deskmate.errors import UserError


def pool_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--engine` and `--store` to a command."""
    engine = click.option(
        "--engine",
        envvar="DESKMATE_ENGINE",
        metavar="URL",
        callback=_no_password,
        help="The pool's database: postgresql://USER@HOST/NAME, or sqlite:////FOLDER/pool.db on one machine.",
    )
    store = click.option(
        "--store",
        envvar="DESKMATE_STORE",
        metavar="FOLDER",
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder that all machines of the pool see.",
    )
    return engine(store(function))


def _no_password(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse a password where everybody on the machine can read it."""
    source = context.get_parameter_source(option.name or "")
    account = (value or "").partition("://")[2].rpartition("@")[0]
    told = ":" in account or "password=" in (value or "")
    if source is click.core.ParameterSource.COMMANDLINE and told:
        raise UserError(
            "A password in a command line can be read by everybody on this machine.",
            hint="Put it into ~/.pgpass, or give the whole address as DESKMATE_ENGINE.",
        )
    return value
