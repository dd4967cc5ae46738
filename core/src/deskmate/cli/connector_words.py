"""Words of `deskmate connector`: headers as the user writes them, tools as the user reads them."""

from __future__ import annotations

import json
import os
import re
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from deskmate.errors import UserError
from deskmate.shown import one_line, plain
from deskmate.types.connectors import ConnectorEntry, RemoteTool, SecretHeader, ToolSetting

if TYPE_CHECKING:
    from deskmate.protocol.device_flow import DeviceCode

_HEADER = re.compile(
    r"([A-Za-z][A-Za-z0-9-]{0,63})=(?:([A-Za-z][A-Za-z0-9-]{0,15}) )?([A-Z][A-Z0-9_]{0,63})"
)
_OURS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "accept",
        "accept-encoding",
        "cookie",
    }
)
_DECISIONS: Mapping[str | None, str] = {
    "allow": "allowed",
    "ask": "always asked about",
    "deny": "blocked",
    None: "asked about",
}
_DESCRIPTION = 160
_PLAIN_KEYS = ("type", "title", "properties", "required", "additionalProperties", "$schema")


def parse_header(text: str) -> SecretHeader:
    """Return the header written as `NAME=[SCHEME ]SECRET`. Raises UserError; a value that looks like one is never shown."""
    match = _HEADER.fullmatch(text.strip())
    if match is None or match[1].lower() in _OURS or match[1].lower().startswith("mcp-"):
        raise UserError(
            "This is no header with the name of a secret.",
            hint="Write 'Authorization=Bearer TOKEN', where TOKEN is a name; the value is asked for and never shown.",
        )
    return SecretHeader(name=match[1], scheme=match[2] or "", secret=match[3])


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
        said = f"; the server says: {said}" if (said := _hinted(pin.tool)) else ""
        about = one_line(pin.tool.description or pin.tool.title)
        cut = about if len(about) <= _DESCRIPTION else f"{about[: _DESCRIPTION - 1]}…"
        yield f"  {one_line(pin.tool.name, 60):{width}}  {may}{said}{'' if whole else f'  {cut}'}"
        if whole:
            yield from (f"      {line}" for line in (about, *_argument_lines(pin.tool)) if line)
        if why := entry.off.get(pin.tool.name):
            yield f"  {'':{width}}  OFF: {why}"
    for name, why in left_out.items():
        yield f"  left out: {name}: {why}"


def _argument_lines(tool: RemoteTool) -> Iterator[str]:
    """Yield a tool's arguments with all that is said of them."""
    for name, schema in tool.input_schema.get("properties", {}).items():
        words = json.dumps(schema, ensure_ascii=False, sort_keys=True)
        if isinstance(schema, Mapping) and set(schema) <= {"type", "title", "description"}:
            kind, said = schema.get("type", "any"), schema.get("description", "")
            words = f"{kind}, {said}" if said else str(kind)
        yield f"{name}: {words}"
    rest = {key: value for key, value in tool.input_schema.items() if key not in _PLAIN_KEYS}
    if rest:
        yield f"and: {json.dumps(rest, ensure_ascii=False, sort_keys=True)}"


def _hinted(tool: RemoteTool) -> str:
    if tool.hints.get("readOnlyHint"):
        return "only reads"
    if tool.hints.get("destructiveHint"):
        return "may destroy"
    return ""


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
