"""`deskmate serve`: the page in the browser, served on this machine only."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, say

if TYPE_CHECKING:
    from deskmate.web.serving import Door


@click.command("serve")
@click.option(
    "--port",
    type=click.IntRange(1024, 65_535),
    help="Default: the one of the last time; the first time any that is free.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link that signs a browser in.")
@click.option(
    "--name",
    help="Let devices in that reach this page under a name, over HTTPS that a proxy of yours ends here; `none`: no more.",
)
@click.pass_obj
def command(session: Session, port: int | None, no_browser: bool, name: str | None) -> int:
    """Serve the page and open it in the browser, signed in.

    It listens on 127.0.0.1 only. What you begin in the page goes on while this runs, with the window closed too; Ctrl-C
    stops it, and nothing is lost. Where the page is served already, this only opens it in one more browser.

    The link that is printed signs one browser in, once, within two minutes.

    For a phone: `tailscale serve --bg PORT`, and once `deskmate serve --name laptop.tail1234.ts.net`. The page itself is
    never served to a network.
    """
    from deskmate.web.page import Page  # noqa: PLC0415 - the help must stay light
    from deskmate.web.serving import Door, listen, serve  # noqa: PLC0415

    Page()  # says so if it was never built
    door = Door(session.places)
    if name is not None:
        door.set_name(name)
    if door.is_served():
        say(
            "The page is served already." + (" The name holds from its next start." if name else "")
        )
        _show(door, no_browser=no_browser)
        return 0
    from deskmate.host import Host  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    lock = door.hold()
    try:
        with listen(port or 0, kept=door.port()) as own:

            def ready(address: str) -> None:
                say(f"The page is at {address}  Ctrl-C ends it.")
                _show(door, no_browser=no_browser)

            anyio.run(serve, Host(session.places), session.places, own, door, ready)
    finally:
        lock.release()
    return 0


def _show(door: Door, *, no_browser: bool) -> None:
    """Open a browser; where there is none, or none is wanted, print the link."""
    if no_browser or not door.open_browser():
        say(f"Open this in your browser, within two minutes: {door.link()}")
    sys.stdout.flush()
