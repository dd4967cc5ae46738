"""What a plugin brings and may do, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from deskmate.types.registry import InstalledPlugin, Manifest, Risk


def permission_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield, in plain words, what a plugin brings and may do."""
    yield "Its code runs inside the virtual machine only."
    yield from _tool_lines(plugin.manifest)
    yield from _network_lines(plugin.manifest)
    yield from _other_lines(plugin.manifest)


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
    if manifest.guest_packages:
        yield f"Brings into the virtual machine: {', '.join(manifest.guest_packages)}"
    for setting, about in manifest.config.items():
        value = about["default"] if about["default"] not in ("", None) else "(empty)"
        yield f"Setting {setting} = {value}: {about.get('help', '')}"
    yield f"A tool may take {manifest.timeout_s} s and {manifest.memory_mib} MiB."
