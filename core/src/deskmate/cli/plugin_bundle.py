"""`deskmate plugin bundle`, and the half of `plugin install` that takes one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.errors import CorruptData, UserError

if TYPE_CHECKING:
    from deskmate.discovery.installing import InstallOrder
    from deskmate.testing.kit.report import Report

_REPORT_LIMIT_BYTES = 4 << 20


@click.command("bundle", short_help="Put a plugin with all that it needs into one signed file.")
@click.argument("what", type=click.Path(exists=True, path_type=Path), metavar="FOLDER|WHEEL")
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take what it needs in the virtual machine from this folder.",
)
@click.option(
    "--report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put this report of plugin check beside it.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("dist"),
    show_default=True,
    help="Where the bundle goes.",
)
@json_option
@click.pass_obj
def bundle_command(
    session: Session,
    what: Path,
    wheelhouse: Path | None,
    report: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Make a file that installs a plugin where there is no network.

    It holds the plugin's wheel, the wheels that it needs in the virtual machine, a bill of materials, and with
    --report what was checked; each by its hash, all of it signed with your key.

    \b
    deskmate plugin bundle deskmate-acme
    deskmate plugin install deskmate-acme-1.2.bundle.zip --signer KEY
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.host.signing_key import signing_key  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415
    from deskmate.testing.kit.bundle import make_bundle  # noqa: PLC0415
    from deskmate.testing.kit.check import laid_out  # noqa: PLC0415

    found = read_report_file(report) if report else None
    with (
        shown_progress(as_json=as_json) as progress,
        laid_out(what, progress, wheelhouse=wheelhouse) as subject,
    ):
        key = signing_key(session.places).private
        file, about = make_bundle(subject, out, key, time=utc_now(), report=found)
    if as_json:
        say_json({"bundle": str(file), "key": about.key, "files": about.files})
        return
    say(f"Made {file}: {len(about.files)} files, signed with the key {about.key}")
    say(f"Next: deskmate plugin install {file} --signer {about.key}")


def read_report_file(file: Path) -> Report:
    """Return the signed report in a file. Raises UserError if it is none, or does not hold."""
    from deskmate.discovery.metadata import read_bounded  # noqa: PLC0415
    from deskmate.testing.kit.report import problem_of, read_report  # noqa: PLC0415

    try:
        found = read_report(json.loads(read_bounded(file, _REPORT_LIMIT_BYTES)))
    except (ValueError, RecursionError, CorruptData) as error:
        raise UserError(f"{file} is no report: {error}") from error
    if problem := problem_of(found):
        raise UserError(f"{file} does not hold: {problem}.", hint="Make it anew: plugin check.")
    return found


def is_bundle(what: str) -> bool:
    """Say whether this names a bundle by its ending."""
    from deskmate.testing.kit.bundle import SUFFIX  # noqa: PLC0415

    return what.endswith(SUFFIX)


@contextmanager
def order_of(what: tuple[str, ...], signer: str, hashes: tuple[str, ...]) -> Iterator[InstallOrder]:
    """Yield the order that installs a bundle from its own files alone.

    Raises UserError if something else is to be installed with it, PluginError if it is not sound.
    """
    from deskmate.discovery.installing import InstallOrder  # noqa: PLC0415
    from deskmate.store.signing import parse_key  # noqa: PLC0415
    from deskmate.testing.kit.bundle import opened_bundle  # noqa: PLC0415

    if len(what) > 1:
        raise UserError("A bundle is installed by itself.", hint="Name one bundle at a time.")
    key = parse_key(signer) if signer else ""
    with opened_bundle(Path(what[0]).expanduser(), key=key) as (about, folder):
        say_signer = "" if key else " (whoever that is: name the key you trust with --signer)"
        click.echo(
            f"  {about.distribution} {about.version}, signed by {about.key}{say_signer}", err=True
        )
        yield InstallOrder(
            what=(str(folder / about.wheel),),
            wheelhouse=folder,
            hashes=hashes or (about.sha256,),
            cooldown_days=0,
        )
