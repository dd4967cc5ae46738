"""Where things lie in the guest, and whether this process may mount and change users."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.types.wire import CLEAN, HOME, LAYER, LISTING, WORKSPACE

AGENT_UID = 1000
"""The user of the built-in workspace tools, and the owner of all workspace files."""
FIRST_WORKER_UID = 2001
GROUP = 3000
"""Group `workspace`: what lets every worker write the same files."""
BUILT_IN = ("workspace", "office")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders of the guest. `privileged`: mounts, users, control groups and the clock are ours to set.

    `scratch_device`: block device mounted at `scratch`, empty to use the folder as it is. `private`: one
    folder a plugin below it, which is home and place of temporary files, gone with the machine.
    """

    layer: Path = Path(LAYER)
    workspace: Path = Path(WORKSPACE)
    home: Path = Path(HOME)
    private: Path = Path("/run/plugins")
    clean: Path = Path(CLEAN)
    listing: Path = Path(LISTING)
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
    def resources(self) -> Path:
        """The folder of the plugin's package."""
        return self.root.joinpath(*self.package.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What lock.json says: the set's digest and its plugins, in the order the model sees."""

    digest: str
    plugins: tuple[PluginPlace, ...]


def read_lock(layer: Path) -> Lock:
    """Return the layer's lock. The host wrote it; a missing or odd file is a defect and raises."""
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
            uid=AGENT_UID if row["name"] == "workspace" else FIRST_WORKER_UID + number,
        )
        for number, row in enumerate(rows)
    ]
    return Lock(digest=data["lock"], plugins=tuple(places))
