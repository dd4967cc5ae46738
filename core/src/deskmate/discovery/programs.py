"""A connector's program as a layer of its own: wheels that were pinned, beside Deskmate's own guest code."""

from __future__ import annotations

from pathlib import Path

from deskmate.discovery.installed import Catalogue
from deskmate.discovery.metadata import OWN_DISTRIBUTION
from deskmate.types.connectors import ConnectorEntry
from deskmate.types.registry import InstalledPlugin, Manifest

PACKAGE = "deskmate_guest.stdio"
MEMORY_MIB = 512


def with_program(catalogue: Catalogue, entry: ConnectorEntry) -> Catalogue:
    """Return a catalogue that also has the plugin under which a machine knows this connector's program."""
    return Catalogue(plugins=(*catalogue.plugins, _plugin(entry)), problems=catalogue.problems)


def _plugin(entry: ConnectorEntry) -> InstalledPlugin:
    program = entry.program
    assert program is not None
    return InstalledPlugin(
        name=entry.plugin,
        package=PACKAGE,
        distribution=OWN_DISTRIBUTION,
        version=program.version,
        manifest=Manifest(
            api=">=1,<2",
            title=entry.name,
            summary=entry.url,
            tools={"start": "write", "exchange": "write", "warm": "write"},
            guest_packages=(program.main.partition("==")[0],),
            memory_mib=MEMORY_MIB,
            order=1_000,
        ),
        files={},
        dependencies=(program.main,),
        origin="deskmate",
        warm={"command": list(program.command), "environment": dict(program.environment)},
        wheels={
            str(Path(program.folder) / name): sha256 for name, sha256 in program.wheels.items()
        },
    )
