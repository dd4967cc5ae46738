"""`deskmate plugin add` and `update`: plugins, marketplaces and skills in other programs' formats, as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.discovery.permissions import part_lines, plural
from deskmate.errors import PluginError

if TYPE_CHECKING:
    from deskmate.discovery.bringing import BringReport, Brought
    from deskmate.types.foreign import Diagnostic, ForeignPlugin, Severity
    from deskmate.types.registry import InstalledPlugin

_KINDS = {"claude-plugin": "Claude plugin", "agent-skills": "Agent Skills"}
_DIAGNOSTICS_SHOWN = 12
_MANY = 3


@click.command("add", short_help="Bring a Claude plugin, a marketplace or skills, as they are.")
@click.argument("what", metavar="FOLDER|CHECKOUT|ZIP")
@click.option(
    "--plugin", "only", multiple=True, metavar="NAME", help="Only this one of a marketplace."
)
@click.option("--name", default="", help="What the plugin is to be called here.")
@click.option(
    "--strict", is_flag=True, help="Add nothing if anything about it is odd; for its author."
)
@json_option
@click.pass_obj
def add_command(
    session: Session, what: str, only: tuple[str, ...], name: str, strict: bool, as_json: bool
) -> int:
    """Bring plugins in other programs' formats into the plugin store, as they are.

    \b
    deskmate plugin add ./knowledge-plugins             # a folder or checkout: a plugin, or a marketplace
    deskmate plugin add legal-1.2.plugin                # a zip
    deskmate plugin add ./my-skills                     # folders with a SKILL.md each

    Nothing of it is run, changed or fetched. What is odd is named, and the rest is used. Exit code 1 if --strict
    refuses it.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.discovery.bringing import BringOrder, bring  # noqa: PLC0415

    order = BringOrder(what=what, only=only, name=name, strict=strict, taken=taken_names(session))
    report = bring(order, _store(session), progress())
    if as_json:
        say_json(_report_row(report))
    else:
        _say_report(session, report)
    return int(report.refused)


@click.command("update", short_help="Read a plugin of another format anew; show what changed.")
@click.argument("name")
@click.argument("what", required=False, metavar="[FOLDER|CHECKOUT|ZIP]")
@click.option("--yes", is_flag=True, help="Take it without a question.")
@click.option("--strict", is_flag=True, help="Take nothing if anything about it is odd.")
@click.pass_obj
def update_command(session: Session, name: str, what: str | None, yes: bool, strict: bool) -> int:
    """Read a plugin anew from where it came from, or from WHAT; show what changed and, if you agree, take it.

    Your own files over it stay. Threads that use it have the new one from their next turn on.
    """
    from dataclasses import replace  # noqa: PLC0415

    from deskmate.cli.permissions import someone_is_there  # noqa: PLC0415
    from deskmate.discovery.bringing import BringOrder, bring, differences  # noqa: PLC0415

    store = _store(session)
    stored = next((one for one in store.index().foreign if one.name == name), None)
    if stored is None:
        raise PluginError(
            f"There is no {name!r} in another format in the plugin store.",
            hint="deskmate plugin list shows what there is; a wheel is installed anew: plugin install.",
        )
    order = BringOrder(
        what=what or stored.source, replaces=name, strict=strict, dry=True,
        only=(str(stored.entry.get("name", stored.own_name)),) if stored.marketplace and not what else (),
    )  # fmt: skip
    report = bring(order, store, progress())
    (brought,) = report.brought
    if brought.is_same:
        say(f"{name} is what it was: {_version(brought)}.")
        return 0
    say(
        f"{name} is {_version(brought)} now, {stored.version or 'no version'} (sha256:{stored.digest[:12]}) before:"
    )
    for line in differences(brought):
        say(f"  {line}")
    _say_diagnostics(name, brought.plugin.diagnostics, whole=report.refused)
    if report.refused:
        say("Nothing was taken: --strict refuses what is odd.")
        return 1
    if not yes and not someone_is_there():
        raise PluginError(
            f"{name} is not updated: nobody is at a terminal to agree.",
            hint="If you agree, say so with --yes.",
        )
    if not yes and not click.confirm("  Take it?", default=False, err=True):
        raise PluginError(f"{name} is not updated: you did not agree.")
    bring(replace(order, dry=False), store, progress())
    say(f"Updated {name} to {_version(brought)}.")
    return 0


def _store(session: Session) -> Any:
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415

    return PluginStore(session.places.plugins)


def taken_names(session: Session) -> frozenset[str]:
    """Return the names of plugins that are not in another format."""
    from deskmate.cli.plugin import installed_plugins  # noqa: PLC0415

    catalogue = installed_plugins(session)
    known = (plugin.name for plugin in catalogue.plugins if plugin.foreign is None)
    return frozenset((*known, *(problem.plugin for problem in catalogue.problems)))


def _say_report(session: Session, report: BringReport) -> None:
    if report.marketplace:
        here, there = len(report.brought), len(report.to_fetch)
        say(
            f"Marketplace {report.marketplace}: {here} of its plugins lie in it, {there} must be fetched."
        )
    for brought in report.brought:
        if len(report.brought) > _MANY:
            _say_short(brought, refused=report.refused)
        else:
            _say_whole(session, brought, refused=report.refused)
    if report.to_fetch:
        say("Not here; nothing is fetched. Clone or download what you want, then add its folder:")
        for entry in report.to_fetch[:_DIAGNOSTICS_SHOWN]:
            say(f"  {entry.name}: {entry.source}")
        if len(report.to_fetch) > _DIAGNOSTICS_SHOWN:
            say(f"  and {len(report.to_fetch) - _DIAGNOSTICS_SHOWN} more: --json has them all")
    _say_diagnostics(
        "", [one for one in report.diagnostics if one.code != "market-fetch"], whole=True
    )
    if report.refused:
        say("Nothing was added: --strict refuses what is odd.")
    elif len(report.brought) > _MANY:
        say("Next: deskmate plugin show NAME, deskmate plugin enable NAME --thread THREAD")


def _say_short(brought: Brought, *, refused: bool) -> None:
    odd = len(brought.plugin.diagnostics)
    said = f", {odd} diagnostics" if odd else ""
    say(
        f"{_verb(brought, refused=refused)} {brought.stored.name} {_version(brought)}: {_counts(brought.plugin)}{said}"
    )


def _say_whole(session: Session, brought: Brought, *, refused: bool) -> None:
    stored = brought.stored
    kind = _KINDS[stored.kind]
    say(f"{_verb(brought, refused=refused)} {stored.name} {_version(brought)}, {kind}")
    if brought.is_same:
        return
    for line in part_lines(stored.name, brought.plugin):
        say(f"- {line}")
    _say_diagnostics(stored.name, brought.plugin.diagnostics, whole=refused)
    if refused:
        return
    overlay = _store(session).overlay(stored.name)
    say(f"Your own versions of its files go into {overlay}; updates keep them.")
    say(f"Next: deskmate plugin enable {stored.name} --thread THREAD")


def _verb(brought: Brought, *, refused: bool) -> str:
    if refused:
        return "Read"
    if brought.is_same:
        return "Already there:"
    return "Added" if brought.before is None else "Updated"


def _version(brought: Brought) -> str:
    version = brought.plugin.version or "without a version"
    return f"{version} (sha256:{brought.stored.digest[:12]})"


def _counts(plugin: ForeignPlugin) -> str:
    kinds = Counter(skill.kind for skill in plugin.skills)
    parts = [
        (kinds["skill"], "skill"), (kinds["command"], "command"), (len(plugin.agents), "agent"),
        (len(plugin.hooks), "hook"), (len(plugin.connectors), "connector wanted"),
    ]  # fmt: skip
    shown = [f"{count} {plural(word, count)}" for count, word in parts if count]
    return ", ".join(shown) or "nothing that Deskmate can use"


def _say_diagnostics(name: str, diagnostics: Iterable[Diagnostic], *, whole: bool = False) -> None:
    """Say what was odd: all of it, or what its user might miss something by."""
    order: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
    found = sorted(diagnostics, key=lambda one: (order[one.severity], one.path, one.code))
    if not found:
        return
    counts = Counter(one.severity for one in found)
    said = ", ".join(
        f"{counts[kind]} {plural(kind, counts[kind])}" for kind in order if counts[kind]
    )
    shown = (
        found if whole else [one for one in found if one.severity != "note"][:_DIAGNOSTICS_SHOWN]
    )
    say(f"What is odd about it ({said}):" if shown else f"What is odd about it: {said}.")
    for one in shown:
        say(f"  {one.severity} {one.code}, {one.path}: {one.message} {one.cure}")
    if len(found) > len(shown) and name:
        say(f"  All of them: deskmate plugin show {name}")


def say_foreign(plugin: InstalledPlugin, *, as_json: bool) -> None:
    """Show a plugin in another format, all of it."""
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415

    about, place = read_foreign(plugin), plugin.foreign
    assert place is not None
    if as_json:
        say_json({"name": plugin.name, "version": plugin.version, "source": place.source, "overlay": place.overlay, "digest": place.digest, "plugin": about})  # fmt: skip
        return
    say(f"{about.title or about.name} ({plugin.name} {plugin.version}, {_KINDS[place.kind]})")
    say(plugin.manifest.summary)
    known = (
        ("by", about.author),
        ("licence", about.licence),
        ("home", about.homepage),
        ("from", place.source),
    )
    for word, value in known:
        if value:
            say(f"{word}: {value}")
    say(f"Your own versions of its files: {place.overlay}")
    for line in part_lines(plugin.name, about):
        say(f"- {line}")
    _say_diagnostics(plugin.name, about.diagnostics, whole=True)


def _report_row(report: BringReport) -> dict[str, Any]:
    return {
        "refused": report.refused,
        "marketplace": report.marketplace,
        "plugins": [
            {
                "name": one.stored.name,
                "version": one.stored.version,
                "digest": one.stored.digest,
                "state": "same" if one.is_same else "new" if one.before is None else "changed",
                "plugin": one.plugin,
            }
            for one in report.brought
        ],
        "to_fetch": [{"name": entry.name, "source": entry.source} for entry in report.to_fetch],
        "diagnostics": report.diagnostics,
    }
