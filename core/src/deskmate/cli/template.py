"""`deskmate template`: list and remove frozen virtual machines."""

from __future__ import annotations

import datetime

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.sandbox.template_cache import CAP_BYTES, list_templates, prune_templates


@click.group()
def command() -> None:
    """List and remove frozen virtual machines. They are made again when needed."""


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List templates, last used first."""
    templates = list_templates(session.places)
    if as_json:
        say_json(templates)
        return
    for template in templates:
        used = datetime.datetime.fromtimestamp(template.used_at, datetime.UTC)
        say(
            f"{template.key[:12]}  {template.bytes >> 20} MiB  used {used:%Y-%m-%d %H:%M}Z  "
            f"{', '.join(template.plugins)}"
        )
    if not templates:
        say("no templates yet; the first run with a set of plugins makes one")


@command.command()
@click.option("--all", "everything", is_flag=True, help="Remove all of them.")
@json_option
@click.pass_obj
def prune(session: Session, everything: bool, as_json: bool) -> None:
    """Remove the templates unused for longest until the rest fits 4 GiB."""
    gone = prune_templates(session.places, cap_bytes=-1 if everything else CAP_BYTES)
    if as_json:
        say_json({"removed": list(gone)})
    else:
        say(f"removed {len(gone)}")
