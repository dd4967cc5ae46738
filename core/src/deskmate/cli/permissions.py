"""What a plugin may do, in plain words, and the question whether the user agrees."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, plain
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.types.ids import ThreadId
    from deskmate.types.registry import InstalledPlugin, Manifest, Risk


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


def permission_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield, in plain words, what a plugin brings and may do."""
    if plugin.foreign is not None:
        yield from _foreign_lines(plugin)
        return
    yield "Its code runs inside the virtual machine only."
    yield from _tool_lines(plugin.manifest)
    yield from _network_lines(plugin.manifest)
    yield from _other_lines(plugin.manifest)


def _foreign_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield what a plugin in another format brings: texts and files, of which nothing runs by itself."""
    from deskmate.cli.foreign import part_lines  # noqa: PLC0415
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415

    yield "Nothing of it runs by itself; what the agent runs of its files runs inside the virtual machine."
    yield "May reach no network at all."
    yield from part_lines(plugin.name, read_foreign(plugin))


def _tool_lines(manifest: Manifest) -> Iterator[str]:
    meanings: dict[Risk, str] = {
        "read": "Tools that only read",
        "write": "Tools that change files in the workspace",
        "send": "Tools that send something out",
    }
    for risk, meaning in meanings.items():
        if names := [name for name, its_risk in manifest.tools.items() if its_risk == risk]:
            yield f"{meaning}: {', '.join(names)}"


def _network_lines(manifest: Manifest) -> Iterator[str]:
    for rule in manifest.hosts:
        yield f"May reach {rule.host} ({', '.join(rule.methods)}): {rule.why}"
    if not manifest.hosts:
        yield "May reach no network at all."
    for secret in manifest.secrets:
        yield f"Your secret {secret.name} may be sent to {', '.join(secret.send_to)}: {secret.why}"


def _other_lines(manifest: Manifest) -> Iterator[str]:
    if gates := [rule for rule, gate in manifest.validators.items() if gate]:
        yield f"Stops a deliverable that breaks: {', '.join(gates)}"
    if manifest.skills:
        yield f"Skills: {', '.join(manifest.skills)}"
    if manifest.guest_packages:
        yield f"Brings into the virtual machine: {', '.join(manifest.guest_packages)}"
    for setting, about in manifest.config.items():
        value = about["default"] if about["default"] not in ("", None) else "(empty)"
        yield f"Setting {setting} = {value}: {about.get('help', '')}"
    yield f"A tool may take {manifest.timeout_s} s and {manifest.memory_mib} MiB."
