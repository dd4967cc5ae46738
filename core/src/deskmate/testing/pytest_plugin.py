"""For plugins' own tests: `-p deskmate.testing.pytest_plugin` adds the fixture `plugin_report`.

It loads the plugin in a child process on the machine of its author; `deskmate plugin check` does so in a virtual machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deskmate.testing.kit.report import Report


@pytest.fixture(scope="session")
def plugin_report() -> Callable[[Path], Report]:
    """Return a function: a plugin's folder → the report of all checks, made once a session."""
    made: dict[Path, Report] = {}

    def report(folder: Path) -> Report:
        if folder not in made:
            made[folder] = _report(folder)
        return made[folder]

    return report


def _report(folder: Path) -> Report:
    import anyio  # noqa: PLC0415

    from deskmate.testing.kit.check import Subject, check_plugin, laid_out  # noqa: PLC0415
    from deskmate.testing.kit.probing import probe_in_child  # noqa: PLC0415
    from deskmate.types.probe import ProbeReport  # noqa: PLC0415

    async def probe(subject: Subject) -> ProbeReport:
        return await anyio.to_thread.run_sync(probe_in_child, subject.plugin, subject.site)

    with laid_out(folder, lambda line: None) as subject:
        return anyio.run(check_plugin, subject, probe, "child process")
