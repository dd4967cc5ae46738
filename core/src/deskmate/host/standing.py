"""Answers for the user where nobody is there: what was agreed to beforehand, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskmate.host.orders import Unattended
from deskmate.types.policy import Rule
from deskmate.types.registry import ToolSpec


class StandingApprover:
    """The `Approver` of a run that nobody watches. It never waits."""

    def __init__(self, order: Unattended) -> None:
        self._order = order
        self.by = ""
        """Whose word the last answer was."""

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Give the user's own answer, else yes to what was agreed to, else what the order says."""
        from deskmate.agent.manifests import digest_of_call  # noqa: PLC0415

        given = self._order.given.get(digest_of_call(tool, arguments))
        if given is not None:
            self.by = "user"
            return given
        if any(covers(rule, tool.name, arguments) for rule in self._order.allowed):
            self.by = self._order.agreed_in
            return True
        self.by = self._order.by
        return self._order.otherwise


def covers(rule: Rule, tool: str, arguments: Mapping[str, Any]) -> bool:
    """Say whether an agreed (tool, target) is this call; a rule without a target is none."""
    from deskmate.agent.policy import matches  # noqa: PLC0415

    return (
        rule.decision == "allow"
        and rule.tool == tool
        and bool(rule.where)
        and matches(rule.where, arguments)
    )
