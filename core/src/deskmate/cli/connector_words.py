"""Words of `deskmate connector`: headers as the user writes them, tools as the user reads them."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from deskmate.host.connector_making import argument_lines, hinted, parse_header
from deskmate.shown import one_line, plain
from deskmate.types.connectors import ConnectorEntry, ToolSetting

__all__ = ["decided", "open_page", "parse_header", "tool_lines"]

if TYPE_CHECKING:
    from deskmate.protocol.device_flow import DeviceCode

_DECISIONS: Mapping[str | None, str] = {
    "allow": "allowed",
    "ask": "always asked about",
    "deny": "blocked",
    None: "asked about",
}
_DESCRIPTION = 160


def decided(setting: ToolSetting) -> str:
    """Return what the user said of a tool, in words."""
    return f"{_DECISIONS[setting.decision]}, may {setting.risk}"


def tool_lines(
    entry: ConnectorEntry, left_out: Mapping[str, str], *, whole: bool = False
) -> Iterator[str]:
    """Yield a connector's tools for people, and what is left out of them.

    `whole`: with every word of theirs that the model would read, for whoever is asked to accept them.
    """
    width = max((len(one_line(pin.tool.name, 60)) for pin in entry.tools), default=0)
    for pin in entry.tools:
        may = decided(entry.setting(pin.tool.name))
        said = f"; the server says: {said}" if (said := hinted(pin.tool)) else ""
        about = one_line(pin.tool.description or pin.tool.title)
        cut = about if len(about) <= _DESCRIPTION else f"{about[: _DESCRIPTION - 1]}…"
        yield f"  {one_line(pin.tool.name, 60):{width}}  {may}{said}{'' if whole else f'  {cut}'}"
        if whole:
            yield from (f"      {line}" for line in (about, *argument_lines(pin.tool)) if line)
        if why := entry.off.get(pin.tool.name):
            yield f"  {'':{width}}  OFF: {why}"
    for name, why in left_out.items():
        yield f"  left out: {name}: {why}"


def show_code(code: DeviceCode) -> None:
    """Show where to log in with which code, on whatever device has a browser."""
    whole = f"\n  or at once: {plain(code.whole)}" if code.whole else ""
    click.echo(
        f"  On any device, open {plain(code.address)} and type the code {plain(code.code)}{whole}\n  Waiting for you there…",
        err=True,
    )


def open_page(address: str, *, browser: bool) -> None:
    """Show an address, which was checked, and open it in the user's browser where there is one."""
    click.echo(f"  Log in here, and come back:\n  {plain(address)}", err=True)
    has_desktop = sys.platform != "linux" or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))
    )
    if browser and has_desktop:  # a text browser would take over the terminal
        webbrowser.open(address)
