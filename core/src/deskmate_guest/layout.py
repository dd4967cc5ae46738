"""Where things lie in the guest, and whether this process may mount and change users."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.types.wire import CLEAN, HOME, LAYER, LISTING, PLUGINS, RESULTS, WORKSPACE

AGENT_UID = 1000
"""The user of the built-in workspace tools, and the owner of all workspace files."""
FIRST_WORKER_UID = 2001
FIRST_LATER_UID = 2101
"""Of the plugins that were loaded into a copy of a template."""
GROUP = 3000
"""Group `workspace`: what lets every worker write the same files."""
BUILT_IN = ("workspace", "office")
PROGRAM = "deskmate_guest.stdio"
"""The package that keeps a connector's program; the host names it, for a machine of that connector alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders of the guest. `privileged`: mounts, users, control groups and the clock are ours to set.

    `scratch_device`: block device mounted at `scratch`, empty to use the folder as it is; `plugins_disk`: serial
    of the one mounted at `plugins`, likewise; `files_disk`: of the one that the host writes images to. `private`: one folder a plugin below it, which is home and place of temporary files, gone with the machine.
    """

    layer: Path = Path(LAYER)
    plugins: Path = Path(PLUGINS)
    plugins_disk: str = "plugins"
    files_disk: str = "files"
    workspace: Path = Path(WORKSPACE)
    home: Path = Path(HOME)
    private: Path = Path("/run/plugins")
    clean: Path = Path(CLEAN)
    listing: Path = Path(LISTING)
    results: Path = Path(RESULTS)
    scratch: Path = Path("/scratch")
    scratch_device: str = "/dev/vdc"
    cgroups: Path = Path("/sys/fs/cgroup")
    privileged: bool = True

    def home_of(self, place: PluginPlace) -> Path:
        """Return a plugin's own folder: the agent's home, or one that no other plugin can look into."""
        if not self.privileged or place.uid == AGENT_UID:
            return self.home
        return self.private / place.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginPlace:
    """One plugin of the layer. `root`: folder for `sys.path`. `wheels`: its own packages' folder."""

    name: str
    package: str
    version: str
    order: int
    root: Path
    wheels: Path
    uid: int

    @property
    def keeps(self) -> bool:
        """Say whether what a call started goes on after it: a connector's program does."""
        return self.package == PROGRAM

    @property
    def resources(self) -> Path:
        """The folder of the plugin's package."""
        return self.root.joinpath(*self.package.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What lock.json says: the set's digest, that of Deskmate's own code, and its plugins.

    The plugins are in the order the model sees.
    """

    digest: str
    code: str
    plugins: tuple[PluginPlace, ...]


def read_lock(layer: Path, *, first_uid: int = FIRST_WORKER_UID) -> Lock:
    """Return the layer's lock. The host wrote it; a missing or odd file is a defect and raises.

    `first_uid`: of the users whom the plugins run as, in order.
    """
    data: dict[str, Any] = json.loads((layer / "lock.json").read_text())
    rows = sorted(data["plugins"], key=lambda row: (row["order"], row["name"]))
    places = [
        PluginPlace(
            name=row["name"],
            package=row["package"],
            version=row["version"],
            order=row["order"],
            root=layer / row["root"],
            wheels=layer / "wheels" / row["name"],
            uid=AGENT_UID if row["name"] == "workspace" else first_uid + number,
        )
        for number, row in enumerate(rows)
    ]
    return Lock(digest=data["lock"], code=data["code"], plugins=tuple(places))
