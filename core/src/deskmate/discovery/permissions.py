"""What a plugin brings and may do, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deskmate.types.registry import InstalledPlugin, Manifest, Risk

if TYPE_CHECKING:
    from deskmate.types.foreign import ForeignHook, ForeignPlugin

_NAMES_SHOWN = 12


def permission_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield, in plain words, what a plugin brings and may do."""
    if plugin.foreign is not None:
        yield from _foreign_lines(plugin)
        return
    yield "Its code runs inside the virtual machine only."
    yield from _tool_lines(plugin.manifest)
    yield from _network_lines(plugin.manifest)
    yield from _other_lines(plugin.manifest)


def _foreign_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield what a plugin in another format brings: texts and files, of which nothing runs by itself."""
    from deskmate.discovery.foreign import read_foreign  # noqa: PLC0415

    yield "Nothing of it runs by itself before you allow that; what the agent runs of its files runs inside the virtual machine."
    yield "May reach no network at all."
    yield from part_lines(plugin.name, read_foreign(plugin))


def _tool_lines(manifest: Manifest) -> Iterator[str]:
    meanings: dict[Risk, str] = {
        "read": "Tools that only read",
        "write": "Tools that change files in the workspace",
        "send": "Tools that send something out",
    }
    for risk, meaning in meanings.items():
        if names := [name for name, its_risk in manifest.tools.items() if its_risk == risk]:
            yield f"{meaning}: {', '.join(names)}"


def _network_lines(manifest: Manifest) -> Iterator[str]:
    for rule in manifest.hosts:
        yield f"May reach {rule.host} ({', '.join(rule.methods)}): {rule.why}"
    if not manifest.hosts:
        yield "May reach no network at all."
    for secret in manifest.secrets:
        yield f"Your secret {secret.name} may be sent to {', '.join(secret.send_to)}: {secret.why}"


def _other_lines(manifest: Manifest) -> Iterator[str]:
    if gates := [rule for rule, gate in manifest.validators.items() if gate]:
        yield f"Stops a deliverable that breaks: {', '.join(gates)}"
    if manifest.skills:
        yield f"Skills: {', '.join(manifest.skills)}"
    if manifest.connectors:
        yield f"Works with connectors of yours of the kind: {', '.join(manifest.connectors)}"
    if manifest.guest_packages:
        yield f"Brings into the virtual machine: {', '.join(manifest.guest_packages)}"
    for setting, about in manifest.config.items():
        value = about["default"] if about["default"] not in ("", None) else "(empty)"
        yield f"Setting {setting} = {value}: {about.get('help', '')}"
    yield f"A tool may take {manifest.timeout_s} s and {manifest.memory_mib} MiB."


def part_lines(name: str, plugin: ForeignPlugin) -> Iterator[str]:
    """Yield, in plain words, what a plugin brings and what becomes of it."""
    for kind in ("skill", "command"):
        if found := [f"{name}:{skill.name}" for skill in plugin.skills if skill.kind == kind]:
            yield f"{len(found)} {plural(kind, len(found))}: {_some(found)}"
    if plugin.agents:
        found = [agent.name for agent in plugin.agents]
        yield f"{len(found)} {plural('agent', len(found))}, roles for sub-agents, which only read: {_some(found)}"
    if plugin.hooks:
        lines = [_hook(hook) for hook in plugin.hooks]
        yield f"{len(lines)} {plural('hook', len(lines))}, off until you allow them (deskmate plugin hooks {name}): {_some(lines, '; ')}"
    if plugin.connectors:
        lines = [_connector(one.name, one.transport, one.target) for one in plugin.connectors]
        yield f"{len(lines)} {plural('connector wanted', len(lines))}, none is asked before you connect it (deskmate connector wanted): {_some(lines, '; ')}"
    if plugin.categories:
        found = [f"~~{category.placeholder}" for category in plugin.categories]
        yield f"Its texts ask for {_some(found)}; what is not connected, they ask you for as a file"
    if plugin.settings or plugin.setting_files:
        found = [*plugin.settings, *plugin.setting_files]
        yield f"Settings: {_some(found)}"
    if plugin.not_used:
        yield f"Kept without use here: {_some([f'{place} ({what})' for place, what in plugin.not_used.items()])}"


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = len(names) - _NAMES_SHOWN
    return between.join(names[:_NAMES_SHOWN]) + (f"{between}and {more} more" if more > 0 else "")


def _hook(hook: ForeignHook) -> str:
    moment = f" ({hook.moment})" if hook.moment else " (no such moment here)"
    matcher = f" {hook.matcher}" if hook.matcher else ""
    return f"{hook.event}{matcher}{moment}: {hook.kind} {hook.does}".rstrip()


def _connector(name: str, transport: str, target: str) -> str:
    return f"{name} ({transport}, {target or 'address to be chosen'})"


def plural(word: str, count: int) -> str:
    """Return the plural of a word, or of the first of several, unless there is one."""
    first, _, rest = word.partition(" ")
    return word if count == 1 else f"{first}s {rest}".strip()
