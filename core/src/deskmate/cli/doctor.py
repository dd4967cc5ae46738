"""`deskmate doctor`: what works on this machine, what does not, and the cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import anyio
import click

from deskmate.cli.output import Session, json_option, progress, say, say_json

if TYPE_CHECKING:
    from deskmate.sandbox.adapter import QemuSandbox


@click.command()
@click.option("--quick", is_flag=True, help="Do not start a virtual machine.")
@json_option
@click.pass_obj
def command(session: Session, quick: bool, as_json: bool) -> int:
    """Say what works on this machine, what does not, and the cure. Exit code 1 if something fails."""
    from deskmate.sandbox.doctor import examine  # noqa: PLC0415

    checks = anyio.run(examine, session.places, None if quick else lambda: _boot(session))
    failed = any(check.state == "fail" for check in checks)
    if as_json:
        say_json({"ok": not failed, "checks": checks})
        return int(failed)
    for check in checks:
        say(f"{check.state:5} {check.name}: {check.cause}")
        if check.cure:
            say(f"      cure: {check.cure}")
    return int(failed)


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
