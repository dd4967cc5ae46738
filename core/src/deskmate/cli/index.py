"""`deskmate index`: a folder of pinned plugins that an organisation or a partner publishes, signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, progress, say, say_json, shown_progress
from deskmate.cli.plugin_bundle import read_report_file
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.discovery.installing import InstallResult
    from deskmate.testing.kit.index import About, Entry
    from deskmate.testing.kit.indexing import Added

_FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


@click.group("index")
def command() -> None:
    """Publish plugins for others: a folder (a git checkout, a share) of pinned versions under your signature."""


@command.command("build", short_help="Add wheels to an index, withdraw versions, and sign it.")
@_FOLDER
@click.argument("wheels", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A signed report of plugin check about one of the wheels; several may be named.",
)
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Take what the plugins need in the virtual machine from this folder.",
)
@click.option("--name", default="", help="What the index is called; needed once.")
@json_option
@click.pass_obj
def build(
    session: Session,
    folder: Path,
    wheels: tuple[Path, ...],
    reports: tuple[Path, ...],
    wheelhouse: Path | None,
    name: str,
    as_json: bool,
) -> None:
    """Pin wheels in an index and sign it with your key (deskmate audit key prints it).

    \b
    deskmate index build plugins/ dist/deskmate_acme-1.2.0-py3-none-any.whl --report report.json --name "Acme's plugins"

    Each version gets one file in entries/, which never changes afterwards but for being withdrawn. Others use it with
    deskmate plugin install NAME --wheelhouse FOLDER --signer KEY.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.signing_key import signing_key  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415
    from deskmate.testing.kit.index import ABOUT  # noqa: PLC0415
    from deskmate.testing.kit.indexing import add_to_index, sign_index  # noqa: PLC0415

    if not name and not (folder / ABOUT).exists():
        raise UserError(
            f"{folder} is no index yet, and a new one has a name.",
            hint='Add: --name "The plugins of our firm"',
        )
    added = _added(wheels, reports)
    with shown_progress(as_json=as_json) as told:
        entries = add_to_index(folder, added, told, wheelhouse=wheelhouse)
        key = signing_key(session.places).private
        about = sign_index(folder, key, name=name, time=utc_now())
    if as_json:
        rows = [{"distribution": one.distribution, "version": one.version} for one in entries]
        say_json({"added": rows, "entries": len(about.entries), "key": about.key, "serial": about.serial})  # fmt: skip
        return
    for one in entries:
        say(f"Pinned {one.distribution} {one.version} (sha256:{one.sha256}, {_level(one)})")
    _say_signed(folder, about)


def _say_signed(folder: Path, about: About) -> None:
    say(
        f"Signed {about.name}: {len(about.entries)} versions, serial {about.serial}, with the key {about.key}"
    )
    say(f"Next: deskmate index verify {folder} --signer {about.key}")


def _level(entry: Entry) -> str:
    return f"checked: {entry.level}" if entry.level else "not checked"


def _added(wheels: tuple[Path, ...], reports: tuple[Path, ...]) -> list[Added]:
    import hashlib  # noqa: PLC0415

    from deskmate.testing.kit.indexing import Added  # noqa: PLC0415

    found = {report.sha256: report for report in map(read_report_file, reports)}
    added = []
    for wheel in wheels:
        with wheel.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        added.append(Added(wheel=wheel, report=found.pop(sha256, None)))
    if found:
        other = next(iter(found.values()))
        raise UserError(
            f"The report about {other.distribution} {other.version} is of none of these wheels.",
            hint="Check the wheel that you publish: deskmate plugin check WHEEL --report FILE",
        )
    return added


@command.command("withdraw", short_help="Say that a version must not be used any more, and sign.")
@_FOLDER
@click.argument("what", metavar="NAME==VERSION")
@click.option("--why", required=True, help="The reason; whoever meets the version reads it.")
@click.pass_obj
def withdraw_command(session: Session, folder: Path, what: str, why: str) -> None:
    """Withdraw a version: nobody is given it any more, and who has it cannot use it once the index was seen.

    \b
    deskmate index withdraw plugins/ deskmate-acme==1.1.0 --why "sent files to a wrong host"
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.signing_key import signing_key  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415
    from deskmate.testing.kit.indexing import sign_index, withdraw  # noqa: PLC0415

    name, _, version = (part.strip() for part in what.partition("=="))
    if not name or not version or not why.strip():
        raise UserError(
            "A version is withdrawn by its name and with a reason.",
            hint='deskmate index withdraw FOLDER deskmate-acme==1.1.0 --why "sent files to a wrong host"',
        )
    entry = withdraw(folder, name, version, why.strip())
    say(f"{entry.distribution} {entry.version} is withdrawn: {entry.withdrawn}")
    key = signing_key(session.places).private
    _say_signed(folder, sign_index(folder, key, name="", time=utc_now()))


@command.command("verify", short_help="Say whether an index is sound; for people and for CI.")
@_FOLDER
@click.option("--signer", default="", help="The key that must have signed it (64 hex digits).")
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The index as it was: no version may be gone or be another now.",
)
@json_option
@click.pass_obj
def verify(_session: Session, folder: Path, signer: str, before: Path | None, as_json: bool) -> int:
    """Look at everything in an index: signature, entries, wheels, reports. Exit code 1 if something is wrong.

    \b
    git worktree add ../before main
    deskmate index verify plugins/ --signer KEY --before ../before/plugins
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.store.signing import parse_key  # noqa: PLC0415
    from deskmate.testing.kit.indexing import index_problems  # noqa: PLC0415

    key = parse_key(signer) if signer else ""
    with shown_progress(as_json=as_json) as told:
        problems = [*index_problems(folder, told, key=key, before=before)]
    if as_json:
        say_json({"problems": problems, "sound": not problems})
        return int(bool(problems))
    for line in problems:
        say(line)
    if not problems:
        whose = "" if key else "; whoever signed it: name the key you trust with --signer"
        say(f"{folder} is sound{whose}")
    return int(bool(problems))


@command.command("list", short_help="Show what an index offers.")
@_FOLDER
@click.option("--signer", default="", help="The key that must have signed it (64 hex digits).")
@json_option
@click.pass_obj
def list_command(_session: Session, folder: Path, signer: str, as_json: bool) -> None:
    """Show every version in an index: what checked it, and what it may do."""
    from deskmate.store.signing import parse_key  # noqa: PLC0415
    from deskmate.testing.kit.index import read_index  # noqa: PLC0415
    from deskmate.types.codec import to_json  # noqa: PLC0415

    index = read_index(folder, key=parse_key(signer) if signer else "")
    if as_json:
        rows = [to_json(one, defaults=True) for one in index.entries]
        say_json({"name": index.about.name, "key": index.about.key, "serial": index.about.serial, "entries": rows})  # fmt: skip
        return
    say(f"{index.about.name}, serial {index.about.serial}, signed with the key {index.about.key}")
    for one in index.entries:
        state = f"WITHDRAWN: {one.withdrawn}" if one.withdrawn else _level(one)
        say(f"{one.distribution} {one.version}  {one.licence}  {state}")
        for plugin in one.plugins:
            say(f"    {plugin.name}: {plugin.summary}")
            for line in plugin.wants:
                say(f"    - {line}")


def is_index(folder: Path) -> bool:
    """Say whether a folder is an index of plugins, and no plain folder of wheels."""
    from deskmate.testing.kit.index import ABOUT  # noqa: PLC0415

    return (folder / ABOUT).is_file()


def install_from(
    folder: Path, signer: str, what: tuple[str, ...], session: Session, days: int
) -> list[InstallResult]:
    """Install names from an index, each as it is pinned there; what it withdrew is refused from now on.

    Raises UserError without the key of whoever signs it, PluginError for an index or a plugin that is refused.
    """
    from deskmate.discovery.installing import install  # noqa: PLC0415
    from deskmate.discovery.plugin_store import PluginStore  # noqa: PLC0415
    from deskmate.discovery.revocation import Revocations  # noqa: PLC0415
    from deskmate.store.signing import parse_key  # noqa: PLC0415
    from deskmate.testing.kit.index import SeenIndexes, read_index  # noqa: PLC0415

    if not signer:
        raise UserError(
            "An index is trusted by the key of whoever signs it.",
            hint="Ask them for it, and add: --signer KEY",
        )
    index = read_index(folder, key=parse_key(signer))
    store = PluginStore(session.places.plugins)
    seen = SeenIndexes(store.folder)
    seen.check(index.about)
    entries = [index.find(name) for name in what]
    if gone := index.revocations():
        Revocations(store.folder).add(gone)
    results: list[InstallResult] = []
    for entry in entries:
        with index.order(entry, cooldown_days=days) as order:
            results += install(order, store, progress())
    seen.note(index.about)
    return results
