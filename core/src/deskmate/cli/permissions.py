"""The question whether the user agrees to what a plugin may do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, plain
from deskmate.discovery.permissions import permission_lines
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.types.ids import ThreadId
    from deskmate.types.registry import InstalledPlugin


def agree(plugin: InstalledPlugin, wanted: Sequence[str], *, yes: bool) -> None:
    """Show what a plugin may do and return if the user agrees to it.

    Args:
        plugin: the plugin.
        wanted: what is new since the user last agreed; empty shows all of it.
        yes: the user has agreed already, on the command line.

    Raises:
        PluginError: the user says no, or nobody is there to ask.
    """
    click.echo(plain(f"{plugin.name} {plugin.version} (of {plugin.distribution}):"), err=True)
    lines = [f"New: {line}" for line in wanted] or [*permission_lines(plugin)]
    for line in lines:
        click.echo(plain(f"- {line}"), err=True)
    if yes:
        return
    if not someone_is_there():
        raise PluginError(
            f"Plugin {plugin.name} is not enabled: nobody is at a terminal to agree to the list above.",
            hint="If you agree, say so with --yes.",
        )
    if not click.confirm("  Do you agree?", default=False, err=True):
        raise PluginError(f"Plugin {plugin.name} is not enabled: you did not agree.")


def someone_is_there() -> bool:
    """Say whether a question would be seen and can be answered."""
    return sys.stdin.isatty()


def ask_what_is_new(session: Session, names: Sequence[str], thread: ThreadId | None) -> None:
    """Ask for what these plugins and the thread's want beyond what the user agreed to.

    Without a terminal nothing is asked: the run itself refuses a plugin that nobody agreed to.
    """
    if not someone_is_there():
        return
    from deskmate.cli.plugin import enabled_in, installed_plugins  # noqa: PLC0415
    from deskmate.discovery.consent import Consents  # noqa: PLC0415

    names = (*names, *(enabled_in(session, thread) if thread else ()))
    if not names:
        return
    known = {plugin.name: plugin for plugin in installed_plugins(session).plugins}
    consents = Consents(session.places.plugins)
    for plugin in (known[name] for name in names if name in known):
        if wanted := consents.missing(plugin):
            agree(plugin, wanted, yes=False)
            consents.accept([plugin])
