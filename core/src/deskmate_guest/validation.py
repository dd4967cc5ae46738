"""Runs the rules over the deliverables in a clean room: each in its own plugin's worker, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deskmate.types.codec import to_json
from deskmate.types.registry import RuleSpec
from deskmate_guest.pool import Job, PluginProcesses, Setup
from deskmate_guest.registry import RegistryBuilder
from deskmate_guest.running import failed_rule

_RULE_TIMEOUT_S = 300.0


class Validation:
    """Collects the findings of all rules that fit."""

    def __init__(self, plugins: Mapping[str, PluginProcesses], registry: RegistryBuilder) -> None:
        self._plugins, self._registry = plugins, registry

    def start(self, params: Mapping[str, Any], done: Callable[[dict[str, Any]], None]) -> None:
        """Run every rule over every deliverable whose role it looks at, then call `done(report)`."""
        for name, plugin in self._plugins.items():
            config = params["config"].get(name, {})
            plugin.setup(Setup(config=config, validation=params))
        pairs = [
            (rule, number, str(item.get("path", "")))
            for rule in self._registry.registry().rules
            for number, item in enumerate(params["deliverables"])
            if not rule.roles or item.get("role", "document") in rule.roles
        ]
        findings: list[Any] = []
        left = len(pairs)

        def one_more(found: list[Any]) -> None:
            nonlocal left
            findings.extend(found)
            left -= 1
            if left == 0:
                done(_report(pairs, findings))

        if not pairs:
            done({"findings": [], "rules": []})
        for rule, number, path in pairs:
            self._start(rule, number, path, one_more)

    def _start(
        self, rule: RuleSpec, number: int, path: str, done: Callable[[list[Any]], None]
    ) -> None:
        def ended(reply: dict[str, Any], failure: str) -> None:
            found = reply.get("findings")
            if not isinstance(found, list):
                why = f"did not finish ({failure or 'its answer is malformed'})"
                found = [to_json(failed_rule(rule.rule, path, why))]
            done(found)

        message = {"op": "check", "rule": rule.rule, "deliverable": number}
        self._plugins[rule.plugin].run(Job(message=message, timeout_s=_RULE_TIMEOUT_S, done=ended))


def _report(pairs: list[tuple[RuleSpec, int, str]], findings: list[Any]) -> dict[str, Any]:
    return {"findings": findings, "rules": list(dict.fromkeys(rule.rule for rule, _, _ in pairs))}
