"""What validators report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a validator has to say about one deliverable.

    `rule`: stable id, such as `G-QUOTE` or `LEGAL-REJECT-ALL`. `location`: where in the deliverable,
    in words a person can follow ("page 2, paragraph 14"). `fix`: what would put it right.
    `path`: workspace path of the deliverable, set by the runner.
    """

    rule: str
    level: Level
    message: str
    location: str = ""
    fix: str = ""
    path: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object; all values are strings."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """Return the finding for `to_json`'s shape, from data that a schema has checked."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
