"""`deskmate service`: schedules that are carried out with no terminal open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json

if TYPE_CHECKING:
    from deskmate.host.scheduling.service import Service


@click.group("service")
def command() -> None:
    """Let your own systemd carry schedules out, with no terminal open."""


def _file() -> Path:
    from deskmate.host.scheduling.service import unit_file  # noqa: PLC0415 - only commands need it

    return unit_file(os.environ, Path.home())


@command.command("install", short_help="Install and start the service.")
@json_option
@click.pass_obj
def install(session: Session, as_json: bool) -> None:
    """Install the service for you alone, and start it.

    It runs while you are signed in; `loginctl enable-linger` keeps it after that. Keys of models are not written
    into the unit: see docs/how-to/schedules.md.
    """
    from deskmate.host.scheduling import service  # noqa: PLC0415

    _show(service.install(_file(), os.environ), as_json=as_json)


@command.command("status", short_help="Say how the service stands.")
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Say how the service stands."""
    from deskmate.host.scheduling import service  # noqa: PLC0415
    from deskmate.host.scheduling.serving import is_served  # noqa: PLC0415

    _show(service.status(_file()), as_json=as_json, served=is_served(session.places))


@command.command("remove", short_help="Stop and remove the service.")
@json_option
@click.pass_obj
def remove(session: Session, as_json: bool) -> None:
    """Stop the service and remove it; schedules stay."""
    from deskmate.host.scheduling import service  # noqa: PLC0415

    _show(service.remove(_file()), as_json=as_json)


def _show(found: Service, *, as_json: bool, served: bool | None = None) -> None:
    if as_json:
        say_json({"service": found, "served": served})
        return
    what = found.state or found.note
    say(f"{'installed' if found.installed else 'not installed'}{': ' + what if what else ''}")
    if found.installed:
        say(f"  {found.unit}")
    if served is not None:
        say("Schedules are carried out now." if served else "Nothing carries schedules out now.")
