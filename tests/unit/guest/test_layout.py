"""Where a plugin's own things lie in the guest."""

import dataclasses
from pathlib import Path

from deskmate_guest.layout import AGENT_UID, Layout, PluginPlace

PLACE = PluginPlace(
    name="acme", package="acme", version="1", order=1, root=Path("/x"), wheels=Path("/y"), uid=2001
)


def test_every_plugin_but_the_workspace_has_a_home_of_its_own() -> None:
    layout = Layout()
    assert layout.home_of(PLACE) == layout.private / "acme"
    assert layout.home_of(dataclasses.replace(PLACE, name="other")) == layout.private / "other"
    assert layout.home_of(dataclasses.replace(PLACE, uid=AGENT_UID)) == layout.home


def test_without_users_of_its_own_all_share_one_home() -> None:
    layout = Layout(privileged=False)
    assert layout.home_of(PLACE) == layout.home
