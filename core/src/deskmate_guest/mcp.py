"""The standard methods of MCP revision 2026-07-28, answered from the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskmate import __version__
from deskmate.types.registry import ToolSpec
from deskmate.types.wire import PROTOCOL
from deskmate_guest.registry import RegistryBuilder
from deskmate_guest.requests import INVALID_PARAMS, Refused

Reply = dict[str, Any]
_SERVER = {"io.modelcontextprotocol/serverInfo": {"name": "deskmate-guest", "version": __version__}}
_CACHE = {"ttlMs": 0, "cacheScope": "private"}


class McpAnswers:
    """Discover, tools and prompts. Skills are prompts too: their text is what they are."""

    def __init__(self, registry: RegistryBuilder) -> None:
        self._registry = registry

    def complete(self, result: Mapping[str, Any]) -> Reply:
        """Return a result with the fields that every result of this revision carries."""
        meta = {**result.get("_meta", {}), **_SERVER}
        return {**result, "resultType": "complete", "_meta": meta}

    def discover(self) -> Reply:
        """Answer `server/discover`."""
        capabilities: Reply = {"tools": {"listChanged": False}, "prompts": {"listChanged": False}}
        return self.complete(
            {"supportedVersions": [PROTOCOL], "capabilities": capabilities, **_CACHE}
        )

    def tools(self) -> Reply:
        """Answer `tools/list`: all of them, on one page."""
        tools = [_tool(spec) for spec in self._registry.registry().tools]
        return self.complete({"tools": tools, **_CACHE})

    def prompts(self) -> Reply:
        """Answer `prompts/list`: prompt blocks and skills."""
        rows = [
            {"name": name, "description": description}
            for name, (description, _) in self._texts().items()
        ]
        return self.complete({"prompts": rows, **_CACHE})

    def prompt(self, params: Mapping[str, Any]) -> Reply:
        """Answer `prompts/get`. Raises Refused for an unknown name."""
        found = self._texts().get(str(params.get("name")))
        if found is None:
            raise Refused(INVALID_PARAMS, f"Unknown prompt: {params.get('name')}")
        description, text = found
        message = {"role": "user", "content": {"type": "text", "text": text}}
        return self.complete({"description": description, "messages": [message]})

    def _texts(self) -> dict[str, tuple[str, str]]:
        registry = self._registry.registry()
        texts = {
            f"{row.plugin}__{row.name}": (f"Prompt of the plugin {row.plugin}", row.text)
            for row in registry.prompts
        }
        for skill in registry.skills:
            texts.setdefault(f"{skill.plugin}__{skill.name}", (skill.description, skill.body))
        return texts


def _tool(spec: ToolSpec) -> Reply:
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "annotations": {
            "readOnlyHint": spec.risk == "read",
            "destructiveHint": spec.risk == "write",
            "openWorldHint": spec.risk == "send",
        },
    }
