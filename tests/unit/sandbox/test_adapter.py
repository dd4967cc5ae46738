"""One set of plugins a run: its machines and its clean room are of the layer whose registry it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deskmate.ports import Progress
from deskmate.sandbox import adapter
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.types.ids import Digest
from deskmate.types.places import find_places
from deskmate.types.registry import Layer

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

    check: Any = lambda report, layer: layer  # noqa: E731
    monkeypatch.setattr(QemuSandbox, "_installed", lambda self: (Image(), None))
    monkeypatch.setattr(QemuSandbox, "_template", same)
    monkeypatch.setattr(adapter, "_read_report", lambda path: {})
    sandbox = QemuSandbox(find_places({}, tmp_path), layer_for, check)
    for number in (0, 1):
        registry: Any = await sandbox.registry(("acme",), lambda line: None)
        for _ in range(2):
            template: Any = await sandbox.template(("acme",), lambda line: None)
            assert template is registry is made[number]
