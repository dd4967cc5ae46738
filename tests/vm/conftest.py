"""Real machines: the image of the user's cache, built if it is not there; one template for all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deskmate.discovery.installed import find_plugins
from deskmate.discovery.layer import build_layer
from deskmate.discovery.registry_check import check_registry
from deskmate.errors import SandboxMissing
from deskmate.ports import Progress
from deskmate.sandbox.adapter import QemuSandbox
from deskmate.sandbox.build import build_image
from deskmate.sandbox.image import find_image
from deskmate.testing.memory import MemoryBlobs
from deskmate.types.places import Places, find_places
from deskmate.types.registry import Layer

# tests of this folder share `tests.vm.desk`
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.vm.desk import Desk, make_desk


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def places() -> Places:
    found = find_places(dict(os.environ), Path.home())
    try:
        find_image(found)
    except SandboxMissing:
        build_image(found, lambda line: None)
    return found


def make_sandbox(places: Places) -> QemuSandbox:
    """Return a sandbox over real machines. Close it."""
    catalogue = find_plugins()

    def layer_for(plugins: Sequence[str], progress: Progress) -> Layer:
        return build_layer(plugins, catalogue, places, progress)

    return QemuSandbox(places, layer_for, check_registry)


@pytest.fixture(scope="session")
def sandbox(places: Places) -> Iterator[QemuSandbox]:
    adapter = make_sandbox(places)
    yield adapter
    adapter.close()


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def make_home(places: Places, tmp_path: Path) -> Callable[[], Desk]:
    """Makes a desk with a home of its own, that of the program in this environment."""
    program = str(Path(sys.executable).with_name("deskmate"))
    made: list[Desk] = []

    def make() -> Desk:
        made.append(make_desk(tmp_path / f"home-{len(made) + 1}", places, program))
        return made[-1]

    return make


@pytest.fixture
def desk(make_home: Callable[[], Desk]) -> Desk:
    return make_home()
