"""`deskmate connector known`: the directory of known connectors, with the command that adds each."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.types.codec import to_json

if TYPE_CHECKING:
    from deskmate.connectors.known import KnownConnector


@click.command("known", short_help="List known connectors, and how to add each.")
@json_option
@click.pass_obj
def known_command(session: Session, as_json: bool) -> None:
    """List known connectors with the command that adds each; nothing is asked or fetched for it.

    Your own and your administrator's stand in known-connectors.toml, in the folder of your settings and in /etc/deskmate.
    """
    from deskmate.connectors.known import known_connectors  # noqa: PLC0415
    from deskmate.host.organisation import FILE  # noqa: PLC0415

    entries = known_connectors(FILE.parent, session.places.config)
    if as_json:
        say_json([_row(entry) for entry in entries])
        return
    for entry in entries:
        about = f"  ~~{', ~~'.join(entry.categories)}" if entry.categories else ""
        say(f"{entry.name}: {entry.about}{about}{f'  ({entry.of})' if entry.of else ''}")
        say(f"  {_command(entry)}")


def _command(entry: KnownConnector) -> str:
    words = [word for one in entry.categories for word in ("--category", one)]
    return f"deskmate connector add {entry.name} {shlex.join((*words, *entry.add))}"


def _row(entry: KnownConnector) -> dict[str, Any]:
    return {**to_json(entry, defaults=True), "command": _command(entry)}
