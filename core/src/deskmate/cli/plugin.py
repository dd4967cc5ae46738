"""`deskmate plugin`: what is installed, what it may do, and which thread uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.discovery.installed import Catalogue, Problem
    from deskmate.types.registry import InstalledPlugin, Manifest, Risk


@click.group("plugin")
def command() -> None:
    """Find, enable and disable plugins. None of their code runs outside the virtual machine."""


def installed_plugins(session: Session) -> Catalogue:
    """Return what is installed, remembering checked manifests in the cache."""
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415

    return find_plugins(cache=session.places.cache / "manifests.json")


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
            note = " · read from its source folder" if row["editable"] else ""
            say(f"{row['name']} {row['version']}  {row['summary']}")
            say(f"    {row['distribution']} · {_counts(row)}{note}")
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
        "skills": len(manifest.skills),
        "editable": plugin.editable,
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
    kinds = (("tools", "tool"), ("rules", "rule"), ("skills", "skill"))
    return ", ".join(f"{row[key]} {word}{'' if row[key] == 1 else 's'}" for key, word in kinds)


@command.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_command(session: Session, name: str, as_json: bool) -> None:
    """Say in plain words what a plugin brings and what it may do."""
    from deskmate.discovery.lock import permissions  # noqa: PLC0415

    plugin = installed_plugins(session).get(name)
    if as_json:
        say_json({**_usable(plugin), "permissions": permissions(plugin.manifest)})
        return
    say(f"{plugin.manifest.title} ({plugin.name} {plugin.version}, from {plugin.distribution})")
    say(plugin.manifest.summary)
    for line in _permission_lines(plugin):
        say(f"- {line}")


def _permission_lines(plugin: InstalledPlugin) -> Iterator[str]:
    yield "Its code runs inside the virtual machine only."
    yield from _tool_lines(plugin.manifest)
    yield from _network_lines(plugin.manifest)
    yield from _other_lines(plugin.manifest)


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


@command.command("audit", short_help="Name what pip ran outside the virtual machine.")
@json_option
@click.pass_obj
def audit_command(session: Session, as_json: bool) -> None:
    """Name what pip ran or installed for plugins outside the virtual machine."""
    from deskmate.discovery.audit import audit  # noqa: PLC0415

    notes = audit()
    if as_json:
        say_json({"notes": notes})
        return
    for note in notes:
        say(f"{note.distribution}: {note.what}")
    if not notes:
        say("Nothing: no plugin brought a start-up hook or a command, none was built from source.")
    say("Not visible here: whether pip built a plugin from an index's source archive.")


@command.command("enable")
@click.argument("name")
@click.option("--thread", "-t", required=True, help="The thread that is to use it.")
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Take the plugin's guest packages from this folder of wheels, without a network.",
)
@click.pass_obj
def enable_command(session: Session, name: str, thread: str, wheelhouse: Path | None) -> None:
    """Let a thread use a plugin from now on."""
    from deskmate.discovery.installed import BUILT_IN  # noqa: PLC0415
    from deskmate.discovery.layer import build_layer  # noqa: PLC0415

    catalogue = installed_plugins(session)
    plugin = catalogue.get(name)
    before = _enabled(session, thread)
    if name in before or name in BUILT_IN:
        say(f"{thread} uses {name} already.")
        return
    if wheelhouse is not None:
        names = (*before, name)
        build_layer(names, catalogue, session.places, progress(), wheelhouse=wheelhouse)
    _enable(session, thread, (*before, name))
    say(f"{thread} uses {name} {plugin.version} from now on:")
    for line in _permission_lines(plugin):
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
    before = _enabled(session, thread)
    if name not in before:
        say(f"{thread} does not use {name}.")
        return
    _enable(session, thread, tuple(other for other in before if other != name))
    say(f"{thread} does not use {name} any more.")


def _enabled(session: Session, thread: str) -> tuple[str, ...]:
    import anyio  # noqa: PLC0415

    from deskmate.host import thread_plugins  # noqa: PLC0415

    return anyio.run(thread_plugins, session.places, thread)


def _enable(session: Session, thread: str, names: tuple[str, ...]) -> None:
    import anyio  # noqa: PLC0415

    from deskmate.host import set_thread_plugins  # noqa: PLC0415

    anyio.run(set_thread_plugins, session.places, thread, names, progress())
