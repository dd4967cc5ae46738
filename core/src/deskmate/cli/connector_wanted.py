"""Connectors that plugins in other formats want (`.mcp.json`): which there are, and what connecting one takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deskmate.cli.connector_program import command_for
from deskmate.cli.output import Session
from deskmate.errors import UserError
from deskmate.types.connectors import ConnectorEntry, SecretHeader

if TYPE_CHECKING:
    from deskmate.types.foreign import ConnectorWanted, ForeignPlugin

_HTTP = ("http", "streamable-http")
_HEADER = re.compile(r"(?:([A-Za-z][A-Za-z0-9-]{0,15}) )?\$\{([A-Za-z_]\w{0,63})\}")


def _plugins(session: Session) -> Iterator[tuple[str, ForeignPlugin]]:
    from deskmate.cli.plugin import installed_plugins  # noqa: PLC0415 - only commands need it
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415

    for plugin in installed_plugins(session).plugins:
        if plugin.foreign is not None:
            yield plugin.name, read_foreign(plugin)


def wanted_rows(session: Session) -> list[dict[str, Any]]:
    """Return what plugins want: the plugin, the server's name there, its address, and the command or why there is none."""
    rows = []
    for name, plugin in _plugins(session):
        for server in plugin.connectors:
            why = why_not(server)
            rows.append(
                {
                    "plugin": name,
                    "server": server.name,
                    "transport": server.transport,
                    "target": server.target,
                    "categories": _categories(plugin, server),
                    "command": "" if why else _command(name, server),
                    "why": why,
                }
            )
    return rows


def _command(plugin: str, server: ConnectorWanted) -> str:
    if server.transport == "stdio":
        return command_for(server.target, slug(server.name), plugin, server.variables)
    url = " URL" if needs_url(server) else ""
    return f"deskmate connector add {slug(server.name)}{url} --of {plugin}"


def why_not(server: ConnectorWanted) -> str:
    """Return why a server cannot be connected, "" if it can."""
    if server.transport == "stdio":
        if command_for(server.target, slug(server.name), "", server.variables):
            return ""
        return "it is a program that is not started by npx, uvx or pipx; name its package yourself: deskmate connector add NAME --npm or --pypi PACKAGE"
    if server.transport not in _HTTP:
        return f"it speaks {server.transport}, which servers of today have given up; ask its maker for streamable HTTP"
    return ""


def needs_url(server: ConnectorWanted) -> bool:
    """Say whether only the user can say where a server is: a plugin never names a place of this machine."""
    if not server.target or "${" in server.target:
        return True
    from deskmate.connectors.way import parse_server  # noqa: PLC0415

    try:
        return parse_server(server.target).local
    except UserError:
        return True


def slug(name: str) -> str:
    """Return a connector's name for a server's."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (words if words[:1].isalpha() else f"my-{words}")[:24].strip("-")


def _categories(plugin: ForeignPlugin, server: ConnectorWanted) -> tuple[str, ...]:
    """Return what the plugin's texts call it, by the plugin's own table."""
    from deskmate.formats.categories import connector_for  # noqa: PLC0415

    called = {server.name: server.name}
    return tuple(one.placeholder for one in plugin.categories if connector_for(one, called))


def wanted_entry(
    session: Session, plugin: str, name: str, url: str, *, program: bool = False
) -> ConnectorEntry:
    """Return the connector `name` as a plugin wants it; `url`: where the user says it is. Raises UserError.

    `program`: the user names the package of a program, which is what counts.
    """
    found = dict(_plugins(session)).get(plugin)
    if found is None:
        raise UserError(
            f"There is no plugin {plugin!r} in another format.",
            hint="See: deskmate connector wanted",
        )
    server = next((one for one in found.connectors if name in (one.name, slug(one.name))), None)
    if server is None:
        names = ", ".join(slug(one.name) for one in found.connectors) or "none"
        raise UserError(f"{plugin} wants no connector {name!r}.", hint=f"It wants: {names}")
    if program:
        return ConnectorEntry(name=name, url="", categories=_categories(found, server), of=plugin)
    if server.transport == "stdio" and (command := _command(plugin, server)):
        raise UserError(f"{name} of {plugin} is a program.", hint=f"Name its package: {command}")
    if why := why_not(server):
        raise UserError(f"{name} of {plugin} cannot be connected: {why}.")
    if not url and needs_url(server):
        hint = f"Give it: deskmate connector add {name} URL --of {plugin}"
        raise UserError(f"{plugin} leaves the address of {name} to you.", hint=hint)
    return ConnectorEntry(
        name=name,
        url=url or server.target,
        categories=_categories(found, server),
        headers=tuple(_header(header, value) for header, value in server.headers.items()),
        of=plugin,
    )


def _header(name: str, value: str) -> SecretHeader:
    match = _HEADER.fullmatch(value)
    assert match is not None  # the reader keeps no others
    return SecretHeader(
        name=name, scheme=match[1] or "", secret=match[2].upper().lstrip("_") or "KEY"
    )
