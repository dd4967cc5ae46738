"""Tool servers that a plugin would like (`.mcp.json`): listed as connectors wanted, never started or asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deskmate.formats.texts import read_json
from deskmate.formats.tree import Tree
from deskmate.types.foreign import ConnectorWanted

FILE = ".mcp.json"
SERVERS_LIMIT = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w{0,99})(?::-[^}]{0,500})?\}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_FILLED = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]{0,15} )?\$\{[A-Za-z_]\w{0,63}\}")
_TRANSPORTS = ("http", "streamable-http", "sse", "ws", "stdio")
_SHOWN_LIMIT = 500
_PINNED = re.compile(r"(?:@|==)v?\d+\.\d+[\w.+-]*\Z|@sha256:[0-9a-f]{64}\Z|@[0-9a-f]{40}\Z")
_LAUNCHERS = ("npx", "bunx", "uvx", "pipx", "docker", "pnpm", "yarn")


def read_servers(tree: Tree, path: str, given: Any = None) -> tuple[ConnectorWanted, ...]:
    """Return the servers of a file, or those `given` in the manifest at `path`."""
    data = read_json(tree, path) if given is None else given
    if data is None:
        return ()
    if not isinstance(data, dict):
        tree.note("mcp-shape", path)
        return ()
    if "mcpServers" in data:
        servers = data["mcpServers"]
    else:
        servers = data
        if data and given is None:
            tree.note("mcp-bare", path)
    if not isinstance(servers, dict):
        tree.note("mcp-shape", path, "mcpServers")
        return ()
    if not servers:
        tree.note("mcp-empty", path)
    found = (_server(tree, path, name, server) for name, server in servers.items())
    return tuple(one for one in found if one is not None)[:SERVERS_LIMIT]


def _server(tree: Tree, path: str, name: str, server: Any) -> ConnectorWanted | None:
    if not isinstance(server, dict) or not ("url" in server or "command" in server):
        tree.note("mcp-shape", path, name)
        return None
    if not _NAME.fullmatch(name):
        tree.note("mcp-name-form", path, name)
    oauth = server.get("oauth")
    if isinstance(oauth, dict) and oauth.get("clientId"):
        tree.note("mcp-client-id", path, name)
    variables = tuple(sorted(set(_variables(server))))[:50]
    if "command" in server:
        words = [str(server["command"]), *_arguments(server)]
        unpinned = _is_unpinned(words)
        if unpinned:
            tree.note("mcp-unpinned", path, name)
        return ConnectorWanted(
            name=name[:100], transport="stdio", target=" ".join(words)[:_SHOWN_LIMIT],
            variables=variables, unpinned=unpinned,
        )  # fmt: skip
    transport = str(server.get("type", "http"))
    url = server["url"]
    if not isinstance(url, str) or transport not in _TRANSPORTS:
        tree.note("mcp-shape", path, name)
        return None
    if not url.strip():
        tree.note("mcp-later", path, name)
    return ConnectorWanted(
        name=name[:100], transport=transport, target=url.strip()[:_SHOWN_LIMIT], variables=variables,
        headers=_headers(server.get("headers")),
    )  # fmt: skip


def _headers(given: Any) -> dict[str, str]:
    """Return the headers that take a secret of the user's; what is written out in a plugin is not kept."""
    if not isinstance(given, dict):
        return {}
    kept = {
        name: value
        for name, value in given.items()
        if isinstance(value, str) and _HEADER.fullmatch(name) and _FILLED.fullmatch(value)
    }
    return dict(list(kept.items())[:20])


def _arguments(server: Mapping[str, Any]) -> list[str]:
    arguments = server.get("args", [])
    return [str(word) for word in arguments[:100]] if isinstance(arguments, list) else []


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _VARIABLE.findall(value[:10_000])
    elif isinstance(value, dict):
        for item in value.values():
            yield from _variables(item)
    elif isinstance(value, list):
        for item in value:
            yield from _variables(item)


def _is_unpinned(words: list[str]) -> bool:
    """Say whether a launcher would fetch what is newest that day."""
    program = words[0].rsplit("/", 1)[-1]
    if program not in _LAUNCHERS:
        return False
    return not any(_PINNED.search(word) for word in words[1:])


def without_twins(
    tree: Tree, path: str, servers: Iterator[ConnectorWanted]
) -> tuple[ConnectorWanted, ...]:
    """Return each server once, by name; the first counts."""
    found: dict[str, ConnectorWanted] = {}
    for server in servers:
        if server.name in found:
            tree.note("mcp-twice", path, server.name)
        found.setdefault(server.name, server)
    return tuple(found.values())
