"""`deskmate plugin new`, `pack`, `check` and `verify`: for those who write plugins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.errors import CorruptData, UserError

if TYPE_CHECKING:
    from deskmate.testing.kit.check import Subject
    from deskmate.testing.kit.report import Level, Report
    from deskmate.types.probe import ProbeReport

_MARKS = {"ok": "ok", "failed": "FAILED", "open": "open"}
_REPORT_LIMIT_BYTES = 4 << 20
_folder = click.Path(file_okay=False, path_type=Path)


@click.command("new", short_help="Write a working plugin to begin with.")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(("tools", "connector", "skills")),
    default="tools",
    show_default=True,
    help="A tool with a gate, a skill for a connected system, or a skill alone.",
)
@click.option("--folder", type=_folder, help="Where it goes; deskmate-NAME here by default.")
@click.pass_obj
def new_command(session: Session, name: str, kind: str, folder: Path | None) -> None:
    """Write the folder of a working plugin: manifest, skill, tool, gate, examples, tests, CI file, licence.

    \b
    deskmate plugin new acme
    deskmate plugin check deskmate-acme
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.testing.kit.new import KINDS, new_plugin  # noqa: PLC0415

    chosen = next(one for one in KINDS if one == kind)
    target, files = new_plugin(name, chosen, folder)
    say(f"Wrote {len(files)} files into {target}:")
    for path in files:
        say(f"    {path}")
    say(f"Next: deskmate plugin check {target}")


@click.command("pack", short_help="Make a plugin's wheel, without running anything of it.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out", type=_folder, default=Path("dist"), show_default=True, help="Where the wheel goes."
)
@json_option
@click.pass_obj
def pack_command(session: Session, folder: Path, out: Path, as_json: bool) -> None:
    """Make the wheel of a plugin's folder. No build runs; the same files give the same bytes."""
    import hashlib  # noqa: PLC0415

    from deskmate.testing.kit.packing import pack_wheel  # noqa: PLC0415

    wheel = pack_wheel(folder, out)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if as_json:
        say_json({"wheel": str(wheel), "sha256": sha256})
        return
    say(f"Packed {wheel} (sha256:{sha256})")
    say(f"Next: deskmate plugin install {wheel}")


@click.command("check", short_help="Check that a plugin does what it says.")
@click.argument("what", type=click.Path(exists=True, path_type=Path), metavar="FOLDER|WHEEL")
@click.option(
    "--level",
    type=click.Choice(("loads", "tested")),
    default="tested",
    show_default=True,
    help="What it must reach for exit code 0.",
)
@click.option(
    "--static", is_flag=True, help="Only read it; nothing of it runs, and no level is reached."
)
@click.option(
    "--wheelhouse",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take its guest packages from this folder.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report there, signed with your key.",
)
@click.option(
    "--sbom",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the bill of materials there (CycloneDX JSON).",
)
@json_option
@click.pass_obj
def check_command(
    session: Session,
    what: Path,
    level: str,
    static: bool,
    wheelhouse: Path | None,
    report: Path | None,
    sbom: Path | None,
    as_json: bool,
) -> int:
    """Check a plugin: a line a check, a level at the end.

    \b
    loads     it is data, valid, and loads in the machine as its plugin.toml says
    tested    its tools answer, keep to what is named, bear odd input; each gate passes and refuses
    verified  tested in a virtual machine, and the report is signed (--report)

    Its code runs in a virtual machine without a network, never in this process. Exit code 1 if anything failed or
    the level was not reached.
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from deskmate.testing.kit.check import bill_of, laid_out  # noqa: PLC0415
    from deskmate.testing.kit.report import LEVELS  # noqa: PLC0415

    wanted: Level = next(one for one in LEVELS if one == level)
    with (
        shown_progress(as_json=as_json) as progress,
        laid_out(what, progress, wheelhouse=wheelhouse) as subject,
    ):
        found = _checked(session, subject, progress, static=static)
        if report is not None:
            found = _signed(session, found)
            _write(report, found)
        if sbom is not None:
            sbom.write_text(json.dumps(bill_of(subject), indent=1) + "\n", "utf-8")
    if as_json:
        say_json({"ok": found.reaches(wanted), **_row(found)})
    else:
        _say(found, wanted, report, static=static)
    return 0 if found.reaches(wanted) or (static and not found.failures) else 1


def _checked(session: Session, subject: Subject, progress: Any, *, static: bool) -> Report:
    import anyio  # noqa: PLC0415

    from deskmate.discovery.layer import build_layer  # noqa: PLC0415
    from deskmate.discovery.registry_check import check_registry  # noqa: PLC0415
    from deskmate.sandbox.adapter import QemuSandbox  # noqa: PLC0415
    from deskmate.testing.kit.check import check_plugin  # noqa: PLC0415
    from deskmate.testing.kit.probing import probe_in_machine  # noqa: PLC0415

    if static or subject.refused is not None:
        return anyio.run(check_plugin, subject, None, "nowhere")
    catalogue, places = subject.catalogue(), session.places
    sandbox = QemuSandbox(
        places, lambda names, tell: build_layer(names, catalogue, places, tell), check_registry
    )

    async def probe(subject: Subject) -> ProbeReport:
        return await probe_in_machine(sandbox, subject.plugin, progress)

    try:
        return anyio.run(check_plugin, subject, probe, "virtual machine")
    finally:
        sandbox.close()


def _signed(session: Session, found: Report) -> Report:
    from deskmate.host.signing_key import signing_key  # noqa: PLC0415
    from deskmate.testing.kit.report import signed  # noqa: PLC0415

    return signed(found, signing_key(session.places).private)


def _row(found: Report) -> dict[str, Any]:
    from deskmate.types.codec import to_json  # noqa: PLC0415

    row: dict[str, Any] = to_json(found, defaults=True)
    return row


def _write(file: Path, found: Report) -> None:
    file.write_text(
        json.dumps(_row(found), indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8"
    )


def _say(found: Report, wanted: Level, report: Path | None, *, static: bool) -> None:
    name = f"{found.distribution} {found.version}" if found.distribution else found.wheel
    say(f"{name} (sha256:{found.sha256[:16]}…), run in: {found.where}")
    for check in found.checks:
        say(f"{_MARKS[check.status]:>6}  {check.id:<9}  {check.summary}")
        for line in check.details if check.status != "ok" else ():
            say(f"                     {line}")
    say(f"Level: {found.level}")
    if report is not None:
        say(f"Report: {report}, signed with the key {found.key}")
    if not found.failures and not found.reaches(wanted) and not static:
        say(f"Nothing failed, but {wanted} wants what is open to be shown.")


@click.command("verify", short_help="Verify the signed report of a plugin's checks.")
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The wheel that it must be about.",
)
@click.option("--key", default="", help="The public key that must have signed it (64 hex digits).")
@click.pass_obj
def verify_command(session: Session, report: Path, wheel: Path | None, key: str) -> int:
    """Verify a report that `plugin check --report` wrote: who signed it, and that nothing of it was changed.

    Without --key it proves only that the report is whole: anybody can sign with a key of their own.
    """
    import hashlib  # noqa: PLC0415

    from deskmate.discovery.metadata import read_bounded  # noqa: PLC0415
    from deskmate.store.signing import parse_key  # noqa: PLC0415
    from deskmate.testing.kit.report import problem_of, read_report  # noqa: PLC0415

    try:
        found = read_report(json.loads(read_bounded(report, _REPORT_LIMIT_BYTES)))
    except (ValueError, RecursionError, CorruptData) as error:
        raise UserError(f"{report} is no report: {error}") from error
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel else ""
    problem = problem_of(found, key=parse_key(key) if key else "", sha256=sha256)
    if problem:
        say(f"{report} does not hold: {problem}.")
        return 1
    say(
        f"{found.distribution} {found.version} is {found.level}, checked {found.time}, signed by {found.key}"
    )
    return 0
