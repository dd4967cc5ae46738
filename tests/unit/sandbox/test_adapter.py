"""One set of plugins a run: its machines and its clean room are of the layer whose registry it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deskmate.ports import Progress
from deskmate.sandbox import adapter
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.types.codec import from_json
from deskmate.types.ids import Digest
from deskmate.types.places import find_places
from deskmate.types.registry import Layer, Manifest, Registry

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Image:
    digest = Digest("0" * 64)


async def test_a_plugin_that_is_installed_anew_waits_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Layer] = []

    def layer_for(plugins: Sequence[str], progress: Progress) -> Layer:
        digest = Digest(str(len(made)) * 64)
        made.append(
            Layer(
                digest=digest,
                disk="",
                lock=digest,
                plugins=tuple(plugins),
                versions={},
                manifests={},
            )
        )
        return made[-1]

    async def same(self: object, layer: Layer, *parts: object) -> Layer:
        return layer

    check: Any = lambda report, layer: Registry(lock=layer.lock)  # noqa: E731
    monkeypatch.setattr(QemuSandbox, "_installed", lambda self, flavour="base": (Image(), None))
    monkeypatch.setattr(QemuSandbox, "_template", same)
    monkeypatch.setattr(adapter, "_read_report", lambda path, layer: {})
    sandbox = QemuSandbox(find_places({}, tmp_path), layer_for, check)
    for number in (0, 1):
        registry: Any = await sandbox.registry(("acme",), lambda line: None)
        for _ in range(2):
            template: Any = await sandbox.template(("acme",), lambda line: None)
            assert template is made[number]
            assert registry.lock == template.lock


class Template:
    """Stands for a frozen machine; what its guest reports was decided when it was made."""

    def __init__(self, loaded: bool) -> None:
        self.loaded = loaded


class Templates:
    """Makes a template where the plugin did not load at first, and a good one afterwards."""

    def __init__(self, bad: int) -> None:
        self.bad, self.made = bad, 0
        self.kept: Template | None = None

    def get(self) -> Template:
        if self.kept is None:
            self.made += 1
            self.kept = Template(loaded=self.made > self.bad)
        return self.kept

    async def forget(self, template: Template) -> None:
        assert template is self.kept
        self.kept = None


def acme_layer() -> Layer:
    manifest = Manifest(api=">=1", title="A", summary="s", tools={"find": "read"})
    return Layer(
        digest=Digest("1" * 64),
        disk="",
        lock=Digest("1" * 64),
        plugins=("acme",),
        versions={},
        manifests={"acme": manifest},
    )


def acme_sandbox(folder: Path, monkeypatch: pytest.MonkeyPatch, templates: Templates) -> Any:
    async def template(self: object, *parts: object) -> Template:
        return templates.get()

    async def ask(self: object, layer: Layer, template: Template) -> dict[str, Any]:
        tool = {
            "plugin": "acme", "name": "acme__find", "title": "Find", "description": "Finds.",
            "input_schema": {"type": "object"}, "risk": "read",
        }  # fmt: skip
        lock = {"lock": layer.lock}
        return (
            {**lock, "tools": [tool]} if template.loaded else {**lock, "problems": ["acme: died"]}
        )

    monkeypatch.setattr(QemuSandbox, "_installed", lambda self, flavour="base": (Image(), None))
    monkeypatch.setattr(QemuSandbox, "_template", template)
    monkeypatch.setattr(QemuSandbox, "_ask", ask)
    check: Any = lambda report, layer: from_json(Registry, report)  # noqa: E731
    sandbox: Any = QemuSandbox(find_places({}, folder), lambda *parts: acme_layer(), check)
    sandbox._templates = templates
    return sandbox


async def test_a_plugin_whose_process_was_killed_once_is_loaded_in_a_new_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = Templates(bad=1)
    sandbox = acme_sandbox(tmp_path, monkeypatch, templates)
    for _ in range(2):
        report = await sandbox.registry(("acme",), lambda line: None)
        assert [tool.name for tool in report.tools] == ["acme__find"]
    assert templates.made == 2


async def test_a_plugin_that_never_loads_is_kept_as_broken_for_a_while_and_then_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = Templates(bad=2)
    sandbox = acme_sandbox(tmp_path, monkeypatch, templates)
    for _ in range(2):
        report = await sandbox.registry(("acme",), lambda line: None)
        assert report.problems == ("acme: died",)
    assert templates.made == 2, "the second call took what is known"
    monkeypatch.setattr(adapter, "FAILURE_KEPT_S", -1.0)
    report = await sandbox.registry(("acme",), lambda line: None)
    assert [tool.name for tool in report.tools] == ["acme__find"]
