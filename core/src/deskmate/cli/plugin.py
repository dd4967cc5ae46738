"""`deskmate plugin`: what is installed, what it may do, and which thread uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.foreign import add_command, say_foreign, update_command
from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.cli.permissions import agree
from deskmate.cli.plugin_bundle import bundle_command
from deskmate.cli.plugin_hooks import hooks_command
from deskmate.cli.plugin_kit import (
    check_command,
    new_command,
    pack_command,
    verify_command,
)
from deskmate.cli.plugin_store import install_command, remove_command
from deskmate.cli.plugin_upkeep import lock_command, revoke_command, rollback_command
from deskmate.discovery.permissions import permission_lines
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.discovery.installed import Catalogue, Problem
    from deskmate.types.registry import InstalledPlugin, Manifest, Origin


_ORIGINS: dict[Origin, str] = {
    "deskmate": "with Deskmate",
    "pip": "installed by pip",
    "source": "read from its source folder",
    "store": "in the plugin store",
    "brought": "in another format, in the plugin store",
}


@click.group("plugin")
def command() -> None:
    """Install, find, enable and disable plugins. None of their code runs outside the virtual machine."""


command.add_command(add_command)
command.add_command(update_command)
command.add_command(hooks_command)
command.add_command(new_command)
command.add_command(pack_command)
command.add_command(check_command)
command.add_command(verify_command)
command.add_command(bundle_command)
command.add_command(lock_command)
command.add_command(revoke_command)
command.add_command(rollback_command)
command.add_command(install_command)
command.add_command(remove_command)
command.add_command(remove_command, "uninstall")


def installed_plugins(session: Session) -> Catalogue:
    """Return what is installed, remembering checked manifests in the cache."""
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

    places = session.places
    return find_plugins(cache=places.cache / "manifests.json", store=places.plugins)


@command.command("list", short_help="List the plugins, and why one is not usable.")
@json_option
@click.pass_obj
def list_command(session: Session, as_json: bool) -> None:
    """List the plugins, the usable ones first, with the reason where one is not."""
    catalogue = installed_plugins(session)
    rows = [*map(_usable, catalogue.plugins), *map(_unusable, catalogue.problems)]
    if as_json:
        say_json({"plugins": rows})
        return
    for row in rows:
        if row["state"] == "ok":
            say(f"{row['name']} {row['version']}  {row['summary']}")
            say(f"    {row['distribution']}, {_ORIGINS[row['origin']]} · {_counts(row)}")
        else:
            say(f"{row['name']}  NOT USABLE: {row['reason']}")
            if row["hint"]:
                say(f"    {row['hint']}")
    if not rows:
        say("No plugins are installed.")


def _usable(plugin: InstalledPlugin) -> dict[str, Any]:
    manifest = plugin.manifest
    return {
        "name": plugin.name,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "state": "ok",
        "reason": "",
        "hint": "",
        "title": manifest.title,
        "summary": manifest.summary,
        "hooks": _hooks(manifest),
        "tools": len(manifest.tools),
        "rules": len(manifest.validators),
        "skills": plugin.foreign.skills if plugin.foreign else len(manifest.skills),
        "editable": plugin.editable,
        "origin": plugin.origin,
        "diagnostics": plugin.foreign.diagnostics if plugin.foreign else 0,
    }


def _unusable(problem: Problem) -> dict[str, Any]:
    return {
        "name": problem.plugin,
        "version": "",
        "distribution": ", ".join(problem.distributions),
        "state": "problem",
        "reason": problem.message,
        "hint": problem.hint,
        "title": "",
        "summary": "",
        "hooks": [],
        "tools": 0,
        "rules": 0,
        "skills": 0,
        "editable": False,
        "origin": "",
        "diagnostics": 0,
    }


def _hooks(manifest: Manifest) -> list[str]:
    """Return the hooks that the manifest speaks of; prompts are known to the guest only."""
    named = {
        "deskmate_skills": manifest.skills,
        "deskmate_tools": manifest.tools,
        "deskmate_validators": manifest.validators,
    }
    return [hook for hook, names in named.items() if names]


def _counts(row: dict[str, Any]) -> str:
    kinds: tuple[tuple[str, str], ...] = (("tools", "tool"), ("rules", "rule"), ("skills", "skill"))
    if row["origin"] == "brought":  # it cannot have anything else
        kinds = (("skills", "skill"), ("diagnostics", "diagnostic"))
    return ", ".join(f"{row[key]} {word}{'' if row[key] == 1 else 's'}" for key, word in kinds)


@command.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_command(session: Session, name: str, as_json: bool) -> None:
    """Say in plain words what a plugin brings and what it may do."""
    from deskmate.discovery.lock import permissions  # noqa: PLC0415

    plugin = installed_plugins(session).get(name)
    if plugin.foreign is not None:
        say_foreign(plugin, as_json=as_json)
        return
    if as_json:
        say_json({**_usable(plugin), "permissions": permissions(plugin.manifest)})
        return
    say(f"{plugin.manifest.title} ({plugin.name} {plugin.version}, from {plugin.distribution})")
    say(plugin.manifest.summary)
    for line in permission_lines(plugin):
        say(f"- {line}")


@command.command("audit", short_help="Name what pip ran outside the virtual machine.")
@json_option
@click.pass_obj
def audit_command(session: Session, as_json: bool) -> int:
    """Name what pip ran or installed for plugins outside the virtual machine, and what was changed since.

    Exit code 1 if there is something to look at.
    """
    from deskmate.discovery.audit import audit  # noqa: PLC0415

    notes = audit(store=session.places.plugins)
    if as_json:
        say_json({"ok": not notes, "notes": notes})
        return int(bool(notes))
    for note in notes:
        say(f"{note.distribution}: {note.what}")
    if not notes:
        say(
            "Nothing: no plugin brought a start-up hook or a command, none was built or changed here."
        )
    say(
        "Not visible here: whether pip built a plugin from an index's source archive without its cache."
    )
    return int(bool(notes))


@command.command("enable", short_help="Agree to a plugin, and let a thread use it.")
@click.argument("name")
@click.option("--thread", "-t", help="The thread that is to use it; without it you agree only.")
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Take the plugin's guest packages from this folder of wheels, without a network.",
)
@click.option("--yes", is_flag=True, help="Agree to what is shown, without a question.")
@click.pass_obj
def enable_command(
    session: Session, name: str, thread: str | None, wheelhouse: Path | None, yes: bool
) -> None:
    """Show what a plugin may do and, if you agree, let a thread use it from now on.

    A newer version that wants more asks again. Without --thread you agree once for all your threads:
    `run --plugin NAME` then asks nothing.
    """
    from deskmate.discovery.consent import Consents  # noqa: PLC0415
    from deskmate.discovery.installed import BUILT_IN  # noqa: PLC0415
    from deskmate.discovery.layer import build_layer  # noqa: PLC0415

    catalogue = installed_plugins(session)
    plugin = catalogue.get(name)
    consents = Consents(session.places.plugins)
    before = enabled_in(session, thread) if thread else ()
    if name in BUILT_IN or (name in before and not consents.missing(plugin)):
        say(f"{thread or 'Every thread'} uses {name} already.")
        return
    agree(plugin, consents.missing(plugin) if name in before else (), yes=yes)
    consents.accept([plugin])
    if not thread:
        say(f"{name} {plugin.version} may do this in every thread that names it.")
        return
    names = (*before, *(() if name in before else (name,)))
    if wheelhouse is not None:
        build_layer(names, catalogue, session.places, progress(), wheelhouse=wheelhouse)
    _enable(session, thread, names)
    say(f"{thread} uses {name} {plugin.version} from now on:")
    for line in permission_lines(plugin):
        say(f"- {line}")


@command.command("disable", short_help="Take a plugin from a thread.")
@click.argument("name")
@click.option("--thread", "-t", required=True, help="The thread that is not to use it any more.")
@click.pass_obj
def disable_command(session: Session, name: str, thread: str) -> None:
    """Take a plugin from a thread; what it did stays in the thread's record."""
    from deskmate.discovery.installed import BUILT_IN  # noqa: PLC0415

    if name in BUILT_IN:
        raise PluginError(
            f"{name} comes with Deskmate and is part of every thread; it cannot be disabled."
        )
    before = enabled_in(session, thread)
    if name not in before:
        say(f"{thread} does not use {name}.")
        return
    _enable(session, thread, tuple(other for other in before if other != name))
    say(f"{thread} does not use {name} any more.")


def enabled_in(session: Session, thread: str) -> tuple[str, ...]:
    """Return the names of the plugins that a thread uses. Raises UserError if there is no such thread."""
    import anyio  # noqa: PLC0415

    from deskmate.host import thread_plugins  # noqa: PLC0415

    return anyio.run(thread_plugins, session.places, thread)


def _enable(session: Session, thread: str, names: tuple[str, ...]) -> None:
    import anyio  # noqa: PLC0415

    from deskmate.host import set_thread_plugins  # noqa: PLC0415

    anyio.run(set_thread_plugins, session.places, thread, names, progress())
