"""P6: two plugins in one real machine, one of them evil: it reaches nothing of the other, and forges no gate."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from tests.attack.evil_wheels import GROUP, WheelOf
from tests.attack.table import Attempts

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.installing import InstallOrder, install
from deskmate.discovery.layer import build_layer
from deskmate.discovery.plugin_store import PluginStore
from deskmate.discovery.registry_check import check_registry
from deskmate.ports import Progress, SandboxSpec, ToolOutcome, ValidationRequest
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.files import Deliverable
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places
from deskmate.types.registry import Layer

pytestmark = [pytest.mark.attack("P6"), pytest.mark.vm, pytest.mark.anyio]
PAIR = ("attacker", "victim")
SOURCES = Path(__file__).parent / "partners"
MANIFEST = (
    'api = ">=1,<2"\ntitle = "{0}"\nsummary = "{0}"\n[tools.{1}]\nrisk = "read"\n[validators.{2}]\n'
)
PARTS = {"attacker": ("attack", "ATTACKER-FORGE"), "victim": ("hold", "VICTIM-OK")}


def quiet(line: str) -> None:
    """Show nothing."""


def wheel_of(name: str, folder: Path) -> Path:
    tool, rule = PARTS[name]
    wheel = WheelOf(
        name=f"deskmate_{name}",
        plugins=f"[{GROUP}]\n{name} = {name}_code\n",
        files={
            f"{name}_code/__init__.py": (SOURCES / f"{name}.py").read_text(),
            f"{name}_code/plugin.toml": MANIFEST.format(name, tool, rule),
        },
    )
    return wheel.write(folder)


@asynccontextmanager
async def pair(places: Places, tmp_path: Path) -> AsyncIterator[QemuSandbox]:
    """A sandbox for the two, from a plugin store of this test; its template is removed at the end."""
    store = tmp_path / "store"
    wheels = tuple(str(wheel_of(name, tmp_path / "wheels")) for name in PAIR)
    install(InstallOrder(what=wheels), PluginStore(store), quiet)
    catalogue = find_plugins(store=store)

    def layer_for(plugins: Sequence[str], progress: Progress) -> Layer:
        return build_layer(plugins, catalogue, places, progress)

    sandbox = QemuSandbox(places, layer_for, check_registry)
    try:
        yield sandbox
        template = await sandbox.template(PAIR, quiet)
        shutil.rmtree(template.folder, ignore_errors=True)
        Path(template.layer.disk).unlink()
    finally:
        sandbox.close()


async def test_an_evil_plugin_reaches_nothing_of_its_neighbour(
    places: Places, tmp_path: Path, attempt: Attempts
) -> None:
    answers: dict[str, ToolOutcome] = {}
    async with pair(places, tmp_path) as sandbox:
        registry = await sandbox.registry(PAIR, quiet)
        assert registry.problems == ()
        spec = SandboxSpec(thread=ThreadId("t-pair"), plugins=PAIR)
        async with sandbox.open(spec, quiet) as machine:

            async def call(tool: str, seconds: float | None = None) -> None:
                arguments = {} if seconds is None else {"seconds": seconds}
                answers[tool] = await machine.call(
                    tool, arguments, key=tool, timeout_s=90, on_progress=quiet
                )

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, "victim__hold", 12.0)
                await anyio.sleep(4)
                await call("attacker__attack")
        for name, outcome in dict(answers["attacker__attack"].structured or {}).items():
            attempt(f"{name}: {outcome}", blocked=outcome.startswith("denied"))
        held = answers["victim__hold"]
        assert not held.is_error, held.text
        assert len(dict(answers["attacker__attack"].structured)) > 30
        assert held.structured["home"] == held.structured["temporary"] == "/run/plugins/victim"
        kept = [text for name, text in held.structured.items() if name[-1].isdigit()]
        assert kept == ["canary"] * 3
        await forge(sandbox, attempt)


async def forge(sandbox: QemuSandbox, attempt: Attempts) -> None:
    """In the clean room the evil plugin's rule runs first, and says that the victim's gate is content."""
    blobs = MemoryBlobs()
    request = ValidationRequest(
        deliverables=(Deliverable(path="docs/bad.txt", title="Bad", role="note"),),
        files={"docs/bad.txt": blobs.put(b"This is bad.\n")},
        sources=(),
        evidence=(),
        facts={"date": "2026-01-31"},
    )
    async with sandbox.clean_room(PAIR, quiet) as machine:
        report = await machine.validate(request, blobs)
    by_rule = {(finding.rule, finding.level): finding.message for finding in report.findings}
    attempt("forge the gate", blocked=by_rule.get(("VICTIM-OK", "error")) == "It is bad.")
    attempt("speak for the gate", blocked=("VICTIM-OK", "note") not in by_rule)
    said = by_rule.get(("ATTACKER-FORGE", "note"), "")
    attempt(f"reach the victim in the clean room: {said}", blocked="did=[]" in said)
