"""Collects what the plugins' zygotes report into one registry. What they say is checked, not trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest
from deskmate.types.registry import PromptSpec, Registry, RuleSpec, SkillSpec, ToolSpec
from deskmate.types.wire import REGISTRY_LIMIT_BYTES
from deskmate_guest.layout import Lock

_PART_LIMIT_BYTES = REGISTRY_LIMIT_BYTES * 3 // 4
_KINDS: Mapping[str, Any] = {
    "prompts": PromptSpec,
    "tools": ToolSpec,
    "skills": SkillSpec,
    "rules": RuleSpec,
}


class RegistryBuilder:
    """The registry of a lock's plugins, complete when each of them has reported."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._parts: dict[str, dict[str, tuple[Any, ...]]] = {}
        self._problems: dict[str, list[str]] = {}
        self._tools: dict[str, ToolSpec] = {}
        self._size = 0

    def extend(self, lock: Lock) -> None:
        """Go on to a lock that has more plugins; what was reported stands."""
        self._lock = lock

    @property
    def complete(self) -> bool:
        """Say whether every plugin has reported."""
        return len(self._problems) == len(self._lock.plugins)

    def add(self, name: str, report: Mapping[str, Any]) -> None:
        """Take one plugin's report: `{"loaded": {...}}` or `{"broken": why}`."""
        problems = self._problems.setdefault(name, [])
        if "broken" in report:
            problems.append(f"{name}: {report['broken']}")
            return
        try:
            parts, left_out = self._read(name, report["loaded"])
        except (CorruptData, KeyError, TypeError, ValueError) as error:
            problems.append(f"{name}: its report is malformed: {error}")
            return
        problems.extend(left_out)
        self._parts[name] = parts
        self._tools.update({tool.name: tool for tool in parts["tools"]})

    def _read(
        self, name: str, data: Mapping[str, Any]
    ) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
        size = len(json.dumps(data))
        if self._size + size > _PART_LIMIT_BYTES:
            raise ValueError(f"all plugins together tell over {_PART_LIMIT_BYTES} bytes")
        parts = {
            kind: tuple(from_json(cls, row) for row in data[kind]) for kind, cls in _KINDS.items()
        }
        if any(row.plugin != name for rows in parts.values() for row in rows):
            raise ValueError("it speaks for another plugin")
        if any(not tool.name.startswith(f"{name}__") for tool in parts["tools"]):
            raise ValueError("a tool's name does not begin with the plugin's")
        self._size += size
        return parts, [str(problem)[:500] for problem in data["problems"]][:50]

    def tool(self, name: str) -> ToolSpec | None:
        """Return the tool of a wire name, or None."""
        return self._tools.get(name)

    def registry(self) -> Registry:
        """Return all of it, in the order the model sees."""
        names = [place.name for place in self._lock.plugins]
        known = [self._parts[name] for name in names if name in self._parts]
        return Registry(
            lock=Digest(self._lock.digest),
            prompts=tuple(row for part in known for row in part["prompts"]),
            tools=tuple(row for part in known for row in part["tools"]),
            skills=tuple(row for part in known for row in part["skills"]),
            rules=tuple(row for part in known for row in part["rules"]),
            problems=tuple(text for name in names for text in self._problems.get(name, ())),
        )

    def json(self) -> dict[str, Any]:
        """Return the registry as the codec writes it."""
        data: dict[str, Any] = to_json(self.registry())
        return data
