"""`deskmate plugin install`, `remove` and `enable`, as a user types them."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from deskmate.cli import permissions, root
from deskmate.discovery.consent import Consents
from deskmate.errors import DeskmateError
from deskmate.host import Host, RunOrder
from deskmate.types.places import Places

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.attack.evil_wheels import MANIFEST, WheelOf

HOSTED = MANIFEST + '[network]\nhosts = [{ host = "api.example.com", why = "to look" }]\n'


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home = tmp_path / "home"
    return Places(data=home / "data", cache=home / "cache", config=home / "config")


def call(places: Places, *arguments: str | Path, given: str | None = None) -> Result:
    environ = {"DESKMATE_HOME": str(places.data.parent), "PATH": ""}
    return CliRunner().invoke(root, [*map(str, arguments)], env=environ, input=given)


def thread(places: Places) -> str:
    return anyio.run(Host(places).create_thread, "A thread")


def test_install_says_what_came_and_what_it_may_do(places: Places, tmp_path: Path) -> None:
    result = call(places, "plugin", "install", WheelOf(manifest=HOSTED).write(tmp_path))
    assert result.exit_code == 0, result.output
    assert "Installed deskmate-evil 1.0 (sha256:" in result.stdout
    assert "May reach api.example.com (GET, HEAD): to look" in result.stdout
    assert "Next: deskmate plugin enable evil" in result.stdout
    assert "deskmate_evil, in the plugin store" in call(places, "plugin", "list").stdout
    again = call(places, "plugin", "install", tmp_path / "deskmate_evil-1.0-py3-none-any.whl")
    assert "Already there: deskmate-evil 1.0" in again.stdout


def test_install_and_list_as_json(places: Places, tmp_path: Path) -> None:
    wheel = WheelOf().write(tmp_path)
    (row,) = json.loads(call(places, "plugin", "install", wheel, "--json").stdout)["installed"]
    assert row["plugins"] == ["evil"]
    assert (row["new"], row["guest"], row["left_out"]) == (True, {}, [])
    rows = json.loads(call(places, "plugin", "list", "--json").stdout)["plugins"]
    assert {row["name"]: row["origin"] for row in rows}["evil"] == "store"


@pytest.mark.parametrize("command", ["remove", "uninstall"])
def test_remove_takes_it_out_again(command: str, places: Places, tmp_path: Path) -> None:
    call(places, "plugin", "install", WheelOf().write(tmp_path))
    assert "Removed deskmate-evil 1.0" in call(places, "plugin", command, "evil").stdout
    error = call(places, "plugin", command, "evil").exception
    assert isinstance(error, DeskmateError)
    assert "in the plugin store" in error.message


def test_the_cooldown_is_read_from_the_settings(places: Places, tmp_path: Path) -> None:
    places.config.mkdir(parents=True)
    (places.config / "config.toml").write_text('[install]\ncooldown_days = "x"\n')
    error = call(places, "plugin", "install", WheelOf().write(tmp_path)).exception
    assert "cooldown_days" in str(error)
    wheel = tmp_path / "deskmate_evil-1.0-py3-none-any.whl"
    assert call(places, "plugin", "install", wheel, "--cooldown", "0").exit_code == 0


def test_enabling_without_a_terminal_needs_a_yes(places: Places, tmp_path: Path) -> None:
    call(places, "plugin", "install", WheelOf(manifest=HOSTED).write(tmp_path))
    name = thread(places)
    refused = call(places, "plugin", "enable", "evil", "--thread", name)
    assert isinstance(refused.exception, DeskmateError)
    assert "nobody is at a terminal" in refused.exception.message
    assert "--yes" in refused.exception.hint
    assert "May reach api.example.com" in refused.stderr
    done = call(places, "plugin", "enable", "evil", "--thread", name, "--yes")
    assert done.exit_code == 0, done.output
    assert "uses evil 1.0 from now on" in done.stdout
    assert "uses evil already" in call(places, "plugin", "enable", "evil", "--thread", name).stdout


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("n\n", False), ("", False)])
def test_enabling_at_a_terminal_asks(
    answer: str, agreed: bool, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "someone_is_there", lambda: True)
    call(places, "plugin", "install", WheelOf(manifest=HOSTED).write(tmp_path))
    result = call(places, "plugin", "enable", "evil", given=answer)
    assert (result.exit_code == 0) is agreed
    assert (places.plugins / "accepted.json").exists() is agreed


def test_an_upgrade_that_wants_more_is_asked_for_and_shows_what_is_new(
    places: Places, tmp_path: Path
) -> None:
    call(places, "plugin", "install", WheelOf().write(tmp_path))
    name = thread(places)
    call(places, "plugin", "enable", "evil", "--thread", name, "--yes")
    call(places, "plugin", "install", WheelOf(version="1.1", manifest=HOSTED).write(tmp_path))
    with pytest.raises(DeskmateError, match="wants what you have not agreed to") as caught:
        anyio.run(run, places, name)
    assert "api.example.com" in caught.value.message
    refused = call(places, "plugin", "enable", "evil", "--thread", name)
    assert "New: to reach api.example.com (GET, HEAD)" in refused.stderr
    assert "Tools that only read" not in refused.stderr, "only what is new"
    assert call(places, "plugin", "enable", "evil", "--thread", name, "--yes").exit_code == 0
    catalogue_plugin = Consents(places.plugins)
    assert catalogue_plugin._read()["evil"]["version"] == "1.1"


async def run(places: Places, name: str) -> Any:
    order = RunOrder(text="Hello.", model="offline")
    return await Host(places).run(order, name, observer=quiet, approver=Nobody())  # type: ignore[arg-type]


def quiet(item: object) -> None:
    """Show nothing."""


class Nobody:
    """No person is there."""

    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def test_a_run_that_names_a_plugin_with_a_wish_nobody_granted_stores_nothing(
    places: Places, tmp_path: Path
) -> None:
    call(places, "plugin", "install", WheelOf(manifest=HOSTED).write(tmp_path))
    result = call(places, "run", "Hello.", "--plugin", "evil", "--model", "offline")
    assert "not agreed to" in str(result.exception)
    assert not places.threads.exists()
    call(places, "plugin", "enable", "evil", "--yes")
    result = call(places, "run", "Hello.", "--plugin", "evil", "--model", "offline")
    assert "not agreed to" not in str(result.exception)
    assert places.threads.exists()
