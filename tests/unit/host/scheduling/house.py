"""A whole house without a machine for tests of unattended runs: fake sandbox, scripted model, a tool that sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from deskmate.host import Host
from deskmate.ports import BlobReader, ToolOutcome, ValidationRequest
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.files import Deliverable, Grant
from deskmate.types.findings import Finding
from deskmate.types.places import Places
from deskmate.types.registry import Risk, RuleSpec, ToolSpec

REPORT = "work/report.md"
WRITE: Line = (("workspace__write", {"path": REPORT, "content": "All is well.\n"}),)
PRESENT: Line = (("desk__present", {"path": REPORT}),)
SEND: Line = (("desk__send", {"to": "team@example.test", "text": "All is well."}),)
GOOD: tuple[Line, ...] = (WRITE, PRESENT, "Done.")
SENDING: tuple[Line, ...] = (WRITE, PRESENT, SEND, "Done.")
LOST: tuple[Line, ...] = (WRITE, "I wrote the report.")
"""It says that it is done, and delivers nothing."""


def _tool(name: str, risk: Risk) -> ToolSpec:
    schema = {"type": "object", "additionalProperties": True}
    return ToolSpec(
        plugin="desk", name=name, title=name, description=name, input_schema=schema, risk=risk
    )


def _present(tree: Tree, arguments: Mapping[str, Any]) -> ToolOutcome:
    shown = Deliverable(path=arguments["path"], title="Report", role="document")
    return ToolOutcome(text="presented", deliverables=(shown,))


def house(
    root: Path,
    lines: tuple[Line, ...],
    *,
    sent: Callable[[Mapping[str, Any]], None] = lambda arguments: None,
    gate: str = "",
) -> tuple[Host, Places]:
    """Return a host over `root`. `sent`: told each sending. `gate`: what the output check finds, if anything."""

    def send(tree: Tree, arguments: Mapping[str, Any]) -> str:
        sent(arguments)
        return "sent"

    def check(request: ValidationRequest, blobs: BlobReader) -> Iterable[Finding]:
        if gate:
            yield Finding(rule="DESK-1", level="error", message=gate)

    plugin = FakePlugin(
        tools={
            "desk__present": (_tool("desk__present", "read"), _present),
            "desk__send": (_tool("desk__send", "send"), send),
        },
        rules={"DESK-1": (RuleSpec(plugin="desk", rule="DESK-1", title="Well"), check)},
    )
    places = Places(data=root / "data", cache=root / "cache", config=root / "config")
    (root / "work").mkdir(parents=True, exist_ok=True)
    host = Host(
        places,
        environ={},
        sandbox=FakeSandbox({"desk": plugin}),
        model=ScriptedModel(lines),
    )
    return host, places


def work_folder(root: Path) -> tuple[Grant, ...]:
    """Return the grant of the folder that runs work in."""
    return (Grant(name="work", folder=str(root / "work")),)
