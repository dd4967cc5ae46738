from __future__ import annotations

import sys
from pathlib import Path

import pytest

# tests of this folder share `tests.unit.changes.folder_trees`
sys.path.insert(0, str(Path(__file__).parents[3]))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
