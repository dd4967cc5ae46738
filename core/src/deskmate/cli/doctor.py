"""`deskmate doctor`: what works on this machine, what does not, and the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import click

from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.errors import DeskmateError

if TYPE_CHECKING:
    from deskmate.sandbox.adapter import QemuSandbox
    from deskmate.sandbox.host_checks import Check


@click.command()
@click.option("--quick", is_flag=True, help="Do not start a virtual machine.")
@click.option("--fix", is_flag=True, help="Cure what can be cured from here, then look again.")
@json_option
@click.pass_obj
def command(session: Session, quick: bool, fix: bool, as_json: bool) -> int:
    """Say what works on this machine, what does not, and the cure. Exit code 1 if something fails."""
    from deskmate.host.health import own_checks  # noqa: PLC0415 - only commands need it

    checks, done = anyio.run(_look, session, quick, fix)
    checks = (*checks, *own_checks(session.places))
    failed = any(check.state == "fail" for check in checks)
    if as_json:
        say_json({"ok": not failed, "checks": checks, "fixed": done})
        return int(failed)
    for line in done:
        say(f"fixed {line}")
    for check in checks:
        say(f"{check.state:5} {check.name}: {check.cause}")
        if check.cure:
            say(f"      cure: {check.cure}")
    return int(failed)


async def _look(session: Session, quick: bool, fix: bool) -> tuple[tuple[Check, ...], list[str]]:
    """Return the checks, after the cures where they are wanted, and what the cures did."""
    from deskmate.sandbox.doctor import examine  # noqa: PLC0415

    boot = None if quick else lambda: _boot(session)
    checks = await examine(session.places, boot)
    done: list[str] = []
    tried: set[str] = set()
    while fix and (sick := [c for c in checks if c.state != "ok" and c.name not in tried]):
        # one cure may lay open the next fault: tools, then the image, then the machine
        tried |= {check.name for check in sick}
        done += await _cure(session, sick)
        checks = await examine(session.places, boot)
    return checks, done


async def _cure(session: Session, checks: Sequence[Check]) -> list[str]:
    from deskmate.sandbox.cures import cure  # noqa: PLC0415

    done = []
    for check in checks:
        try:
            what = await anyio.to_thread.run_sync(cure, check, session.places, progress())
        except (DeskmateError, OSError) as error:
            progress()(f"{check.name}: could not be cured: {_line(error)}")
            continue
        if what:
            done.append(f"{check.name}: {what}")
    return done


def _line(error: DeskmateError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def qemu_sandbox(session: Session) -> QemuSandbox:
    """Return the sandbox over real machines, wired as runs use it."""
    from deskmate.host.adapters import Adapters  # noqa: PLC0415

    return cast("QemuSandbox", Adapters(session.places).sandbox())


async def _boot(session: Session) -> Mapping[str, Any]:
    sandbox = qemu_sandbox(session)
    try:
        async with sandbox.clean_room((), progress()) as machine:
            await machine.guest.ping()
            return dict(machine.process.walls)
    finally:
        sandbox.close()
