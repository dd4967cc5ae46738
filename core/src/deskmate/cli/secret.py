"""`deskmate secret`: the keys that plugins need, kept on the host and never shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json

if TYPE_CHECKING:
    from deskmate.connectors.vault import Vault

_LIMIT = 20_000


@click.group("secret")
def command() -> None:
    """Keep the keys that plugins need. They never enter a virtual machine or a log.

    The host itself puts a secret into a plugin's requests, only to the hosts that its manifest names.
    """


def _vault(session: Session) -> Vault:
    from deskmate.connectors.vault import open_vault  # noqa: PLC0415 - only commands need it

    return open_vault(session.places.config)


@command.command("set", short_help="Keep a secret, read from the terminal or stdin.")
@click.argument("plugin")
@click.argument("name")
@click.pass_obj
def set_command(session: Session, plugin: str, name: str) -> None:
    """Keep the secret NAME of PLUGIN. Its value is asked for, or read from stdin; never an argument."""
    vault = _vault(session)
    if sys.stdin.isatty():
        value = str(click.prompt(f"{plugin} {name}", hide_input=True, err=True))
    else:
        value = sys.stdin.read(_LIMIT)
    vault.set(plugin, name, value.strip())
    say(f"{plugin} {name} is kept in {vault.place}.")


@command.command("list")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the names of the secrets; values are never shown."""
    vault = _vault(session)
    names = vault.names()
    if as_json:
        say_json([{"plugin": plugin, "name": name} for plugin, name in names])
        return
    for plugin, name in names:
        say(f"{plugin} {name}")
    if not names:
        say("There are none. Keep one: deskmate secret set PLUGIN NAME")


@command.command("remove")
@click.argument("plugin")
@click.argument("name")
@click.pass_obj
def remove_command(session: Session, plugin: str, name: str) -> int:
    """Forget a secret."""
    if _vault(session).remove(plugin, name):
        say(f"{plugin} {name} is forgotten.")
        return 0
    say(f"There is no secret {plugin} {name}.")
    return 1
