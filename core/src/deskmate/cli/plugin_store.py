"""`deskmate plugin install` and `remove`: wheels as data, in the plugin store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deskmate.cli.index import install_from, is_index
from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.cli.plugin_bundle import is_bundle, order_of
from deskmate.cli.plugin_upkeep import say_upgrade
from deskmate.discovery.permissions import permission_lines
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.discovery.installing import InstallResult


@click.command("install", short_help="Install wheels as data: nothing of them runs here.")
@click.argument("what", nargs=-1, required=True, metavar="NAME|WHEEL|BUNDLE...")
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Take names, and what the plugin needs in the virtual machine, from this folder of wheels, or this index.",
)
@click.option(
    "--hash",
    "hashes",
    multiple=True,
    metavar="sha256:HEX",
    help="Refuse a wheel with another hash.",
)
@click.option(
    "--signer",
    default="",
    help="The key that must have signed a bundle or an index (64 hex digits).",
)
@click.option(
    "--cooldown",
    type=click.IntRange(0, 3650),
    metavar="DAYS",
    help="Leave out what the index has had for less; [install] cooldown_days, else 7.",
)
@click.option(
    "--diff", "diff", is_flag=True, help="Show how the texts differ from the version before."
)
@json_option
@click.pass_obj
def install_command(
    session: Session,
    what: tuple[str, ...],
    wheelhouse: Path | None,
    hashes: tuple[str, ...],
    signer: str,
    cooldown: int | None,
    diff: bool,
    as_json: bool,
) -> None:
    """Install plugins from wheels into the plugin store, all of them or none.

    \b
    deskmate plugin install ./deskmate_acme-1.2-py3-none-any.whl --hash sha256:…
    deskmate plugin install deskmate-acme==1.2 --wheelhouse ~/wheels
    deskmate plugin install deskmate-acme
    deskmate plugin install deskmate-acme-1.2.bundle.zip --signer KEY
    deskmate plugin install acme --wheelhouse ~/acme-plugins --signer KEY

    A wheel is data: it is looked at, unpacked beside Deskmate and never on Python's path. A source
    archive, a start-up hook, a command, compiled code, or a file that RECORD does not know is refused.
    An index (deskmate index) is a folder of versions that somebody pinned and signed.
    The hashes of a plugin and of what it needs in the virtual machine are kept; the same version with
    other bytes, or an older version, is refused.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.discovery.installing import (  # noqa: PLC0415
        InstallOrder,
        cooldown_days,
        install,
    )
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415
    from deskmate.discovery.upgrade import upgrades_of  # noqa: PLC0415
    from deskmate.models.settings import read_settings  # noqa: PLC0415

    store = PluginStore(session.places.plugins)
    days = cooldown_days(read_settings(session.places.config)) if cooldown is None else cooldown
    results: Sequence[InstallResult]
    if any(is_bundle(one) for one in what):
        with order_of(what, signer, hashes) as order:
            results = install(order, store, progress())
    elif wheelhouse is not None and is_index(wheelhouse):
        results = install_from(wheelhouse, signer, what, session, days)
    elif signer:
        raise UserError(
            "Only bundles and indexes are signed.", hint="Pin a wheel by its hash: --hash sha256:…"
        )
    else:
        order = InstallOrder(what=what, wheelhouse=wheelhouse, hashes=hashes, cooldown_days=days)
        results = install(order, store, progress())
    if as_json:
        rows = [
            {"new": result.new, "upgrades": upgrades_of(result.stored, store), **_row(result)}
            for result in results
        ]
        say_json({"installed": rows})
        return
    for result in results:
        _say(result)
        for upgrade in upgrades_of(result.stored, store) if result.new else ():
            say_upgrade(upgrade, diff=diff)


def _row(result: InstallResult) -> dict[str, object]:
    stored = result.stored
    return {
        "distribution": stored.name,
        "version": stored.version,
        "plugins": stored.plugins,
        "sha256": stored.sha256,
        "guest": stored.guest,
        "left_out": result.left_out,
    }


def _say(result: InstallResult) -> None:
    stored = result.stored
    verb = "Installed" if result.new else "Already there:"
    say(f"{verb} {stored.name} {stored.version} (sha256:{stored.sha256})")
    for name in stored.guest:
        say(f"    with {name} for the virtual machine")
    if result.left_out:
        say(
            f"    without {', '.join(result.left_out)}: nothing is installed on this machine for it"
        )
    for plugin in result.plugins:
        say(f"{plugin.name}: {plugin.manifest.summary}")
        for line in permission_lines(plugin):
            say(f"- {line}")
        say(f"Next: deskmate plugin enable {plugin.name} --thread THREAD")


@click.command("remove", short_help="Take plugins out of the plugin store.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def remove_command(session: Session, names: tuple[str, ...]) -> None:
    """Take plugins out of the plugin store; NAME is a plugin's or its distribution's.

    Your own files for a plugin in another format stay where they are.
    """
    from deskmate.discovery.bringing import drop  # noqa: PLC0415
    from deskmate.discovery.installing import remove  # noqa: PLC0415
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415

    store = PluginStore(session.places.plugins)
    for name in names:
        foreign = drop(name, store)
        if foreign is not None:
            say(f"Removed {foreign.name} {foreign.version}".rstrip() + ".")
            overlay = store.overlay(name)
            if overlay.is_dir() and any(overlay.iterdir()):
                say(f"    Your own files for it stay in {overlay}")
            continue
        stored = remove(name, store)
        say(f"Removed {stored.name} {stored.version} (plugin {', '.join(stored.plugins)}).")
