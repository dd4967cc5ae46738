"""`deskmate plugin rollback`, `lock` and `revoke`: plugins over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.discovery.upgrade import Upgrade

_LIMIT_BYTES = 4 << 20
_FILES_SHOWN = 12


def say_upgrade(upgrade: Upgrade, *, diff: bool) -> None:
    """Say what of a plugin differs from the version before."""
    say(f"{upgrade.plugin} {upgrade.now} instead of {upgrade.before}:")
    for text in upgrade.more:
        say(f"  + it now wants {text}")
    for text in upgrade.less:
        say(f"  - it no longer wants {text}")
    if not upgrade.more and not upgrade.less:
        say("  = it wants what it wanted")
    if upgrade.more:
        say("    You are asked before the next run that uses it.")
    more = (
        f" and {len(upgrade.files) - _FILES_SHOWN} more"
        if len(upgrade.files) > _FILES_SHOWN
        else ""
    )
    say(f"  changed: {', '.join(upgrade.files[:_FILES_SHOWN]) or 'nothing'}{more}")
    for line in upgrade.texts if diff else ():
        say(f"    {line}")
    say(f"  Back to {upgrade.before}: deskmate plugin rollback {upgrade.plugin}")


@click.command("rollback", short_help="Go back to the version before the last upgrade.")
@click.argument("name")
@click.pass_obj
def rollback_command(session: Session, name: str) -> None:
    """Put the version before in the place of the present one; called again, it is the other way round.

    The version before is kept in the plugin store from an upgrade on, until the plugin is removed.
    """
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415
    from deskmate.discovery.upgrade import roll_back, upgrades_of  # noqa: PLC0415

    store = PluginStore(session.places.plugins)
    now, _ = roll_back(name, store)
    say(f"{now.name} {now.version} is used again (sha256:{now.sha256}).")
    for upgrade in upgrades_of(now, store):
        say_upgrade(upgrade, diff=False)


@click.command("lock", short_help="Write down exactly which plugins are installed, or compare.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there instead of to stdout.",
)
@click.option(
    "--check",
    "against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with this lock instead.",
)
@click.pass_obj
def lock_command(session: Session, out: Path | None, against: Path | None) -> int:
    """Write the lock of the installed plugins: versions, digests of wheels and guest packages, digests of permissions.

    With --check say how what is installed differs from a lock; exit code 1 if it does.
    """
    from deskmate.discovery.installed import find_plugins  # noqa: PLC0415
    from deskmate.discovery.metadata import read_bounded  # noqa: PLC0415
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415
    from deskmate.discovery.upgrade import lock_differences, lock_of  # noqa: PLC0415

    places = session.places
    catalogue = find_plugins(cache=places.cache / "manifests.json", store=places.plugins)
    now = lock_of(catalogue, PluginStore(places.plugins))
    if against is not None:
        try:
            locked = json.loads(read_bounded(against, _LIMIT_BYTES))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{against} is no lock: {error}") from error
        found = [*lock_differences(locked, now)]
        for line in found:
            say(line)
        if not found:
            say(f"What is installed is what {against} says.")
        return int(bool(found))
    text = json.dumps(now, indent=1, sort_keys=True)
    if out is None:
        say(text)
    else:
        out.write_text(text + "\n", "utf-8")
        say(f"Locked {len(now['plugins'])} plugins in {out}.")
    return 0


@click.command("revoke", short_help="Forbid versions of a plugin, or show and change that list.")
@click.argument("name", default="")
@click.option("--why", default="", help="The reason; whoever meets the plugin reads it.")
@click.option("--versions", default="", help='A range, such as "<1.3"; all by default.')
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the entries of this file (JSON) over.",
)
@click.option("--undo", is_flag=True, help="Take NAME off the list.")
@click.option("--list", "listing", is_flag=True, help="Show the list.")
@json_option
@click.pass_obj
def revoke_command(
    session: Session,
    name: str,
    why: str,
    versions: str,
    source: Path | None,
    undo: bool,
    listing: bool,
    as_json: bool,
) -> None:
    """Forbid versions of a distribution: they are not installed, not listed as usable, and no run uses them.

    \b
    deskmate plugin revoke deskmate-acme --versions "<1.3" --why "sent files to a wrong host"
    deskmate plugin revoke --from revoked.json

    The file is {"format": 1, "revoked": [{"name": …, "why": …, "versions": …, "sha256": …}]}.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.discovery.metadata import read_bounded  # noqa: PLC0415
    from deskmate.discovery.revocation import (  # noqa: PLC0415
        Revocations,
        parse_revoked,
    )
    from deskmate.errors import PluginError  # noqa: PLC0415

    revoked = Revocations(session.places.plugins)
    if source is not None:
        problem = PluginError(f"{source} is no list of revoked plugins.")
        try:
            data = json.loads(read_bounded(source, _LIMIT_BYTES))
        except (ValueError, RecursionError) as error:
            raise problem from error
        revoked.add(parse_revoked(data, problem))
    elif undo and name:
        say(f"Took {revoked.drop(name)} entries of {name} off the list.")
        return
    elif name:
        if not why.strip():
            raise UserError(
                "Why? Whoever meets the plugin should read the reason.", hint='--why "…"'
            )
        row = {"name": name, "why": " ".join(why.split()), "versions": versions}
        problem = PluginError(f"{versions!r} is no range of versions.", hint='Such as "<1.3"')
        revoked.add(parse_revoked({"format": 1, "revoked": [row]}, problem))
    elif not listing:
        raise UserError("Which plugin?", hint="deskmate plugin revoke NAME --why …, or --list")
    _say_list(revoked.entries(), as_json=as_json)


def _say_list(entries: tuple[object, ...], *, as_json: bool) -> None:
    from deskmate.types.codec import to_json  # noqa: PLC0415

    rows = [to_json(entry, defaults=True) for entry in entries]
    if as_json:
        say_json({"revoked": rows})
        return
    for row in rows:
        which = " ".join(filter(None, (row["versions"], row["sha256"][:16])))
        say(f"{row['name']} {which or '(all versions)'}: {row['why']}")
    if not rows:
        say("Nothing is revoked.")
